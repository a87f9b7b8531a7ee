"""A virtual network made here: its subnets, who may reach the scoring front, and how nodes reach the outside."""

from collections.abc import Mapping
from typing import Any

from tidegate.cluster.spec import ClusterSpec, CreatedNetwork, ExistingNetwork, Subnet

Plan = dict[str, Any]

NETWORK = "vnet"
SECURITY_GROUP = "nsg"
ROUTE_TABLE = "routes"
NAT_GATEWAY = "nat"

SCORING_PORTS = ("80", "443")

_WITH_NODES = ("nodes", "scoring")
"""The subnets in which the scoring front or its nodes stand; an application gateway and an integrated API server need
rules of their own in theirs."""


def network_name(cluster: str) -> str:
    """The name of the network that is made for a cluster."""
    return f"{cluster}-{NETWORK}"


def plan_network(spec: ClusterSpec, place: CreatedNetwork) -> Plan:
    """A `VirtualNetwork` without its subnets, which are resources of their own."""
    return _named(spec, "virtualNetworkName", NETWORK) | {"addressSpace": {"addressPrefixes": [place.address_space]}}


def plan_security_group(spec: ClusterSpec, place: CreatedNetwork) -> Plan:
    """A `NetworkSecurityGroup` that lets clients reach the scoring front.

    An internal front is reached from the network alone, unless ranges are given. Azure's own last rule denies the rest.
    """
    internal = spec.load_balancer.type == "InternalLoadBalancer"
    sources: Plan = {"sourceAddressPrefix": "VirtualNetwork" if internal else "Internet"}
    if place.allowed_source_ranges:
        sources = {"sourceAddressPrefixes": sorted(place.allowed_source_ranges)}
    rule: Plan = {
        "name": "scoring",
        "description": "Clients reach the scoring front.",
        "priority": 100,
        "direction": "Inbound",
        "access": "Allow",
        "protocol": "Tcp",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRanges": list(SCORING_PORTS),
    }
    return _named(spec, "networkSecurityGroupName", SECURITY_GROUP) | {"securityRules": [rule | sources]}


def plan_route_table(spec: ClusterSpec, place: CreatedNetwork) -> Plan | None:
    """A `RouteTable` that sends everything to the firewall; None where routes are not the user's."""
    if place.next_hop_ip_address is None:
        return None
    route = {
        "name": "default",
        "addressPrefix": "0.0.0.0/0",
        "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": place.next_hop_ip_address,
    }
    return _named(spec, "routeTableName", ROUTE_TABLE) | {"disableBgpRoutePropagation": True, "routes": [route]}


def plan_nat_addresses(spec: ClusterSpec) -> dict[str, Plan]:
    """The `PublicIPAddress`es of the cluster's own NAT gateway by what is unique in their names; none without one."""
    if spec.network.outbound_type != "userAssignedNATGateway":
        return {}
    uses = [f"{NAT_GATEWAY}-{number}" for number in range(1, spec.network.nat_managed_outbound_ip_count + 1)]
    return {
        use: _named(spec, "publicIpAddressName", use)
        | {
            "sku": {"name": "Standard", "tier": "Regional"},
            "publicIPAllocationMethod": "Static",
            "publicIPAddressVersion": "IPv4",
            "idleTimeoutInMinutes": 4,
        }
        for use in uses
    }


def plan_nat_gateway(spec: ClusterSpec, addresses: Mapping[str, object]) -> Plan:
    """A `NatGateway` with the ids of its public addresses."""
    return _named(spec, "natGatewayName", NAT_GATEWAY) | {
        "sku": {"name": "Standard"},
        "idleTimeoutInMinutes": spec.network.nat_idle_timeout_in_minutes,
        "publicIpAddresses": [{"id": address} for address in addresses.values()],
    }


def plan_subnet(
    spec: ClusterSpec, subnet: Subnet, *, security_group: object, route_table: object = None, nat_gateway: object = None
) -> Plan:
    """A `Subnet` of the cluster's network; the ids are those of what is put on the subnets of nodes."""
    plan: Plan = {
        "resourceGroupName": spec.resource_group,
        "virtualNetworkName": network_name(spec.name),
        "subnetName": subnet.name,
        "addressPrefix": subnet.cidr,
        # Azure's default since 2026-03-31: addresses that nobody asked for are no way out.
        "defaultOutboundAccess": False,
    }
    if subnet.delegation:
        plan["delegations"] = [{"name": "delegation", "serviceName": subnet.delegation}]
    if subnet.name == "endpoints":
        plan["privateEndpointNetworkPolicies"] = "Disabled"
    if subnet.name in _WITH_NODES:
        plan["networkSecurityGroup"] = {"id": security_group}
    if subnet.name == "nodes":
        if route_table is not None:
            plan["routeTable"] = {"id": route_table}
        if nat_gateway is not None:
            plan["natGateway"] = {"id": nat_gateway}
    return plan


def existing_network_id(subscription: str, place: ExistingNetwork) -> str:
    """The id of a network that exists, in the subscription of the login."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/{place.resource_group}"
        f"/providers/Microsoft.Network/virtualNetworks/{place.vnet_name}"
    )


def subnet_ids(spec: ClusterSpec, place: ExistingNetwork, network: str) -> dict[str, str]:
    """The ids of the subnets of an existing network that the cluster uses, by use; `network` is the network's."""
    names = {"nodes": place.subnet_name, "scoring": spec.load_balancer.subnet_name or place.subnet_name}
    ids = {use: f"{network}/subnets/{name}" for use, name in names.items()}
    private = spec.api_server.private
    return ids | ({"apiserver": private.subnet_id} if private and private.subnet_id else {})


def _named(spec: ClusterSpec, key: str, use: str) -> Plan:
    return {
        "resourceGroupName": spec.resource_group,
        key: f"{spec.name}-{use}",
        "location": spec.location,
        "tags": dict(sorted(spec.tags.items())),
    }
