from typing import Any

import pytest

from tests.unit.cluster.specs import CREATED, cluster
from tidegate.cluster.plan.access import front_subnet, network_scopes, private_zone
from tidegate.cluster.plan.network import (
    existing_network_id,
    plan_nat_addresses,
    plan_nat_gateway,
    plan_network,
    plan_route_table,
    plan_security_group,
    plan_subnet,
    subnet_ids,
)
from tidegate.cluster.spec import (
    ApiServerSpec,
    CreatedNetwork,
    ExistingNetwork,
    LoadBalancerSpec,
    NetworkSpec,
    PrivateSpec,
)

EXISTING = ExistingNetwork(vnet_name="hub", resource_group="network", subnet_name="aks")
INTERNAL = LoadBalancerSpec(type="InternalLoadBalancer", subnet_name="scoring")
ZONE = (
    "/subscriptions/s/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones/privatelink.westeurope.azmk8s.io"
)


def in_network(place: CreatedNetwork | ExistingNetwork = CREATED, **changes: Any) -> Any:
    return cluster(network=NetworkSpec(place=place, **changes.pop("network", {})), **changes)


def test_the_network_has_the_address_space_and_the_clusters_tags() -> None:
    found = plan_network(in_network(tags={"b": "1", "a": "2"}), CREATED)
    assert found["virtualNetworkName"] == "prod-vnet"
    assert found["addressSpace"] == {"addressPrefixes": ["10.224.0.0/16"]}
    assert list(found["tags"]) == ["a", "b"]
    assert "subnets" not in found  # inline ones would fight with those that are resources


@pytest.mark.parametrize(
    ("front", "ranges", "sources"),
    [
        (LoadBalancerSpec(), (), {"sourceAddressPrefix": "Internet"}),
        (INTERNAL, (), {"sourceAddressPrefix": "VirtualNetwork"}),
        (LoadBalancerSpec(), ("b/32", "a/32"), {"sourceAddressPrefixes": ["a/32", "b/32"]}),
        (INTERNAL, ("10.0.0.0/8",), {"sourceAddressPrefixes": ["10.0.0.0/8"]}),
    ],
)
def test_who_reaches_the_front(front: LoadBalancerSpec, ranges: tuple[str, ...], sources: dict[str, Any]) -> None:
    place = CREATED.model_copy(update={"allowed_source_ranges": ranges})
    (rule,) = plan_security_group(in_network(load_balancer=front), place)["securityRules"]
    assert {key: value for key, value in rule.items() if key.startswith("sourceAddress")} == sources
    assert (rule["access"], rule["direction"], rule["destinationPortRanges"]) == ("Allow", "Inbound", ["80", "443"])


def test_everything_goes_to_the_firewall_where_there_is_one() -> None:
    assert plan_route_table(in_network(), CREATED) is None
    place = CREATED.model_copy(update={"next_hop_ip_address": "10.200.0.4"})
    table = plan_route_table(in_network(), place)
    assert table is not None
    (route,) = table["routes"]
    assert (route["addressPrefix"], route["nextHopType"]) == ("0.0.0.0/0", "VirtualAppliance")
    assert route["nextHopIpAddress"] == "10.200.0.4"


def test_a_nat_gateway_has_as_many_addresses_as_asked_for() -> None:
    assert plan_nat_addresses(in_network()) == {}
    spec = in_network(network={"outbound_type": "userAssignedNATGateway", "nat_managed_outbound_ip_count": 2})
    addresses = plan_nat_addresses(spec)
    assert [plan["publicIpAddressName"] for plan in addresses.values()] == ["prod-nat-1", "prod-nat-2"]
    assert {plan["sku"]["name"] for plan in addresses.values()} == {"Standard"}
    gateway = plan_nat_gateway(spec, {"nat-1": "first", "nat-2": "second"})
    assert gateway["publicIpAddresses"] == [{"id": "first"}, {"id": "second"}]


def subnets(**ids: Any) -> dict[str, dict[str, Any]]:
    spec = in_network()
    return {each.name: plan_subnet(spec, each, security_group="group", **ids) for each in CREATED.subnets}


def test_the_way_out_is_on_the_nodes_subnet_alone() -> None:
    found = subnets(route_table="table", nat_gateway="gateway")
    assert {name for name, plan in found.items() if "routeTable" in plan} == {"nodes"}
    assert {name for name, plan in found.items() if "natGateway" in plan} == {"nodes"}
    assert not [plan for plan in subnets().values() if {"routeTable", "natGateway"} & plan.keys()]


def test_the_security_group_is_where_the_front_is() -> None:
    assert {name for name, plan in subnets().items() if "networkSecurityGroup" in plan} == {"nodes", "scoring"}


def test_the_api_servers_subnet_is_delegated() -> None:
    found = subnets()
    assert found["apiserver"]["delegations"][0]["serviceName"] == "Microsoft.ContainerService/managedClusters"
    assert "delegations" not in found["nodes"]


def test_no_address_that_nobody_asked_for_is_a_way_out() -> None:
    assert {plan["defaultOutboundAccess"] for plan in subnets().values()} == {False}


def test_ids_of_an_existing_network() -> None:
    private = ApiServerSpec(private=PrivateSpec(vnet_integration=True, subnet_id="the API server's"))
    spec = in_network(EXISTING, load_balancer=INTERNAL, api_server=private)
    network = existing_network_id("s", EXISTING)
    assert network == "/subscriptions/s/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/hub"
    assert subnet_ids(spec, EXISTING, network) == {
        "nodes": f"{network}/subnets/aks",
        "scoring": f"{network}/subnets/scoring",
        "apiserver": "the API server's",
    }


@pytest.mark.parametrize(
    ("place", "front", "use"),
    [
        (CREATED, LoadBalancerSpec(), None),
        (CREATED, INTERNAL, "scoring"),
        (CREATED, LoadBalancerSpec(type="InternalLoadBalancer", subnet_name="nodes"), None),
        (CREATED, LoadBalancerSpec(type="InternalLoadBalancer", subnet_name="gateway"), "gateway"),
        (EXISTING, LoadBalancerSpec(type="InternalLoadBalancer"), None),
        (EXISTING, LoadBalancerSpec(type="InternalLoadBalancer", subnet_name="aks"), None),
        (EXISTING, INTERNAL, "scoring"),
    ],
)
def test_the_subnet_of_the_front(place: Any, front: LoadBalancerSpec, use: str | None) -> None:
    spec = in_network(place, load_balancer=front)
    assert front_subnet(spec) == use
    # Twice the same right on one subnet is refused by Azure.
    assert network_scopes(spec) == (("nodes", use) if use else ("nodes",))


def test_the_identity_gets_no_right_that_it_does_not_need() -> None:
    assert network_scopes(cluster()) == ()
    integrated = ApiServerSpec(private=PrivateSpec(vnet_integration=True))
    assert network_scopes(in_network(api_server=integrated)) == ("nodes", "apiserver")
    own_zone = ApiServerSpec(private=PrivateSpec(private_dns_zone=ZONE))
    assert network_scopes(in_network(api_server=own_zone)) == ("vnet",)


@pytest.mark.parametrize(("zone", "found"), [("system", None), ("none", None), (ZONE, ZONE)])
def test_only_a_zone_of_the_users_own_needs_a_right(zone: str, found: str | None) -> None:
    assert private_zone(cluster(api_server=ApiServerSpec(private=PrivateSpec(private_dns_zone=zone)))) == found
    assert private_zone(cluster()) is None
