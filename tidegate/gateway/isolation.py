"""Who may reach the gateway's pods."""

from collections.abc import Mapping, Sequence

from tidegate.cluster.plan.objects import GATEWAY_NAMESPACE
from tidegate.gateway.names import CONTROLLER_NAMESPACE, PROXY, Manifest, manifest

_NAMESPACE = "kubernetes.io/metadata.name"


def plan_isolation(*, controller: bool) -> tuple[Manifest, ...]:
    """`NetworkPolicy` objects: the world reaches the proxies' listeners, they the controller, AKS's agents the metrics.

    `controller` says whether the controller's namespace is this project's: in another's, nothing is isolated. Probes
    come from the node and pass in any case.
    """
    solvers = _policy(
        "acme-solvers",
        GATEWAY_NAMESPACE,
        {"acme.cert-manager.io/http01-solver": "true"},
        [_rule(8089, {"namespaceSelector": {"matchLabels": {_NAMESPACE: CONTROLLER_NAMESPACE}}})],
    )
    everything_else = _policy("default-deny", GATEWAY_NAMESPACE, {}, [])
    if not controller:
        return everything_else, solvers
    monitoring: Manifest = {"namespaceSelector": {"matchLabels": {_NAMESPACE: "kube-system"}}}
    proxies: Manifest = {"podSelector": {"matchLabels": dict(PROXY)}}
    return (
        everything_else,
        solvers,
        _policy("default-deny", CONTROLLER_NAMESPACE, {}, []),
        _policy(
            "proxies",
            CONTROLLER_NAMESPACE,
            PROXY,
            # Envoy Gateway moves ports below 1024 up by 10000.
            [{"ports": [_port(10080), _port(10443)]}, _rule(19001, monitoring)],
        ),
        _policy(
            "controller",
            CONTROLLER_NAMESPACE,
            {"control-plane": "envoy-gateway"},
            [_rule(18000, proxies), _rule(19001, monitoring)],
        ),
    )


def _policy(name: str, namespace: str, pods: Mapping[str, str], ingress: Sequence[Manifest]) -> Manifest:
    spec: Manifest = {
        "podSelector": {"matchLabels": dict(pods)} if pods else {},
        "policyTypes": ["Ingress"],
    }
    if ingress:  # the API server keeps an empty list as none, and counts every other apply of it as a change
        spec["ingress"] = list(ingress)
    return manifest("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec=spec)


def _rule(port: int, source: Manifest) -> Manifest:
    return {"from": [source], "ports": [_port(port)]}


def _port(port: int) -> Manifest:
    return {"protocol": "TCP", "port": port}
