"""Names that Azure and Azure ML bind to a form, and whose a cluster is."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.cluster.arm_id import ResourceId, parse_id
from tidegate.cluster.input import ClusterInput
from tidegate.cluster.rule import Rule
from tidegate.findings import Finding
from tidegate.parse import Loc

CLUSTER_NAME = Rule(
    "cluster-name",
    "a compute target's name has 3-24 letters, digits and hyphens, the first a letter",
    "Azure ML v1: ComputeTarget, parameter name",
)
CLUSTER_NAME_END = Rule(
    "cluster-name-end",
    "the name of an AKS cluster ends in a letter or a digit",
    "bicep-types: Microsoft.ContainerService/managedClusters 2025-09-01, name",
)
WORKSPACE_NAME = Rule(
    "compute-name",
    "a compute of an Azure ML workspace does not end in a hyphen and digits",
    "bicep-types: Microsoft.MachineLearningServices/workspaces/computes 2025-12-01, name",
)
UNIQUE = Rule(
    "cluster-name-unique",
    "Azure takes names that differ in case alone for one",
    "Azure docs: azure-resource-manager/management/resource-name-rules.md",
)
ONE_NAME = Rule(
    "cluster-one-name",
    "a cluster has one owner, and that one knows it by one name",
    "Azure ML v1: AksCompute.attach, a cluster is attached once",
)
GROUP_NAME = Rule(
    "resource-group-name",
    "a resource group's name has 1-90 letters, digits, underscores, hyphens, parentheses and dots, the last no dot",
    "Azure docs: azure-resource-manager/management/resource-name-rules.md, Microsoft.Resources",
)
NODE_GROUP = Rule(
    "node-resource-group",
    "AKS makes the resource group of the nodes itself, and its name has at most 80 characters",
    "AKS troubleshooting, naming restrictions: aka.ms/aks-naming-rules",
)
DNS_PREFIX = Rule(
    "dns-prefix",
    "a cluster's DNS prefix has 1-54 letters, digits and hyphens, neither end a hyphen",
    "AKS troubleshooting, naming restrictions: aka.ms/aks-naming-rules",
)
RULES: tuple[Rule, ...] = (
    CLUSTER_NAME, CLUSTER_NAME_END, WORKSPACE_NAME, UNIQUE, ONE_NAME, GROUP_NAME, NODE_GROUP, DNS_PREFIX,
)  # fmt: skip

CLUSTERS = "tidegate:clusters"
CLUSTER_TYPE = "Microsoft.ContainerService/managedClusters"
LONGEST_TAG = 256
"""Azure cuts no tag value: it refuses longer ones."""


def check_cluster_names(clusters: Mapping[str, ClusterInput], *, workspace: bool) -> list[Finding]:
    """Rules C11 and C12 over the clusters of one environment; `workspace` adds Azure ML's own pattern."""
    findings: list[Finding] = []
    for name, entry in sorted(clusters.items()):
        findings += _check_name((CLUSTERS, name), name, made=entry.attach is None, workspace=workspace)
        if entry.attach is None:
            findings += _check_made((CLUSTERS, name), entry)
    return findings + _check_unique(clusters) + _check_one_name(clusters)


def check_resource_group(loc: Loc, name: str) -> list[Finding]:
    """Azure's rule of resource groups' names, letters of any alphabet."""
    if re.fullmatch(r"[-\w._()]{0,89}[-\w_()]", name):
        return []
    remedy = "Write 1-90 letters, digits, underscores, hyphens, parentheses and dots, the last no dot"
    return [GROUP_NAME.error(loc, f'"{name}" is no name of a resource group', remedy)]


def owner_mark(organization: str, project: str, stack: str) -> str:
    """What the tag `tidegate-owner` of a cluster says where this stack owns it: at most 256 characters."""
    mark = f"{organization}/{project}/{stack}"
    if len(mark) <= LONGEST_TAG:
        return mark
    digest = hashlib.sha256(mark.encode()).hexdigest()[:16]
    return f"{mark[: LONGEST_TAG - len(digest) - 1]}-{digest}"


def _check_name(loc: Loc, name: str, *, made: bool, workspace: bool) -> list[Finding]:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{2,23}", name):
        remedy = "Choose one of 3-24 letters, digits and hyphens, the first a letter"
        return [CLUSTER_NAME.error(loc, f'"{name}" is no name of a cluster', remedy)]
    if made and name.endswith("-"):
        return [CLUSTER_NAME_END.error(loc, f'"{name}" ends in a hyphen', "Choose a name that does not")]
    if workspace and re.search(r"-[0-9]+$", name):
        remedy = "Choose another name, for example without the last hyphen"
        return [WORKSPACE_NAME.error(loc, f'"{name}" ends in a hyphen and digits', remedy)]
    return []


def _check_made(loc: Loc, entry: ClusterInput) -> list[Finding]:
    findings: list[Finding] = []
    prefix, group = entry.dns_prefix, entry.node_resource_group
    if prefix is not None and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,52}[A-Za-z0-9])?", prefix):
        remedy = "Write 1-54 letters, digits and hyphens, neither end a hyphen"
        findings.append(DNS_PREFIX.error((*loc, "dnsPrefix"), f'"{prefix}" is no DNS prefix', remedy))
    if group is None:
        return findings
    place: Loc = (*loc, "nodeResourceGroup")
    findings += (wrong := check_resource_group(place, group))
    if not wrong and len(group) > 80:
        problem = f'"{group}" has {len(group)} characters'
        findings.append(NODE_GROUP.error(place, problem, "Choose one of at most 80, or leave it out"))
    if entry.resource_group is not None and group.lower() == entry.resource_group.lower():
        problem = f'"{group}" is the resource group of the cluster itself'
        findings.append(NODE_GROUP.error(place, problem, "Choose a name that no resource group has, or leave it out"))
    return findings


def _check_unique(clusters: Mapping[str, ClusterInput]) -> list[Finding]:
    names: dict[str, list[str]] = {}
    for name in sorted(clusters):
        names.setdefault(name.lower(), []).append(name)
    return [
        UNIQUE.error((CLUSTERS, other), f'"{other}" and "{first}" differ in case alone', "Choose another name")
        for first, *others in names.values()
        for other in others
    ]


@dataclass(frozen=True)
class _Place:
    """Where a cluster is on Azure; None is the login's subscription, which nobody knows here."""

    name: str
    subscription_id: str | None
    group: str
    cluster: str

    def may_be(self, other: "_Place") -> bool:
        same_subscription = None in (self.subscription_id, other.subscription_id) or (
            self.subscription_id == other.subscription_id
        )
        return same_subscription and (self.group, self.cluster) == (other.group, other.cluster)


def _check_one_name(clusters: Mapping[str, ClusterInput]) -> list[Finding]:
    places = [place for name, entry in sorted(clusters.items()) if (place := _place(name, entry))]
    findings: list[Finding] = []
    for index, place in enumerate(places):
        first = next((earlier for earlier in places[:index] if earlier.may_be(place)), None)
        if first is not None:
            remedy = "Leave one of them"
            if (first.subscription_id is None) != (place.subscription_id is None):
                remedy += "; if they are in two subscriptions, write resourceId for both"
            problem = f'this is the cluster that "{first.name}" is already'
            findings.append(ONE_NAME.error((CLUSTERS, place.name), problem, remedy))
    return findings


def _place(name: str, entry: ClusterInput) -> _Place | None:
    attach = entry.attach
    if attach is None:
        group = entry.resource_group
        return _Place(name, None, group.lower(), name.lower()) if group else None
    if attach.resource_id is not None:
        parsed = parse_id(attach.resource_id, CLUSTER_TYPE)
        if isinstance(parsed, ResourceId):
            return _Place(name, parsed.subscription_id, parsed.resource_group.lower(), parsed.name.lower())
        return None
    if attach.resource_group is not None and attach.name is not None:
        return _Place(name, None, attach.resource_group.lower(), attach.name.lower())
    return None
