"""A stack on Azure: resource groups, clusters, and what stands beside them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
import pulumi_azure_native as azure_native

from components.attached_cluster import AttachedCluster
from components.azure import register
from components.cluster import Cluster
from components.cluster_monitoring import ClusterLogs, ClusterMetrics
from components.cluster_network import ClusterNetwork
from components.cluster_objects import ClusterObjects
from components.registry import Registry, RegistryEndpoint
from components.workspace import WorkspaceCompute
from stacks.outputs import Described
from stacks.used_cluster import UsedCluster
from tidegate.cluster.naming import owner_mark
from tidegate.cluster.plan.access import front_subnet
from tidegate.cluster.plan.objects import needs_objects
from tidegate.cluster.spec import AttachedClusterSpec, AzureSpec, ClusterSpec, RegistrySpec
from tidegate.config import Environment
from tidegate.endpoint.spec import EndpointSpec
from tidegate.findings import ConfigError
from tidegate.image.artifacts import ArtifactPlan, plan_artifacts

if TYPE_CHECKING:  # a stack without endpoints does without the builder's SDK
    from components.artifacts import Artifacts
    from stacks.serving import ClusterServing


def deploy(environment: Environment, root: Path) -> None:
    """Register the stack's resources and export its outputs."""
    azure = environment.azure
    if azure is None:
        raise TypeError("an environment of the target azure has its Azure part")
    # What code and models can be refused for is found before anything is registered.
    plan = plan_artifacts(environment, root=root) if environment.endpoints else None
    platform = _Platform(azure)
    artifacts = platform.artifacts(plan, root) if plan else None
    clusters: dict[str, Described] = {}
    kubeconfigs: dict[str, pulumi.Output[str]] = {}
    serving: list[ClusterServing] = []
    for spec in azure.clusters:
        described, used = platform.attached(spec) if isinstance(spec, AttachedClusterSpec) else platform.made(spec)
        clusters[spec.name], kubeconfigs[spec.name] = described, used.access.kubeconfig
        endpoints = [endpoint for endpoint in environment.endpoints if endpoint.cluster == spec.name]
        needed = isinstance(spec, ClusterSpec) and needs_objects(spec)
        objects = ClusterObjects(spec.name, spec, used.access) if needed or endpoints else None
        if objects and endpoints and artifacts:
            serving.append(_serve(azure, used, objects, endpoints, artifacts))
    pulumi.export("clusters", clusters)
    if platform.registry:
        described = {"id": platform.registry.registry_id, "loginServer": platform.registry.login_server}
        pulumi.export("registry", described)
    if artifacts:
        artifacts.export(after=[resource for each in serving for resource in each.rolled_out])
        pulumi.export("endpoints", {name: each for one in serving for name, each in one.described.items()})
        pulumi.export("keys", pulumi.Output.secret({name: keys for one in serving for name, keys in one.keys.items()}))
    # One secret value, so that `pulumi stack output` can show everything else.
    pulumi.export("kubeconfigs", pulumi.Output.secret(kubeconfigs))


def _serve(
    azure: AzureSpec,
    used: UsedCluster,
    objects: ClusterObjects,
    endpoints: Sequence[EndpointSpec],
    artifacts: "Artifacts",
) -> "ClusterServing":
    from stacks.serving import ClusterServing  # noqa: PLC0415 (a stack without endpoints does without)

    return ClusterServing(azure, used, objects, endpoints, artifacts)


class _Platform:
    """What the clusters of a stack share, and how each is put together."""

    registry: Registry | None = None

    def __init__(self, azure: AzureSpec) -> None:
        self._azure = azure
        self._owner = owner_mark(pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack())
        self._subscription = pulumi.Config("azure-native").get("subscriptionId")
        self._callers, self._further = self._admitted()
        self._groups = {name: self._group(name) for name in azure.resource_groups}
        if azure.registry:
            after = self._after(azure.registry.resource_group) if isinstance(azure.registry, RegistrySpec) else []
            self.registry = Registry("registry", azure.registry, after=after)

    def artifacts(self, plan: ArtifactPlan, root: Path) -> "Artifacts":
        """The images of the versions, and the store of what their pods fetch."""
        from components.artifacts import Artifacts  # noqa: PLC0415 (a stack without endpoints builds nothing)

        if self.registry is None:
            raise TypeError("what has images to build has a registry for them")
        store = self._azure.model_store
        after = self._after(store.resource_group) if store else []
        return Artifacts("images", self._azure, plan, root=root, registry=self.registry, after=after)

    def made(self, spec: ClusterSpec) -> tuple[Described, UsedCluster]:
        """A cluster made here: what the stack says of it, and what its endpoints need."""
        after = self._after(spec.resource_group)
        network = ClusterNetwork(spec.name, spec, after=after) if spec.network.place else None
        if network and self.registry and self.registry.needs_endpoint and "endpoints" in network.subnets:
            RegistryEndpoint(spec.name, self.registry, spec, network, after=after)
        cluster = Cluster(
            spec.name,
            spec,
            owner=self._owner,
            subscription_id=self._subscription,
            network=network,
            registry=self.registry,
            further_ranges=self._further.get(spec.name, ()),
            after=after,
        )
        facts = cluster.facts
        described: Described = {
            "id": facts.id,
            "name": spec.name,
            "resourceGroup": spec.resource_group,
            "location": spec.location,
            "purpose": spec.purpose,
            "fqdn": facts.fqdn,
            "privateFqdn": facts.private_fqdn,
            "oidcIssuer": cluster.oidc_issuer,
            "kubeletObjectId": cluster.kubelet_object_id,
            "nodeResourceGroup": facts.node_resource_group,
            "kubernetesVersion": facts.current_kubernetes_version,
        }
        used = UsedCluster(spec, cluster.access, cluster.oidc_issuer)
        if spec.monitoring.prometheus:
            metrics = ClusterMetrics(spec.name, cluster, after=after)
            described["prometheusQueryEndpoint"] = metrics.query_endpoint
            described["kedaClientId"] = metrics.keda_client_id
            used = replace(used, query_endpoint=metrics.query_endpoint, keda_client_id=metrics.keda_client_id)
        if spec.monitoring.container_insights:
            ClusterLogs(spec.name, cluster)
        if self._azure.workspace:
            front = front_subnet(spec)
            WorkspaceCompute(
                spec.name,
                self._azure.workspace,
                cluster=cluster.cluster.id,
                location=spec.location,
                purpose=spec.purpose,
                front=spec.load_balancer,
                front_subnet=network.subnets[front] if network and front else None,
                subscription_id=self._subscription,
            )
        return described, used

    def attached(self, spec: AttachedClusterSpec) -> tuple[Described, UsedCluster]:
        """A cluster that exists: what the stack says of it, and what its endpoints need."""
        cluster = AttachedCluster(
            spec.name,
            spec,
            owner=self._owner,
            subscription_id=self._subscription,
            registry=self.registry,
            needed_ranges=self._callers,
        )
        facts = cluster.attachment
        if self._azure.workspace:
            WorkspaceCompute(
                spec.name,
                self._azure.workspace,
                cluster=facts.output("resourceId"),
                location=facts.output("location"),
                purpose=spec.purpose,
                subscription_id=self._subscription,
            )
        described: Described = {
            "id": facts.output("resourceId"),
            "name": spec.cluster_name,
            "resourceGroup": spec.resource_group,
            "location": facts.output("location"),
            "purpose": spec.purpose,
            "fqdn": facts.output("apiServerAddress"),
            "oidcIssuer": facts.output("oidcIssuer"),
            "kubeletObjectId": facts.output("kubeletObjectId"),
            "nodeResourceGroup": facts.output("nodeResourceGroup"),
            "kubernetesVersion": facts.output("kubernetesVersion"),
        }
        return described, UsedCluster(spec, cluster.access, facts.output("oidcIssuer"))

    def _admitted(self) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """The workspace's addresses, and what each cluster has to let in. Raises ConfigError."""
        from tidegate.azure.admission import further_ranges, limits_callers, workspace_addresses  # noqa: PLC0415

        azure = self._azure
        limited = any(isinstance(spec, AttachedClusterSpec) or limits_callers(spec) for spec in azure.clusters)
        callers, findings = (), []
        if azure.workspace and limited:
            callers, findings = workspace_addresses(azure.workspace, self._subscription)
        further, more = further_ranges(azure, workspace=callers)
        findings += more
        if any(finding.severity == "error" for finding in findings):
            raise ConfigError(findings)
        for finding in findings:
            (pulumi.log.warn if finding.severity == "warning" else pulumi.log.info)(str(finding))
        return callers, further

    def _group(self, name: str) -> pulumi.Resource:
        tags = dict(sorted(self._azure.tags.items()))
        plan = {"resourceGroupName": name, "location": self._azure.location, "tags": tags}
        options = pulumi.ResourceOptions(protect=self._azure.production)
        return register(azure_native.resources.ResourceGroup, name, plan, options)

    def _after(self, group: str) -> list[pulumi.Resource]:
        return [resource for name, resource in self._groups.items() if name.lower() == group.lower()]
