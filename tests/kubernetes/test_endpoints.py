"""Endpoints as the API server takes them: every object, twice, and after every kind of change."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.api import Api, Manifest
from tests.kubernetes.endpoints import IMAGE, TENANT, Values, load_endpoint, manifests, plan, pods, version
from tests.unit.kubernetes.examples import EXAMPLES as GOLDEN
from tidegate.targets.kubernetes import plan_endpoint

pytestmark = [pytest.mark.kubernetes, pytest.mark.usefixtures("definitions")]

DEFAULTS: Values = {"versions": {"ridge": version()}}

BUSY: Values = {
    "tags": {"team": "risk", "cost center": "42"},
    "description": "Diabetes progression; 100 % of it.",
    "retry": {"attempts": 2},
    "maxRequestSizeInMB": 8,
    "versions": {
        "ridge": version(
            traffic=70,
            default=True,
            control=True,
            tags={"data": "2024"},
            description="The first one.",
            numReplicas=3,
            containerResourceRequirements={"cpu": 0.5, "memoryInGB": 1.5, "cpuLimit": 2},
        ),
        "forest": version(
            traffic=30,
            autoScaler={"minReplicas": 2, "maxReplicas": 8, "targetUtilization": 50, "refreshPeriodInSeconds": 30},
            arguments=["--depth", "$(DEPTH)"],
            environment={"name": "plain", "environmentVariables": {"DEPTH": "4", "OTHER": "$(HOME) %s"}},
            scoringTimeoutMs=1500,
            maxQueueWaitMs=250,
            maxConcurrentRequestsPerContainer=4,
            livenessProbeRequirements={"periodSeconds": 5, "successThreshold": 2, "initialDelaySeconds": 15},
        ),
        "deep": version(shadow=10, gpuCores=1, nodePool="gpu", numReplicas=1),
    },
}

TOKENS: Values = {
    "auth": {"token": {"tenantId": TENANT, "applicationId": TENANT, "applicationIdUri": "api://scoring"}},
    "identityClientId": TENANT,
    "serviceAccount": "scoring-pods",
    "versions": {"ridge": {"image": IMAGE, "numReplicas": 1}},
}

OPEN: Values = {"auth": "none", "versions": {"ridge": version(numReplicas=2)}}

EXAMPLES = {"defaults": DEFAULTS, "busy": BUSY, "tokens": TOKENS, "open": OPEN}
FACTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "production": {"host": "scoring.example.com", "tls": True, "production": True, "keda": True},
}


def planned(root: Path, namespace: str, values: Values, facts: dict[str, Any], **known: Any) -> list[Manifest]:
    endpoint = load_endpoint(root, {**values, "namespace": namespace})
    if endpoint.auth != "key":
        known["keys"] = {}
    return list(manifests(plan(endpoint, **facts), **known))


def shared(name: str, namespace: str) -> list[Manifest]:
    """The objects of an endpoint whose manifests are in a golden file, in a namespace of their own."""
    make, cluster = GOLDEN[name]
    endpoint = make().model_copy(update={"namespace": namespace})
    known: dict[str, Any] = {} if endpoint.auth == "key" else {"keys": {}}
    return list(manifests(plan_endpoint(endpoint, cluster), **known))


def identity(made: Manifest) -> tuple[str, str]:
    return made["kind"], made["metadata"]["name"]


@pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS)
@pytest.mark.parametrize("values", EXAMPLES.values(), ids=EXAMPLES)
def test_every_object_goes_in_and_the_second_time_changes_nothing(
    api: Api, tmp_path: Path, new_namespace: Callable[[], str], values: Values, facts: dict[str, Any]
) -> None:
    check_twice(api, planned(tmp_path, new_namespace(), values, facts))


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_manifests_go_in(api: Api, namespace: str, name: str) -> None:
    objects = shared(name, namespace)
    check_twice(api, objects)
    check_pods(api, objects)


def check_twice(api: Api, objects: list[Manifest]) -> None:
    with api.expecting_no_warning():
        first = [api.apply(each) for each in objects]
        second = [api.apply(each) for each in objects]
    for before, after in zip(first, second, strict=True):
        # Controllers write the status of what they look after meanwhile; the generation counts what was asked for.
        assert after["metadata"].get("generation") == before["metadata"].get("generation"), identity(before)
        if "status" not in after:
            assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], identity(before)


@pytest.mark.parametrize("values", EXAMPLES.values(), ids=EXAMPLES)
def test_pods_keep_the_restricted_standard(api: Api, tmp_path: Path, namespace: str, values: Values) -> None:
    objects = planned(tmp_path, namespace, values, {})
    for each in objects[:2]:  # the namespace and the service account
        api.apply(each)
    check_pods(api, objects)


def check_pods(api: Api, objects: list[Manifest]) -> None:
    """A Deployment that breaks the standard is only warned of: its pods are what is refused."""
    made = [pod for each in objects for pod in pods(each)]
    assert len(made) == len([each for each in objects if each["kind"] == "Service"])
    with api.expecting_no_warning():
        for pod in made:
            api.create(pod, dry_run=True)


def changed(**settings: Any) -> Callable[[Values], None]:
    return lambda values: values["versions"]["ridge"].update(settings)


def swap_default(values: Values) -> None:
    del values["versions"]["ridge"]["default"]
    values["versions"]["forest"]["default"] = True


def move_control(values: Values) -> None:
    del values["versions"]["ridge"]["control"]
    values["versions"]["forest"]["control"] = True


def shift_weight(values: Values) -> None:
    values["versions"]["ridge"]["traffic"], values["versions"]["forest"]["traffic"] = 10, 90


def tag_endpoint(values: Values) -> None:
    values["tags"], values["description"] = {"other": "tag"}, "Another text"


def drop_scaler(values: Values) -> None:
    del values["versions"]["forest"]["autoScaler"]
    values["versions"]["forest"]["numReplicas"] = 5


def rename_version(values: Values) -> None:
    values["versions"]["forest-2"] = values["versions"].pop("forest")


def drop_description(values: Values) -> None:
    for each in (values, values["versions"]["ridge"]):
        del each["description"], each["tags"]


def lift_shadow(values: Values) -> None:
    values["versions"]["deep"]["shadow"] = 0


HARMLESS: dict[str, tuple[Callable[[Values], None], set[str]]] = {
    "weight": (shift_weight, {"HTTPRoute/diabetes-split"}),
    "tags of the endpoint": (tag_endpoint, {"HTTPRoute/diabetes-split"}),
    "tags of a version": (changed(tags={"data": "2025"}), {"Deployment/diabetes-ridge"}),
    "description of a version": (changed(description="The best one."), {"Deployment/diabetes-ridge"}),
    "descriptions and tags taken out": (drop_description, {"HTTPRoute/diabetes-split", "Deployment/diabetes-ridge"}),
    "default": (swap_default, {"HTTPRoute/diabetes-split"}),
    "control": (move_control, {"HTTPRoute/diabetes-split"}),
    "shadow": (lift_shadow, {"HTTPRoute/diabetes-split"}),
}
"""Changes that leave all pods alone, and the objects that they touch."""


@pytest.mark.parametrize(("change", "touched"), HARMLESS.values(), ids=HARMLESS)
def test_a_change_of_the_traffic_or_of_words_leaves_pods_alone(
    api: Api, tmp_path: Path, namespace: str, change: Callable[[Values], None], touched: set[str]
) -> None:
    before = [api.apply(each) for each in planned(tmp_path, namespace, BUSY, FACTS["production"])]
    values = deepcopy(BUSY)
    change(values)
    after = [api.apply(each) for each in planned(tmp_path, namespace, values, FACTS["production"])]
    assert [identity(each) for each in after] == [identity(each) for each in before]
    differ = {"/".join(identity(new)) for old, new in zip(before, after, strict=True) if asked(new) != asked(old)}
    assert differ == touched
    for old, new in zip(before, after, strict=True):
        assert new["metadata"]["uid"] == old["metadata"]["uid"]
        if new["kind"] == "Deployment":
            assert new["spec"]["template"] == old["spec"]["template"]


def asked(made: Manifest) -> Manifest:
    """What was asked for, without what the API server and its controllers write beside it."""
    metadata = {key: made["metadata"].get(key) for key in ("labels", "annotations", "generation")}
    if made["kind"] == "Deployment":
        metadata["annotations"] = {
            key: value for key, value in metadata["annotations"].items() if key != "deployment.kubernetes.io/revision"
        }
    return {**{key: value for key, value in made.items() if key != "status"}, "metadata": metadata}


UPDATES: dict[str, tuple[Callable[[Values], None], dict[str, Any]]] = {
    "image": (lambda values: None, {"image": IMAGE.replace("5", "6")}),
    "content": (lambda values: None, {"content": None}),
    "keys": (lambda values: None, {"keys": {"primary": "bmV3", "secondary": "b2xk"}}),
    "replicas": (changed(numReplicas=7), {}),
    "autoscaler taken out": (drop_scaler, {}),
    "no KEDA any more": (lambda values: None, {"prometheus": None}),
    "resources": (changed(containerResourceRequirements={"cpu": 1, "memoryInGB": 4}), {}),
    "a version's name": (rename_version, {}),
    "GPUs": (changed(gpuCores=2), {}),
    "timeouts": (changed(scoringTimeoutMs=90000, maxQueueWaitMs=0), {}),
    "open to all": (lambda values: values.update(auth="none"), {}),
    "tokens": (lambda values: values.update(auth=TOKENS["auth"]), {}),
    "service account": (lambda values: values.update(serviceAccount="other"), {}),
    "retry taken out": (lambda values: values.pop("retry"), {}),
}


@pytest.mark.parametrize(("change", "known"), UPDATES.values(), ids=UPDATES)
def test_no_update_meets_a_field_that_cannot_change(
    api: Api, tmp_path: Path, namespace: str, change: Callable[[Values], None], known: dict[str, Any]
) -> None:
    made = [api.apply(each) for each in planned(tmp_path, namespace, BUSY, FACTS["production"])]
    before = {identity(each): each["metadata"]["uid"] for each in made}
    values = deepcopy(BUSY)
    change(values)
    with api.expecting_no_warning():
        after = [api.apply(each) for each in planned(tmp_path, namespace, values, FACTS["production"], **known)]
    kept = {identity(each): each["metadata"]["uid"] for each in after if identity(each) in before}
    assert kept.items() <= before.items()


def test_two_endpoints_share_a_namespace(api: Api, tmp_path: Path, namespace: str) -> None:
    first = [api.apply(each) for each in planned(tmp_path, namespace, BUSY, {})]
    other = load_endpoint(tmp_path, {**BUSY, "namespace": namespace}, "diabetes-2")
    second = [api.apply(each) for each in manifests(plan(other))]
    shared = {identity(each) for each in first} & {identity(each) for each in second}
    assert shared == {("Namespace", namespace)}
    for each in first[1:]:
        metadata = api.get(each["apiVersion"], each["kind"], each["metadata"]["name"], namespace)["metadata"]
        assert metadata.get("generation") == each["metadata"].get("generation")
