"""A stack on Azure: resource groups, clusters, and what stands beside them."""

from pathlib import Path
from typing import Any

import pulumi
import pulumi_azure_native as azure_native

from components.azure import register
from components.cluster import Cluster
from tidegate.cluster.spec import AzureSpec, ClusterSpec
from tidegate.config import Environment


def deploy(environment: Environment, root: Path) -> None:  # noqa: ARG001 (what every stack takes)
    """Register the stack's resources and export its outputs."""
    azure = environment.azure
    if azure is None:
        raise TypeError("an environment of the target azure has its Azure part")
    owner = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    groups = _resource_groups(azure)
    clusters = {
        spec.name: Cluster(
            spec.name, spec, owner=owner, after=[group for name, group in groups.items() if name == spec.resource_group]
        )
        for spec in azure.clusters
        if isinstance(spec, ClusterSpec)
    }
    pulumi.export("clusters", {name: _described(cluster) for name, cluster in clusters.items()})


def _resource_groups(azure: AzureSpec) -> dict[str, pulumi.Resource]:
    tags = dict(sorted(azure.tags.items()))
    return {
        name: register(
            azure_native.resources.ResourceGroup,
            name,
            {"resourceGroupName": name, "location": azure.location, "tags": tags},
            pulumi.ResourceOptions(protect=azure.production),
        )
        for name in azure.resource_groups
    }


def _described(cluster: Cluster) -> dict[str, Any]:
    spec, facts = cluster.spec, cluster.facts
    return {
        "id": facts.id,
        "name": spec.name,
        "resourceGroup": spec.resource_group,
        "location": spec.location,
        "purpose": spec.purpose,
        "fqdn": facts.fqdn,
        "privateFqdn": facts.private_fqdn,
        "oidcIssuer": facts.oidc_issuer_profile.apply(lambda profile: profile.issuer_url),
        "kubeletObjectId": cluster.kubelet_object_id,
        "nodeResourceGroup": facts.node_resource_group,
        "kubernetesVersion": facts.current_kubernetes_version,
    }
