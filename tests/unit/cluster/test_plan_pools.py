from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cluster.specs import SYSTEM, pool
from tidegate.cluster.plan.pools import azure_name, plan_pool, plan_system_pool
from tidegate.cluster.spec import PoolSpec, SpotSpec


@pytest.mark.parametrize(
    "change",
    [
        {"vm_size": "Standard_D16s_v5"},
        {"max_pods": 30},
        {"os_sku": "AzureLinux"},
        {"os_disk_type": "Ephemeral"},
        {"os_disk_size_gb": 128},
        {"availability_zones": ("1",)},
        {"subnet_id": "/subscriptions/s/subnets/own"},
        {"encryption_at_host": True},
        {"fips": True},
        {"spot": SpotSpec()},
        {"spot": SpotSpec(max_price=0.1)},
        {"spot": SpotSpec(eviction_policy="Deallocate")},
        {"gpus": 1, "gpu_driver": "None"},
        {"gpus": 1, "mig_profile": "MIG1g"},
    ],
    ids=str,
)
def test_what_azure_cannot_change_gives_another_name(change: dict[str, Any]) -> None:
    assert azure_name(pool(**change)) != azure_name(pool())
    assert azure_name(pool(**change)).startswith("scoring")


@pytest.mark.parametrize(
    "change",
    [
        {"count": 7},
        {"min_count": 1, "max_count": 9},
        {"mode": "System"},
        {"node_labels": {"a": "b"}},
        {"node_taints": ("a=b:NoSchedule",)},
        {"max_surge": "50%"},
        {"tags": {"a": "b"}},
    ],
    ids=str,
)
def test_what_azure_changes_in_place_keeps_the_name(change: dict[str, Any]) -> None:
    assert azure_name(pool(**change)) == azure_name(pool())


def test_the_order_of_zones_is_no_difference() -> None:
    assert azure_name(pool(availability_zones=("1", "2"))) == azure_name(pool(availability_zones=("2", "1")))


def test_aks_own_default_is_no_difference() -> None:
    assert azure_name(pool(max_pods=250)) == azure_name(pool())


@given(
    name=st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True).filter(lambda name: name != "system"),
    size=st.sampled_from(["Standard_D4s_v5", "Standard_NC4as_T4_v3"]),
    zones=st.sets(st.sampled_from(["1", "2", "3"])),
)
def test_every_name_is_one_that_aks_takes_and_stays_the_same(name: str, size: str, zones: set[str]) -> None:
    given_pool = pool(name=name, vm_size=size, availability_zones=tuple(zones))
    found = azure_name(given_pool)
    assert found == azure_name(PoolSpec.model_validate(given_pool.model_dump()))
    assert found.startswith(name)
    assert len(found) == len(name) + 4 <= 12
    assert found.isalnum()
    assert found == found.lower()


def test_the_system_pool_has_its_name_whatever_it_is_made_of() -> None:
    plan = plan_system_pool(SYSTEM.model_copy(update={"vm_size": "Standard_D8s_v5"}), subnet="the nodes' subnet")
    assert (plan["name"], plan["mode"], plan["vnetSubnetID"]) == ("system", "System", "the nodes' subnet")


def plan(**changes: Any) -> dict[str, Any]:
    return plan_pool(pool(**changes), cluster="prod", resource_group="scoring", subnet="the nodes' subnet")


def test_a_fixed_pool_has_no_bounds() -> None:
    found = plan()
    assert (found["count"], found["enableAutoScaling"]) == (2, False)
    assert not {"minCount", "maxCount"} & found.keys()


def test_an_autoscaled_pool_begins_with_its_count() -> None:
    found = plan(count=3, min_count=0, max_count=9)
    assert (found["count"], found["minCount"], found["maxCount"], found["enableAutoScaling"]) == (3, 0, 9, True)


def test_a_pool_has_a_subnet_of_its_own_or_the_clusters() -> None:
    assert plan()["vnetSubnetID"] == "the nodes' subnet"
    assert plan(subnet_id="its own")["vnetSubnetID"] == "its own"


def test_spot_nodes_have_a_price_and_no_surge() -> None:
    found = plan(spot=SpotSpec(max_price=0.25))
    assert (found["scaleSetPriority"], found["scaleSetEvictionPolicy"]) == ("Spot", "Delete")
    assert found["spotMaxPrice"] == 0.25
    assert "upgradeSettings" not in found
    assert plan()["upgradeSettings"] == {"maxSurge": "10%"}


def test_gpus_bring_their_driver_and_their_slices() -> None:
    assert plan(gpus=1)["gpuProfile"] == {"driver": "Install"}
    assert plan(gpus=1, gpu_driver="None", mig_profile="MIG1g")["gpuInstanceProfile"] == "MIG1g"
    assert not {"gpuProfile", "gpuInstanceProfile"} & plan().keys()


def test_lists_are_sorted_so_that_their_order_is_no_change() -> None:
    found = plan(availability_zones=("3", "1"), node_taints=("b=1:NoSchedule", "a=1:NoSchedule"))
    assert found["availabilityZones"] == ["1", "3"]
    assert found["nodeTaints"] == ["a=1:NoSchedule", "b=1:NoSchedule"]


def test_a_pool_follows_a_version_only_where_there_is_one() -> None:
    assert "orchestratorVersion" not in plan()
    followed = plan_pool(pool(), cluster="prod", resource_group="scoring", version="1.36")
    assert followed["orchestratorVersion"] == "1.36"
