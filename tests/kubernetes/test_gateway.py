"""Gateways as the API server takes them: what others publish, and what this project adds."""

from collections.abc import Iterator

import pytest

from tests.kubernetes.api import Api, Manifest
from tests.kubernetes.endpoints import pods
from tests.unit.gateway.specs import SPECS
from tidegate.cluster.plan.objects import GATEWAY_NAMESPACE, plan_namespace
from tidegate.gateway.bundles import read_bundle
from tidegate.gateway.plan import GatewayPlan, plan_gateway

pytestmark = [pytest.mark.kubernetes, pytest.mark.usefixtures("definitions")]

WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def published(plan: GatewayPlan) -> Iterator[Manifest]:
    yield plan_namespace(GATEWAY_NAMESPACE, pod_security="baseline")
    yield from (plan_namespace(name, pod_security="restricted") for name in plan.namespaces)
    yield from (each for name in plan.bundles for each in read_bundle(name).objects)


@pytest.mark.parametrize("name", SPECS)
def test_every_object_goes_in_and_the_second_time_changes_nothing(api: Api, name: str) -> None:
    plan = plan_gateway(SPECS[name])
    objects = [*published(plan), *plan.manifests]
    # No pod answers the webhooks here: asked for in earnest, they would refuse everything after them.
    webhooks = [each for each in objects if each["kind"] in WEBHOOKS]
    rest = [each for each in objects if each["kind"] not in WEBHOOKS]
    with api.expecting_no_warning():
        first = [api.apply(each) for each in rest]
        second = [api.apply(each) for each in rest]
        for each in webhooks:
            api.apply(each, dry_run=True)
    for before, after in zip(first, second, strict=True):
        if "status" not in after:
            assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        assert after["metadata"].get("generation") == before["metadata"].get("generation")


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_pods_keep_the_standard_of_their_namespaces(api: Api, name: str) -> None:
    objects = list(published(plan_gateway(SPECS[name])))
    accounts = [each for each in objects if each["kind"] in ("Namespace", "ServiceAccount")]
    for each in accounts:
        api.apply(each)
    made = [pod for each in objects for pod in pods(each)]
    assert made
    with api.expecting_no_warning():
        for each in made:
            api.create(each, dry_run=True)
