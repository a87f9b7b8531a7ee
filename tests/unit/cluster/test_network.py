"""A cluster's network: which one, its addresses, its ways out and its front."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.input import ClusterInput, NetworkInput
from tidegate.cluster.network import resolve_network
from tidegate.cluster.placement import resolve_placement
from tidegate.cluster.spec import CreatedNetwork, ExistingNetwork, LoadBalancerSpec, NetworkSpec
from tidegate.findings import Finding
from tidegate.parse import Broken, parse

LOC = ("tidegate:clusters", "scoring")
EXISTING = {
    "vnetName": "hub",
    "vnetResourceGroupName": "network",
    "subnetName": "aks",
    "serviceCidr": "10.1.0.0/16",
    "dnsServiceIP": "10.1.0.10",
}
CREATED = {"addressSpace": "10.224.0.0/16"}
ROUTED = {"outboundType": "userDefinedRouting"}
INTERNAL = {"loadBalancer": {"type": "InternalLoadBalancer"}}
VNET = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/Network/providers/Microsoft.Network"
    "/virtualNetworks"
)


def resolve(
    network: Mapping[str, object] | None = None, **cluster: Any
) -> tuple[NetworkSpec | None, LoadBalancerSpec, list[Finding]]:
    entry = ClusterInput.model_validate({**cluster, **({} if network is None else {"network": network})})
    return resolve_network(LOC, entry, Broken(), location="westeurope")


def wrong(network: Mapping[str, object] | None = None, **cluster: Any) -> set[str]:
    return {finding.rule for finding in resolve(network, **cluster)[2] if finding.severity == "error"}


def placed(network: Mapping[str, object], **cluster: Any) -> NetworkSpec:
    spec, _, findings = resolve(network, **cluster)
    assert not [finding for finding in findings if finding.severity == "error"]
    assert spec is not None
    return spec


def parsed(tree: Mapping[str, object]) -> list[Finding]:
    """The rules' findings over a tree as the user wrote it, with what is wrong taken out before."""
    result = parse(ClusterInput, tree)
    moved = Broken(frozenset((*LOC, *hole) for hole in result.broken.places))
    return resolve_network(LOC, result.value, moved)[2]


# Which network


def test_without_a_key_aks_makes_the_network() -> None:
    spec, balancer, findings = resolve()
    assert (spec, balancer, findings) == (NetworkSpec(), LoadBalancerSpec(), [])


def test_the_five_keys_together_name_a_network() -> None:
    assert placed(EXISTING) == NetworkSpec(
        place=ExistingNetwork(vnet_name="hub", resource_group="network", subnet_name="aks"),
        service_cidr="10.1.0.0/16",
        dns_service_ip="10.1.0.10",
    )


@pytest.mark.parametrize("key", sorted(EXISTING))
def test_a_part_of_the_five_is_refused_and_what_is_missing_is_listed(key: str) -> None:
    network = {other: value for other, value in EXISTING.items() if other != key}
    finding = next(f for f in resolve(network)[2] if f.rule == "network-existing-keys")
    assert f"needs {key} too" in finding.problem


def test_services_can_have_a_range_without_naming_a_network() -> None:
    assert placed({"serviceCidr": "10.9.0.0/16"}) == NetworkSpec(service_cidr="10.9.0.0/16", dns_service_ip="10.9.0.10")


def test_a_network_is_made_by_its_address_space() -> None:
    place = placed(CREATED).place
    assert isinstance(place, CreatedNetwork)
    assert [(subnet.name, subnet.cidr) for subnet in place.subnets] == [
        ("nodes", "10.224.0.0/17"),
        ("gateway", "10.224.128.0/24"),
        ("endpoints", "10.224.192.0/24"),
    ]


def test_a_public_front_needs_no_subnet() -> None:
    assert resolve(CREATED)[1] == LoadBalancerSpec(type="PublicIp", subnet_name=None)


def test_options_add_subnets_to_a_network_and_move_none() -> None:
    before = placed(CREATED).place
    after = placed(CREATED, **INTERNAL, apiServer={"private": {"enableVnetIntegration": True}}).place
    assert isinstance(before, CreatedNetwork)
    assert isinstance(after, CreatedNetwork)
    assert set(before.subnets) < set(after.subnets)
    assert {subnet.name for subnet in after.subnets} == {"nodes", "gateway", "endpoints", "scoring", "apiserver"}


def test_two_networks_at_once_are_refused() -> None:
    spec, _, findings = resolve({**EXISTING, **CREATED})
    assert spec is None
    assert "network-one-form" in {finding.rule for finding in findings}


def test_the_docker_bridge_of_v1_is_dropped_with_a_warning() -> None:
    spec, _, findings = resolve({**EXISTING, "dockerBridgeCidr": "172.17.0.1/16"})
    assert spec == placed(EXISTING)
    assert [(f.rule, f.severity) for f in findings] == [("docker-bridge-dropped", "warning")]


@pytest.mark.parametrize(
    ("name", "fits"),
    [("a", True), ("a" * 63, True), ("a" * 64, False), ("vnet_1.x-y", True), ("-vnet", False), ("vnet(1)", False)],
)
def test_names_of_the_network_can_be_labels_of_nodes(name: str, fits: bool) -> None:
    assert ("network-names" in wrong({**EXISTING, "vnetName": name})) == (not fits)


# Addresses


@pytest.mark.parametrize(
    ("key", "text", "rule"),
    [
        ("serviceCidr", "10.8.0.0/13", None),
        ("serviceCidr", "10.16.0.0/12", "service-range-size"),
        ("serviceCidr", "10.1.0.0/29", None),
        ("serviceCidr", "10.1.0.0/30", "service-range-size"),
        ("podCidr", "172.16.0.0/13", None),
        ("podCidr", "172.16.0.0/12", "range-kept-by-aks"),
        ("podCidr", "172.31.0.0/16", "range-kept-by-aks"),
        ("podCidr", "169.254.0.0/16", "range-kept-by-aks"),
        ("podCidr", "100.64.0.0/10", None),
        ("podCidr", "100.0.0.0/9", "range-private"),
        ("podCidr", "192.168.0.0/16", None),
        ("podCidr", "192.169.0.0/16", "range-private"),
        ("podCidr", "10.244.0.0/22", None),
        ("podCidr", "10.244.0.0/23", "pod-range-size"),
        ("podCidr", "10.244.0.1/16", "range-form"),
        ("podCidr", "10.225.0.0/16", None),
        ("podCidr", "10.224.0.0/16", "ranges-disjoint"),
        ("podCidr", "10.1.0.0/16", None),
        ("podCidr", "10.0.0.0/15", "ranges-disjoint"),
        ("addressSpace", "10.2.0.0/24", None),
        ("addressSpace", "10.2.0.0/25", "address-space-size"),
        ("addressSpace", "10.244.0.0/20", "ranges-disjoint"),
    ],
)
def test_ranges_have_limits(key: str, text: str, rule: str | None) -> None:
    assert wrong({key: text}) == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("10.1.0.0", False),
        ("10.1.0.1", False),
        ("10.1.0.2", True),
        ("10.1.255.254", True),
        ("10.1.255.255", False),
        ("10.2.0.0", False),
        ("10.1.0", False),
    ],
)
def test_the_dns_address_is_a_free_one_of_the_services(address: str, fits: bool) -> None:
    assert wrong({**EXISTING, "dnsServiceIP": address}) == (set() if fits else {"dns-service-address"})


@given(st.integers(13, 29), st.integers(0, 2**24 - 1))
def test_the_dns_address_that_is_chosen_passes_its_own_rule(prefix: int, offset: int) -> None:
    services = IPv4Network(((10 << 24) + offset, prefix), strict=False)
    spec, _, _ = resolve({"serviceCidr": str(services)})
    assert spec is not None
    assert IPv4Address(spec.dns_service_ip) in services
    assert "dns-service-address" not in wrong({"serviceCidr": str(services), "dnsServiceIP": spec.dns_service_ip})


def test_services_pods_and_an_existing_subnet_are_apart() -> None:
    assert wrong({**EXISTING, "subnetCidr": "10.0.255.0/24"}) == set()
    assert wrong({**EXISTING, "subnetCidr": "10.1.0.0/24"}) == {"ranges-disjoint"}


def test_a_finding_stands_where_the_user_wrote() -> None:
    paths = [f.path for f in resolve({"addressSpace": "10.0.0.0/16"})[2] if f.rule == "ranges-disjoint"]
    assert paths == ["tidegate:clusters.scoring.network.addressSpace"]


@pytest.mark.parametrize(
    ("pools", "fits"),
    [
        # 251 addresses of a /24: 3 + 1 of the system pool, and these.
        ({"a": {"minCount": 0, "maxCount": 224, "maxSurge": "10%"}}, True),
        ({"a": {"minCount": 0, "maxCount": 225, "maxSurge": "10%"}}, False),
        ({"a": {"count": 246, "maxSurge": 1}}, True),
        ({"a": {"count": 246, "maxSurge": "2"}}, False),
        ({"a": {"count": 247, "spot": {}}}, True),
        ({"a": {"count": 248, "spot": {}}}, False),
        ({"a": {"count": 0}, "b": {"count": 246, "maxSurge": 1}}, True),
        ({"a": {"count": 500, "vnetSubnetID": f"{VNET}/hub/subnets/batch"}}, True),
    ],
)
def test_the_nodes_subnet_holds_the_most_nodes_there_can_be(pools: dict[str, object], fits: bool) -> None:
    network = {**EXISTING, "subnetCidr": "10.3.0.0/24", "podCidr": "10.64.0.0/12"}
    assert wrong(network, pools=pools) == (set() if fits else {"node-subnet-size"})


def test_devtest_begins_with_one_node() -> None:
    network = {**EXISTING, "subnetCidr": "10.3.0.0/29"}
    assert wrong(network) == {"node-subnet-size"}
    assert wrong(network, purpose="DevTest") == set()


def test_the_private_endpoint_of_the_api_server_takes_an_address_of_the_nodes() -> None:
    network = {**EXISTING, "subnetCidr": "10.3.0.0/29"}
    two_nodes = {"systemPool": {"count": 2, "maxSurge": 1}}
    assert wrong(network, **two_nodes) == set()
    assert wrong(network, **two_nodes, apiServer={"private": {}}) == {"node-subnet-size"}
    assert wrong(network, **two_nodes, apiServer={"private": {"enableVnetIntegration": True}}) == set()


def test_an_internal_front_in_the_nodes_subnet_takes_an_address() -> None:
    network = {**EXISTING, "subnetCidr": "10.3.0.0/29"}
    two_nodes = {"systemPool": {"count": 2, "maxSurge": 1}}
    assert wrong(network, **two_nodes, **INTERNAL) == {"node-subnet-size"}
    elsewhere = {"loadBalancer": {"type": "InternalLoadBalancer", "subnetName": "front"}}
    assert wrong(network, **two_nodes, **elsewhere) == set()


def test_a_pools_subnet_is_of_the_clusters_network() -> None:
    own = {"pools": {"batch": {"vnetSubnetID": f"{VNET}/hub/subnets/batch"}}}
    assert wrong(EXISTING, **own) == set()
    assert wrong({**EXISTING, "vnetName": "spoke"}, **own) == {"pool-subnet-network"}
    assert wrong({}, **own) == {"pool-subnet-network"}


# Ways out


@pytest.mark.parametrize(
    ("kind", "managed", "created", "existing"),
    [
        ("loadBalancer", True, True, True),
        ("managedNATGateway", True, False, False),
        ("userAssignedNATGateway", False, True, True),
        ("userDefinedRouting", False, True, True),
    ],
)
def test_each_way_out_has_its_networks(kind: str, managed: bool, created: bool, existing: bool) -> None:
    routed = kind == "userDefinedRouting"
    hop = {"nextHopIpAddress": "10.9.0.4"} if routed else {}
    route = {"defaultRouteExists": True} if routed else {}
    assert wrong({"outboundType": kind}, **INTERNAL) == (set() if managed else {"outbound-network"})
    assert wrong({**CREATED, **hop, "outboundType": kind}, **INTERNAL) == (set() if created else {"outbound-network"})
    assert wrong({**EXISTING, **route, "outboundType": kind}, **INTERNAL) == (
        set() if existing else {"outbound-network"}
    )


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        ({"managedOutboundIpCount": 1, "idleTimeoutInMinutes": 4}, True),
        ({"managedOutboundIpCount": 16, "idleTimeoutInMinutes": 120}, True),
        ({"managedOutboundIpCount": 17}, False),
        ({"idleTimeoutInMinutes": 3}, False),
        ({"idleTimeoutInMinutes": 121}, False),
    ],
)
def test_a_nat_gateway_has_limits(limits: dict[str, int], fits: bool) -> None:
    network = {"outboundType": "managedNATGateway", "natGateway": limits}
    assert wrong(network) == (set() if fits else {"nat-gateway"})


def test_what_a_nat_gateway_is_told_reaches_the_spec() -> None:
    limits = {"managedOutboundIpCount": 2, "idleTimeoutInMinutes": 30}
    spec = placed({"outboundType": "managedNATGateway", "natGateway": limits})
    assert (spec.nat_managed_outbound_ip_count, spec.nat_idle_timeout_in_minutes) == (2, 30)
    assert spec.outbound_type == "managedNATGateway"


def test_user_defined_routes_need_their_route_first() -> None:
    assert wrong({**CREATED, **ROUTED}, **INTERNAL) == {"outbound-default-route"}
    assert wrong({**EXISTING, **ROUTED}, **INTERNAL) == {"outbound-default-route"}
    assert wrong({**EXISTING, **ROUTED, "defaultRouteExists": False}, **INTERNAL) == {"outbound-default-route"}
    place = placed({**CREATED, **ROUTED, "nextHopIpAddress": "10.9.0.4"}, **INTERNAL).place
    assert isinstance(place, CreatedNetwork)
    assert place.next_hop_ip_address == "10.9.0.4"


@pytest.mark.parametrize(
    ("hop", "fits"), [("10.9.0.4", True), ("100.64.0.1", True), ("8.8.8.8", False), ("10.9.0.0/24", False), ("", False)]
)
def test_routes_lead_to_a_private_address(hop: str, fits: bool) -> None:
    network = {**CREATED, **ROUTED, "nextHopIpAddress": hop}
    assert wrong(network, **INTERNAL) == (set() if fits else {"outbound-default-route"})


def test_user_defined_routes_need_an_internal_front() -> None:
    network = {**EXISTING, **ROUTED, "defaultRouteExists": True}
    assert wrong(network) == {"outbound-internal-front"}
    assert wrong(network, **INTERNAL) == set()


def egress(**cluster: Any) -> str:
    network = {**EXISTING, **ROUTED, "defaultRouteExists": True}
    return next(f.problem for f in resolve(network, **INTERNAL, **cluster)[2] if f.rule == "outbound-egress")


def test_the_names_to_let_out_are_those_of_the_region_and_of_what_is_switched_on() -> None:
    assert "*.hcp.westeurope.azmk8s.io" in egress()
    assert "*.hcp.northeurope.azmk8s.io" in egress(location="North Europe")
    assert "azmk8s.io" not in egress(apiServer={"private": {}})
    assert "westeurope.handler.control.monitor.azure.com" in egress()
    assert "monitor" not in egress(monitoring={"prometheus": False})
    logs = egress(monitoring={"containerInsights": True})
    assert "oms.opinsights" in logs
    assert "metrics.ingest" in logs
    assert "mcr.microsoft.com" in logs
    assert "nvidia" not in egress()
    assert "nvidia" in egress(pools={"gpu": {"vmSize": "Standard_NC4as_T4_v3"}})
    assert "nvidia" not in egress(pools={"gpu": {"vmSize": "Standard_NC4as_T4_v3", "gpu": {"driver": "None"}}})
    assert "snapshot.ubuntu.com" in egress(upgrade={"nodeOSChannel": "SecurityPatch"})
    assert "ubuntu" not in egress(upgrade={"nodeOSChannel": "NodeImage"})
    assert "registry-1.docker.io" in egress()
    assert "docker" not in egress(gatewayImages="scoring.azurecr.io/cache")


def test_a_cluster_without_a_way_out_is_an_isolated_one() -> None:
    network = {"outboundType": "none"}
    assert wrong(network) == {"outbound-isolated"}
    assert wrong(network, apiServer={"private": {}}) == set()
    assert wrong(network, apiServer={"private": {}}, upgrade={"nodeOSChannel": "None"}) == set()
    assert wrong(network, apiServer={"private": {}}, upgrade={"nodeOSChannel": "Unmanaged"}) == {"outbound-isolated"}


# The front


@pytest.mark.parametrize(("sku", "fits"), [("Standard", True), ("standard", True), ("Basic", False), ("basic", False)])
def test_only_the_standard_load_balancer_is_left(sku: str, fits: bool) -> None:
    findings = resolve({}, loadBalancer={"sku": sku})[2]
    assert [f.rule for f in findings] == ([] if fits else ["load-balancer-sku"])
    assert all("2025-09-30" in f.problem for f in findings)


@pytest.mark.parametrize(
    ("network", "written", "subnet"),
    [
        (None, None, None),
        (CREATED, None, "scoring"),
        (CREATED, "gateway", "gateway"),
        (EXISTING, None, None),
        (EXISTING, "front", "front"),
    ],
)
def test_an_internal_front_has_a_subnet(
    network: dict[str, Any] | None, written: str | None, subnet: str | None
) -> None:
    name = {"subnetName": written} if written else {}
    _, balancer, findings = resolve(network, loadBalancer={"type": "InternalLoadBalancer", **name})
    assert balancer == LoadBalancerSpec(type="InternalLoadBalancer", subnet_name=subnet)
    assert findings == []


@pytest.mark.parametrize("subnet", ["apiserver", "front"])
def test_an_internal_front_needs_a_subnet_that_is_planned(subnet: str) -> None:
    balancer = {"type": "InternalLoadBalancer", "subnetName": subnet}
    assert wrong(CREATED, loadBalancer=balancer) == {"load-balancer-subnet"}


def test_allowed_sources_are_merged_and_belong_to_a_network_made_here() -> None:
    ranges = {"allowedSourceRanges": ["203.0.113.128/25", "203.0.113.0/25", "198.51.100.7"]}
    place = placed({**CREATED, **ranges}).place
    assert isinstance(place, CreatedNetwork)
    assert place.allowed_source_ranges == ("198.51.100.7/32", "203.0.113.0/24")
    assert wrong({**EXISTING, **ranges}) == {"allowed-source-ranges"}
    assert wrong({**CREATED, "allowedSourceRanges": []}) == {"allowed-source-ranges"}
    assert wrong({**CREATED, "allowedSourceRanges": ["203.0.113.1/24"]}) == {"range-form"}


# What was taken out before is not spoken of again


@pytest.mark.parametrize(
    "tree",
    [
        {"network": {**EXISTING, "vnetName": 1}},
        {"network": {**EXISTING, "serviceCidr": ["10.1.0.0/16"]}},
        {"network": {**{k: v for k, v in EXISTING.items() if k != "vnetName"}, "vnetNmae": "hub"}},
        {"network": {"subnetCidr": "10.3.0.0/24", "virtualNetwork": "hub"}},
        {"network": {"addressSpace": 10, "outboundType": "userAssignedNATGateway"}},
        {"network": {"addressSpace": 10, "allowedSourceRanges": ["203.0.113.0/24"]}},
        {"network": {**CREATED, **ROUTED, "nextHopIpAddress": 4}, **INTERNAL},
        {"network": {**EXISTING, **ROUTED, "defaultRouteExists": "yes"}, **INTERNAL},
        {"network": {**EXISTING, **ROUTED, "defaultRouteExists": True}, "loadBalancer": {"type": "Internal"}},
        {"network": {**EXISTING, **ROUTED, "defaultRouteExists": True}, "loadBalancer": "InternalLoadBalancer"},
        {"network": {"outboundType": "nat", "natGateway": {"managedOutboundIpCount": 2}}},
        {"network": {"outboundType": "none"}, "apiServer": {"private": True}},
        {"network": {"addressSpace": "10.224.0.0/24"}, "pools": {"a": {"minCount": 1, "maxCount": "many"}}},
        {"network": "10.224.0.0/16"},
    ],
)
def test_a_value_that_was_refused_is_not_missing_too(tree: dict[str, object]) -> None:
    assert [finding for finding in parsed(tree) if finding.severity == "error"] == []


def test_a_network_that_cannot_be_told_is_none() -> None:
    placement, findings = resolve_placement(
        ("network",), NetworkInput.model_validate({}), Broken(frozenset({("network",)}))
    )
    assert (placement, findings) == (None, [])


# Anything

CIDRS = st.one_of(
    st.builds(lambda a, p: str(IPv4Network((a, p), strict=False)), st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.builds(
        lambda b, p: str(IPv4Network(((10 << 24) + b, p), strict=False)), st.integers(0, 2**24), st.integers(8, 30)
    ),
    st.text(max_size=12),
)
ADDRESSES = st.one_of(st.integers(0, 2**32 - 1).map(lambda a: str(IPv4Address(a))), st.text(max_size=8))
NETWORKS = st.fixed_dictionaries(
    {},
    optional={
        "addressSpace": CIDRS,
        "vnetName": st.text(max_size=8),
        "vnetResourceGroupName": st.text(max_size=8),
        "subnetName": st.text(max_size=8),
        "serviceCidr": CIDRS,
        "dnsServiceIP": ADDRESSES,
        "podCidr": CIDRS,
        "dockerBridgeCidr": CIDRS,
        "subnetCidr": CIDRS,
        "outboundType": st.sampled_from(
            ["loadBalancer", "managedNATGateway", "userAssignedNATGateway", "userDefinedRouting", "none"]
        ),
        "natGateway": st.fixed_dictionaries(
            {}, optional={"managedOutboundIpCount": st.integers(1, 20), "idleTimeoutInMinutes": st.integers(1, 130)}
        ),
        "nextHopIpAddress": ADDRESSES,
        "defaultRouteExists": st.booleans(),
        "allowedSourceRanges": st.lists(CIDRS, max_size=3),
    },
)
BALANCERS = st.fixed_dictionaries(
    {},
    optional={
        "sku": st.sampled_from(["Standard", "Basic"]),
        "type": st.sampled_from(["PublicIp", "InternalLoadBalancer"]),
        "subnetName": st.sampled_from(["nodes", "scoring", "apiserver", "front"]),
    },
)


@given(NETWORKS, BALANCERS)
def test_anything_gives_a_network_or_errors(network: dict[str, object], balancer: dict[str, object]) -> None:
    spec, front, findings = resolve(network, loadBalancer=balancer)
    errors = [finding for finding in findings if finding.severity == "error"]
    assert spec is not None or errors
    if errors or spec is None:
        return
    services, pods = IPv4Network(spec.service_cidr), IPv4Network(spec.pod_cidr)
    assert not services.overlaps(pods)
    assert IPv4Address(spec.dns_service_ip) in services
    assert front.type == "InternalLoadBalancer" or spec.outbound_type != "userDefinedRouting"
    if isinstance(spec.place, CreatedNetwork):
        space = IPv4Network(spec.place.address_space)
        assert not space.overlaps(services)
        assert not space.overlaps(pods)
        assert front.subnet_name in (None, *(subnet.name for subnet in spec.place.subnets))
