"""Who may connect to an endpoint's pods: the gateway to score, Prometheus to read metrics, nobody else."""

from collections.abc import Mapping
from typing import Any

from tidegate.endpoint.spec import EndpointSpec
from tidegate.gateway.names import CONTROLLER_NAMESPACE, PROXY
from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.labels import Manifest, labels, manifest, metadata, selector
from tidegate.targets.kubernetes.names import object_name

Json = dict[str, Any]


def plan_network_policies(endpoint: EndpointSpec, cluster: ClusterFacts) -> tuple[Manifest, ...]:
    """One NetworkPolicy over all pods of the endpoint; what they connect to themselves is left open.

    Probes and `kubectl port-forward` come from a pod's own node, which no policy keeps out.
    """
    # The two kinds of pods by which Azure Monitor's managed Prometheus collects.
    collectors = [_peer("kube-system", {"rsName": "ama-metrics"}), _peer("kube-system", {"dsName": "ama-metrics-node"})]
    policy = manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        metadata(object_name(endpoint.name), endpoint.namespace, labels(endpoint.name, production=cluster.production)),
        spec={
            "podSelector": {"matchLabels": selector(endpoint.name)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [_peer(CONTROLLER_NAMESPACE, PROXY)], "ports": [{"port": "http", "protocol": "TCP"}]},
                {"from": collectors, "ports": [{"port": "metrics", "protocol": "TCP"}]},
            ],
        },
    )
    return (policy,)


def _peer(namespace: str, labels: Mapping[str, str]) -> Json:
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": dict(labels)},
    }
