"""The autoscaler of a version: KEDA by the requests in its replicas, or Kubernetes' own by their CPU; never both."""

from typing import Any

from tidegate.endpoint.spec import AutoScalerSpec, EndpointSpec, VersionSpec
from tidegate.findings import Finding
from tidegate.parse import key_path
from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.labels import Manifest, labels, manifest, metadata
from tidegate.targets.kubernetes.names import object_name

Json = dict[str, Any]

SYNC_PERIOD_S = 15
"""How often Kubernetes looks at a scaler's metric; AKS lets nobody set it."""


def plan_scaler(
    endpoint: EndpointSpec,
    version: VersionSpec,
    cluster: ClusterFacts,
    *,
    query_endpoint: object | None,
    client_id: object | None,
) -> tuple[Manifest, ...]:
    """The scaler of a version that has one, and what KEDA needs to ask Prometheus at `query_endpoint`."""
    scaler = version.deployment.autoscaler
    if scaler is None:
        return ()
    if not cluster.keda or query_endpoint is None:
        return (_by_cpu(endpoint, version, cluster, scaler),)
    return _by_requests(endpoint, version, cluster, scaler, query_endpoint=query_endpoint, client_id=client_id)


def scaling_notes(endpoint: EndpointSpec) -> tuple[Finding, ...]:
    """Say where a refresh period cannot be kept, and which one is."""
    found: list[Finding] = []
    for version in endpoint.versions:
        scaler = version.deployment.autoscaler
        # The default is v1's, and nobody's wish.
        if scaler and scaler.refresh_period_s not in (AutoScalerSpec().refresh_period_s, _period_s(scaler)):
            place = ("tidegate:endpoints", endpoint.name, "versions", version.name)
            problem = (
                f"autoScaler.refreshPeriodInSeconds {scaler.refresh_period_s} cannot be kept: Kubernetes looks every "
                f"{SYNC_PERIOD_S} s, and so does the autoscaler"
            )
            found.append(Finding(key_path(place), problem, severity="note"))
    return tuple(found)


def requests_query(endpoint: str, version: str) -> str:
    """Requests in flight and queued in all replicas of a version, by the server's own gauges."""
    matched = f'{{endpoint="{endpoint}",version="{version}"}}'
    return f"sum(tidegate_requests_in_flight{matched}) + sum(tidegate_requests_queued{matched})"


def _by_requests(
    endpoint: EndpointSpec,
    version: VersionSpec,
    cluster: ClusterFacts,
    scaler: AutoScalerSpec,
    *,
    query_endpoint: object,
    client_id: object | None,
) -> tuple[Manifest, ...]:
    own = _metadata(endpoint, version, cluster)
    identity: Json = {"provider": "azure-workload"}
    if client_id is not None:
        identity["identityId"] = client_id
    authentication = manifest("keda.sh/v1alpha1", "TriggerAuthentication", own, spec={"podIdentity": identity})
    # What one replica is to have: KEDA compares the sum over all of them with this times their number.
    each = version.deployment.max_concurrent_requests * scaler.target_utilization / 100
    trigger = {
        "type": "prometheus",
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": query_endpoint,
            "query": requests_query(endpoint.name, version.name),
            "threshold": f"{each:g}",
        },
        "authenticationRef": {"name": own["name"]},
    }
    # A version that was scaled by CPU has an autoscaler of this name, beside which KEDA would refuse to stand.
    taken_over = {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}
    scaled = manifest(
        "keda.sh/v1alpha1",
        "ScaledObject",
        {**own, "annotations": {**own["annotations"], **taken_over}},
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": own["name"]},
            "pollingInterval": _period_s(scaler),
            "minReplicaCount": scaler.min_replicas,
            "maxReplicaCount": scaler.max_replicas,
            "advanced": {"horizontalPodAutoscalerConfig": {"name": own["name"]}},
            "triggers": [trigger],
        },
    )
    return authentication, scaled


def _by_cpu(endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts, scaler: AutoScalerSpec) -> Manifest:
    own = _metadata(endpoint, version, cluster)
    target = {"type": "Utilization", "averageUtilization": scaler.target_utilization}
    return manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        own,
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": own["name"]},
            "minReplicas": scaler.min_replicas,
            "maxReplicas": scaler.max_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    )


def _period_s(scaler: AutoScalerSpec) -> int:
    return max(scaler.refresh_period_s, SYNC_PERIOD_S)


def _metadata(endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts) -> Manifest:
    return metadata(
        object_name(endpoint.name, version.name),
        endpoint.namespace,
        labels(endpoint.name, version.name, production=cluster.production),
    )
