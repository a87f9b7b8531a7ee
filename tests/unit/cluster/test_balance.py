"""The sum that a reader of the capacity check sees."""

import pytest

from tests.unit.cluster.specs import cluster
from tidegate.cluster.balance import balance
from tidegate.cluster.capacity import Demand, Room, check_capacity, node_room, platform_demands
from tidegate.cluster.sizes import lookup
from tidegate.cluster.spec import PoolSpec

LOC = ("tidegate:clusters", "prod")
SYSTEM = PoolSpec(name="system", vm_size="Standard_D4s_v5", count=3, mode="System")
ADDONS = SYSTEM.model_copy(update={"node_taints": ("CriticalAddonsOnly=true:NoSchedule",)})
CPU = PoolSpec(name="cpu", vm_size="Standard_D4s_v5", count=1, min_count=0, max_count=5)
UNKNOWN = PoolSpec(name="new", vm_size="Standard_D4s_v9", count=2)


def figures(room: Room) -> tuple[object, object, int]:
    return pytest.approx(room.cpu), pytest.approx(room.memory_gib), room.gpus


def test_a_pool_counts_at_its_largest() -> None:
    pool = balance(cluster(pools=(CPU,))).pools[1]
    size = lookup("Standard_D4s_v5")
    assert size is not None
    room = node_room(size, CPU)
    assert (pool.nodes, pool.node) == (5, room)
    assert (pool.gives.cpu, pool.gives.memory_gib) == (5 * room.cpu, 5 * room.memory_gib)


def test_what_asks_for_more_than_is_left_is_what_the_check_refuses() -> None:
    left = balance(cluster(system_pool=SYSTEM)).left
    for cpu, fits in ((left.cpu / 6, True), (left.cpu / 6 + 0.01, False)):
        wide = Demand("diabetes/ridge", LOC, replicas=6, cpu=cpu, memory_gib=0.1)
        assert (check_capacity(LOC, [SYSTEM], [wide]) == []) is fits


def test_the_platform_stays_in_the_pool_for_add_ons_as_far_as_it_fits() -> None:
    found = balance(cluster(system_pool=ADDONS, pools=(CPU,)))
    assert figures(found.left) == figures(found.pools[1].gives)
    small = balance(cluster(system_pool=ADDONS.model_copy(update={"count": 0}), pools=(CPU,)))
    taken = sum(each.pods * each.cpu for each in platform_demands(LOC))
    assert small.left.cpu == pytest.approx(small.pools[1].gives.cpu - taken)


def test_a_size_that_is_not_known_gives_nothing() -> None:
    with_it, without = balance(cluster(pools=(UNKNOWN,))), balance(cluster())
    assert with_it.pools[1].node is None
    assert with_it.gives == without.gives


def test_versions_count_beside_the_platform() -> None:
    asked = Demand("diabetes/ridge", LOC, replicas=4, cpu=0.5, memory_gib=1, surge=1)
    with_it, without = balance(cluster(), [asked]), balance(cluster())
    assert without.left.cpu - with_it.left.cpu == pytest.approx(5 * 0.5)
