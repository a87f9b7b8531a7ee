"""What makes Azure, or azure-native, replace a resource, and how Azure's own documentation changes it in place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True)
class Immutable:
    """One property that a resource keeps for its life, by its schema path."""

    path: str
    why: str
    in_place: str = ""
    """Azure's documented way to change it without a replacement, empty where there is none."""
    unplanned: bool = False
    """Azure refuses the change, while azure-native plans an update: it has to be told to replace."""


_BORN = "it is fixed when the cluster is made"
_CIDR = "every service and pod has its address from it"
_SYSTEM_POOL = "leave it as it is, and put a pool of mode System of the new shape under pools beside it"
_BY_UPDATE = "az aks update {}, then pulumi refresh and the new value in the config"

IMMUTABLE: Mapping[str, tuple[Immutable, ...]] = {
    # azure-native provider/pkg/gen/replacement.go, path parameters, and the pages named beside single entries.
    "ManagedCluster": (
        Immutable("resourceGroupName", "a cluster cannot be moved to another resource group"),
        Immutable("location", "a cluster cannot be moved to another region"),
        Immutable("dnsPrefix", "the API server's name is made of it"),
        Immutable("fqdnSubdomain", "the API server's name is made of it"),
        Immutable("nodeResourceGroup", _BORN),
        Immutable("diskEncryptionSetID", _BORN),
        Immutable("linuxProfile", _BORN, _BY_UPDATE.format("--ssh-key-value")),
        Immutable("windowsProfile", _BORN, _BY_UPDATE.format("--windows-admin-password")),
        Immutable("networkProfile.serviceCidr", _CIDR),
        Immutable("networkProfile.serviceCidrs", _CIDR),
        Immutable("networkProfile.dnsServiceIP", "every pod has it as its resolver"),
        # aks-docs: azure-cni-overlay-pod-expand.md
        Immutable(
            "networkProfile.podCidr", _CIDR, "a larger range around the old one: " + _BY_UPDATE.format("--pod-cidr")
        ),
        Immutable("networkProfile.podCidrs", _CIDR),
        Immutable("networkProfile.networkMode", _BORN),
        # aks-docs: update-azure-cni.md
        Immutable("networkProfile.networkPlugin", _BORN),
        Immutable("networkProfile.networkPluginMode", _BORN, _BY_UPDATE.format("--network-plugin-mode overlay")),
        Immutable("networkProfile.networkDataplane", _BORN, _BY_UPDATE.format("--network-dataplane cilium")),
        Immutable("networkProfile.networkPolicy", _BORN, _BY_UPDATE.format("--network-policy")),
        # aks-docs: egress-outboundtype.md
        Immutable(
            "networkProfile.outboundType",
            "azure-native does not know the migrations that AKS has",
            _BY_UPDATE.format("--outbound-type, along the paths that AKS documents"),
        ),
        Immutable("networkProfile.ipFamilies", _BORN, _BY_UPDATE.format("--ip-families")),
        # aks-docs: private-clusters.md, api-server-vnet-integration.md
        Immutable(
            "apiServerAccessProfile.enablePrivateCluster",
            "AKS keeps it for a cluster's life",
            "with API server VNet integration: " + _BY_UPDATE.format("--enable-private-cluster"),
            unplanned=True,
        ),
        Immutable(
            "apiServerAccessProfile.privateDNSZone",
            "the API server's name stands in the zone",
            "to none only: " + _BY_UPDATE.format("--private-dns-zone none"),
            unplanned=True,
        ),
        Immutable(
            "apiServerAccessProfile.enableVnetIntegration",
            "AKS cannot take the API server out of a network",
            "only on: " + _BY_UPDATE.format("--enable-apiserver-vnet-integration"),
            unplanned=True,
        ),
        Immutable(
            "apiServerAccessProfile.subnetId", "AKS cannot move the API server to another subnet", unplanned=True
        ),
        *(
            Immutable(f"agentPoolProfiles[0].{name}", "AKS fixes it when a pool is made", _SYSTEM_POOL, unplanned=True)
            for name in (
                "availabilityZones",
                "enableEncryptionAtHost",
                "enableFIPS",
                "maxPods",
                "osDiskSizeGB",
                "osDiskType",
                "osSKU",
                "vmSize",
                "vnetSubnetID",
            )
        ),
    ),
    "AgentPool": (
        Immutable("agentPoolName", "a pool cannot be renamed"),
        Immutable("vmSize", "nodes keep their size"),
        Immutable("gpuInstanceProfile", "GPUs are cut when their node starts"),
        Immutable("networkProfile.nodePublicIPTags", "tags of public addresses are fixed"),
    ),
    "RoleAssignment": (
        Immutable("principalId", "a role assignment belongs to one principal"),
        Immutable("scope", "a role assignment belongs to one scope"),
    ),
    "ResourceGroup": (Immutable("location", "a group cannot be moved to another region"),),
}
"""By type. What is not named here is changed in place."""

_BY_PATH = {fact.path: fact for fact in IMMUTABLE["ManagedCluster"]}


def immutable(path: str) -> Immutable | None:
    """What is known of a cluster's property, None where it may change."""
    return _BY_PATH.get(path)


def guarded(cluster: Mapping[str, object]) -> dict[str, object]:
    """What of a planned `ManagedCluster` may not change, by path; empty text where the plan has nothing at a path."""
    return {path: "" if (value := _at(cluster, path)) is None else value for path in _BY_PATH}


def unplanned() -> list[str]:
    """The paths of a cluster that azure-native only replaces when it is told to."""
    return [fact.path for fact in IMMUTABLE["ManagedCluster"] if fact.unplanned]


def _at(value: object, path: str) -> object:
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, list):
            members = cast("list[Any]", value)
            value = members[int(step)] if int(step) < len(members) else None
        else:
            value = cast("Mapping[str, Any]", value or {}).get(step)
    return value
