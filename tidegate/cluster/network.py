"""The network of a cluster: where its nodes stand, which addresses it uses, and how it is left."""

import math
import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import NamedTuple, TypeVar

from tidegate.cluster.addresses import check_address_space, plan_subnets, usable
from tidegate.cluster.front import resolve_front, resolve_sources
from tidegate.cluster.input import ClusterInput, LoadBalancerInput, NetworkInput, NodesInput, PoolInput, SystemPoolInput
from tidegate.cluster.outbound import resolve_outbound
from tidegate.cluster.placement import Placement, resolve_placement
from tidegate.cluster.pools import DEFAULT_SURGE
from tidegate.cluster.ranges import is_private, read_range
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import SYSTEM_POOL, CreatedNetwork, ExistingNetwork, LoadBalancerSpec, NetworkSpec
from tidegate.cluster.subnet_id import parse_subnet_id
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc

PRIVATE_RANGE = Rule(
    "range-private",
    "addresses of nodes, pods and services are private ones, by RFC 1918 or RFC 6598",
    "aks-docs: azure-cni-overlay.md, IP address planning",
)
KEPT_RANGE = Rule(
    "range-kept-by-aks",
    "AKS keeps 169.254.0.0/16, 172.30.0.0/16, 172.31.0.0/16 and 192.0.2.0/24",
    "aks-docs: concepts-network-cni-overview.md, Prerequisites",
)
DISJOINT = Rule(
    "ranges-disjoint",
    "an address of a pod or a service that a node has too is never reached",
    "aks-docs: azure-cni-overlay.md, concepts-network-ip-address-planning.md",
)
SERVICE_RANGE = Rule(
    "service-range-size",
    "a service range is smaller than a /12 for AKS, and at least 8 addresses for Kubernetes",
    "aks-docs: concepts-network-ip-address-planning.md; kubernetes: pkg/controlplane/services.go",
)
DNS_ADDRESS = Rule(
    "dns-service-address",
    "the cluster's DNS has an address of the service range, whose first is the API server's",
    "aks-docs: concepts-network-ip-address-planning.md",
)
POD_RANGE = Rule(
    "pod-range-size",
    "Azure CNI Overlay gives each node a /24 of the pod range, and a range cannot grow later",
    "aks-docs: azure-cni-overlay.md, IP address planning",
)
NODE_SUBNET = Rule(
    "node-subnet-size",
    "each node takes an address, those of an upgrade too, and Azure keeps five of a subnet",
    "aks-docs: concepts-network-ip-address-planning.md; azure-docs: virtual-networks-faq.md",
)
POOL_SUBNET = Rule(
    "pool-subnet-network",
    "the subnets of all pools are of one virtual network",
    "aks-docs: create-node-pools.md, Limitations",
)
RULES: tuple[Rule, ...] = (
    PRIVATE_RANGE,
    KEPT_RANGE,
    DISJOINT,
    SERVICE_RANGE,
    DNS_ADDRESS,
    POD_RANGE,
    NODE_SUBNET,
    POOL_SUBNET,
)

KEPT: tuple[IPv4Network, ...] = (
    IPv4Network("169.254.0.0/16"),
    IPv4Network("172.30.0.0/16"),
    IPv4Network("172.31.0.0/16"),
    IPv4Network("192.0.2.0/24"),
)
MANAGED_SUBNET = IPv4Network("10.224.0.0/16")
"""Of the nodes, in a network that AKS makes."""
LARGEST_SERVICE_RANGE, SMALLEST_SERVICE_RANGE = 13, 29
POD_BLOCK = 24

T = TypeVar("T")


def resolve_network(
    loc: Loc, entry: ClusterInput, broken: Broken, *, location: str | None = None
) -> tuple[NetworkSpec | None, LoadBalancerSpec, list[Finding]]:
    """Check and complete the network and the load balancer of the cluster at `loc`.

    `location` is the region of a cluster that names none. The network is None where too little is left to tell which
    one is meant.
    """
    return _Resolver(loc, entry, broken, entry.location or location).resolve()


class _Range(NamedTuple):
    """A range and the key that it comes from."""

    key: str
    network: IPv4Network
    written: bool = True
    """Whether the user wrote it."""
    origin: str = " (the default)"

    def __str__(self) -> str:
        return f"{self.key} {self.network}" + ("" if self.written else self.origin)


class _Resolver:
    """One run over one cluster; collects findings as it goes."""

    def __init__(self, loc: Loc, entry: ClusterInput, broken: Broken, location: str | None) -> None:
        self._cluster: Loc = loc
        self._loc: Loc = (*loc, "network")
        self._entry = entry
        self._given = entry.network or NetworkInput.model_validate({})
        self._broken = broken
        self._location = location
        self._findings: list[Finding] = []

    def resolve(self) -> tuple[NetworkSpec | None, LoadBalancerSpec, list[Finding]]:
        kind: Placement | None = self._keep(resolve_placement(self._loc, self._given, self._broken))
        balancer = self._entry.load_balancer or LoadBalancerInput.model_validate({})
        load_balancer = self._keep(resolve_front((*self._cluster, "loadBalancer"), balancer, kind))
        way_out = self._keep(resolve_outbound(self._cluster, self._entry, kind, self._broken, location=self._location))
        service = self._range("serviceCidr", self._given.service_cidr, NetworkSpec().service_cidr)
        pods = self._range("podCidr", self._given.pod_cidr, NetworkSpec().pod_cidr)
        dns = self._dns(service)
        place = self._place(kind, load_balancer, way_out.next_hop, service, pods)
        if service:
            self._service_size(service)
        if pods:
            self._pod_size(pods)
        if kind is None or (kind != "managed" and place is None):
            return None, load_balancer, self._findings
        self._pool_subnets(place)
        spec = NetworkSpec(
            place=place,
            service_cidr=str(service.network) if service else NetworkSpec().service_cidr,
            dns_service_ip=dns,
            pod_cidr=str(pods.network) if pods else NetworkSpec().pod_cidr,
            outbound_type=way_out.type,
            nat_managed_outbound_ip_count=way_out.ip_count,
            nat_idle_timeout_in_minutes=way_out.idle_timeout_in_minutes,
        )
        return spec, load_balancer, self._findings

    def _keep(self, answer: tuple[T, list[Finding]]) -> T:
        value, findings = answer
        self._findings += findings
        return value

    def _place(
        self,
        kind: Placement | None,
        load_balancer: LoadBalancerSpec,
        next_hop: str | None,
        service: _Range | None,
        pods: _Range | None,
    ) -> CreatedNetwork | ExistingNetwork | None:
        sources = self._keep(resolve_sources(self._loc, self._given, kind, self._broken))
        space = self._range("addressSpace", self._given.address_space)
        subnet = self._range("subnetCidr", self._given.subnet_cidr)
        nodes = space or subnet
        if kind == "managed":
            nodes = _Range("the subnet that AKS makes,", MANAGED_SUBNET, written=False, origin="")
        self._disjoint([span for span in (nodes, service, pods) if span])
        if subnet:
            self._node_subnet(subnet.key, subnet.network, load_balancer)
        if space:
            if wrong := check_address_space((*self._loc, space.key), space.network):
                self._findings += wrong
                return None
            subnets = plan_subnets(
                space.network,
                scoring=load_balancer.type == "InternalLoadBalancer",
                apiserver=self._api_server_inside(),
            )
            self._node_subnet(space.key, IPv4Network(subnets[0].cidr), load_balancer)
            return CreatedNetwork(
                address_space=str(space.network),
                subnets=subnets,
                allowed_source_ranges=sources,
                next_hop_ip_address=next_hop,
            )
        name, group, subnet_name = self._given.vnet_name, self._given.vnet_resource_group_name, self._given.subnet_name
        if name is None or group is None or subnet_name is None:
            return None
        return ExistingNetwork(vnet_name=name, resource_group=group, subnet_name=subnet_name)

    def _range(self, key: str, text: str | None, default: str = "") -> _Range | None:
        """Read the range at `key`, or take the default; refuse what no range of a cluster may be."""
        loc = (*self._loc, key)
        if text is None:
            known = default and self._broken.sound(*loc)
            return _Range(key, IPv4Network(default), written=False) if known else None
        network = self._keep(read_range(loc, text))
        if network is None:
            return None
        if kept := [block for block in KEPT if network.overlaps(block)]:
            problem = f"{network} has addresses of {', '.join(str(block) for block in kept)}, which AKS keeps"
            self._findings.append(KEPT_RANGE.error(loc, problem, "Write another range, e.g. within 10.0.0.0/8"))
        elif not is_private(network):
            problem = f"{network} has public addresses"
            remedy = "Write a range within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10"
            self._findings.append(PRIVATE_RANGE.error(loc, problem, remedy))
        return _Range(key, network)

    def _disjoint(self, spans: list[_Range]) -> None:
        for first, second in combinations(spans, 2):
            if first.network.overlaps(second.network):
                named = second if second.written else first
                loc = (*self._loc, named.key)
                remedy = "Write ranges that share no address"
                self._findings.append(DISJOINT.error(loc, f"{first} and {second} overlap", remedy))

    def _service_size(self, service: _Range) -> None:
        if LARGEST_SERVICE_RANGE <= service.network.prefixlen <= SMALLEST_SERVICE_RANGE:
            return
        size = "large" if service.network.prefixlen < LARGEST_SERVICE_RANGE else "small"
        remedy = f"Write a range from /{LARGEST_SERVICE_RANGE} to /{SMALLEST_SERVICE_RANGE}, e.g. 10.0.0.0/16"
        problem = f"{service.network} is too {size} for the addresses of services"
        self._findings.append(SERVICE_RANGE.error((*self._loc, service.key), problem, remedy))

    def _dns(self, service: _Range | None) -> str:
        """Check the address of the cluster's DNS, or choose it as AKS does: the tenth where the range has one."""
        text = self._given.dns_service_ip
        if service is None:
            return text or NetworkSpec().dns_service_ip
        addresses_of = service.network
        if text is None:
            return str(addresses_of[10 if addresses_of.num_addresses > 11 else min(2, addresses_of.num_addresses - 1)])
        try:
            address = IPv4Address(text)
        except ValueError:
            self._dns_wrong(f'"{text}" is no IPv4 address', addresses_of)
            return text
        if address not in addresses_of:
            self._dns_wrong(f"{address} is not in {service}", addresses_of)
        elif address in (addresses_of.network_address, addresses_of.broadcast_address):
            self._dns_wrong(f"{address} is the first or the last of {service}, which no service gets", addresses_of)
        elif address == addresses_of.network_address + 1:
            self._dns_wrong(f"{address} is the API server's own address in {service}", addresses_of)
        return str(address)

    def _dns_wrong(self, problem: str, service: IPv4Network) -> None:
        remedy = "Write another address of the range"
        if service.num_addresses > 11:
            remedy += f", e.g. {service[10]}"
        self._findings.append(DNS_ADDRESS.error((*self._loc, "dnsServiceIP"), problem, remedy))

    def _pod_size(self, pods: _Range) -> None:
        if not self._pools_are_known():
            return
        terms = [term for name, pool in self._pools() for term in _terms(name, pool, self._first(name))]
        need = sum(count for count, _ in terms)
        blocks = pods.network.num_addresses >> (32 - POD_BLOCK)
        if need > blocks:
            problem = f"{pods} has room for {blocks} nodes at a /{POD_BLOCK} each, and there may be {_sum(terms)}"
            remedy = (
                f"Write a podCidr of at least a /{POD_BLOCK - math.ceil(math.log2(need))}, or lower the pools' maxCount"
            )
            self._findings.append(POD_RANGE.error((*self._loc, "podCidr"), problem, remedy))

    def _node_subnet(self, key: str, subnet: IPv4Network, load_balancer: LoadBalancerSpec) -> None:
        if not self._pools_are_known():
            return
        terms = [
            term
            for name, pool in self._pools()
            if pool.vnet_subnet_id is None
            for term in _terms(name, pool, self._first(name))
        ]
        private = self._entry.api_server and self._entry.api_server.private
        if private and not private.enable_vnet_integration:
            terms.append((1, "the API server's private endpoint"))
        if load_balancer.type == "InternalLoadBalancer" and load_balancer.subnet_name in (None, "nodes"):
            terms.append((1, "the scoring front"))
        need = sum(count for count, _ in terms)
        if need > usable(subnet):
            problem = (
                f"the nodes' subnet {subnet} has {usable(subnet)} addresses, and there may be needed {_sum(terms)}"
            )
            remedy = "Write a larger range, or lower the pools' maxCount"
            self._findings.append(NODE_SUBNET.error((*self._loc, key), problem, remedy))

    def _pool_subnets(self, place: CreatedNetwork | ExistingNetwork | None) -> None:
        """A pool's own subnet must be of the cluster's network; in one made here, whoever adds a subnet knows."""
        for name, pool in self._pools():
            subnet = parse_subnet_id(pool.vnet_subnet_id) if pool.vnet_subnet_id is not None else None
            if subnet is None or isinstance(place, CreatedNetwork):
                continue
            where = ("systemPool",) if name == SYSTEM_POOL else ("pools", name)
            loc = (*self._cluster, *where, "vnetSubnetID")
            if place is None:
                problem = "the pool is in a subnet of its own, and the others are in the network that AKS makes"
                remedy = "Name the network that exists under network, or take vnetSubnetID out"
                self._findings.append(POOL_SUBNET.error(loc, problem, remedy))
            elif not subnet.is_in(place.resource_group, place.vnet_name):
                problem = f'the subnet is of "{subnet.network}" in "{subnet.resource_group}", and the cluster is not'
                remedy = f"Use a subnet of {place.vnet_name} in {place.resource_group}"
                self._findings.append(POOL_SUBNET.error(loc, problem, remedy))

    def _api_server_inside(self) -> bool:
        private = self._entry.api_server and self._entry.api_server.private
        return bool(private and private.enable_vnet_integration)

    def _pools(self) -> Iterator[tuple[str, NodesInput]]:
        yield SYSTEM_POOL, self._entry.system_pool or SystemPoolInput.model_validate({})
        yield from sorted((self._entry.pools or {}).items())

    def _pools_are_known(self) -> bool:
        return self._broken.sound(*self._cluster, "systemPool") and self._broken.sound(*self._cluster, "pools")

    def _first(self, name: str) -> int:
        """How many nodes a pool has that does not say so."""
        return 3 if name == SYSTEM_POOL and self._entry.purpose != "DevTest" else 1


def _terms(name: str, pool: NodesInput, default: int) -> Iterator[tuple[int, str]]:
    """The nodes that a pool may have, and those more that an upgrade adds; AKS rounds a percentage up."""
    most = pool.max_count if pool.min_count is not None and pool.max_count else pool.count
    most = default if most is None else most
    yield most, f"nodes of {name}"
    if not (isinstance(pool, PoolInput) and pool.spot) and most:
        surge = DEFAULT_SURGE if pool.max_surge is None else pool.max_surge
        if match := re.fullmatch(r"([0-9]{1,4})(%?)", surge, re.ASCII):
            extra = int(match[1])
            yield math.ceil(most * extra / 100) if match[2] else extra, f"of its upgrade ({surge})"


def _sum(terms: list[tuple[int, str]]) -> str:
    return f"{sum(count for count, _ in terms)}: {' + '.join(f'{count} {what}' for count, what in terms)}"
