"""Ways out that lack what they need."""

from collections.abc import Mapping

from tidegate.cluster.input import ClusterInput
from tidegate.cluster.outbound import resolve_outbound
from tidegate.cluster.placement import Placement
from tidegate.findings import Finding
from tidegate.parse import Broken

INTERNAL: dict[str, object] = {"loadBalancer": {"type": "InternalLoadBalancer"}}
ROUTED = {"outboundType": "userDefinedRouting"}
PRIVATE: dict[str, object] = {"apiServer": {"private": {}}}


def said(
    placement: Placement, network: Mapping[str, object], cluster: Mapping[str, object] = INTERNAL
) -> list[Finding]:
    entry = ClusterInput.model_validate({**cluster, "network": network})
    return resolve_outbound(("tidegate:clusters", "scoring"), entry, placement, Broken(), location="westeurope")[1]


def nat(placement: Placement, kind: str, **limits: int) -> list[Finding]:
    return said(placement, {"outboundType": kind, "natGateway": limits})


CASES = [
    ("outbound-network", "AKS's gateway elsewhere", lambda: said("created", {"outboundType": "managedNATGateway"})),
    (
        "outbound-network",
        "a gateway in AKS's network",
        lambda: said("managed", {"outboundType": "userAssignedNATGateway"}),
    ),
    ("outbound-network", "routes in AKS's network", lambda: said("managed", ROUTED)),
    (
        "outbound-network",
        "a gateway brought along",
        lambda: said("existing", {"outboundType": "userAssignedNATGateway"}),
    ),
    ("nat-gateway", "too many addresses", lambda: nat("managed", "managedNATGateway", managedOutboundIpCount=17)),
    ("nat-gateway", "too short a time", lambda: nat("managed", "managedNATGateway", idleTimeoutInMinutes=3)),
    ("nat-gateway", "too long a time", lambda: nat("managed", "managedNATGateway", idleTimeoutInMinutes=121)),
    ("nat-gateway", "for another way out", lambda: nat("managed", "loadBalancer")),
    ("nat-gateway", "in a network that exists", lambda: nat("existing", "userAssignedNATGateway")),
    ("outbound-default-route", "no firewall", lambda: said("created", ROUTED)),
    ("outbound-default-route", "no address", lambda: said("created", {**ROUTED, "nextHopIpAddress": "firewall"})),
    ("outbound-default-route", "a public address", lambda: said("created", {**ROUTED, "nextHopIpAddress": "8.8.8.8"})),
    ("outbound-default-route", "nothing says that it is there", lambda: said("existing", ROUTED)),
    (
        "outbound-default-route",
        "a firewall for another way out",
        lambda: said("created", {"nextHopIpAddress": "10.1.0.4"}),
    ),
    ("outbound-default-route", "a route for another way out", lambda: said("existing", {"defaultRouteExists": True})),
    (
        "outbound-internal-front",
        "a public front",
        lambda: said("existing", {**ROUTED, "defaultRouteExists": True}, {}),
    ),
    (
        "outbound-egress",
        "what the firewall must let out",
        lambda: said("existing", {**ROUTED, "defaultRouteExists": True}),
    ),
    (
        "outbound-egress",
        "with GPUs, logs and packages, the API server private",
        lambda: said(
            "existing",
            {**ROUTED, "defaultRouteExists": True},
            {
                **INTERNAL,
                **PRIVATE,
                "monitoring": {"prometheus": False, "containerInsights": True},
                "upgrade": {"nodeOSChannel": "SecurityPatch"},
                "pools": {"gpu": {"vmSize": "Standard_NC24ads_A100_v4"}},
            },
        ),
    ),
    ("outbound-isolated", "the API server is public", lambda: said("managed", {"outboundType": "none"})),
    (
        "outbound-isolated",
        "nodes that install packages",
        lambda: said("managed", {"outboundType": "none"}, {**PRIVATE, "upgrade": {"nodeOSChannel": "SecurityPatch"}}),
    ),
]
