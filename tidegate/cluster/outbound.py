"""How the nodes reach the outside: each way with what it needs."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from tidegate.cluster import egress
from tidegate.cluster.input import ClusterInput, NatGatewayInput, NetworkInput, PoolInput
from tidegate.cluster.placement import Placement
from tidegate.cluster.ranges import is_private
from tidegate.cluster.regions import plain
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import OutboundType
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc

NETWORK = Rule(
    "outbound-network",
    "a managed NAT gateway needs the network that AKS makes; a NAT gateway of one's own and user-defined routes need "
    "another",
    "aks-docs: egress-outboundtype.md, nat-gateway.md",
)
NAT_GATEWAY = Rule(
    "nat-gateway",
    "a NAT gateway has 1-16 addresses and an idle timeout of 4-120 minutes",
    "aks-docs: nat-gateway.md; bicep-types: Microsoft.ContainerService 2025-09-01",
)
DEFAULT_ROUTE = Rule(
    "outbound-default-route",
    "with user-defined routes AKS makes no way out: a route 0.0.0.0/0 to a firewall must stand before the cluster does",
    "aks-docs: egress-udr.md",
)
INTERNAL_FRONT = Rule(
    "outbound-internal-front",
    "with user-defined routes answers leave by the firewall, so a public front would answer from another address than "
    "it was asked at, and would need the public address that user-defined routes are there to avoid",
    "aks-docs: egress-udr.md, limit-egress-traffic.md",
)
EGRESS = Rule(
    "outbound-egress",
    "nodes that cannot reach these names never become ready",
    "aks-docs: outbound-rules-control-egress.md",
)
ISOLATED = Rule(
    "outbound-isolated",
    "without a way out a cluster is a network-isolated one: its API server is private, its nodes start from a private "
    "registry and take node images only",
    "aks-docs: concepts-network-isolated.md, network-isolated.md",
)
RULES: tuple[Rule, ...] = (NETWORK, NAT_GATEWAY, DEFAULT_ROUTE, INTERNAL_FRONT, EGRESS, ISOLATED)

MOST_ADDRESSES = 16
SHORTEST_IDLE, LONGEST_IDLE = 4, 120


class Outbound(NamedTuple):
    """The way out."""

    type: OutboundType = "loadBalancer"
    ip_count: int = 1
    idle_timeout_in_minutes: int = 4
    next_hop: str | None = None


def resolve_outbound(
    loc: Loc, entry: ClusterInput, placement: Placement | None, broken: Broken, *, location: str | None
) -> tuple[Outbound, list[Finding]]:
    """Check and complete the way out of the cluster at `loc`, in a network of kind `placement`; None: unknown."""
    return _Resolver(loc, entry, placement, broken, location).resolve()


class _Resolver:
    def __init__(
        self, loc: Loc, entry: ClusterInput, placement: Placement | None, broken: Broken, location: str | None
    ) -> None:
        self._cluster: Loc = loc
        self._loc: Loc = (*loc, "network")
        self._entry = entry
        self._given = entry.network or NetworkInput.model_validate({})
        self._type: OutboundType = self._given.outbound_type or "loadBalancer"
        self._placement = placement
        self._broken = broken
        self._location = location

    def resolve(self) -> tuple[Outbound, list[Finding]]:
        nat = self._given.nat_gateway or NatGatewayInput.model_validate({})
        outbound = Outbound(
            self._type,
            nat.managed_outbound_ip_count or Outbound().ip_count,
            nat.idle_timeout_in_minutes or Outbound().idle_timeout_in_minutes,
            self._given.next_hop_ip_address,
        )
        if not self._broken.sound(*self._loc, "outboundType"):
            return outbound, list(self._limits(nat))
        return outbound, [*self._fits(), *self._limits(nat), *self._routes(), *self._isolated()]

    def _fits(self) -> Iterator[Finding]:
        """The type and the kind of network; and what stands there only for another type."""
        place = (*self._loc, "outboundType")
        if self._type == "managedNATGateway" and self._placement in ("created", "existing"):
            problem = "managedNATGateway is only there in the network that AKS makes, and this one is not"
            yield NETWORK.error(place, problem, "Write userAssignedNATGateway")
        if self._type in ("userAssignedNATGateway", "userDefinedRouting") and self._placement == "managed":
            problem = f"{self._type} needs a network of one's own, and AKS makes this one"
            remedy = "Write network.addressSpace to make one, or name one that exists"
            if self._type == "userAssignedNATGateway":
                remedy += ", or write managedNATGateway"
            yield NETWORK.error(place, problem, remedy)
        if self._type == "userAssignedNATGateway" and self._placement == "existing":
            problem = "the NAT gateway is not made here: the subnet must have one before the cluster does"
            yield NETWORK.note(place, problem)

    def _limits(self, nat: NatGatewayInput) -> Iterator[Finding]:
        place = (*self._loc, "natGateway")
        count, idle = nat.managed_outbound_ip_count, nat.idle_timeout_in_minutes
        if count is not None and count > MOST_ADDRESSES:
            problem = f"{count} addresses are too many for a NAT gateway"
            yield NAT_GATEWAY.error((*place, "managedOutboundIpCount"), problem, f"Write 1-{MOST_ADDRESSES}")
        if idle is not None and not SHORTEST_IDLE <= idle <= LONGEST_IDLE:
            problem = f"{idle} minutes are no idle timeout of a NAT gateway"
            remedy = f"Write {SHORTEST_IDLE}-{LONGEST_IDLE}"
            yield NAT_GATEWAY.error((*place, "idleTimeoutInMinutes"), problem, remedy)
        if self._given.nat_gateway is None or not self._broken.sound(*self._loc, "outboundType"):
            return
        if self._type not in ("managedNATGateway", "userAssignedNATGateway"):
            problem = f"natGateway has no use with outboundType {self._type}"
            remedy = "Write outboundType: managedNATGateway or userAssignedNATGateway, or take natGateway out"
            yield NAT_GATEWAY.error(place, problem, remedy)
        elif self._placement == "existing" and self._type == "userAssignedNATGateway":
            problem = "natGateway has no use here: an existing subnet brings its NAT gateway along"
            yield NAT_GATEWAY.error(place, problem, "Take it out, and set the gateway where it is made")

    def _routes(self) -> Iterator[Finding]:
        hop, exists = self._given.next_hop_ip_address, self._given.default_route_exists
        routed = self._type == "userDefinedRouting"
        if hop is not None and (not routed or self._placement == "existing"):
            problem = "nextHopIpAddress is only for user-defined routes in a network made here"
            remedy = "Write outboundType: userDefinedRouting and addressSpace, or take it out"
            yield DEFAULT_ROUTE.error((*self._loc, "nextHopIpAddress"), problem, remedy)
        if exists is not None and not routed and self._placement != "managed":
            problem = f"defaultRouteExists has no use with outboundType {self._type}"
            remedy = "Write outboundType: userDefinedRouting, or take it out"
            yield DEFAULT_ROUTE.error((*self._loc, "defaultRouteExists"), problem, remedy)
        if not routed:
            return
        if self._placement == "created":
            yield from self._next_hop(hop)
        if self._placement == "existing" and not exists and self._broken.sound(*self._loc, "defaultRouteExists"):
            problem = "user-defined routes need a default route on the subnet, and nothing says that it is there"
            remedy = "Add a route 0.0.0.0/0 to a firewall to its route table, then write defaultRouteExists: true"
            yield DEFAULT_ROUTE.error((*self._loc, "outboundType"), problem, remedy)
        yield from self._internal_front()
        yield self._names()

    def _next_hop(self, hop: str | None) -> Iterator[Finding]:
        place = (*self._loc, "nextHopIpAddress")
        if hop is None:
            if self._broken.sound(*place):
                problem = "user-defined routes in a network made here need the firewall to which they lead"
                yield DEFAULT_ROUTE.error((*self._loc, "outboundType"), problem, "Write nextHopIpAddress")
            return
        try:
            private = is_private(IPv4Network(IPv4Address(hop)))
        except ValueError:
            private = False
        if not private:
            problem = f'"{hop}" is no private IPv4 address of a firewall'
            yield DEFAULT_ROUTE.error(place, problem, "Write the firewall's own address, e.g. 10.0.1.4")

    def _internal_front(self) -> Iterator[Finding]:
        place = (*self._cluster, "loadBalancer", "type")
        front = self._entry.load_balancer
        if (front and front.type == "InternalLoadBalancer") or not self._broken.sound(*place):
            return
        problem = "with userDefinedRouting the scoring front must be internal, and it is public"
        yield INTERNAL_FRONT.error(place, problem, "Write loadBalancer.type: InternalLoadBalancer")

    def _names(self) -> Finding:
        """What the firewall must let out, as a note that can be handed to whoever runs the firewall."""
        location = plain(self._location) if self._location else "<region>"
        text = egress.as_text(egress.required(location, frozenset(self._needs())))
        return EGRESS.note((*self._loc, "outboundType"), f"the firewall must let the nodes out by {text}")

    def _needs(self) -> Iterator[egress.Need]:
        api_server, monitoring, upgrade = self._entry.api_server, self._entry.monitoring, self._entry.upgrade
        if not (api_server and api_server.private):
            yield "public"
        if monitoring is None or monitoring.prometheus is not False:
            yield "prometheus"
        if monitoring and monitoring.container_insights:
            yield "containerInsights"
        if upgrade and upgrade.node_os_channel in ("SecurityPatch", "Unmanaged"):
            yield "packages"
        if any(_installs_drivers(pool) for pool in (self._entry.pools or {}).values()):
            yield "gpu"
        if self._entry.gateway_images is None:
            yield "gateway"

    def _isolated(self) -> Iterator[Finding]:
        if self._type != "none":
            return
        place = (*self._loc, "outboundType")
        if not (self._entry.api_server and self._entry.api_server.private) and self._broken.sound(
            *self._cluster, "apiServer"
        ):
            problem = "outboundType none needs a private API server: the nodes could not reach a public one"
            yield ISOLATED.error(place, problem, "Write apiServer.private: {}, or another outboundType")
        channel = self._entry.upgrade and self._entry.upgrade.node_os_channel
        if channel in ("SecurityPatch", "Unmanaged"):
            problem = f"nodes without a way out cannot install packages, as nodeOSChannel {channel} does"
            remedy = "Write NodeImage or None"
            yield ISOLATED.error((*self._cluster, "upgrade", "nodeOSChannel"), problem, remedy)
        if self._entry.gateway_images is None and self._broken.sound(*self._cluster, "gatewayImages"):
            problem = "the gateway's images are at docker.io, which nodes without a way out do not reach"
            remedy = "Have a registry cache them and write it as gatewayImages; without endpoints nothing needs them"
            yield ISOLATED.warning(place, problem, remedy)
        problem = (
            "the cluster has no way out: registries, Azure Monitor and whatever scoring scripts call must be reached "
            "by private endpoints"
        )
        yield ISOLATED.note(place, problem)


def _installs_drivers(pool: PoolInput) -> bool:
    """Say whether its nodes download GPU drivers: all of Azure's sizes with GPUs begin with N."""
    has_gpus = pool.gpu is not None or (pool.vm_size or "").lower().startswith("standard_n")
    return has_gpus and (pool.gpu is None or pool.gpu.driver != "None")
