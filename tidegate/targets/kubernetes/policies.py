"""Who may call an endpoint, and how the gateway treats its pods: Envoy Gateway's policies, over all of its routes.

They find the routes by label, so that no route is ever without them: a policy stands before the routes that it is for.
"""

from typing import Any

from tidegate.endpoint.spec import EndpointSpec, TokenSpec
from tidegate.gateway.names import ENVOY_API
from tidegate.targets.envoy import CLIENT_HEADER, IDLE_TIMEOUT_S, MAX_REQUESTS
from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.labels import Manifest, labels, manifest, metadata, selector
from tidegate.targets.kubernetes.names import object_name

Json = dict[str, Any]

JWKS_CACHE = "5m"
"""How often signing keys are fetched: until then a new key is not known, and its tokens are answered 401.

While the login service cannot be reached, a proxy goes on with the keys that it has, for as long as it lives: Envoy
fetches them beside the requests, and asks again every second.
"""


def plan_security_policy(endpoint: EndpointSpec, cluster: ClusterFacts) -> Manifest | None:
    """The check of keys or tokens; None where anybody may call."""
    check: Json
    if endpoint.auth == "key":
        check = {"apiKeyAuth": _keys(endpoint)}
    elif endpoint.token is not None:
        check = _tokens(endpoint.token)
    else:
        return None
    return manifest(ENVOY_API, "SecurityPolicy", _metadata(endpoint, cluster), spec={**_targets(endpoint), **check})


def plan_traffic_policy(endpoint: EndpointSpec, cluster: ClusterFacts) -> Manifest:
    """Limits, connections and second tries. How long an answer may take is said by the routes."""
    spec: Json = {
        **_targets(endpoint),
        "loadBalancer": {"type": "LeastRequest"},
        "circuitBreaker": {
            "maxConnections": MAX_REQUESTS,
            "maxParallelRequests": MAX_REQUESTS,
            "maxPendingRequests": MAX_REQUESTS,
        },
        # A pod that ends counts as unhealthy: by default, with half of them so, it would be sent requests again.
        "healthCheck": {"panicThreshold": 0},
        "timeout": {
            "tcp": {"connectTimeout": "1s"},
            "http": {"connectionIdleTimeout": f"{IDLE_TIMEOUT_S}s"},
        },
        # A scoring process works on one request at a time: one whose body is still coming must not hold it.
        "requestBuffer": {"limit": f"{endpoint.max_request_mb}Mi"},
    }
    if endpoint.retry is not None:
        spec["retry"] = {
            "numRetries": endpoint.retry.attempts,
            "retryOn": {
                "triggers": ["retriable-status-codes", "connect-failure"],
                "httpStatusCodes": list(endpoint.retry.on),
            },
        }
    return manifest(ENVOY_API, "BackendTrafficPolicy", _metadata(endpoint, cluster), spec=spec)


def _metadata(endpoint: EndpointSpec, cluster: ClusterFacts) -> Manifest:
    name = object_name(endpoint.name)
    return metadata(name, endpoint.namespace, labels(endpoint.name, production=cluster.production))


def _targets(endpoint: EndpointSpec) -> Json:
    routes = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "matchLabels": selector(endpoint.name)}
    return {"targetSelectors": [routes]}


def _keys(endpoint: EndpointSpec) -> Json:
    # Envoy takes what follows `Bearer `; the Secret has the keys alone.
    return {
        "credentialRefs": [{"group": "", "kind": "Secret", "name": object_name(endpoint.name, "keys")}],
        "extractFrom": [{"headers": ["authorization"]}],
        "forwardClientIDHeader": CLIENT_HEADER,
        "sanitize": True,
    }


def _tokens(token: TokenSpec) -> Json:
    """Tokens of any of the issuers, for one of the audiences, that have the role: everything else is refused."""
    keys = {"uri": token.jwks_uri, "cacheDuration": JWKS_CACHE}
    issuers = {f"issuer-{number}": issuer for number, issuer in enumerate(token.issuers, start=1)}
    providers = [
        {
            "name": name,
            "issuer": issuer,
            "audiences": list(token.audiences),
            "remoteJWKS": keys,
            # Envoy would look for tokens in the query too, which ends in logs.
            "extractFrom": {"headers": [{"name": "Authorization", "valuePrefix": "Bearer "}]},
        }
        for name, issuer in issuers.items()
    ]
    role = {"name": "roles", "valueType": "StringArray", "values": [token.role]}
    rules = [
        {"name": name, "action": "Allow", "principal": {"jwt": {"provider": name, "claims": [role]}}}
        for name in issuers
    ]
    return {"jwt": {"providers": providers}, "authorization": {"defaultAction": "Deny", "rules": rules}}
