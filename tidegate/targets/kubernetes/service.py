"""What stands before a version's pods and beside them: Service, disruption budget, service account, keys, namespace."""

from collections.abc import Mapping

from tidegate.cluster.plan.objects import PRODUCTION_LABEL
from tidegate.endpoint.spec import EndpointSpec, VersionSpec
from tidegate.targets.kubernetes.container import INSIGHTS_KEY
from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.labels import MANAGED, Manifest, labels, manifest, metadata, selector
from tidegate.targets.kubernetes.names import object_name
from tidegate.targets.kubernetes.placement import most_replicas

PORT = 80
"""Of a version's Service; the gateway sends requests straight to its pods."""
POD_SECURITY = "restricted"


def plan_namespace(endpoint: EndpointSpec, cluster: ClusterFacts) -> Manifest:
    """The namespace: the same for all endpoints in it."""
    modes = {f"pod-security.kubernetes.io/{mode}": POD_SECURITY for mode in ("audit", "enforce", "warn")}
    production = {PRODUCTION_LABEL: "true"} if cluster.production else {}
    return manifest("v1", "Namespace", {"name": endpoint.namespace, "labels": {**MANAGED, **production, **modes}})


def plan_service(endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts) -> Manifest:
    """The Service of a version."""
    return manifest(
        "v1",
        "Service",
        _metadata(endpoint, cluster, version),
        spec={
            "type": "ClusterIP",
            "selector": selector(endpoint.name, version.name),
            "ports": [
                {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"},
            ],
        },
    )


def plan_disruption_budget(endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts) -> Manifest | None:
    """One replica at a time leaves its node; none where there is only one, which then could never leave."""
    if most_replicas(version) < 2:
        return None
    return manifest(
        "policy/v1",
        "PodDisruptionBudget",
        _metadata(endpoint, cluster, version),
        spec={
            "maxUnavailable": 1,
            "selector": {"matchLabels": selector(endpoint.name, version.name)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    )


def plan_service_account(endpoint: EndpointSpec, cluster: ClusterFacts, *, client_id: object | None) -> Manifest:
    """The account that the pods run as; `client_id` is that of the managed identity whose tokens it gets."""
    account = metadata(
        endpoint.service_account, endpoint.namespace, labels(endpoint.name, production=cluster.production)
    )
    if client_id is not None:
        account["annotations"]["azure.workload.identity/client-id"] = client_id
    return manifest("v1", "ServiceAccount", account, automountServiceAccountToken=False)


def plan_keys(endpoint: EndpointSpec, cluster: ClusterFacts, values: Mapping[str, object]) -> Manifest:
    """The keys by the names under which the server is told of them; `values` are base64 texts."""
    return manifest(
        "v1",
        "Secret",
        metadata(
            object_name(endpoint.name, "keys"),
            endpoint.namespace,
            labels(endpoint.name, production=cluster.production),
        ),
        type="Opaque",
        data=dict(values),
    )


def plan_insights(endpoint: EndpointSpec, cluster: ClusterFacts, connection_string: object) -> Manifest:
    """Where the pods report to; `connection_string` is a base64 text."""
    name = object_name(endpoint.name, "insights")
    own = metadata(name, endpoint.namespace, labels(endpoint.name, production=cluster.production))
    return manifest("v1", "Secret", own, type="Opaque", data={INSIGHTS_KEY: connection_string})


def _metadata(endpoint: EndpointSpec, cluster: ClusterFacts, version: VersionSpec) -> Manifest:
    return metadata(
        object_name(endpoint.name, version.name),
        endpoint.namespace,
        labels(endpoint.name, version.name, production=cluster.production),
    )
