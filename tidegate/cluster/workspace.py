"""The Azure ML workspace in which the clusters are compute targets."""

import re
from collections.abc import Mapping
from pathlib import Path

from tidegate.cluster.input import ClusterInput, WorkspaceInput
from tidegate.cluster.naming import CLUSTERS, check_resource_group
from tidegate.cluster.regions import find, nearest
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import WorkspaceSpec
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc
from tidegate.paths import kind, locate

NAME = Rule(
    "workspace-name",
    "a workspace's name has 3-33 letters, digits, hyphens and underscores, the first a letter or a digit",
    "bicep-types: Microsoft.MachineLearningServices/workspaces 2025-12-01, name",
)
LOCATION = Rule(
    "workspace-location",
    "a workspace stands in one region, and its service tags are named by it",
    "Azure: GET /subscriptions/{id}/locations; tidegate/cluster/data/regions.json",
)
PLACE = Rule(
    "workspace-place",
    "a workspace is found by its resource group and its name, and its service tags by its region",
    "Azure REST: Microsoft.MachineLearningServices/workspaces, Get",
)
SAME_REGION = Rule(
    "workspace-region",
    "calls between a workspace and a cluster of another region cross regions, in time and in cost",
    "ml-docs: v1/how-to-create-attach-kubernetes.md",
)
SERVICE_TAGS = Rule(
    "workspace-service-tags",
    "the ranges of a workspace are read from Microsoft's service-tag file where one is named",
    "Microsoft Download Center: Azure IP Ranges and Service Tags, Public Cloud",
)
RULES: tuple[Rule, ...] = (NAME, LOCATION, PLACE, SAME_REGION, SERVICE_TAGS)

WORKSPACE: Loc = ("tidegate:workspace",)


def resolve_workspace(
    entry: WorkspaceInput,
    *,
    location: str,
    resource_group: str,
    root: Path,
    clusters: Mapping[str, ClusterInput],
    broken: Broken,
) -> tuple[WorkspaceSpec | None, list[Finding]]:
    """Settle the workspace; `location` and `resource_group` are the environment's, "" where they are not known."""
    findings: list[Finding] = []
    if entry.name is None:
        if broken.sound(*WORKSPACE, "name"):
            findings.append(NAME.error(WORKSPACE, "the workspace has no name", "Write name, of one that exists"))
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{2,32}", entry.name):
        problem = f'"{entry.name}" is no name of a workspace'
        remedy = "Write 3-33 letters, digits, hyphens and underscores, the first a letter or a digit"
        findings.append(NAME.error((*WORKSPACE, "name"), problem, remedy))
    if entry.resource_group is not None:
        findings += check_resource_group((*WORKSPACE, "resourceGroup"), entry.resource_group)
    region, more = _location(entry, location, broken)
    findings += more
    group = entry.resource_group or resource_group
    if clusters and all(cluster.attach is not None for cluster in clusters.values()):
        # Where a cluster is made, the environment's own region and resource group are asked for anyway.
        findings += _check_known(entry, location, resource_group, broken)
    service_tags = locate(root, entry.service_tags) if entry.service_tags is not None else None
    if service_tags is not None and kind(service_tags) != "file":
        problem = f"there is no file {entry.service_tags}"
        remedy = "Write the path of ServiceTags_Public_<date>.json, or leave it out: then the login asks Azure"
        findings.append(SERVICE_TAGS.error((*WORKSPACE, "serviceTags"), problem, remedy))
    if region:
        findings += _check_regions(region, location, clusters, broken)
    errors = any(finding.severity == "error" for finding in findings)
    if entry.name is None or not region or not group or errors:
        return None, findings
    spec = WorkspaceSpec(name=entry.name, resource_group=group, location=region, service_tags=service_tags)
    return spec, findings


def _location(entry: WorkspaceInput, location: str, broken: Broken) -> tuple[str, list[Finding]]:
    loc: Loc = (*WORKSPACE, "location")
    if entry.location is None:
        return location if broken.sound(*loc) else "", []
    region = find(entry.location)
    if region is not None:
        return region.name, []
    near = nearest(entry.location)
    remedy = f'Did you mean "{near}"?' if near else "Write a region of Azure's public cloud, e.g. westeurope"
    return "", [LOCATION.error(loc, f'"{entry.location}" is no region of Azure', remedy)]


def _check_known(entry: WorkspaceInput, location: str, resource_group: str, broken: Broken) -> list[Finding]:
    values = (("location", entry.location or location), ("resourceGroup", entry.resource_group or resource_group))
    missing = [
        key for key, value in values if not value and broken.sound(*WORKSPACE, key) and broken.sound(f"tidegate:{key}")
    ]
    if not missing:
        return []
    problem = f"{' and '.join(missing)} of the workspace {'is' if len(missing) == 1 else 'are'} not known"
    return [PLACE.error(WORKSPACE, problem, "Write it here or for the environment")]


def _check_regions(region: str, location: str, clusters: Mapping[str, ClusterInput], broken: Broken) -> list[Finding]:
    findings: list[Finding] = []
    for name, cluster in sorted(clusters.items()):
        loc: Loc = (CLUSTERS, name)
        if cluster.attach is not None or not broken.sound(*loc, "location"):
            continue
        found = find(cluster.location) if cluster.location is not None else find(location)
        if found is not None and found.name != region:
            problem = f"the cluster is in {found.name} and its workspace in {region}"
            findings.append(SAME_REGION.warning(loc, problem, "Keep both in one region where you can"))
    return findings
