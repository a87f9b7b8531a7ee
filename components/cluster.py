"""A managed Kubernetes cluster, made here."""

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_azure_native as azure_native

from components.azure import assign_role, register, user_identity, user_kubeconfig
from components.cluster_access import ClusterAccess
from components.cluster_network import ClusterNetwork
from components.registry import Registry
from components.resources import ReplacementGuard, SystemPool
from components.rights import until_rights_hold
from tidegate.azure.login import login_kind
from tidegate.cluster.plan.access import (
    MANAGED_IDENTITY_OPERATOR,
    NETWORK_CONTRIBUTOR,
    PRIVATE_DNS_ZONE_CONTRIBUTOR,
    RBAC_CLUSTER_ADMIN,
    network_scopes,
    private_zone,
)
from tidegate.cluster.plan.cluster import (
    ignored,
    plan_cluster,
    plan_first_pool,
    plan_guard,
    plan_windows,
    pool_version,
    replaced,
)
from tidegate.cluster.plan.monitoring import plan_logs_workspace
from tidegate.cluster.plan.pools import azure_name, plan_pool
from tidegate.cluster.spec import ClusterSpec


class Cluster(pulumi.ComponentResource):
    """A cluster with its identities, their rights, its pools and the windows for upgrades.

    `owner` names the stack that it belongs to; `subscription_id` is the login's own by default; `network` is where its
    nodes stand, None in a network of AKS's own; `registry` is where they pull from; `further_ranges` may reach the API
    server beside those of the spec; `after` has to be there first (a resource group that is made in the same run).
    """

    spec: ClusterSpec
    subscription_id: pulumi.Output[str]
    kubelet_object_id: pulumi.Output[str]
    log_analytics_id: pulumi.Input[str] | None
    """The workspace of its container logs."""
    facts: pulumi.Output[Any]
    """What Azure says of the cluster (`GetManagedClusterResult`); stays known while it is updated."""
    kubeconfig: pulumi.Output[str]
    """How kubectl and pulumi-kubernetes reach the cluster; secret."""

    def __init__(
        self,
        name: str,
        spec: ClusterSpec,
        *,
        owner: str,
        subscription_id: str | None = None,
        network: ClusterNetwork | None = None,
        registry: Registry | None = None,
        further_ranges: Sequence[str] = (),
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:Cluster", name, None, opts)
        login = azure_native.authorization.get_client_config_output(opts=pulumi.InvokeOutputOptions(parent=self))
        self.spec, self._name, self._network = spec, name, network
        self.subscription_id = login.subscription_id
        identity = user_identity(f"{name}.control-plane", spec, "control-plane", parent=self, after=after)
        kubelet = user_identity(f"{name}.kubelet", spec, "kubelet", parent=self, after=after)
        self.kubelet_object_id = kubelet.object_id
        self.log_analytics_id = self._log_workspace(after)
        plan = plan_cluster(
            spec,
            identity=identity.resource.id,
            kubelet={
                "resourceId": kubelet.resource.id,
                "clientId": kubelet.client_id,
                "objectId": kubelet.object_id,
            },
            tenant=login.tenant_id,
            owner=owner,
            further_ranges=further_ranges,
            nat_addresses=network.nat_addresses if network else (),
            node_subnet=self._subnet("nodes"),
            api_server_subnet=self._subnet("apiserver"),
            log_analytics=self.log_analytics_id,
        )
        guard = ReplacementGuard(
            f"{name}.guard", plan_guard(spec, plan, subscription=subscription_id), pulumi.ResourceOptions(parent=self)
        )
        kubelet_operator = self._assign(
            "identity-operator", MANAGED_IDENTITY_OPERATOR, kubelet.resource.id, identity.object_id
        )
        self.cluster = register(
            azure_native.containerservice.ManagedCluster,
            f"{name}.cluster",
            plan,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[*after, guard, kubelet_operator, *self._assign_network(identity.object_id)],
                ignore_changes=ignored(spec),
                replace_on_changes=replaced(spec),
                protect=spec.production and not spec.replacement_allowed,
                hooks=until_rights_hold(f"{name}.cluster"),
            ),
        )
        asked = pulumi.InvokeOutputOptions(parent=self, depends_on=[self.cluster])
        self.facts = azure_native.containerservice.get_managed_cluster_output(
            resource_group_name=spec.resource_group, resource_name=spec.name, opts=asked
        )
        self.kubeconfig = user_kubeconfig(
            resource_group=spec.resource_group, cluster=spec.name, mode=spec.entra.kubeconfig, opts=asked
        )
        self.administrator = self._assign(
            "deployer",
            RBAC_CLUSTER_ADMIN,
            self.cluster.id,
            spec.entra.deployer_object_id or login.object_id,
            kind=spec.entra.deployer_principal_type or login_kind(),
        )
        if registry is not None:
            registry.let_pull(f"{name}.pull", cluster=spec.name, principal=kubelet.object_id, parent=self)
        first = plan_first_pool(spec, plan, subscription=subscription_id)
        SystemPool(f"{name}.system", first, self._with_cluster())
        self._register_pools()
        self.register_outputs({"id": self.cluster.id})

    @property
    def access(self) -> ClusterAccess:
        """The way into it, once the deployer may."""
        return ClusterAccess(
            kubeconfig=self.kubeconfig,
            identifier=f"{self.spec.resource_group}/{self.spec.name}",
            after=(self.administrator,),
            cluster=self.cluster,
            uid=self.facts.apply(lambda facts: facts.resource_uid),
        )

    @property
    def oidc_issuer(self) -> pulumi.Output[str]:
        """Who signs the tokens of the cluster's service accounts."""
        return self.facts.apply(lambda facts: facts.oidc_issuer_profile.issuer_url)

    def _subnet(self, use: str) -> pulumi.Input[str] | None:
        return self._network.subnets.get(use) if self._network else None

    def _log_workspace(self, after: Sequence[pulumi.Resource]) -> pulumi.Input[str] | None:
        plan = plan_logs_workspace(self.spec)
        if plan is None:
            return self.spec.monitoring.log_analytics_workspace_id
        options = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        return register(azure_native.operationalinsights.Workspace, f"{self._name}.logs", plan, options).id

    def _assign_network(self, principal: pulumi.Output[str]) -> list[pulumi.Resource]:
        """Let the cluster's identity join what it has to join, before the cluster is made."""
        assigned: list[pulumi.Resource] = []
        if self._network and self._network.network_id is not None:
            scopes = {"vnet": self._network.network_id, **self._network.subnets}
            for use in network_scopes(self.spec):
                assigned.append(self._assign(f"network-{use}", NETWORK_CONTRIBUTOR, scopes[use], principal))
        if self._network and self._network.route_table_id is not None:
            # AKS looks for the right on a table of the user's before it lets the nodes' subnet keep it.
            assigned.append(self._assign("routes", NETWORK_CONTRIBUTOR, self._network.route_table_id, principal))
        zone = private_zone(self.spec)
        if zone:
            assigned.append(self._assign("private-zone", PRIVATE_DNS_ZONE_CONTRIBUTOR, zone, principal))
        return assigned

    def _assign(
        self,
        use: str,
        role: str,
        scope: pulumi.Input[str],
        principal: pulumi.Input[str],
        kind: str = "ServicePrincipal",
    ) -> pulumi.Resource:
        return assign_role(
            f"{self._name}.{use}",
            parent=self,
            subscription=self.subscription_id,
            unique=(self.spec.resource_group, self.spec.name, use),
            role=role,
            scope=scope,
            principal=principal,
            kind=kind,
        )

    def _register_pools(self) -> None:
        spec = self.spec
        place = {"cluster": spec.name, "resource_group": spec.resource_group}
        for pool in spec.pools:
            # Another Azure name is another resource: the engine makes it before it deletes the old one, while a
            # replacement of one resource would delete first, as azure-native answers for all of them.
            register(
                azure_native.containerservice.AgentPool,
                f"{self._name}.{azure_name(pool)}",
                plan_pool(pool, version=pool_version(spec), subnet=self._subnet("nodes"), **place),
                self._with_cluster(ignore_changes=["count"] if pool.autoscaled else []),
            )
        for window, plan in plan_windows(spec.upgrade, **place).items():
            kind = azure_native.containerservice.MaintenanceConfiguration
            register(kind, f"{self._name}.{window}", plan, self._with_cluster())

    def _with_cluster(self, ignore_changes: Sequence[str] = ()) -> pulumi.ResourceOptions:
        """Options of what lives in the cluster: it comes after it and goes with it."""
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=[self.cluster],
            deleted_with=self.cluster,
            replace_with=[self.cluster],
            ignore_changes=list(ignore_changes),
        )
