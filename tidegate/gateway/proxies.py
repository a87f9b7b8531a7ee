"""The Envoys of a gateway: how many, where, with what load balancer before them."""

from math import ceil

from tidegate.cluster.plan.objects import GATEWAY_NAMESPACE
from tidegate.cluster.spec import IssuedCertificate, LoadBalancerSpec
from tidegate.gateway.names import DOCKER_HUB, ENVOY_API, GATEWAY, PROXY, Manifest, from_mirror, manifest

IMAGE = f"{DOCKER_HUB}/envoyproxy/envoy:distroless-v1.39.5"
"""The newest patch of the Envoy minor that the pinned Envoy Gateway is made for: these pods face the Internet."""

REPLICAS = 2
THREADS = 2
"""Without a number Envoy starts one thread for each CPU of its node."""

IDLE_MINUTES = 30
"""Azure's longest: after it a silent connection is dropped, and a slow model is silent for as long as it thinks."""

LEAST_DRAIN_S = 180
DRAIN_MARGIN_S = 30

_AZURE = "service.beta.kubernetes.io/azure"

_ACCESS_LOG = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    # Without its query: the gateway does not decide what callers write there.
    "path": "%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "host": "%REQ(:AUTHORITY)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "status_details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "upstream_ms": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "upstream": "%UPSTREAM_CLUSTER%",
    "version": "%RESP(X-TIDEGATE-VERSION)%",
    "client": "%REQ(X-TIDEGATE-CLIENT)%",
    "client_address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "user_agent": "%REQ(USER-AGENT)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
}
"""One JSON line a request; no header that carries a credential."""


def drain_seconds(longest_request_s: float) -> int:
    """How long a proxy that has to go serves what it has begun.

    In whole minutes: another number restarts the proxies, and a version's timeout changes more often than that.
    """
    return max(LEAST_DRAIN_S, ceil((longest_request_s + DRAIN_MARGIN_S) / 60) * 60)


def service_annotations(balancer: LoadBalancerSpec, certificate: IssuedCertificate | None) -> dict[str, str]:
    """What AKS is told of the load balancer.

    Sources: cloud-provider-azure, topics/loadbalancer; aks-docs: internal-lb.md, static-ip.md.
    """
    annotations = {f"{_AZURE}-load-balancer-tcp-idle-timeout": str(IDLE_MINUTES)}
    if balancer.type == "InternalLoadBalancer":
        annotations[f"{_AZURE}-load-balancer-internal"] = "true"
        if balancer.subnet_name is not None:
            annotations[f"{_AZURE}-load-balancer-internal-subnet"] = balancer.subnet_name
    if certificate is not None:
        annotations[f"{_AZURE}-dns-label-name"] = certificate.leaf_domain_label
    return annotations


def plan_proxies(annotations: dict[str, str], *, longest_request_s: float, mirror: str = "") -> Manifest:
    """An `EnvoyProxy`: the Deployment, its disruption budget and its Service, and what it logs.

    `mirror` is where its image is instead of Docker Hub. The figures are those that
    `tidegate.cluster.capacity.platform_demands` counts with.
    """
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(PROXY)},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
    deployment: Manifest = {
        "replicas": REPLICAS,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "container": {
            "image": from_mirror(IMAGE, mirror),
            # Envoy Gateway has Envoy refuse new requests before it would use more memory than its limit.
            "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        },
        "pod": {
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "topologySpreadConstraints": spread,
        },
    }
    service: Manifest = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",  # callers keep their addresses, and no node forwards to another
        "annotations": annotations,
    }
    log: Manifest = {
        "format": {"type": "JSON", "json": dict(_ACCESS_LOG)},
        "sinks": [{"type": "File", "file": {"path": "/dev/stdout"}}],
    }
    spec: Manifest = {
        "concurrency": THREADS,
        "logging": {"level": {"default": "warn"}},
        "telemetry": {"accessLog": {"settings": [log]}},
        # The load balancer needs its probes to fail before it sends nothing more.
        "shutdown": {"drainTimeout": f"{drain_seconds(longest_request_s)}s", "minDrainDuration": "15s"},
        "provider": {
            "type": "Kubernetes",
            "kubernetes": {
                "envoyDeployment": deployment,
                "envoyPDB": {"maxUnavailable": 1},
                "envoyService": service,
            },
        },
    }
    return manifest(ENVOY_API, "EnvoyProxy", GATEWAY, GATEWAY_NAMESPACE, spec=spec)
