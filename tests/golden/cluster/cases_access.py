"""Access to the API server that is refused."""

from collections.abc import Mapping

from tidegate.cluster.access import resolve_api_server
from tidegate.cluster.input import ClusterInput
from tidegate.cluster.spec import ExistingNetwork, NetworkSpec
from tidegate.findings import Finding
from tidegate.parse import Broken

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/network/providers/Microsoft.Network"
HUB = ExistingNetwork(vnet_name="hub", resource_group="network", subnet_name="aks")
OFFICE = "203.0.113.0/24"


def said(
    api_server: Mapping[str, object], network: NetworkSpec | None = None, *, production: bool = True
) -> list[Finding]:
    entry = ClusterInput.model_validate({"location": "westeurope", "apiServer": api_server})
    loc = ("tidegate:clusters", "scoring")
    return resolve_api_server(loc, entry, production=production, network=network or NetworkSpec(), broken=Broken())[1]


def ranges(*texts: str, production: bool = True, network: NetworkSpec | None = None) -> list[Finding]:
    return said({"authorizedIPRanges": list(texts)}, network, production=production)


def zone(text: str, integrated: bool = False) -> list[Finding]:
    return said({"private": {"privateDNSZone": text, "enableVnetIntegration": integrated}})


def integrated(subnet: str | None, place: ExistingNetwork | None = HUB) -> list[Finding]:
    private = {"enableVnetIntegration": True} | ({"subnetId": subnet} if subnet else {})
    return said({"private": private}, NetworkSpec(place=place))


CASES = [
    ("authorized-ranges-count", "201 apart", lambda: ranges(*(f"203.0.{n}.0/25" for n in range(201)))),
    ("authorized-ranges-everyone", "in production", lambda: ranges("0.0.0.0/0")),
    (
        "authorized-ranges-everyone",
        "elsewhere, in halves",
        lambda: ranges("0.0.0.0/1", "128.0.0.0/1", production=False),
    ),
    ("authorized-ranges-public", "a private range", lambda: ranges(OFFICE, "10.0.0.0/8")),
    (
        "authorized-ranges-way-out",
        "behind a firewall",
        lambda: ranges(OFFICE, network=NetworkSpec(place=HUB, outbound_type="userDefinedRouting")),
    ),
    (
        "authorized-ranges-way-out",
        "behind a NAT gateway",
        lambda: ranges(OFFICE, network=NetworkSpec(place=HUB, outbound_type="userAssignedNATGateway")),
    ),
    (
        "api-server-private-or-ranges",
        "both, and the deployer",
        lambda: said({"private": {}, "authorizedIPRanges": [OFFICE], "includeDeployer": True}),
    ),
    ("api-server-restricted", "in production", lambda: said({})),
    ("api-server-restricted", "elsewhere", lambda: said({}, production=False)),
    ("private-dns-zone", "none", lambda: zone("none")),
    ("private-dns-zone", "no id", lambda: zone("privatelink.westeurope.azmk8s.io")),
    (
        "private-dns-zone",
        "another name",
        lambda: zone(f"{GROUP}/privateDnsZones/aks.example.com"),
    ),
    ("private-dns-zone", "another region", lambda: zone(f"{GROUP}/privateDnsZones/privatelink.eastus.azmk8s.io")),
    (
        "private-dns-zone",
        "of a private link, with VNet integration",
        lambda: zone(f"{GROUP}/privateDnsZones/privatelink.westeurope.azmk8s.io", integrated=True),
    ),
    ("api-server-subnet", "not switched on", lambda: said({"private": {"subnetId": "x"}})),
    ("api-server-subnet", "missing", lambda: integrated(None)),
    ("api-server-subnet", "no id", lambda: integrated("hub/apiserver")),
    ("api-server-subnet", "another network", lambda: integrated(f"{GROUP}/virtualNetworks/spoke/subnets/apiserver")),
    ("api-server-subnet", "the nodes' own", lambda: integrated(f"{GROUP}/virtualNetworks/hub/subnets/aks")),
    (
        "api-server-subnet",
        "in AKS's network",
        lambda: integrated(f"{GROUP}/virtualNetworks/hub/subnets/apiserver", place=None),
    ),
]
