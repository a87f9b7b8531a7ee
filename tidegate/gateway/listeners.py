"""What a gateway listens on, and how it treats a request before any endpoint's route sees it.

The settings are those of the local listener in `tidegate.targets.envoy`, in Envoy Gateway's words.
"""

from tidegate.cluster.plan.objects import CERTIFICATE, GATEWAY_NAMESPACE
from tidegate.gateway.names import (
    ENVOY_API,
    GATEWAY,
    GATEWAY_API,
    GATEWAY_CLASS,
    HTTP,
    HTTPS,
    MANAGED_BY,
    Manifest,
    manifest,
)
from tidegate.gateway.proxies import IDLE_MINUTES
from tidegate.targets.envoy import local_replies

CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"

_LISTENER_TYPE = "type.googleapis.com/envoy.config.listener.v3.Listener"
_GATEWAY_REFERENCE = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY}
_OPEN = {"tidegate.dev/anonymous": "true"}
"""On routes that only give a fixed answer."""


def plan_class() -> Manifest:
    """The `GatewayClass` of this project's Gateways."""
    return manifest(GATEWAY_API, "GatewayClass", GATEWAY_CLASS, spec={"controllerName": CONTROLLER})


def plan_gateway_object(*, tls: bool) -> Manifest:
    """The `Gateway`: port 80, and 443 with TLS; routes come from this project's namespaces alone."""
    routes = {"namespaces": {"from": "Selector", "selector": {"matchLabels": dict(MANAGED_BY)}}}
    listeners: list[Manifest] = [{"name": HTTP, "protocol": "HTTP", "port": 80, "allowedRoutes": routes}]
    if tls:
        certificate = {"group": "", "kind": "Secret", "name": CERTIFICATE}
        listeners.append(
            {
                "name": HTTPS,
                "protocol": "HTTPS",
                "port": 443,
                "tls": {"mode": "Terminate", "certificateRefs": [certificate]},
                "allowedRoutes": routes,
            }
        )
    spec: Manifest = {
        "gatewayClassName": GATEWAY_CLASS,
        "listeners": listeners,
        "infrastructure": {
            "parametersRef": {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": GATEWAY},
        },
    }
    # Until then it has no address.
    wait = {"pulumi.com/waitFor": "condition=Programmed"}
    return manifest(GATEWAY_API, "Gateway", GATEWAY, GATEWAY_NAMESPACE, annotations=wait, spec=spec)


def plan_client_policy(*, tls: bool) -> Manifest:
    """A `ClientTrafficPolicy`: how requests are read, and for how long."""
    spec: Manifest = {
        "targetRefs": [dict(_GATEWAY_REFERENCE)],
        "headers": {"requestID": "PreserveOrGenerate", "withUnderscoresAction": "Allow"},
        "path": {"escapedSlashesAction": "KeepUnchanged", "disableMergeSlashes": False},
        # A load balancer forgets silent connections, and Envoy has nothing to send while a model thinks.
        "tcpKeepalive": {"idleTime": "60s", "interval": "30s", "probes": 3},
        "timeout": {
            "http": {
                "requestHeadersReceivedTimeout": "10s",
                "requestReceivedTimeout": "60s",
                "streamIdleTimeout": "0s",
                "idleTimeout": f"{IDLE_MINUTES - 1}m",
            }
        },
    }
    if tls:
        spec["tls"] = {"minVersion": "1.2"}
    return manifest(ENVOY_API, "ClientTrafficPolicy", GATEWAY, GATEWAY_NAMESPACE, spec=spec)


def plan_answers(*, tls: bool) -> Manifest:
    """An `EnvoyPatchPolicy`: what the gateway answers itself has the form that it has on a laptop.

    The words of Envoy Gateway's own for it, `responseOverride`, are per route, know no JSON escaping, and make every
    new endpoint a change of the listener, which drains its connections.
    """
    patches: list[Manifest] = [
        {
            "type": _LISTENER_TYPE,
            "name": f"{GATEWAY_NAMESPACE}/{GATEWAY}/{listener}",
            "operation": {
                "op": "add",
                "jsonPath": "$..filters[?(@.name=='envoy.filters.network.http_connection_manager')]",
                "path": "/typed_config/local_reply_config",
                "value": local_replies(),
            },
        }
        for listener in ((HTTP, HTTPS) if tls else (HTTP,))
    ]
    spec: Manifest = {"type": "JSONPatch", "targetRef": dict(_GATEWAY_REFERENCE), "jsonPatches": patches}
    return manifest(ENVOY_API, "EnvoyPatchPolicy", "answers", GATEWAY_NAMESPACE, spec=spec)


def plan_unknown_path(*, tls: bool) -> tuple[Manifest, ...]:
    """What a path gets that belongs to no endpoint: 404, in the form of all other answers."""
    name = "unknown-path"
    answer: Manifest = {"statusCode": 404, "body": {"type": "Inline", "inline": "no endpoint has this path"}}
    response = manifest(ENVOY_API, "HTTPRouteFilter", name, GATEWAY_NAMESPACE, spec={"directResponse": answer})
    reference = {"group": "gateway.envoyproxy.io", "kind": "HTTPRouteFilter", "name": name}
    filters: list[Manifest] = [{"type": "ExtensionRef", "extensionRef": reference}]
    return response, _route(name, HTTPS if tls else HTTP, filters)


def plan_redirect() -> Manifest:
    """Plain HTTP is sent to HTTPS; an ACME challenge has a route of its own, whose exact path goes first."""
    redirect: Manifest = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    return _route("to-https", HTTP, [redirect])


def _route(name: str, listener: str, filters: list[Manifest]) -> Manifest:
    rule: Manifest = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "filters": filters}
    spec: Manifest = {"parentRefs": [{"name": GATEWAY, "sectionName": listener}], "rules": [rule]}
    return manifest(GATEWAY_API, "HTTPRoute", name, GATEWAY_NAMESPACE, labels=_OPEN, spec=spec)
