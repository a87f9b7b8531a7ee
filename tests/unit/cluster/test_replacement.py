from typing import Any

import pytest

from tests.unit.cluster.specs import SYSTEM
from tests.unit.cluster.test_plan_cluster import plan
from tidegate.cluster.plan.pools import CHANGED_IN_PLACE
from tidegate.cluster.replacement import IMMUTABLE, guarded, immutable, unplanned
from tidegate.cluster.spec import ApiServerSpec, NetworkSpec, PrivateSpec

LARGER = SYSTEM.model_copy(update={"vm_size": "Standard_D8s_v5"})
IN_ZONES = SYSTEM.model_copy(update={"availability_zones": ("1", "2")})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"location": "northeurope", "node_resource_group": "MC_scoring_prod_westeurope"}, "location"),
        ({"resource_group": "other", "node_resource_group": "MC_scoring_prod_westeurope"}, "resourceGroupName"),
        ({"dns_prefix": "other"}, "dnsPrefix"),
        ({"node_resource_group": "other"}, "nodeResourceGroup"),
        ({"network": NetworkSpec(service_cidr="10.9.0.0/16")}, "networkProfile.serviceCidr"),
        ({"network": NetworkSpec(dns_service_ip="10.0.0.11")}, "networkProfile.dnsServiceIP"),
        ({"network": NetworkSpec(pod_cidr="10.8.0.0/16")}, "networkProfile.podCidr"),
        ({"network": NetworkSpec(outbound_type="managedNATGateway")}, "networkProfile.outboundType"),
        ({"system_pool": LARGER}, "agentPoolProfiles[0].vmSize"),
        ({"system_pool": IN_ZONES}, "agentPoolProfiles[0].availabilityZones"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_that_replaces_is_seen_at_its_path(change: dict[str, Any], path: str) -> None:
    before, after = guarded(plan()), guarded(plan(**change))
    assert [name for name in before if before[name] != after[name]] == [path]
    fact = immutable(path)
    assert fact is not None
    assert fact.why


def test_a_private_api_server_is_for_life() -> None:
    before, after = guarded(plan()), guarded(plan(api_server=ApiServerSpec(private=PrivateSpec())))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"apiServerAccessProfile.enablePrivateCluster", "apiServerAccessProfile.privateDNSZone"}
    assert changed <= set(unplanned())


def test_what_azure_changes_in_place_is_not_watched() -> None:
    access = ApiServerSpec(authorized_ip_ranges=("203.0.113.0/24",))
    changed = plan(tier="Free", tags={"a": "b"}, kubernetes_version="1.36", api_server=access)
    assert guarded(changed) == guarded(plan())


def test_every_value_is_one_that_travels_to_the_plugin() -> None:
    # None would be dropped on the way, and a change from nothing to something would not be seen.
    assert None not in guarded(plan()).values()


def test_an_unknown_path_is_not_known() -> None:
    assert immutable("tags") is None


def test_migrations_that_azure_documents_are_named() -> None:
    outbound = immutable("networkProfile.outboundType")
    assert outbound is not None
    assert "az aks update --outbound-type" in outbound.in_place


def test_a_path_stands_once_in_the_table() -> None:
    for kind, facts in IMMUTABLE.items():
        paths = [fact.path for fact in facts]
        assert len(paths) == len(set(paths)), kind


def test_every_field_of_the_first_pool_is_watched_changed_in_place_or_constant() -> None:
    every = {
        "availability_zones": ("1",),
        "node_labels": {"a": "b"},
        "node_taints": ("a=b:NoSchedule",),
        "os_disk_type": "Managed",
        "os_disk_size_gb": 64,
        "tags": {"a": "b"},
        "min_count": 3,
        "max_count": 5,
    }
    sent = plan(system_pool=SYSTEM.model_copy(update=every))["agentPoolProfiles"][0].keys()
    watched = {path.partition("].")[2] for path in guarded(plan()) if path.startswith("agentPoolProfiles[0].")}
    constant = {"name", "mode", "type", "osType", "kubeletDiskType", "enableNodePublicIP", "enableUltraSSD"}
    constant |= {"scaleDownMode", "scaleSetPriority"}
    assert watched.isdisjoint(CHANGED_IN_PLACE)
    assert sent == watched | set(CHANGED_IN_PLACE) | constant
