"""AKS clusters as Azure Resource Manager shows them, and the marks that say who owns one."""

from collections.abc import Mapping
from typing import Any, cast

from tidegate.azure.arm import Arm, Json

API_VERSION = "2025-09-01"
"""The one that azure-native 3.29 uses."""
TAGS_API_VERSION = "2021-04-01"

Tags = Mapping[str, str]


def cluster_id(subscription: str, resource_group: str, name: str) -> str:
    """The resource id of a cluster."""
    group = f"/subscriptions/{subscription}/resourceGroups/{resource_group}"
    return f"{group}/providers/Microsoft.ContainerService/managedClusters/{name}"


def find_cluster(arm: Arm, resource_id: str) -> Json | None:
    """The cluster, None where it does not exist (any more)."""
    return arm.find(resource_id, API_VERSION)


def clusters_named(arm: Arm, subscription: str, name: str, location: str) -> list[str]:
    """The ids of the clusters of a subscription that have this name in this region, in any case of letters."""
    found = arm.each(f"/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters", API_VERSION)
    wanted = (name.lower(), plain_region(location))
    return [str(each["id"]) for each in found if (str(each["name"]).lower(), plain_region(each["location"])) == wanted]


def tags_of(resource: Json) -> Tags:
    """The tags of a resource, their names in lower case: those differ in case from answer to answer."""
    tags = cast(dict[str, str], resource.get("tags") or {})
    return {name.lower(): value for name, value in tags.items()}


def merge_tags(arm: Arm, resource_id: str, tags: Tags) -> None:
    """Set these tags of a resource and leave its others."""
    _patch_tags(arm, resource_id, "Merge", tags)


def remove_tags(arm: Arm, resource_id: str, tags: Tags) -> None:
    """Remove these tags of a resource where they still have these values, and leave its others."""
    _patch_tags(arm, resource_id, "Delete", tags)


def plain_region(location: Any) -> str:
    """`westeurope`, from `West Europe` as well."""
    return str(location).replace(" ", "").lower()


def _patch_tags(arm: Arm, resource_id: str, operation: str, tags: Tags) -> None:
    # A change of the cluster itself would need the right to change it, and may race with another change's whole body.
    path = f"{resource_id}/providers/Microsoft.Resources/tags/default"
    arm.patch(path, TAGS_API_VERSION, {"operation": operation, "properties": {"tags": dict(tags)}})
