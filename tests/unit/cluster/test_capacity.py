"""Room for pods in pools, and for pools in a quota."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.capacity import (
    Demand,
    check_capacity,
    check_quota,
    node_room,
    platform_demands,
    quota_needed,
    reserved_cpu,
    reserved_memory,
)
from tidegate.cluster.sizes import lookup
from tidegate.cluster.spec import PoolSpec, SpotSpec
from tidegate.findings import Finding

LOC = ("tidegate:clusters", "main")
T4, A100 = "Standard_NC4as_T4_v3", "Standard_NC24ads_A100_v4"


def system(**keys: Any) -> PoolSpec:
    return PoolSpec(
        **{"name": "system", "vm_size": "Standard_D4s_v5", "count": 3, "mode": "System", "max_pods": 110, **keys}
    )


def user(name: str = "cpu", **keys: Any) -> PoolSpec:
    return PoolSpec(**{"name": name, "vm_size": "Standard_D4s_v5", "count": 1, "max_pods": 110, **keys})


def gpu(**keys: Any) -> PoolSpec:
    return user("gpu", **{"vm_size": T4, "gpus": 1, "node_taints": ("sku=gpu:NoSchedule",), **keys})


def demand(**keys: Any) -> Demand:
    return Demand(**{"name": "diabetes/ridge", "loc": ("here",), "replicas": 1, "cpu": 0.1, "memory_gib": 0.5, **keys})


def broken(pools: list[PoolSpec], *demands: Demand) -> list[str]:
    return [finding.rule for finding in check_capacity(LOC, pools, demands)]


@pytest.mark.parametrize(
    ("vcpus", "millicores"), [(1, 60), (2, 100), (4, 140), (8, 180), (16, 260), (32, 420), (64, 740)]
)
def test_aks_keeps_the_cpu_of_its_table(vcpus: int, millicores: int) -> None:
    assert reserved_cpu(vcpus) * 1000 == pytest.approx(millicores)


def test_aks_keeps_the_memory_of_its_examples() -> None:
    assert reserved_memory(8, 30) == pytest.approx((20 * 30 + 50 + 100) / 1024)
    assert reserved_memory(4, 70) == pytest.approx(4 / 4 + 100 / 1024)
    assert reserved_memory(16, None) == pytest.approx(16 / 4 + 100 / 1024)


def test_slices_are_gpus_of_their_own() -> None:
    size = lookup(A100)
    assert size is not None
    assert [node_room(size, gpu(vm_size=A100, mig_profile=mig)).gpus for mig in (None, "MIG1g", "MIG7g")] == [1, 7, 1]


def test_the_default_cluster_has_room_for_its_own_pods() -> None:
    assert broken([system(max_pods=None)]) == []
    assert broken([system(count=1, max_pods=None)]) == []


def test_an_autoscaled_pool_counts_at_its_largest() -> None:
    wide = demand(replicas=20, cpu=1)
    assert broken([system()], wide) == ["pool-capacity"]
    assert broken([system(min_count=1, max_count=9)], wide) == []


def test_the_sum_at_its_boundary() -> None:
    size = lookup("Standard_D4s_v5")
    assert size is not None
    room = node_room(size, system())
    free = 3 * room.cpu - sum(each.pods * each.cpu for each in platform_demands(LOC))
    fitting = demand(replicas=9, surge=1, cpu=free / 10, memory_gib=0.1)
    assert broken([system()], fitting) == []
    assert broken([system()], demand(replicas=9, surge=1, cpu=free / 10 + 0.001, memory_gib=0.1)) == ["pool-capacity"]


def test_a_request_at_its_boundary() -> None:
    size = lookup("Standard_D4s_v5")
    assert size is not None
    room = node_room(size, user())
    assert broken([system(), user(count=2)], demand(cpu=room.cpu)) == []
    assert broken([system(), user()], demand(replicas=99, cpu=room.cpu + 0.001)) == ["request-larger-than-node"]
    assert broken([system(), user()], demand(memory_gib=room.memory_gib + 0.001)) == ["request-larger-than-node"]


def test_one_pool_must_have_all_that_a_request_asks_for() -> None:
    pools = [system(), user("cpu", vm_size="Standard_F16s_v2"), user("memory", vm_size="Standard_E4s_v5")]
    assert broken(pools, demand(cpu=8, memory_gib=8), demand(cpu=2, memory_gib=20)) == []
    assert broken(pools, demand(cpu=8, memory_gib=30)) == ["request-larger-than-node"]


def test_gpus_need_a_gpu_pool() -> None:
    assert broken([system()], demand(gpus=1)) == ["pods-without-pool"]
    assert broken([system(), gpu()], demand(gpus=1)) == []
    assert broken([system(), gpu()], demand(gpus=1, surge=1)) == ["pool-capacity"]
    assert broken([system(), gpu(count=9)], demand(gpus=2)) == ["request-larger-than-node"]


def test_pods_without_gpus_stay_away_from_gpus() -> None:
    roomy = gpu(vm_size="Standard_NC64as_T4_v3", gpus=4)
    assert broken([system(count=2), roomy], demand(replicas=10, cpu=1)) == ["pool-capacity"]


def test_amd_gpus_are_not_offered() -> None:
    amd = gpu(vm_size="Standard_ND96isr_MI300X_v5", gpus=8, gpu_driver="None")
    assert broken([system(), amd], demand(gpus=1)) == ["pods-without-pool"]


def test_taints_want_tolerations() -> None:
    tainted = [system(node_taints=("CriticalAddonsOnly=true:NoSchedule",)), user(node_taints=("a=b:NoSchedule",))]
    assert broken(tainted, demand()) == ["pods-without-pool"]
    assert broken(tainted, demand(tolerations=("a=b:NoSchedule",))) == []
    assert broken([*tainted, user("soft", node_taints=("a=b:PreferNoSchedule",))], demand()) == []


def test_a_pool_by_name() -> None:
    assert broken([system(), user("small")], demand(replicas=9, cpu=1, node_pool="small")) == ["pool-capacity"]
    assert broken([system()], demand(node_pool="small")) == ["pods-without-pool"]


def test_pods_of_one_pool_are_not_held_against_another() -> None:
    findings = check_capacity(LOC, [system(), user("small")], [demand(replicas=9, cpu=1, node_pool="small")])
    assert (
        "asked diabetes/ridge 9 x 1 = 9; given, after what AKS keeps of each node, small 1 x 3.56 = 3.56"
        in findings[0].problem
    )


def test_nothing_is_guessed_of_a_size_that_is_not_known() -> None:
    pools = [system(), user("new", vm_size="Standard_D4s_v9")]
    assert broken(pools, demand(replicas=1000, cpu=100)) == []
    assert broken(pools, demand(replicas=1000, cpu=100, node_pool="system")) == ["request-larger-than-node"]


# Quota.


@dataclass(frozen=True)
class Used:
    used: int
    limit: int


def test_quota_at_the_largest_and_with_the_surge() -> None:
    pools = [
        system(max_surge="33%"),
        user(min_count=1, max_count=10),
        gpu(count=2, max_surge="2"),
        user("spot", count=5, spot=SpotSpec(), max_surge=None),
        user("new", vm_size="Standard_D4s_v9"),
    ]
    assert quota_needed(pools) == {
        "Standard NCASv3_T4 Family": 16,
        "cores": (4 + 11) * 4 + 16,
        "lowPriorityCores": 20,
        "standardDSv5Family": (4 + 11) * 4,
    }


def test_a_family_without_a_known_name_counts_for_the_region() -> None:
    assert quota_needed([gpu(vm_size="Standard_ND96isr_MI300X_v5"), user(count=0, max_surge=None)]) == {"cores": 192}


@pytest.mark.parametrize(
    ("used", "severity"), [(Used(0, 12), None), (Used(0, 11), "error"), (Used(1, 12), "warning"), (Used(88, 100), None)]
)
def test_quota_boundaries(used: Used, severity: str | None) -> None:
    findings = check_quota({"standardDSv5Family": 12}, {"standardDSv5Family": used})
    assert [finding.severity for finding in findings] == ([severity] if severity else [])


def test_a_family_is_known_by_letters_and_digits() -> None:
    assert check_quota({"Standard NCASv3_T4 Family": 4}, {"standardNCASV3T4Family": Used(0, 0)}) != []
    assert check_quota({"standardDSv5Family": 4}, {"standardESv5Family": Used(0, 0)}) == []


# Whatever there is, findings come back; and more nodes never make it worse.

SIZES = st.sampled_from(["Standard_D4s_v5", "Standard_D8as_v5", T4, "Standard_E16s_v5", "Standard_D4s_v9"])
DEMANDS = st.builds(
    demand,
    replicas=st.integers(1, 50),
    surge=st.integers(0, 5),
    cpu=st.floats(0.01, 20),
    memory_gib=st.floats(0.01, 300),
    gpus=st.integers(0, 3),
    node_pool=st.sampled_from([None, None, "a", "b"]),
)
POOLS = st.lists(
    st.builds(
        lambda name, size, most: user(
            name, vm_size=size, count=most, gpus=int(size == T4), node_taints=("sku=gpu:NoSchedule",) * (size == T4)
        ),
        st.sampled_from(["a", "b", "c"]),
        SIZES,
        st.integers(0, 20),
    ),
    unique_by=lambda pool: pool.name,
    max_size=3,
)


def errors(findings: list[Finding]) -> int:
    return sum(finding.severity == "error" for finding in findings)


@given(POOLS, st.lists(DEMANDS, max_size=4))
def test_more_nodes_are_never_worse(pools: list[PoolSpec], demands: list[Demand]) -> None:
    few = check_capacity(LOC, [system(), *pools], demands)
    many = check_capacity(
        LOC, [system(count=1000), *(pool.model_copy(update={"count": 1000}) for pool in pools)], demands
    )
    assert errors(many) <= errors(few)
    assert "pool-capacity" not in {finding.rule for finding in many}
    assert all(finding.problem and (finding.remedy or finding.severity == "note") for finding in few)
