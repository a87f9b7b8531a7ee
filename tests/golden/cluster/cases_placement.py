"""Keys of a network that do not go together."""

from tidegate.cluster.input import NetworkInput
from tidegate.cluster.placement import resolve_placement
from tidegate.findings import Finding
from tidegate.parse import Broken

EXISTING = {
    "vnetName": "hub",
    "vnetResourceGroupName": "network",
    "subnetName": "aks",
    "serviceCidr": "10.1.0.0/16",
    "dnsServiceIP": "10.1.0.10",
}


def said(network: dict[str, object]) -> list[Finding]:
    given = NetworkInput.model_validate(network)
    return resolve_placement(("tidegate:clusters", "scoring", "network"), given, Broken())[1]


CASES = [
    (
        "network-one-form",
        "a network that is made and exists",
        lambda: said({**EXISTING, "addressSpace": "10.2.0.0/16"}),
    ),
    ("network-existing-keys", "a part of five", lambda: said({"vnetName": "hub", "dnsServiceIP": "10.1.0.10"})),
    ("network-existing-keys", "keys about a network that is not named", lambda: said({"subnetCidr": "10.0.1.0/24"})),
    (
        "network-existing-keys",
        "a default route in a network made here",
        lambda: said({"addressSpace": "10.2.0.0/16", "defaultRouteExists": True}),
    ),
    ("network-names", "a group whose name is no label", lambda: said({**EXISTING, "vnetResourceGroupName": "net(1)"})),
    ("docker-bridge-dropped", "v1's sixth value", lambda: said({**EXISTING, "dockerBridgeCidr": "172.17.0.1/16"})),
]
