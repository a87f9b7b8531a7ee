"""What is measured of a cluster, and where its logs go."""

from collections.abc import Sequence

import pulumi
import pulumi_azure_native as azure_native

from components.azure import assign_role, register, user_identity
from components.cluster import Cluster
from tidegate.cluster.plan.access import MONITORING_DATA_READER
from tidegate.cluster.plan.monitoring import (
    LOGS_ASSOCIATION,
    plan_association,
    plan_federation,
    plan_logs_rule,
    plan_metrics_endpoint,
    plan_metrics_rule,
    plan_metrics_workspace,
)


class ClusterMetrics(pulumi.ComponentResource):
    """Azure Monitor's managed Prometheus for a cluster, and KEDA's identity, which may read from it.

    `after` has to be there first.
    """

    query_endpoint: pulumi.Output[str]
    """The address at which Prometheus is asked."""
    keda_client_id: pulumi.Output[str]
    """The identity that KEDA's `TriggerAuthentication`s name."""

    def __init__(
        self,
        name: str,
        cluster: Cluster,
        *,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:ClusterMetrics", name, None, opts)
        spec, monitor = cluster.spec, azure_native.monitor
        first = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        plan = plan_metrics_workspace(spec)
        workspace = register(monitor.AzureMonitorWorkspace, f"{name}.metrics", plan, first)
        # Asked by name, so that it stays known while the workspace is updated.
        self.query_endpoint = monitor.get_azure_monitor_workspace_output(
            azure_monitor_workspace_name=plan["azureMonitorWorkspaceName"],
            resource_group_name=spec.resource_group,
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[workspace]),
        ).apply(lambda found: found.metrics.prometheus_query_endpoint)
        endpoint = register(monitor.DataCollectionEndpoint, f"{name}.metrics", plan_metrics_endpoint(spec), first)
        rule = register(
            monitor.DataCollectionRule,
            f"{name}.metrics",
            plan_metrics_rule(spec, endpoint=endpoint.id, workspace=workspace.id),
            pulumi.ResourceOptions(parent=self),
        )
        register(
            monitor.DataCollectionRuleAssociation,
            f"{name}.metrics",
            plan_association(f"{spec.name}-metrics", cluster=cluster.cluster.id, rule=rule.id),
            pulumi.ResourceOptions(parent=self, deleted_with=cluster.cluster),
        )
        keda = user_identity(f"{name}.keda", spec, "keda", parent=self, after=after)
        self.keda_client_id = keda.client_id
        register(
            azure_native.managedidentity.FederatedIdentityCredential,
            f"{name}.keda",
            plan_federation(spec, identity=keda.name, issuer=cluster.oidc_issuer),
            pulumi.ResourceOptions(parent=self, depends_on=[keda.resource]),
        )
        assign_role(
            f"{name}.keda-reads-metrics",
            parent=self,
            subscription=cluster.subscription_id,
            unique=(spec.resource_group, spec.name, "keda-reads-metrics"),
            role=MONITORING_DATA_READER,
            scope=workspace.id,
            principal=keda.object_id,
        )
        self.register_outputs({"queryEndpoint": self.query_endpoint, "kedaClientId": self.keda_client_id})


class ClusterLogs(pulumi.ComponentResource):
    """Which container logs of a cluster go to its Log Analytics workspace."""

    def __init__(self, name: str, cluster: Cluster, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tidegate:azure:ClusterLogs", name, None, opts)
        monitor = azure_native.monitor
        rule = register(
            monitor.DataCollectionRule,
            f"{name}.logs",
            plan_logs_rule(cluster.spec, workspace=cluster.log_analytics_id),
            pulumi.ResourceOptions(parent=self, depends_on=[cluster.cluster]),
        )
        register(
            monitor.DataCollectionRuleAssociation,
            f"{name}.logs",
            plan_association(LOGS_ASSOCIATION, cluster=cluster.cluster.id, rule=rule.id),
            pulumi.ResourceOptions(parent=self, deleted_with=cluster.cluster),
        )
        self.register_outputs({})
