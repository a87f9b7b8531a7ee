import json
from pathlib import Path
from typing import Any

import pytest
from pulumi_policy import (
    EnforcementLevel,
    PolicyCustomTimeouts,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policy import checks
from policy.pack import POLICIES
from tidegate.cluster.plan.objects import DEVICE_PLUGIN_IMAGE, PRODUCTION_LABEL
from tidegate.cluster.spec import PRODUCTION_TAG

DIGEST = "@sha256:" + "0" * 64


def cluster(**access: object) -> dict[str, object]:
    return {"disableLocalAccounts": True, "apiServerAccessProfile": access}


def test_a_protected_resource_has_no_complaint_and_an_unprotected_one_has() -> None:
    assert not list(checks.unprotected(True))
    assert list(checks.unprotected(False))


@pytest.mark.parametrize(
    ("properties", "complaints"),
    [
        (cluster(enablePrivateCluster=True), 0),
        (cluster(authorizedIPRanges=["203.0.113.0/24"]), 0),
        (cluster(authorizedIPRanges=[]), 1),
        (cluster(enablePrivateCluster=False), 1),
        ({}, 1),
    ],
)
def test_an_api_server_is_private_or_has_ranges(properties: dict[str, object], complaints: int) -> None:
    assert len(list(checks.open_api_server(properties))) == complaints


@pytest.mark.parametrize(
    ("ranges", "complaints"),
    [(["203.0.113.0/24"], 0), (["0.0.0.0/0"], 1), (["::/0", "0.0.0.0/0"], 2), (["0.0.0.0/32"], 0), (["everyone"], 1)],
)
def test_no_range_lets_everyone_in(ranges: list[str], complaints: int) -> None:
    assert len(list(checks.wildcard_ranges(cluster(authorizedIPRanges=ranges)))) == complaints


def test_local_accounts_have_to_be_off_in_so_many_words() -> None:
    assert not list(checks.local_accounts({"disableLocalAccounts": True}))
    assert list(checks.local_accounts({"disableLocalAccounts": False}))
    assert list(checks.local_accounts({}))


@pytest.mark.parametrize("kind", sorted(checks.POD_TEMPLATES))
def test_every_kind_with_pods_needs_digests(kind: str) -> None:
    def resource(image: str) -> dict[str, object]:
        value: dict[str, object] = {"spec": {"containers": [{"name": "a", "image": image}]}}
        for key in reversed(checks.POD_TEMPLATES[kind]):
            value = {key: value}
        return value

    assert not list(checks.images_without_digest(kind, resource(f"registry.example/a{DIGEST}")))
    assert not list(checks.images_without_digest(kind, resource(f"registry.example/a:1{DIGEST}")))
    for image in ("registry.example/a:1", "a", f"a{DIGEST}0", ""):
        assert len(list(checks.images_without_digest(kind, resource(image)))) == 1


def test_init_containers_need_digests_too() -> None:
    pod = {"spec": {"initContainers": [{"name": "a", "image": "a:1"}], "containers": []}}
    assert list(checks.images_without_digest("kubernetes:core/v1:Pod", pod))


def test_an_open_endpoint_is_said() -> None:
    route = {"endpoint": "diabetes", "auth": "none"}
    assert list(checks.open_endpoint(route))
    assert not list(checks.open_endpoint({**route, "auth": "key"}))


def test_a_route_of_the_gateway_needs_a_policy_that_asks_for_a_credential() -> None:
    spec = {"rules": [{"backendRefs": [{"name": "ridge"}]}]}
    route = {"metadata": {"name": "r", "namespace": "n", "labels": {"of": "diabetes"}}, "spec": spec}
    listed = {**route, "metadata": {**route["metadata"], "labels": {checks.ANONYMOUS_LABEL: "true"}}}
    target = {"targetRefs": [{"kind": "HTTPRoute", "name": "r"}]}
    policy = {"metadata": {"namespace": "n"}, "spec": {**target, "apiKeyAuth": {"credentialRefs": [{"name": "keys"}]}}}
    token = {"metadata": {"namespace": "n"}, "spec": {**target, "jwt": {"providers": [{}]}}}
    toothless = {"metadata": {"namespace": "n"}, "spec": {**target, "cors": {}}}
    elsewhere = {**token, "metadata": {"namespace": "m"}}
    for guard in ([token], [policy], [elsewhere, token]):
        assert not list(checks.unguarded_routes([route], guard))
    for guard in ([], [toothless], [elsewhere]):
        assert list(checks.unguarded_routes([route], guard))
        assert not list(checks.unguarded_routes([listed], guard))
        assert not list(checks.unguarded_routes([{**route, "spec": {"rules": [{"filters": [{}]}]}}], guard))


@pytest.mark.parametrize(
    ("selector", "guarded"),
    [
        ({"matchLabels": {"of": "diabetes"}}, True),
        ({"matchLabels": {"of": "other"}}, False),
        ({"matchLabels": {"of": "diabetes", "more": "x"}}, False),
        ({"matchLabels": {}}, False),
        ({"matchLabels": {"of": "diabetes"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}, False),
    ],
)
def test_a_policy_finds_its_routes_by_their_labels(selector: dict[str, Any], guarded: bool) -> None:
    labels = {"of": "diabetes", "and": "ridge"}
    route = {
        "metadata": {"name": "r", "namespace": "n", "labels": labels},
        "spec": {"rules": [{"backendRefs": [{"name": "ridge"}]}]},
    }
    spec = {"targetSelectors": [{"kind": "HTTPRoute", **selector}], "jwt": {"providers": [{}]}}
    policy = {"metadata": {"namespace": "n"}, "spec": spec}
    assert bool(list(checks.unguarded_routes([route], [policy]))) is not guarded


def test_production_as_the_project_comes_passes() -> None:
    golden = Path(__file__).resolve().parents[1] / "golden" / "environments" / "prod.json"
    resources = json.loads(golden.read_text())
    routes, policies = (
        [each["inputs"] for each in resources if each["type"] == kind]
        for kind in (checks.HTTP_ROUTE, checks.SECURITY_POLICY)
    )
    assert any(each["metadata"]["namespace"] == "diabetes" for each in routes)
    assert policies
    assert not list(checks.unguarded_routes(routes, policies))
    assert list(checks.unguarded_routes(routes, []))
    strict = [each for each in resources if checks.is_production(each["inputs"])]
    pods = [each for each in strict if each["type"] in checks.POD_TEMPLATES]
    assert pods
    assert not [found for each in pods for found in checks.images_without_digest(each["type"], each["inputs"])]


@pytest.mark.parametrize(
    ("properties", "production"),
    [
        ({"tags": {checks.PRODUCTION_TAG: "true"}}, True),
        ({"tags": {checks.PRODUCTION_TAG: "false"}}, False),
        ({"metadata": {"labels": {checks.PRODUCTION_LABEL: "true"}}}, True),
        ({"metadata": {"name": "a"}, "tags": None}, False),
        ({}, False),
    ],
)
def test_production_says_so_itself(properties: dict[str, object], production: bool) -> None:
    assert checks.is_production(properties) is production


def test_the_tag_is_the_one_that_the_program_sets() -> None:
    assert checks.PRODUCTION_TAG == PRODUCTION_TAG
    assert checks.PRODUCTION_LABEL == PRODUCTION_LABEL


def test_the_device_plugin_is_named_by_its_digest() -> None:
    pod = {"spec": {"containers": [{"name": "a", "image": DEVICE_PLUGIN_IMAGE}]}}
    assert not list(checks.images_without_digest("kubernetes:core/v1:Pod", pod))


KUBECONFIG = "apiVersion: v1\nkind: Config\nusers: []\n"


@pytest.mark.parametrize(
    "text",
    [
        KUBECONFIG,
        "-----BEGIN RSA PRIVATE KEY-----\nMII\n",
        "-----BEGIN PRIVATE KEY-----\nMII\n",
        "DefaultEndpointsProtocol=https;AccountKey=abcdefghijklmnopqrstuvwxyz==",
        "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://x",
        "users:\n- user:\n    client-key-data: LS0t\n",
    ],
)
def test_what_looks_like_a_credential_stands_in_the_secret_outputs_only(text: str) -> None:
    (complaint,) = checks.plain_credentials({"clusters": {"scoring": {"config": [text]}}})
    assert "clusters.scoring.config[0]" in complaint
    assert text not in complaint
    assert not list(checks.plain_credentials({"kubeconfigs": {"scoring": text}}))


def test_plain_outputs_without_credentials_are_fine() -> None:
    outputs = {"address": "http://127.0.0.1:8080", "endpoints": {"a": {"auth": "key", "versions": {"one": 100}}}}
    assert not list(checks.plain_credentials(outputs))


def test_every_policy_stands_twice_strict_and_as_advice() -> None:
    strict = {policy.name for policy in POLICIES if policy.enforcement_level is EnforcementLevel.MANDATORY}
    advice = {policy.name for policy in POLICIES if policy.enforcement_level is EnforcementLevel.ADVISORY}
    assert {f"{name}-advice" for name in strict} == advice
    assert len(strict) + len(advice) == len(POLICIES)


def reported(properties: dict[str, object], *, protect: bool) -> set[str]:
    """The policies of single resources that a cluster breaks."""
    options = PolicyResourceOptions(protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    arguments = ResourceValidationArgs(checks.CLUSTER, properties, "urn", "scoring", options, None, {}, {})
    found: set[str] = set()
    for policy in POLICIES:
        if isinstance(policy, ResourceValidationPolicy):
            policy.validate(arguments, lambda _, __=None, name=policy.name: found.add(name))
    return found


def test_what_stops_production_is_advice_elsewhere() -> None:
    broken: dict[str, object] = {"apiServerAccessProfile": {"authorizedIPRanges": ["0.0.0.0/0"]}}
    production = {**broken, "tags": {checks.PRODUCTION_TAG: "true"}}
    assert reported(production, protect=False) == {"protected", "no-wildcard-range", "no-local-accounts"}
    assert reported(broken, protect=False) == {
        "protected-advice",
        "no-wildcard-range-advice",
        "no-local-accounts-advice",
    }
    assert reported({"tags": {checks.PRODUCTION_TAG: "true"}}, protect=True) == {
        "api-server-closed",
        "no-local-accounts",
    }
