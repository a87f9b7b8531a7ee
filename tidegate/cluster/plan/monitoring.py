"""Managed Prometheus with KEDA's way to it, and container logs in Log Analytics.

The shapes follow Microsoft's own templates (azure-monitor-docs: kubernetes-monitoring-enable.md).
"""

from typing import Any

from tidegate.cluster.spec import ClusterSpec

Plan = dict[str, Any]

KEDA_SUBJECT = "system:serviceaccount:kube-system:keda-operator"
"""Who KEDA is in a cluster with AKS's add-on (aks-docs: keda-workload-identity.md)."""
TOKEN_AUDIENCE = "api://AzureADTokenExchange"  # noqa: S105 (an audience, no secret)

METRICS_STREAM = "Microsoft-PrometheusMetrics"
LOGS_STREAM = "Microsoft-ContainerInsights-Group-Default"
LOGS_ASSOCIATION = "ContainerInsightsExtension"
"""The only name by which the add-on finds its rule."""

LOG_RETENTION_DAYS = 30
"""What Log Analytics keeps at no extra cost."""


def plan_metrics_workspace(spec: ClusterSpec) -> Plan:
    """An `AzureMonitorWorkspace`, which keeps the cluster's metrics."""
    return _named(spec, "azureMonitorWorkspaceName", f"{spec.name}-metrics")


def plan_metrics_endpoint(spec: ClusterSpec) -> Plan:
    """A `DataCollectionEndpoint`, to which the cluster's agents send metrics."""
    plan = _named(spec, "dataCollectionEndpointName", f"{spec.name}-metrics")
    return plan | {"kind": "Linux", "networkAcls": {"publicNetworkAccess": "Enabled"}}


def plan_metrics_rule(spec: ClusterSpec, *, endpoint: object, workspace: object) -> Plan:
    """A `DataCollectionRule` from the agents' endpoint to the workspace, both by id."""
    destination = "metrics"
    return _named(spec, "dataCollectionRuleName", f"{spec.name}-metrics") | {
        "kind": "Linux",
        "dataCollectionEndpointId": endpoint,
        "dataSources": {
            "prometheusForwarder": [{"name": "PrometheusDataSource", "streams": [METRICS_STREAM]}],
        },
        "destinations": {"monitoringAccounts": [{"name": destination, "accountResourceId": workspace}]},
        "dataFlows": [{"streams": [METRICS_STREAM], "destinations": [destination]}],
    }


def plan_logs_workspace(spec: ClusterSpec) -> Plan | None:
    """A Log Analytics `Workspace` for container logs; None where there are none, or one exists."""
    monitoring = spec.monitoring
    if not monitoring.container_insights or monitoring.log_analytics_workspace_id:
        return None
    return _named(spec, "workspaceName", f"{spec.name}-logs") | {
        "sku": {"name": "PerGB2018"},
        "retentionInDays": LOG_RETENTION_DAYS,
    }


def plan_logs_rule(spec: ClusterSpec, *, workspace: object) -> Plan:
    """A `DataCollectionRule` for container logs into the workspace."""
    destination = "logs"
    settings = {"interval": "1m", "namespaceFilteringMode": "Off", "enableContainerLogV2": True}
    extension = {
        "name": LOGS_ASSOCIATION,
        "extensionName": "ContainerInsights",
        "extensionSettings": {"dataCollectionSettings": settings},
        "streams": [LOGS_STREAM],
    }
    return _named(spec, "dataCollectionRuleName", f"{spec.name}-logs") | {
        "kind": "Linux",
        "dataSources": {"extensions": [extension]},
        "destinations": {"logAnalytics": [{"name": destination, "workspaceResourceId": workspace}]},
        "dataFlows": [{"streams": [LOGS_STREAM], "destinations": [destination]}],
    }


def plan_association(name: str, *, cluster: object, rule: object) -> Plan:
    """A `DataCollectionRuleAssociation` of a cluster, by id, with a rule."""
    return {"resourceUri": cluster, "associationName": name, "dataCollectionRuleId": rule}


def plan_federation(spec: ClusterSpec, *, identity: str, issuer: object) -> Plan:
    """A `FederatedIdentityCredential`: KEDA in the cluster is the named identity."""
    return {
        "resourceGroupName": spec.resource_group,
        "resourceName": identity,
        "federatedIdentityCredentialResourceName": "keda-operator",
        "issuer": issuer,
        "subject": KEDA_SUBJECT,
        "audiences": [TOKEN_AUDIENCE],
    }


def _named(spec: ClusterSpec, key: str, name: str) -> Plan:
    return {
        "resourceGroupName": spec.resource_group,
        key: name,
        "location": spec.location,
        "tags": dict(sorted(spec.tags.items())),
    }
