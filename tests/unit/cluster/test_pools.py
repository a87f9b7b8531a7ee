"""Pools of a cluster: defaults, what is added, and each rule on both sides of its boundary."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.cluster.pool_inputs import PATH, pool, resolve
from tidegate.cluster.input import AzureInput
from tidegate.cluster.node_marks import ADDONS_TAINT, SPOT_KEY, SPOT_TAINT
from tidegate.cluster.pools import resolve_pools
from tidegate.cluster.purpose import scoring_vcpus
from tidegate.cluster.spec import PoolSpec, SpotSpec
from tidegate.parse import parse

SPOT_LABEL = {SPOT_KEY: "spot"}
T4, A100 = "Standard_NC4as_T4_v3", "Standard_NC24ads_A100_v4"


def further(**keys: Any) -> PoolSpec:
    return resolve(pool(**keys)).pools[0]


# What follows from what is written.


def test_fast_prod_by_default() -> None:
    made = resolve({})
    assert made.first == PoolSpec(name="system", vm_size="Standard_D4s_v5", count=3, mode="System")
    assert made.pools == ()
    assert [finding.severity for finding in made.findings] == ["note"]


def test_dev_test_by_default() -> None:
    made = resolve({"purpose": "DevTest"})
    assert (made.first.count, made.first.vm_size) == (1, "Standard_D4s_v5")
    assert sorted(finding.severity for finding in made.findings) == ["note", "warning"]


def test_a_further_pool_by_default() -> None:
    assert further() == PoolSpec(name="x", vm_size="Standard_D4s_v5", count=1)


def test_further_pools_are_sorted() -> None:
    assert [spec.name for spec in resolve({"pools": {"b": {}, "a": {}}}).pools] == ["a", "b"]


def test_every_key_arrives() -> None:
    subnet = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"
    spec = further(
        vmSize="standard_nc24ads_a100_v4",
        count=2,
        minCount=1,
        maxCount=4,
        mode="User",
        availabilityZones=["2", "1"],
        nodeLabels={"tier": "scoring"},
        nodeTaints=["a=b:NoExecute"],
        maxPods=50,
        osSKU="AzureLinux",
        osDiskType="Managed",
        osDiskSizeGB=256,
        maxSurge=2,
        enableEncryptionAtHost=True,
        enableFIPS=True,
        vnetSubnetID=subnet,
        gpu={"driver": "Install", "migProfile": "MIG3g"},
        tags={"team": "x"},
    )
    assert spec == PoolSpec(
        name="x",
        vm_size=A100,
        count=2,
        min_count=1,
        max_count=4,
        mode="User",
        availability_zones=("1", "2"),
        node_labels={"tier": "scoring"},
        node_taints=("a=b:NoExecute", "sku=gpu:NoSchedule"),
        max_pods=50,
        os_sku="AzureLinux",
        os_disk_type="Managed",
        os_disk_size_gb=256,
        max_surge="2",
        encryption_at_host=True,
        fips=True,
        subnet_id=subnet,
        gpus=1,
        gpu_driver="Install",
        mig_profile="MIG3g",
        tags={"team": "x"},
    )
    zoned = pool(vmSize=A100, osSKU="AzureLinux", vnetSubnetID=subnet, availabilityZones=["1"])
    assert resolve(zoned).findings == []


def test_a_spot_pool_declares_what_azure_adds() -> None:
    spec = further(spot={})
    assert spec.spot == SpotSpec(max_price=-1, eviction_policy="Delete")
    assert spec.node_labels == {"kubernetes.azure.com/scalesetpriority": "spot"}
    assert spec.node_taints == ("kubernetes.azure.com/scalesetpriority=spot:NoSchedule",)
    assert spec.max_surge is None


def test_what_azure_adds_to_a_spot_pool_may_be_written_too() -> None:
    label = {"kubernetes.azure.com/scalesetpriority": "spot"}
    written = pool(spot={}, nodeLabels=label, nodeTaints=["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"])
    assert resolve(written).findings == resolve(pool(spot={})).findings
    assert resolve(written).pools == resolve(pool(spot={})).pools


def test_a_gpu_pool_keeps_other_pods_away() -> None:
    spec = further(vmSize=T4)
    assert (spec.gpus, spec.gpu_driver, spec.node_taints) == (1, "Install", ("sku=gpu:NoSchedule",))
    assert further(vmSize=T4, nodeTaints=["sku=gpu:NoSchedule"]).node_taints == ("sku=gpu:NoSchedule",)


def test_a_part_of_a_gpu_counts_as_one() -> None:
    assert further(vmSize="Standard_NV6ads_A10_v5").gpus == 1


def test_add_ons_only() -> None:
    made = resolve({"systemPool": {"criticalAddonsOnly": True}, "pools": {"more": {"mode": "System", "count": 3}}})
    assert made.first.node_taints == ("CriticalAddonsOnly=true:NoSchedule",)
    assert not made.first.takes_scoring_pods
    assert made.pools[0].takes_scoring_pods


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ({"minCount": 1, "maxCount": 2}, 2),
        ({"minCount": 2, "maxCount": 9}, 3),
        ({"minCount": 5, "maxCount": 9}, 5),
        ({"minCount": 2, "maxCount": 9, "count": 4}, 4),
    ],
)
def test_the_system_pool_begins_near_its_default(written: dict[str, int], count: int) -> None:
    assert resolve({"systemPool": written}).first.count == count


def test_a_further_pool_begins_at_its_minimum() -> None:
    assert (further(minCount=0, maxCount=4).count, further(minCount=2, maxCount=4).count) == (0, 2)


# Row C2.


@pytest.mark.parametrize(
    ("cluster", "vcpus"),
    [
        ({}, 12),
        ({"systemPool": {"count": 2}}, 8),
        ({"systemPool": {"minCount": 2, "maxCount": 50}}, 8),
        ({"pools": {"spot": {"count": 9, "spot": {}}}}, 12),
        ({"pools": {"gpu": {"vmSize": T4}}}, 16),
        ({"systemPool": {"criticalAddonsOnly": True}, "pools": {"cpu": {"count": 3}}}, 12),
        ({"systemPool": {"nodeTaints": ["CriticalAddonsOnly=true:NoSchedule"]}}, 0),
        ({"pools": {"new": {"vmSize": "Standard_D4s_v9", "count": 9}}}, 12),
    ],
)
def test_vcpus_for_scoring(cluster: dict[str, Any], vcpus: int) -> None:
    made = resolve(cluster)
    assert scoring_vcpus([made.first, *made.pools]) == vcpus
    assert bool(made.of("scoring-vcpus")) == (vcpus < 12)


def test_a_size_that_is_not_known_is_no_reason_to_refuse() -> None:
    few = {"systemPool": {"count": 2}, "pools": {"new": {"vmSize": "Standard_D4s_v9", "count": 1}}}
    assert resolve(few).of("scoring-vcpus") == [("warning", "")]
    few["pools"]["new"] = {"vmSize": "Standard_D4s_v9", "count": 0}
    assert resolve(few).of("scoring-vcpus") == [("error", "")]


def test_dev_test_needs_no_twelve() -> None:
    assert resolve({"purpose": "DevTest"}).of("scoring-vcpus") == []


def test_zones_everywhere_need_no_note() -> None:
    assert resolve({"systemPool": {"availabilityZones": ["1"]}}).of("no-availability-zones") == []


# Boundaries: the last value that passes and the first that does not.


@pytest.mark.parametrize(
    ("rule", "passing", "failing"),
    [
        ("pool-count", {"count": 1000}, {"count": 1001}),
        ("pool-count", {"minCount": 0, "maxCount": 1000}, {"minCount": 0, "maxCount": 1001}),
        ("pool-count", {"minCount": 3, "maxCount": 3}, {"minCount": 4, "maxCount": 3}),
        ("pool-count", {"minCount": 1, "maxCount": 3, "count": 3}, {"minCount": 1, "maxCount": 3, "count": 4}),
        ("pool-count", {"minCount": 1, "maxCount": 3, "count": 1}, {"minCount": 1, "maxCount": 3, "count": 0}),
        ("pool-count", {"mode": "System", "count": 2}, {"mode": "System", "count": 0}),
        ("pool-autoscaler", {"minCount": 1, "maxCount": 1}, {"minCount": 1}),
        ("system-pool-nodes", {"mode": "System", "count": 2}, {"mode": "System", "count": 1}),
        ("max-pods", {"maxPods": 10, "count": 3}, {"maxPods": 9, "count": 4}),
        ("max-pods", {"maxPods": 250}, {"maxPods": 251}),
        ("max-pods", {"maxPods": 10, "count": 0}, {"maxPods": 10, "count": 2}),
        ("max-pods", {"maxPods": 15, "count": 2}, {"maxPods": 14, "count": 2}),
        ("max-pods", {"mode": "System", "count": 2, "maxPods": 30}, {"mode": "System", "count": 2, "maxPods": 29}),
        ("os-disk-size", {"osDiskSizeGB": 30}, {"osDiskSizeGB": 29}),
        ("os-disk-size", {"osDiskSizeGB": 2048}, {"osDiskSizeGB": 2049}),
        ("max-surge", {"maxSurge": 1}, {"maxSurge": 0}),
        ("max-surge", {"maxSurge": "1%"}, {"maxSurge": "0%"}),
        ("max-surge", {"maxSurge": "100%"}, {"maxSurge": "101%"}),
        ("max-surge", {"maxSurge": "1000"}, {"maxSurge": "1001"}),
        ("spot-surge", {"spot": {}}, {"spot": {}, "maxSurge": 1}),
        ("spot-system-pool", {"spot": {}, "mode": "User"}, {"spot": {}, "mode": "System"}),
        ("spot-price", {"spot": {"maxPrice": -1}}, {"spot": {"maxPrice": -2}}),
        ("spot-price", {"spot": {"maxPrice": 0.00001}}, {"spot": {"maxPrice": 0.0}}),
        ("spot-price", {"spot": {"maxPrice": 0.12345}}, {"spot": {"maxPrice": 0.123456}}),
        ("availability-zones", {"availabilityZones": ["1", "2", "3"]}, {"availabilityZones": ["0"]}),
        ("availability-zones", {"availabilityZones": ["1", "2"]}, {"availabilityZones": ["2", "2"]}),
        ("vm-size-too-small", {"vmSize": "Standard_D2s_v5"}, {"vmSize": "Standard_DS1_v2"}),
        (
            "system-pool-size",
            {"mode": "System", "count": 2, "vmSize": "Standard_D4as_v5"},
            {"mode": "System", "count": 2, "vmSize": "Standard_D2as_v5"},
        ),
        ("system-pool-size", {"vmSize": "Standard_B4ms"}, {"vmSize": "Standard_B4ms", "mode": "System", "count": 2}),
        ("gpu-on-system-pool", {"vmSize": T4}, {"vmSize": T4, "mode": "System", "count": 2}),
        ("gpu-settings-without-gpu", {"vmSize": T4, "gpu": {}}, {"gpu": {}}),
        ("gpu-size-unknown", {"vmSize": "Standard_X1"}, {"vmSize": "Standard_NC1_v9"}),
        ("gpu-not-supported", {"vmSize": T4, "osSKU": "AzureLinux"}, {"vmSize": "Standard_NG8ads_V620_v1"}),
        ("amd-gpu", {"vmSize": T4}, {"vmSize": "Standard_ND96isr_MI300X_v5"}),
        ("gpu-driver", {"vmSize": T4, "gpu": {"driver": "Install"}}, {"vmSize": T4, "gpu": {"driver": "None"}}),
        (
            "mig-profile",
            {"vmSize": A100, "gpu": {"migProfile": "MIG7g"}},
            {"vmSize": T4, "gpu": {"migProfile": "MIG7g"}},
        ),
        ("fpga", {"vmSize": T4}, {"vmSize": "Standard_NP40s"}),
        ("ephemeral-os-disk", {"osDiskType": "Managed"}, {"osDiskType": "Ephemeral"}),
        (
            "ephemeral-os-disk",
            {"vmSize": "Standard_D4ads_v5", "osDiskType": "Ephemeral", "osDiskSizeGB": 150},
            {"vmSize": "Standard_D4ads_v5", "osDiskType": "Ephemeral", "osDiskSizeGB": 151},
        ),
        ("node-label", {"nodeLabels": {"a" * 63: "b" * 63}}, {"nodeLabels": {"a" * 64: ""}}),
        ("node-label", {"nodeLabels": {"example.com/a": ""}}, {"nodeLabels": {"example..com/a": ""}}),
        ("node-label", {"nodeLabels": {"a": "b.c_d-E"}}, {"nodeLabels": {"a": "b" * 64}}),
        (
            "reserved-node-label",
            {"nodeLabels": {"mykubernetes.io/a": ""}},
            {"nodeLabels": {"x.kubernetes.io/a": ""}},
        ),
        ("reserved-node-label", {"nodeTaints": ["a=b:NoSchedule"]}, {"nodeTaints": ["kubernetes.io/a=b:NoSchedule"]}),
        ("reserved-node-label", {"spot": {}, "nodeLabels": SPOT_LABEL}, {"nodeLabels": SPOT_LABEL}),
        ("reserved-node-label", {"spot": {}}, {"spot": {}, "nodeLabels": {SPOT_KEY: "regular"}}),
        ("reserved-node-label", {"spot": {}, "nodeTaints": [SPOT_TAINT]}, {"nodeTaints": [SPOT_TAINT]}),
        ("reserved-node-label", {"spot": {}}, {"spot": {}, "nodeTaints": [f"{SPOT_KEY}=spot:NoExecute"]}),
        ("node-taint", {"nodeTaints": ["a=b:NoSchedule", "a=b:NoExecute"]}, {"nodeTaints": ["a=b:Schedule"]}),
        ("node-taint", {"nodeTaints": ["a=b:NoSchedule"]}, {"nodeTaints": ["a:NoSchedule"]}),
        (
            "critical-addons-only",
            {"mode": "System", "count": 2, "criticalAddonsOnly": True},
            {"criticalAddonsOnly": True},
        ),
        ("critical-addons-only", {"nodeTaints": ["a=b:NoSchedule"]}, {"nodeTaints": [ADDONS_TAINT]}),
        (
            "critical-addons-only",
            {"mode": "System", "count": 2, "nodeTaints": [ADDONS_TAINT]},
            {"mode": "User", "nodeTaints": [ADDONS_TAINT]},
        ),
    ],
)
def test_boundaries(rule: str, passing: dict[str, Any], failing: dict[str, Any]) -> None:
    assert resolve(pool(**passing)).of(rule) == []
    assert resolve(pool(**failing)).of(rule) != []
    assert not resolve(pool(**passing)).refused


@pytest.mark.parametrize(
    ("name", "fits"),
    [("a", True), ("abcdefg8", True), ("abcdefgh9", False), ("1a", False), ("A", False), ("a-b", False)],
)
def test_names_leave_room_for_four_more(name: str, fits: bool) -> None:
    assert resolve({"pools": {name: {}}}).of("pool-name") == ([] if fits else [("error", f"pools.{name}")])


def test_the_first_pool_s_name_is_taken() -> None:
    assert resolve({"pools": {"system": {}}}).of("pool-name") == [("error", "pools.system")]


def test_a_size_may_be_used_until_the_day_before_it_retires() -> None:
    cluster = {"systemPool": {"vmSize": "Standard_D3_v2"}}
    assert resolve(cluster, today=date(2028, 4, 30)).of("vm-size-retirement") == [("warning", "systemPool.vmSize")]
    assert resolve(cluster, today=date(2028, 5, 1)).of("vm-size-retirement") == [("error", "systemPool.vmSize")]


def test_one_node_is_refused_for_fast_prod_only() -> None:
    one = {"systemPool": {"minCount": 1, "maxCount": 9}}
    assert resolve(one).of("system-pool-nodes") == [("error", "systemPool.minCount")]
    assert resolve({**one, "purpose": "DevTest"}).of("system-pool-nodes") == [("warning", "systemPool.minCount")]


# What the parser refused gives no second finding.


@pytest.mark.parametrize(
    "cluster",
    [
        {"systemPool": {"count": "one"}},
        {"systemPool": {"vmSize": 4}},
        {"systemPool": 4},
        {
            "purpose": "Prod",
            "systemPool": {"count": 1, "availabilityZones": ["1"]},
            "pools": {"x": {"availabilityZones": ["1"]}},
        },
        {"pools": {"x": {"minCount": "a", "maxCount": 3}}},
        {"systemPool": {"count": 2}, "pools": {"x": {"count": "a"}}},
        {"systemPool": {"count": "a", "criticalAddonsOnly": True}},
        {"pools": {"x": {"mode": "Both", "criticalAddonsOnly": True}}},
        {"systemPool": {"mode": "User", "spot": {}, "gpu": {}}},
    ],
)
def test_one_mistake_gives_one_finding(cluster: dict[str, Any]) -> None:
    made = resolve(cluster)
    assert made.refused
    broken = {finding.path for finding in made.refused}
    said = [finding for finding in made.findings if finding.severity == "error"]
    assert said == [], broken


def test_a_broken_system_pool_gives_no_spec() -> None:
    assert resolve({"systemPool": {"count": "one"}}).system is None


# Whatever is written, there are findings or a spec, and never an exception.

TEXTS = st.sampled_from(
    ["", "1", "33%", "a", "kubernetes.io/x", T4, A100, "Standard_B2s", "Standard_NP10s", "é"]
) | st.text(max_size=70)
COUNTS = st.integers(0, 3000) | st.none()
POOLS = st.fixed_dictionaries(
    {},
    optional={
        "vmSize": TEXTS | st.sampled_from(["Standard_D2s_v5", "Standard_D3_v2", "Standard_ND96isr_MI300X_v5"]),
        "count": COUNTS,
        "minCount": COUNTS,
        "maxCount": COUNTS,
        "mode": st.sampled_from(["System", "User", "Both"]),
        "availabilityZones": st.lists(st.sampled_from(["1", "2", "3", "4", ""]), max_size=4),
        "nodeLabels": st.dictionaries(TEXTS, TEXTS, max_size=3),
        "nodeTaints": st.lists(TEXTS | st.just("a=b:NoSchedule"), max_size=3),
        "maxPods": COUNTS,
        "osSKU": st.sampled_from(["Ubuntu", "AzureLinux", "Windows"]),
        "osDiskType": st.sampled_from(["Managed", "Ephemeral"]),
        "osDiskSizeGB": COUNTS,
        "maxSurge": TEXTS | st.integers(-5, 2000) | st.floats(),
        "vnetSubnetID": TEXTS,
        "criticalAddonsOnly": st.booleans(),
        "spot": st.fixed_dictionaries({}, optional={"maxPrice": st.floats(), "evictionPolicy": TEXTS}),
        "gpu": st.fixed_dictionaries({}, optional={"driver": TEXTS, "migProfile": st.just("MIG1g")}),
        "tags": st.dictionaries(TEXTS, TEXTS, max_size=2),
    },
)
CLUSTERS = st.fixed_dictionaries(
    {},
    optional={
        "purpose": st.sampled_from(["FastProd", "DevTest", "Prod"]),
        "systemPool": POOLS,
        "pools": st.dictionaries(TEXTS | st.just("x"), POOLS, max_size=3),
    },
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CLUSTERS, st.booleans())
def test_random_clusters(cluster: dict[str, Any], production: bool) -> None:
    made = resolve(cluster, production=production)
    errors = [finding for finding in [*made.findings, *made.refused] if finding.severity == "error"]
    assert all(finding.path.startswith(PATH) for finding in errors)
    if errors:
        return
    assert made.system is not None
    specs = [made.first, *made.pools]
    assert all(spec.mode == "User" or (spec.least >= 1 and spec.spot is None) for spec in specs)
    assert all(spec.least <= spec.count <= spec.most <= 1000 for spec in specs)
    assert all(spec.spot is None or spec.surge == 0 for spec in specs)
    assert len({spec.name for spec in specs}) == len(specs)


SOUND_LIMITS = st.tuples(st.integers(0, 999), st.integers(1, 1000)).map(sorted)
SOUND = st.builds(
    lambda limits, size, labels, zones, pods, disk, surge: {
        "minCount": limits[0],
        "maxCount": limits[1],
        "vmSize": size,
        "nodeLabels": labels,
        "availabilityZones": sorted(zones),
        "maxPods": pods,
        "osDiskSizeGB": disk,
        "maxSurge": surge,
    },
    SOUND_LIMITS,
    st.sampled_from(["Standard_D2s_v5", "Standard_D8ads_v5", T4, A100, "Standard_B2ms"]),
    st.dictionaries(st.from_regex(r"[a-z]([a-z0-9.-]{0,20}[a-z])?", fullmatch=True), st.just("x"), max_size=2),
    st.sets(st.sampled_from(["1", "2", "3"])),
    st.integers(30, 250),
    st.integers(30, 2048),
    st.integers(1, 1000) | st.integers(1, 100).map(lambda percent: f"{percent}%"),
)


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True), SOUND, max_size=3))
def test_sound_pools_pass(pools: dict[str, Any]) -> None:
    pools.pop("system", None)
    made = resolve({"pools": pools})
    assert not made.refused
    assert [finding for finding in made.findings if finding.severity == "error"] == []
    assert [spec.name for spec in made.pools] == sorted(pools)
    for spec in made.pools:
        assert spec.least <= spec.count <= spec.most
        assert ("sku=gpu:NoSchedule" in spec.node_taints) == (spec.gpus > 0)


def test_no_rule_says_the_same_twice() -> None:
    parsed = parse(AzureInput, {"tidegate:clusters": {"main": {"systemPool": {"count": 0}}}})
    entry = (parsed.value.clusters or {})["main"]
    _, _, findings = resolve_pools(
        ("tidegate:clusters", "main"), entry, "FastProd", False, parsed.broken, today=date(2026, 1, 1)
    )
    assert len(findings) == len(set(findings))
