"""Who may reach a cluster's API server: everyone, some ranges of addresses, or only the private network."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, collapse_addresses

from tidegate.cluster.arm_id import id_form, parse_id
from tidegate.cluster.input import ApiServerInput, ClusterInput, PrivateInput
from tidegate.cluster.ranges import EVERYONE, MOST, is_private, read_ranges
from tidegate.cluster.regions import plain
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import ApiServerSpec, CreatedNetwork, ExistingNetwork, NetworkSpec, PrivateSpec
from tidegate.cluster.subnet_id import FORM, parse_subnet_id
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc

COUNT = Rule(
    "authorized-ranges-count",
    "an API server takes at most 200 ranges; counted after neighbours are merged",
    "aks-docs: api-server-authorized-ip-ranges.md",
)
EVERYBODY = Rule(
    "authorized-ranges-everyone",
    "a range of all addresses keeps nobody away",
    "aks-docs: api-server-authorized-ip-ranges.md",
)
PUBLIC_RANGE = Rule(
    "authorized-ranges-public",
    "a public API server sees callers by their public addresses",
    "aks-docs: api-server-authorized-ip-ranges.md",
)
WAY_OUT = Rule(
    "authorized-ranges-way-out",
    "nodes reach a public API server by the cluster's way out, and AKS only adds the addresses that it makes itself",
    "aks-docs: api-server-authorized-ip-ranges.md, egress-outboundtype.md",
)
PRIVATE_OR_RANGES = Rule(
    "api-server-private-or-ranges",
    "ranges apply to the public API server only, and a private cluster has none",
    "aks-docs: private-clusters.md, Limitations",
)
RESTRICTED = Rule(
    "api-server-restricted",
    "an API server without ranges answers the whole Internet",
    "aks-docs: api-server-authorized-ip-ranges.md",
)
DNS_ZONE = Rule(
    "private-dns-zone",
    "a private DNS zone of a cluster is system, none, or one whose name AKS accepts; it cannot be changed later but to "
    "none",
    "aks-docs: private-clusters.md, Configuration options for private DNS",
)
API_SERVER_SUBNET = Rule(
    "api-server-subnet",
    "API server VNet integration puts it into a subnet of the nodes' network, at least a /28, that is delegated to it",
    "aks-docs: api-server-vnet-integration.md",
)
RULES: tuple[Rule, ...] = (
    COUNT,
    EVERYBODY,
    PUBLIC_RANGE,
    WAY_OUT,
    PRIVATE_OR_RANGES,
    RESTRICTED,
    DNS_ZONE,
    API_SERVER_SUBNET,
)

_ZONE_TYPE = "Microsoft.Network/privateDnsZones"
_ZONE_NAME = re.compile(
    r"((?P<sub>[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?)\.)?(?P<kind>privatelink|private)\.(?P<region>[a-z0-9]+)\.azmk8s\.io",
    re.ASCII,
)


def resolve_api_server(
    loc: Loc,
    entry: ClusterInput,
    *,
    production: bool,
    network: NetworkSpec | None,
    broken: Broken,
    location: str | None = None,
) -> tuple[ApiServerSpec, list[Finding]]:
    """Check and complete who may reach the API server of the cluster at `loc`.

    `network` None: it could not be told which one is meant, and nothing is said about it. `location` is the region of
    a cluster that names none.
    """
    region = entry.location or location
    return _Resolver(loc, entry, production=production, network=network, broken=broken, location=region).resolve()


class _Resolver:
    """One run over one cluster."""

    def __init__(
        self,
        loc: Loc,
        entry: ClusterInput,
        *,
        production: bool,
        network: NetworkSpec | None,
        broken: Broken,
        location: str | None,
    ) -> None:
        self._loc: Loc = (*loc, "apiServer")
        self._given = entry.api_server or ApiServerInput.model_validate({})
        self._production = production
        self._network = network
        self._broken = broken
        self._location = plain(location) if location else None

    def resolve(self) -> tuple[ApiServerSpec, list[Finding]]:
        given = self._given
        networks, findings = read_ranges((*self._loc, "authorizedIPRanges"), given.authorized_ip_ranges or [])
        merged = list(collapse_addresses(networks))
        findings += self._check_ranges(merged)
        private = None
        if given.private is not None:
            private = self._private(given.private)
            findings += [*self._not_with_private(), *self._zone(given.private), *self._subnet(given.private)]
        findings += self._restricted()
        spec = ApiServerSpec(
            authorized_ip_ranges=tuple(str(network) for network in merged),
            include_deployer=given.include_deployer or False,
            private=private,
            disable_run_command=self._production if given.disable_run_command is None else given.disable_run_command,
        )
        return spec, findings

    def _check_ranges(self, merged: list[IPv4Network]) -> Iterator[Finding]:
        loc = (*self._loc, "authorizedIPRanges")
        if len(merged) > MOST:
            problem = f"{len(merged)} ranges are too many, after merging neighbours"
            remedy = f"Leave at most {MOST}, by wider ranges or by one address that all come from"
            yield COUNT.error(loc, problem, remedy)
        if EVERYONE in merged:
            say = EVERYBODY.error if self._production else EVERYBODY.warning
            yield say(loc, "the ranges are all addresses together (0.0.0.0/0)", "Write the ranges that callers have")
        for network in merged:
            if is_private(network):
                problem = f"{network} is private, and no caller of a public API server comes from there"
                yield PUBLIC_RANGE.warning(loc, problem, "Write the public address that these callers leave by")
        way_out = self._way_out_elsewhere()
        if merged and EVERYONE not in merged and way_out:
            what = "the firewall" if way_out == "userDefinedRouting" else "the NAT gateway"
            problem = f"with {way_out} the nodes call the API server from the address of {what}"
            yield WAY_OUT.note(loc, problem, "See that it is among the ranges")

    def _way_out_elsewhere(self) -> str:
        """The way out whose addresses are not made here, and so are not added to the ranges."""
        if self._network is None or self._network.outbound_type not in ("userDefinedRouting", "userAssignedNATGateway"):
            return ""
        routed = self._network.outbound_type == "userDefinedRouting"
        return "" if isinstance(self._network.place, CreatedNetwork) and not routed else self._network.outbound_type

    def _not_with_private(self) -> Iterator[Finding]:
        remedy = "Take it out, or take private out"
        if self._given.authorized_ip_ranges:
            problem = "ranges cannot stand beside private: they only apply to a public API server"
            yield PRIVATE_OR_RANGES.error((*self._loc, "authorizedIPRanges"), problem, remedy)
        if self._given.include_deployer:
            problem = "includeDeployer cannot stand beside private: it adds a range, and there are none"
            yield PRIVATE_OR_RANGES.error((*self._loc, "includeDeployer"), problem, remedy)

    def _restricted(self) -> Iterator[Finding]:
        given = self._given
        if given.private or given.authorized_ip_ranges or given.include_deployer or not self._broken.sound(*self._loc):
            return
        remedy = "Write apiServer.authorizedIPRanges, or apiServer.private: {}"
        if self._production:
            problem = "the API server of a production cluster is open to the Internet"
            yield RESTRICTED.error(self._loc, problem, remedy)
        else:
            yield RESTRICTED.note(self._loc, "the API server is open to the Internet, behind its login", remedy)

    def _private(self, given: PrivateInput) -> PrivateSpec:
        zone = given.private_dns_zone or "system"
        return PrivateSpec(
            private_dns_zone=zone.lower() if zone.lower() in ("system", "none") else zone,
            vnet_integration=given.enable_vnet_integration or False,
            subnet_id=given.subnet_id,
        )

    def _zone(self, given: PrivateInput) -> Iterator[Finding]:
        zone = given.private_dns_zone
        if zone is None or zone.lower() == "system":
            return
        loc = (*self._loc, "private", "privateDNSZone")
        if zone.lower() == "none":
            problem = "without a private DNS zone the API server's name stands in public DNS, with its private address"
            yield DNS_ZONE.note(loc, problem)
            return
        kind = "private" if given.enable_vnet_integration else "privatelink"
        region = self._location or "<region>"
        wanted = (
            f"{kind}.{region}.azmk8s.io or <subzone>.{kind}.{region}.azmk8s.io, the subzone of at most 32 characters"
        )
        zone_id = parse_id(zone, _ZONE_TYPE)
        if isinstance(zone_id, str):
            problem = f'"{zone}" is neither system, nor none, nor the id of a private DNS zone'
            yield DNS_ZONE.error(loc, problem, f"Write {id_form(_ZONE_TYPE)}")
            return
        name = _ZONE_NAME.fullmatch(zone_id.name.lower())
        if name is None or name["kind"] != kind:
            why = "with VNet integration" if given.enable_vnet_integration else "without VNet integration"
            problem = f'"{zone_id.name}" is no name of a zone that AKS takes {why}'
            yield DNS_ZONE.error(loc, problem, f"Use a zone named {wanted}")
        elif self._location and name["region"] != self._location:
            where = name["region"]
            problem = f'"{zone_id.name}" is a zone for {where}, and the cluster is in {self._location}'
            yield DNS_ZONE.error(loc, problem, f"Use a zone named {wanted}")

    def _subnet(self, given: PrivateInput) -> Iterator[Finding]:
        loc = (*self._loc, "private", "subnetId")
        text = given.subnet_id
        if not given.enable_vnet_integration:
            if text is not None and self._broken.sound(*self._loc, "private", "enableVnetIntegration"):
                problem = "subnetId has no use without VNet integration"
                yield API_SERVER_SUBNET.error(loc, problem, "Write enableVnetIntegration: true, or take it out")
            return
        if self._network is None:
            return
        place = self._network.place
        if not isinstance(place, ExistingNetwork):
            if text is not None:
                problem = "subnetId has no use here: the subnet is made with the network"
                yield API_SERVER_SUBNET.error(loc, problem, "Take it out, or name the network that exists")
            return
        if text is None:
            if self._broken.sound(*loc):
                problem = "VNet integration in an existing network needs a subnet for the API server"
                remedy = "Write subnetId, of a subnet delegated to Microsoft.ContainerService/managedClusters"
                yield API_SERVER_SUBNET.error((*self._loc, "private"), problem, remedy)
            return
        yield from self._subnet_id(loc, text, place)

    def _subnet_id(self, loc: Loc, text: str, place: ExistingNetwork) -> Iterator[Finding]:
        subnet = parse_subnet_id(text)
        if subnet is None:
            yield API_SERVER_SUBNET.error(loc, f'"{text}" is no id of a subnet', f"Write {FORM}")
        elif not subnet.is_in(place.resource_group, place.vnet_name):
            problem = f'the subnet is of "{subnet.network}" in "{subnet.resource_group}", and the nodes are not'
            remedy = f"Use a subnet of {place.vnet_name} in {place.resource_group}"
            yield API_SERVER_SUBNET.error(loc, problem, remedy)
        elif subnet.subnet.lower() == place.subnet_name.lower():
            problem = "the subnet is the one of the nodes, and it must be delegated to the API server alone"
            yield API_SERVER_SUBNET.error(loc, problem, "Make another subnet, at least a /28")
