"""A managed Kubernetes cluster, made here."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_azure_native as azure_native

from components.azure import assign_role, register
from tidegate.cluster.plan.access import MANAGED_IDENTITY_OPERATOR, RBAC_CLUSTER_ADMIN, plan_identity
from tidegate.cluster.plan.cluster import ignored, plan_cluster, plan_windows, pool_version
from tidegate.cluster.plan.pools import azure_name, plan_pool
from tidegate.cluster.spec import ClusterSpec


class Cluster(pulumi.ComponentResource):
    """A cluster with its identities, their rights, its pools and the windows for upgrades.

    `owner` names the stack that it belongs to; `further_ranges` may reach its API server beside those of the spec;
    `after` has to be there first (a resource group that is made in the same run).
    """

    spec: ClusterSpec
    facts: pulumi.Output[Any]
    """What Azure says of the cluster (`GetManagedClusterResult`); stays known while it is updated."""
    kubelet_object_id: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        spec: ClusterSpec,
        *,
        owner: str,
        further_ranges: Sequence[str] = (),
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:Cluster", name, None, opts)
        self.spec = spec
        self._name = name
        self._after = list(after)
        self._login = azure_native.authorization.get_client_config_output()
        identity = self._identity("control-plane")
        kubelet = self._identity("kubelet")
        self.kubelet_object_id = kubelet["objectId"]
        plan = plan_cluster(
            spec,
            identity=identity["resourceId"],
            kubelet=kubelet,
            tenant=self._login.tenant_id,
            owner=owner,
            further_ranges=further_ranges,
        )
        operator = self._role(
            "identity-operator", MANAGED_IDENTITY_OPERATOR, kubelet["resourceId"], identity["objectId"]
        )
        self.cluster = register(
            azure_native.containerservice.ManagedCluster,
            f"{name}.cluster",
            plan,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[*self._after, operator],
                ignore_changes=ignored(spec),
                protect=spec.production and not spec.replacement_allowed,
            ),
        )
        self.facts = azure_native.containerservice.get_managed_cluster_output(
            resource_group_name=spec.resource_group,
            resource_name=spec.name,
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[self.cluster]),
        )
        self._role(
            "deployer",
            RBAC_CLUSTER_ADMIN,
            self.cluster.id,
            spec.entra.deployer_object_id or self._login.object_id,
            kind=spec.entra.deployer_principal_type,
        )
        self._register_pools()
        self.register_outputs({"id": self.cluster.id})

    def _identity(self, use: str) -> Mapping[str, pulumi.Output[str]]:
        plan = plan_identity(self.spec, use)
        options = pulumi.ResourceOptions(parent=self, depends_on=self._after)
        resource = register(azure_native.managedidentity.UserAssignedIdentity, f"{self._name}.{use}", plan, options)
        # Outputs of a resource are unknown in the preview of its update (a tag is enough), and an unknown principal
        # would show as a role assignment to replace: ask Azure by name instead.
        facts = azure_native.managedidentity.get_user_assigned_identity_output(
            resource_group_name=plan["resourceGroupName"],
            resource_name=plan["resourceName"],
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[resource]),
        )
        return {"resourceId": resource.id, "clientId": facts.client_id, "objectId": facts.principal_id}

    def _role(
        self,
        use: str,
        role: str,
        scope: pulumi.Output[str],
        principal: pulumi.Input[str],
        kind: str = "ServicePrincipal",
    ) -> pulumi.Resource:
        return assign_role(
            f"{self._name}.{use}",
            parent=self,
            subscription=self._login.subscription_id,
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
                plan_pool(pool, version=pool_version(spec), **place),
                self._with_cluster(ignore_changes=["count"] if pool.autoscaled else []),
            )
        for window, plan in plan_windows(spec.upgrade, **place).items():
            register(
                azure_native.containerservice.MaintenanceConfiguration,
                f"{self._name}.{window}",
                plan,
                self._with_cluster(),
            )

    def _with_cluster(self, ignore_changes: Sequence[str] = ()) -> pulumi.ResourceOptions:
        """Options of what lives in the cluster: it comes after it and goes with it."""
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=[self.cluster],
            deleted_with=self.cluster,
            replace_with=[self.cluster],
            ignore_changes=list(ignore_changes),
        )
