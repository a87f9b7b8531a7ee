"""Which of three networks a cluster is put into: one that AKS makes, one made here, or one that exists."""

import re
from typing import Literal

from tidegate.cluster.input import NetworkInput
from tidegate.cluster.rule import Rule
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc

Placement = Literal["managed", "created", "existing"]
"""`managed`: AKS makes a network of its own. `created`: made here, by `addressSpace`. `existing`: given by its name."""

ONE_NETWORK = Rule(
    "network-one-form",
    "a cluster's nodes stand in one virtual network",
    "aks-docs: concepts-network-cni-overview.md",
)
EXISTING_NETWORK = Rule(
    "network-existing-keys",
    "a virtual network that exists is given whole: its name, resource group and subnet, the service range and the DNS "
    "address",
    "Azure ML v1: azureml.core.compute.AksCompute.provisioning_configuration",
)
NAMES = Rule(
    "network-names",
    "Azure CNI Overlay writes the names of network, resource group and subnet into labels of the nodes",
    "aks-docs: azure-cni-overlay.md, Limitations",
)
DOCKER_BRIDGE = Rule(
    "docker-bridge-dropped",
    "nodes run containerd, and AKS has had no docker bridge address since API version 2023-04-01",
    "bicep-types: Microsoft.ContainerService 2023-03-01 and 2023-04-01",
)
RULES: tuple[Rule, ...] = (ONE_NETWORK, EXISTING_NETWORK, NAMES, DOCKER_BRIDGE)

_WHERE = ("vnetName", "vnetResourceGroupName", "subnetName")
_TOGETHER = (*_WHERE, "serviceCidr", "dnsServiceIP")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)


def resolve_placement(loc: Loc, given: NetworkInput, broken: Broken) -> tuple[Placement | None, list[Finding]]:
    """Tell which network the keys at `loc` mean, and refuse keys that do not go together.

    None where a key that decides it was taken out, or two of the three are meant.
    """
    findings = _names(loc, given) + _docker_bridge(loc, given)
    values = {
        "vnetName": given.vnet_name,
        "vnetResourceGroupName": given.vnet_resource_group_name,
        "subnetName": given.subnet_name,
        "serviceCidr": given.service_cidr,
        "dnsServiceIP": given.dns_service_ip,
    }
    gone = {key for key in (*_TOGETHER, "addressSpace") if not broken.sound(*loc, key)}
    exists = any(values[key] is not None or key in gone for key in _WHERE)
    created = given.address_space is not None or "addressSpace" in gone
    if created and exists:
        written = [key for key in _WHERE if values[key] is not None]
        if written and given.address_space is not None:
            problem = f"addressSpace makes a virtual network, and {', '.join(written)} says that one exists"
            remedy = "Leave addressSpace, or what names the existing network"
            findings.append(ONE_NETWORK.error((*loc, "addressSpace"), problem, remedy))
        return None, findings
    if not exists:
        findings += _needs_existing(loc, given, broken)
        return "created" if created else "managed", findings
    if missing := [key for key in _TOGETHER if values[key] is None and key not in gone]:
        problem = f"an existing network needs {', '.join(missing)} too"
        findings.append(EXISTING_NETWORK.error(loc, problem, f"Write all of {', '.join(_TOGETHER)}, or none"))
    return "existing", findings


def _needs_existing(loc: Loc, given: NetworkInput, broken: Broken) -> list[Finding]:
    """What only says something about an existing network stands alone."""
    if not broken.sound(*loc):
        # What was taken out may have been the network's name, misspelt.
        return []
    keys = [
        key
        for key, value in (("subnetCidr", given.subnet_cidr), ("defaultRouteExists", given.default_route_exists))
        if value is not None
    ]
    remedy = f"Name the network by {', '.join(_WHERE)}, or take it out"
    return [
        EXISTING_NETWORK.error((*loc, key), f"{key} is about a network that exists, and none is named", remedy)
        for key in keys
    ]


def _names(loc: Loc, given: NetworkInput) -> list[Finding]:
    values = zip(_WHERE, (given.vnet_name, given.vnet_resource_group_name, given.subnet_name), strict=True)
    remedy = "AKS needs 1-63 letters, digits, -, _ and ., a letter or a digit first and last; use a network named so"
    return [
        NAMES.error((*loc, key), f'"{name}" cannot be written into a label of a node', remedy)
        for key, name in values
        if name is not None and not _LABEL.fullmatch(name)
    ]


def _docker_bridge(loc: Loc, given: NetworkInput) -> list[Finding]:
    if given.docker_bridge_cidr is None:
        return []
    problem = f"dockerBridgeCidr {given.docker_bridge_cidr} is left out: AKS has no docker bridge any more"
    return [DOCKER_BRIDGE.warning((*loc, "dockerBridgeCidr"), problem, "Take it out")]
