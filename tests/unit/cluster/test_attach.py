"""Clusters that exist: how they are named, and what they must be like (rules C10 and C11)."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.attach import check_attached, resolve_attach
from tidegate.cluster.input import AzureInput
from tidegate.cluster.spec import AttachedClusterSpec, LoadBalancerSpec
from tidegate.findings import Finding
from tidegate.parse import parse

SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shared/providers/Microsoft.ContainerService/managedClusters/aks"
OWNER = "acme/tidegate/prod"
SPEC = AttachedClusterSpec(
    name="main", purpose="FastProd", subscription_id=None, resource_group="shared", cluster_name="aks"
)
CLUSTER: dict[str, Any] = {
    "id": ID,
    "location": "westeurope",
    "tags": {"team": "ml"},
    "properties": {
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "kubernetesVersion": "1.35",
        "currentKubernetesVersion": "1.35.4",
        "networkProfile": {"loadBalancerSku": "standard"},
        "apiServerAccessProfile": {"enablePrivateCluster": False},
        "agentPoolProfiles": [
            {"name": "system", "count": 3, "vmSize": "Standard_D4s_v5", "osType": "Linux", "mode": "System"},
        ],
    },
}


def resolve(attach: Any, **beside: Any) -> tuple[AttachedClusterSpec | None, list[Finding]]:
    parsed = parse(AzureInput, {"tidegate:clusters": {"main": {"attach": attach} | beside}})
    entry = (parsed.value.clusters or {})["main"]
    return resolve_attach(("tidegate:clusters", "main"), "main", entry, parsed.broken)


def check(
    *,
    spec: AttachedClusterSpec = SPEC,
    deployer: str | None = None,
    needed: tuple[str, ...] = (),
    tags: Any = None,
    **properties: Any,
) -> list[Finding]:
    """Look over a sound cluster with these properties; None takes one out."""
    cluster = deepcopy(CLUSTER)
    cluster["properties"] = {
        key: value for key, value in (cluster["properties"] | properties).items() if value is not None
    }
    cluster["tags"] = tags if tags is not None else cluster["tags"]
    return check_attached(cluster, spec, owner=OWNER, deployer_address=deployer, needed_ranges=needed)


def found(findings: list[Finding]) -> list[tuple[str, str]]:
    return sorted((finding.severity, finding.rule) for finding in findings)


def pool(**settings: Any) -> dict[str, Any]:
    return CLUSTER["properties"]["agentPoolProfiles"][0] | settings


def ranges(*texts: str) -> dict[str, Any]:
    return {"apiServerAccessProfile": {"authorizedIPRanges": list(texts)}}


def test_an_id_names_a_cluster() -> None:
    spec = AttachedClusterSpec(
        name="main", purpose="FastProd", subscription_id=SUBSCRIPTION, resource_group="shared", cluster_name="aks"
    )
    assert resolve({"resourceId": ID}) == (spec, [])
    lower = ID.replace("managedClusters", "managedclusters").replace("Microsoft", "microsoft")
    assert resolve({"resourceId": lower}) == (spec, [])


def test_a_resource_group_and_a_name_do_too() -> None:
    spec = AttachedClusterSpec(
        name="main", purpose="DevTest", subscription_id=None, resource_group="shared", cluster_name="aks"
    )
    assert resolve({"resourceGroup": "shared", "name": "aks", "purpose": "DevTest"}) == (spec, [])


def test_what_of_the_gateway_is_there_is_said_once_and_in_any_order() -> None:
    spec, findings = resolve({"resourceId": ID, "installed": ["gatewayApi", "envoyGateway", "gatewayApi"]})
    assert findings == []
    assert spec is not None
    assert spec.installed == ("envoyGateway", "gatewayApi")


def test_the_scoring_front_of_a_cluster_that_exists_is_this_projects() -> None:
    front = {"type": "InternalLoadBalancer", "subnetName": "scoring"}
    spec, findings = resolve({"resourceId": ID}, loadBalancer=front)
    assert findings == []
    assert spec is not None
    assert spec.load_balancer == LoadBalancerSpec(type="InternalLoadBalancer", subnet_name="scoring")
    spec, findings = resolve({"resourceId": ID}, loadBalancer={"sku": "Basic"})
    assert spec is None
    assert found(findings) == [("error", "load-balancer-sku")]


@pytest.mark.parametrize("text", ["scoring.azurecr.io", "scoring.azurecr.io/cache", "localhost:5000/a/b-c__d"])
def test_images_may_come_from_a_registry_of_ones_own(text: str) -> None:
    spec, findings = resolve({"resourceId": ID}, gatewayImages=text)
    assert findings == []
    assert spec is not None
    assert spec.gateway_images == text


@pytest.mark.parametrize("text", ["", "https://a.io", "a.io/", "a.io/b:1", "a.io/B", "a.io//b", "a b"])
def test_what_is_no_place_of_images(text: str) -> None:
    spec, findings = resolve({"resourceId": ID}, gatewayImages=text)
    assert spec is None
    assert found(findings) == [("error", "gateway-images")]


def test_a_domain_label_needs_a_region_that_nobody_knows_yet() -> None:
    spec, (finding,) = resolve({"resourceId": ID}, tls={"leafDomainLabel": "scores"})
    assert spec is None
    assert finding.path == "tidegate:clusters.main.tls.leafDomainLabel"


@pytest.mark.parametrize(
    ("attach", "problem"),
    [
        ({}, "nothing says which cluster it is"),
        ({"purpose": "DevTest"}, "nothing says which cluster it is"),
        ({"name": "aks"}, "resourceGroup is missing"),
        ({"resourceGroup": "shared"}, "name is missing"),
        ({"resourceId": ID, "name": "aks"}, "resourceId and name are both written"),
        (
            {"resourceId": ID, "name": "aks", "resourceGroup": "shared"},
            "resourceId and resourceGroup and name are both written",
        ),
    ],
)
def test_one_form_or_the_other(attach: Any, problem: str) -> None:
    spec, (finding,) = resolve(attach)
    assert spec is None
    assert (finding.rule, finding.problem) == ("attach-form", problem)


def test_a_wrong_id_or_resource_group_is_told() -> None:
    assert found(resolve({"resourceId": ID + "/"})[1]) == [("error", "attach-id")]
    assert found(resolve({"resourceId": ""})[1]) == [("error", "attach-id")]
    assert found(resolve({"resourceGroup": "a.", "name": "aks"})[1]) == [("error", "resource-group-name")]


@pytest.mark.parametrize("attach", [{"resourceId": 5}, {"resourceGroup": 5, "name": "aks"}, {"nam": "aks"}])
def test_what_was_refused_already_is_not_missing(attach: Any) -> None:
    assert resolve(attach) == (None, [])


def test_all_other_keys_are_one_finding() -> None:
    spec, (finding,) = resolve({"resourceId": ID}, purpose="DevTest", tier="Free", pools={}, kubernetesVersion="1.36")
    assert spec is None
    assert finding.path == "tidegate:clusters.main"
    assert finding.problem == "purpose, kubernetesVersion, tier, pools beside attach"
    assert "purpose stands under attach" in finding.remedy


def test_a_sound_cluster_is_let_through() -> None:
    assert check() == []


def test_the_state_must_be_final_and_running() -> None:
    assert found(check(provisioningState="Updating")) == [("error", "attach-state")]
    assert "Try again" in check(provisioningState="Updating")[0].remedy
    assert "Repair" in check(provisioningState="Failed")[0].remedy
    assert found(check(provisioningState=None)) == [("error", "attach-state")]
    assert found(check(powerState={"code": "Stopped"})) == [("error", "attach-state")]
    assert check(powerState=None) == []


@pytest.mark.parametrize(
    ("version", "runs"), [("1.32.9", False), ("1.33.0", True), ("1.36.2", True), ("1.37.0", False), ("", False)]
)
def test_the_gateway_and_aks_both_support_its_kubernetes(version: str, runs: bool) -> None:
    said = [] if runs else [("error", "attach-kubernetes")]
    assert found(check(currentKubernetesVersion=version, kubernetesVersion=None)) == said


def test_nobody_is_told_to_go_back() -> None:
    assert "Upgrade" in check(currentKubernetesVersion="1.32.9")[0].remedy
    assert "does not go back" in check(currentKubernetesVersion="1.37.0")[0].remedy


def test_the_version_that_runs_counts() -> None:
    assert found(check(currentKubernetesVersion="1.32.1", kubernetesVersion="1.35")) == [("error", "attach-kubernetes")]
    assert check(currentKubernetesVersion=None, kubernetesVersion="1.35") == []


@pytest.mark.parametrize(
    ("sku", "sound"), [("standard", True), ("Standard", True), ("basic", False), ("Basic", False), (None, False)]
)
def test_the_load_balancer_is_standard(sku: str | None, sound: bool) -> None:
    assert found(check(networkProfile={"loadBalancerSku": sku})) == (
        [] if sound else [("error", "attach-load-balancer")]
    )


@pytest.mark.parametrize(
    ("tags", "sound"),
    [
        ({}, True),
        ({"tidegate-owner": OWNER}, True),
        ({"Tidegate-Owner": OWNER}, True),
        ({"tidegate-owner": ""}, True),
        ({"tidegate-owner": "acme/tidegate/dev"}, False),
        ({"TIDEGATE-OWNER": "acme/tidegate/dev"}, False),
        ({"tidegate-owner": OWNER.upper()}, False),
    ],
)
def test_another_owner_is_named(tags: Any, sound: bool) -> None:
    findings = check(tags=tags)
    assert found(findings) == ([] if sound else [("error", "attach-owner")])
    assert sound or next(iter(tags.values())) in findings[0].problem


def test_a_cluster_without_tags_has_no_owner() -> None:
    cluster = {key: value for key, value in CLUSTER.items() if key != "tags"}
    assert check_attached(cluster, SPEC, owner=OWNER, deployer_address=None, needed_ranges=()) == []
    assert check_attached(cluster | {"tags": None}, SPEC, owner=OWNER, deployer_address=None, needed_ranges=()) == []


@pytest.mark.parametrize(
    ("allowed", "deployer", "needed", "missing"),
    [
        ((), "203.0.113.7", ("198.51.100.0/24",), ""),
        (("203.0.113.0/24",), None, (), ""),
        (("203.0.113.0/24",), "203.0.113.7", (), ""),
        (("203.0.113.7/32",), "203.0.113.7", (), ""),
        (("203.0.113.7",), "203.0.113.7", (), ""),
        (("203.0.113.8/32",), "203.0.113.7", (), "203.0.113.7"),
        (("198.51.100.0/25", "198.51.100.128/25"), None, ("198.51.100.0/24",), ""),
        (("198.51.100.0/25",), None, ("198.51.100.0/24",), "198.51.100.0/24"),
        (
            ("192.0.2.0/24",),
            "203.0.113.7",
            ("198.51.100.0/24", "192.0.2.0/28"),
            "203.0.113.7, 198.51.100.0/24",
        ),
        (("192.0.2.0/24",), "2001:db8::1", (), ""),
    ],
)
def test_the_ranges_that_are_missing_are_listed(
    allowed: tuple[str, ...], deployer: str | None, needed: tuple[str, ...], missing: str
) -> None:
    findings = check(deployer=deployer, needed=needed, **ranges(*allowed))
    assert found(findings) == ([("error", "attach-ranges")] if missing else [])
    assert not missing or findings[0].problem.endswith(f"do not have {missing}")


def test_a_private_cluster_has_no_ranges() -> None:
    private: dict[str, Any] = {"apiServerAccessProfile": {"enablePrivateCluster": True}}
    assert found(check(deployer="203.0.113.7", **private)) == [("warning", "attach-private")]


@pytest.mark.parametrize(
    ("pools", "sound"),
    [
        ([pool()], True),
        ([pool(count=2)], False),
        ([pool(count=2), pool(name="more", count=1, mode="User")], True),
        ([pool(count=9, enableAutoScaling=True, minCount=2, maxCount=9)], False),
        ([pool(count=3, enableAutoScaling=True, minCount=3, maxCount=9)], True),
        ([pool(count=3, enableAutoScaling=False, minCount=1, maxCount=9)], True),
        ([pool(scaleSetPriority="Spot")], False),
        ([pool(nodeTaints=["CriticalAddonsOnly=true:NoSchedule"])], False),
        ([pool(osType="Windows")], False),
        ([pool(count=3.0)], True),
        ([], False),
    ],
)
def test_fast_prod_has_room_for_scoring(pools: list[Any], sound: bool) -> None:
    assert found(check(agentPoolProfiles=pools)) == ([] if sound else [("error", "scoring-vcpus")])


def test_an_unknown_size_is_not_held_against_it() -> None:
    assert found(check(agentPoolProfiles=[pool(vmSize="Standard_Z99")])) == [("warning", "scoring-vcpus")]


def test_dev_test_says_what_it_is() -> None:
    spec = SPEC.model_copy(update={"purpose": "DevTest"})
    assert found(check(spec=spec, agentPoolProfiles=[pool(count=1)])) == [("note", "dev-test")]


def test_everything_is_told_at_once() -> None:
    findings = check(
        deployer="203.0.113.7",
        tags={"tidegate-owner": "acme/tidegate/dev"},
        provisioningState="Failed",
        currentKubernetesVersion="1.20.1",
        networkProfile={"loadBalancerSku": "basic"},
        agentPoolProfiles=[pool(count=1)],
        **ranges("192.0.2.0/24"),
    )
    assert [finding.rule for finding in findings] == [
        "attach-owner",
        "attach-state",
        "attach-kubernetes",
        "attach-load-balancer",
        "attach-ranges",
        "scoring-vcpus",
    ]
    assert {finding.path.split(".attach")[0] for finding in findings} == {"tidegate:clusters.main"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=6), values, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "tags": JSON,
            "properties": st.dictionaries(st.sampled_from(list(CLUSTER["properties"])), JSON, max_size=4) | JSON,
        },
    ),
    st.text(max_size=8),
)
def test_whatever_azure_answers_is_looked_over(cluster: dict[str, Any], text: str) -> None:
    findings = check_attached(cluster, SPEC, owner=OWNER, deployer_address=text, needed_ranges=[text])
    assert any(finding.severity == "error" for finding in findings)


@given(
    st.dictionaries(
        st.sampled_from(["resourceId", "resourceGroup", "name", "purpose"]), st.text(max_size=8) | st.just(ID)
    )
)
def test_whatever_is_written_gives_a_spec_or_a_finding(attach: dict[str, Any]) -> None:
    parsed = parse(AzureInput, {"tidegate:clusters": {"main": {"attach": attach}}})
    spec, findings = resolve(attach)
    assert (spec is None) == bool(findings) or parsed.findings
