"""The gateway's Envoy configuration, from plain plans.

No pydantic here: the provider plugin imports this at its start. Field names are those of Envoy's v3 API. What a request
meets, in order: the key check (`api_key_auth`, by route) or the token check (`jwt_authn`, then `rbac` for the role),
the limit of its size, then the route: a version named in a header, an unknown name (404), or the split by weight, from
which shadows get copies.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

VERSION_HEADERS = ("x-tidegate-version", "azureml-model-deployment")
"""A request names the version it wants in one of these (the first one wins); every answer carries both.

Each version finds its own name in the first one. A copy for a shadow is made of what the live version gets, so a shadow
finds that version's name there: by that it knows copies from requests of its own.
"""

CLIENT_HEADER = "x-tidegate-client"
"""Tells the scoring server which key was used: `primary` or `secondary`, never the key."""

IDLE_TIMEOUT_S = 20
"""For connections to scoring servers. They close idle ones after 30 s, and no request may meet a closed socket."""

ANSWER_MARGIN_MS = 1000
"""Added to what a version may take itself, so that its own answer always comes before the gateway gives up."""

MAX_REQUESTS = 1024
"""In flight and waiting at one version, Envoy's own default; beyond it a request is answered 503 at once."""

MAX_REQUEST_BYTES = 100 << 20
"""Azure ML v1's payload limit, where an endpoint has none of its own; beyond it the gateway answers 413."""

_HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_API_KEY = "envoy.filters.http.api_key_auth"
_API_KEY_TYPE = "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3"
_BUFFER = "envoy.filters.http.buffer"
_BUFFER_TYPE = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3"
_TOKENS = "envoy.filters.http.jwt_authn"
_TOKENS_TYPE = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3"
_RBAC = "envoy.filters.http.rbac"
_RBAC_TYPE = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3"
_ROUTER_TYPE = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_UPSTREAM_TYPE = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
ROUTES = "endpoints"
"""The name of the one route configuration."""

_METADATA = "tidegate"
_CLAIMS = "claims"

Json = dict[str, Any]

_NO_KEY: Json = {_API_KEY: {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}}
_NAMELESS: Json = {"request_headers_to_remove": [CLIENT_HEADER]}
"""Without a key nobody has a name."""


class ClusterPlan(TypedDict):
    """The replicas of one version: unix sockets, and how many requests may be in flight and waiting in all."""

    name: str
    version: str
    sockets: list[str]
    max_requests: int


class VersionPlan(TypedDict):
    """How one version is reached: its cluster, and the longest a request may take in it."""

    cluster: str
    timeout_ms: int


class SharePlan(TypedDict):
    """A version's whole percent of the requests that name no version."""

    version: str
    cluster: str
    timeout_ms: int
    percent: int


class ShadowPlan(TypedDict):
    """A version's whole percent of the split's requests that are copied to it; its answers to those are dropped."""

    cluster: str
    percent: int


class TokenPlan(TypedDict):
    """Whose tokens an endpoint takes: for one of these audiences, with this role."""

    audiences: Sequence[str]
    role: str


class IssuerPlan(TypedDict):
    """The issuer of tokens: its URL, as tokens name it, and its public keys as a JSON Web Key Set."""

    url: str
    keys: Json


class RoutePlan(TypedDict):
    """One endpoint: the versions that a header reaches, the split of all other requests, and the keys by client name.

    The percents of `split` sum to 100; an empty one answers 503: the endpoint's first sample has not been scored yet.
    Without `keys` and `token` requests are taken from anybody. `attempts` is how often a request that a replica does
    not take (503, or no connection) is tried again on another.
    """

    endpoint: str
    versions: Mapping[str, VersionPlan]
    split: Sequence[SharePlan]
    keys: NotRequired[Mapping[str, str]]
    token: NotRequired[TokenPlan]
    shadows: NotRequired[Sequence[ShadowPlan]]
    attempts: NotRequired[int]
    max_request_bytes: NotRequired[int]


def paths(endpoint: str) -> dict[str, str]:
    """Every public path of an endpoint and the scoring server's path behind it: v1's form first, then the short one."""
    return {
        f"{prefix}/{endpoint}/{resource}": f"/{resource}"
        for prefix in ("/api/v1/service", "")
        for resource in ("score", "swagger.json")
    }


def unknown_version(endpoint: str, header: str, versions: Iterable[str]) -> str:
    """What a request is told that names none of `versions` in `header`."""
    return f"endpoint {endpoint} has no version of the name in {header}; it has: {', '.join(sorted(versions))}"


def cluster(plan: ClusterPlan) -> Json:
    """The Envoy cluster of one version."""
    return {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": plan["name"],
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": {
            "cluster_name": plan["name"],
            "endpoints": [{"lb_endpoints": [_replica(plan["version"], path) for path in plan["sockets"]]}],
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_requests": plan["max_requests"],
                    "max_pending_requests": plan["max_requests"],
                    "max_connections": plan["max_requests"],
                }
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _UPSTREAM_TYPE,
                "common_http_protocol_options": {"idle_timeout": f"{IDLE_TIMEOUT_S}s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
        # A socket whose process is being restarted refuses at once; the answer is 503 and not another version.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }


def _replica(version: str, path: str) -> Json:
    return {
        "endpoint": {"address": {"pipe": {"path": path}}},
        "metadata": {"filter_metadata": {_METADATA: {"version": version}}},
    }


def route_configuration(plans: Iterable[RoutePlan]) -> Json:
    """All endpoints' routes, in the order of their names; any other path is 404."""
    ordered = sorted(plans, key=lambda plan: plan["endpoint"])
    routes = [route for plan in ordered for route in _routes(plan)]
    routes.append(_answer({"prefix": "/"}, 404, "no endpoint has this path") | _filters(_NO_KEY) | _NAMELESS)
    return {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": [{"name": ROUTES, "domains": ["*"], "routes": routes}],
        "request_headers_to_add": [
            # The scoring server counts a request's wait from here, not from when it picks the request up.
            _header("x-request-start", "t=%START_TIME(%s.%6f)%"),
        ],
        "request_headers_to_remove": ["authorization"],
    }


def requirement(token: TokenPlan) -> str:
    """The name under which Envoy knows a check of tokens.

    It follows from the audiences: other ones are another check beside the first, to which a route moves in one step.
    """
    content = json.dumps(sorted(token["audiences"])).encode()
    return f"audiences-{hashlib.sha256(content).hexdigest()[:12]}"


def token_checks(issuer: IssuerPlan | None, tokens: Iterable[TokenPlan]) -> Json:
    """The settings of the token check, which routes name by `requirement`.

    Without an issuer there is no check to name, and a route that names one refuses every request.
    """
    settings: Json = {"@type": f"{_TOKENS_TYPE}.JwtAuthentication"}
    if issuer is None:
        return settings
    checks = {requirement(token): _provider(issuer, token) for token in tokens}
    named = sorted(checks.items())
    return settings | {
        "providers": dict(named),
        "requirement_map": {name: {"provider_name": name} for name, _ in named},
    }


def _provider(issuer: IssuerPlan, token: TokenPlan) -> Json:
    return {
        "issuer": issuer["url"],
        "audiences": sorted(token["audiences"]),
        "local_jwks": {"inline_string": json.dumps(issuer["keys"], sort_keys=True)},
        "require_expiration": True,
        # Envoy would look for tokens in the query too, which ends in logs.
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "payload_in_metadata": _CLAIMS,
    }


def _routes(plan: RoutePlan) -> Iterable[Json]:
    check = _check(plan)
    retries = _retries(plan)
    for public, internal in paths(plan["endpoint"]).items():
        copies = _mirrors(plan) if internal == "/score" else {}
        for header in VERSION_HEADERS:
            for name, version in sorted(plan["versions"].items()):
                match = {"path": public, "headers": [{"name": header, "string_match": {"exact": name}}]}
                whole: SharePlan = {"version": name, "percent": 100, **version}
                yield _forward(match, internal, [whole], retries) | check
            match = {"path": public, "headers": [{"name": header, "present_match": True}]}
            yield _answer(match, 404, unknown_version(plan["endpoint"], header, plan["versions"])) | check
        shares = [share for share in plan["split"] if share["percent"] > 0]
        if shares:
            yield _forward({"path": public}, internal, shares, retries | copies) | check
        else:
            yield _answer({"path": public}, 503, f"endpoint {plan['endpoint']} is being set up") | check


def _forward(match: Json, internal: str, shares: Sequence[SharePlan], more: Json) -> Json:
    longest = max(share["timeout_ms"] for share in shares)
    clusters = [
        {
            "name": share["cluster"],
            "weight": share["percent"],
            "request_headers_to_add": [_header(VERSION_HEADERS[0], share["version"])],
            # From the replica that was asked, so that an answer of the gateway itself (401) names none.
            "response_headers_to_add": [
                _header(header, f"%METADATA(UPSTREAM_HOST:{_METADATA}:version)%") for header in VERSION_HEADERS
            ],
        }
        for share in shares
    ]
    return {
        "match": match,
        "route": {
            "weighted_clusters": {"clusters": clusters},
            "prefix_rewrite": internal,
            "timeout": _seconds(longest + ANSWER_MARGIN_MS),
            **more,
        },
    }


def _retries(plan: RoutePlan) -> Json:
    if not plan.get("attempts"):
        return {}
    policy = {
        "retry_on": "retriable-status-codes,connect-failure",
        "retriable_status_codes": [503],
        "num_retries": plan.get("attempts"),
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                },
            }
        ],
        "host_selection_retry_max_attempts": 5,  # how often the dice may show a replica that has been asked
    }
    return {"retry_policy": policy}


def _mirrors(plan: RoutePlan) -> Json:
    policies = [
        {
            "cluster": shadow["cluster"],
            "runtime_fraction": {"default_value": {"numerator": shadow["percent"], "denominator": "HUNDRED"}},
            "disable_shadow_host_suffix_append": True,
        }
        for shadow in plan.get("shadows", ())
    ]
    return {"request_mirror_policies": policies} if policies else {}


def _check(plan: RoutePlan) -> Json:
    """What each route of an endpoint carries: who may call it, and how large a request may be."""
    size = _size(plan)
    if (keys := plan.get("keys")) is not None:
        return _filters(_key_check(keys), size)
    if (token := plan.get("token")) is not None:
        return _filters(_NO_KEY, _token_check(token), size) | _NAMELESS
    return _filters(_NO_KEY, size) | _NAMELESS


def _filters(*settings: Json) -> Json:
    return {"typed_per_filter_config": {name: each for group in settings for name, each in group.items()}}


def _key_check(keys: Mapping[str, str]) -> Json:
    # By route and not by listener: a rotation is then a change of routes, which drains no connection.
    settings = {
        "@type": f"{_API_KEY_TYPE}.ApiKeyAuthPerRoute",
        "credentials": [{"key": key, "client": client} for client, key in sorted(keys.items())],
        "key_sources": [{"header": "Authorization"}],
        "forwarding": {"header": CLIENT_HEADER, "hide_credentials": True},
    }
    return {_API_KEY: settings}


def _token_check(token: TokenPlan) -> Json:
    role = {
        "filter": _TOKENS,
        "path": [{"key": _CLAIMS}, {"key": "roles"}],
        "value": {"list_match": {"one_of": {"string_match": {"exact": token["role"]}}}},
    }
    policy = {"permissions": [{"any": True}], "principals": [{"sourced_metadata": {"metadata_matcher": role}}]}
    return {
        _TOKENS: {"@type": f"{_TOKENS_TYPE}.PerRouteConfig", "requirement_name": requirement(token)},
        _RBAC: {
            "@type": f"{_RBAC_TYPE}.RBACPerRoute",
            "rbac": {"rules": {"action": "ALLOW", "policies": {"role": policy}}},
        },
    }


def _size(plan: RoutePlan) -> Json:
    limit = plan.get("max_request_bytes")
    if limit is None:
        return {}
    return {_BUFFER: {"@type": f"{_BUFFER_TYPE}.BufferPerRoute", "buffer": {"max_request_bytes": limit}}}


def _answer(match: Json, status: int, text: str) -> Json:
    return {"match": match, "direct_response": {"status": status, "body": {"inline_string": text}}}


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}s"


def listener(address: str, port: int, routes: Json, tokens: Json) -> Json:
    """The one listener.

    `routes` says where its routes come from: `{"rds": ...}` or `{"route_config": ...}`; `tokens` where the settings of
    its token check come from: `{"config_discovery": ...}` or `{"typed_config": ...}`.
    """
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "scoring",
        "address": {"socket_address": {"address": address, "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": _connection_manager(routes, tokens)}]}],
    }


def _connection_manager(routes: Json, tokens: Json) -> Json:
    settings: Json = {
        "@type": _HTTP,
        "stat_prefix": "scoring",
        # Left out is `internal_address_config`: so no client is trusted to set Envoy's own headers (timeouts, retries).
        # An empty one would trust all private addresses.
        "use_remote_address": True,
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "server_header_transformation": "PASS_THROUGH",
        "normalize_path": True,
        "merge_slashes": True,
        "stream_idle_timeout": "0s",  # a script may think for as long as its scoring timeout lets it
        "request_headers_timeout": "10s",
        "request_timeout": "60s",  # for the request to arrive whole
        "http_filters": [
            {"name": _API_KEY, "typed_config": {"@type": f"{_API_KEY_TYPE}.ApiKeyAuth"}},
            {"name": _TOKENS, **tokens},
            {"name": _RBAC, "typed_config": {"@type": f"{_RBAC_TYPE}.RBAC"}},  # no rules: it asks by route alone
            # A scoring process works on one request at a time: one whose body is still coming must not hold it.
            {
                "name": _BUFFER,
                "typed_config": {"@type": f"{_BUFFER_TYPE}.Buffer", "max_request_bytes": MAX_REQUEST_BYTES},
            },
            {"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER_TYPE}},
        ],
        "local_reply_config": local_replies(),
    }
    return settings | routes


def local_replies() -> Json:
    """The form of what Envoy answers itself: a message in JSON, and for 401 the header that says what is missing."""
    return {
        "mappers": [
            {
                "filter": _status_filter(401),
                "headers_to_add": [_header("www-authenticate", "Bearer")],
            }
        ],
        "body_format": {
            "json_format": {"message": "%LOCAL_REPLY_BODY%"},
            "content_type": "application/json",
        },
    }


def _status_filter(status: int) -> Json:
    # `runtime_key` is a required field; no runtime layer sets it.
    comparison = {"op": "EQ", "value": {"default_value": status, "runtime_key": "tidegate.none"}}
    return {"status_code_filter": {"comparison": comparison}}


def bootstrap(folder: str, admin_socket: str) -> Json:
    """Envoy's start configuration: everything else comes from files in `folder` that are moved into place."""
    return {
        "node": {"id": "tidegate", "cluster": "tidegate"},
        "admin": {"address": {"pipe": {"path": admin_socket, "mode": 0o600}}},
        "dynamic_resources": {
            "lds_config": _from_file(folder, "lds.json"),
            "cds_config": _from_file(folder, "cds.json"),
        },
    }


def from_route_file(folder: str) -> Json:
    """The listener's routes as a file in `folder`."""
    return {"rds": {"route_config_name": ROUTES, "config_source": _from_file(folder, "rds.json")}}


def from_token_file(folder: str) -> Json:
    """The settings of the token check as a file in `folder`: a change of keys is then none of the listener's."""
    types = [f"{_TOKENS_TYPE}.JwtAuthentication"]
    return {"config_discovery": {"config_source": _from_file(folder, "ecds.json"), "type_urls": types}}


def token_file(checks: Json) -> Json:
    """What stands in that file."""
    kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
    return {"@type": kind, "name": _TOKENS, "typed_config": checks}


def static(address: str, port: int, clusters: Sequence[Json], routes: Json, checks: Json) -> Json:
    """The same configuration in one piece, for `envoy --mode validate`, which does not look into files."""
    whole = listener(address, port, {"route_config": _untyped(routes)}, {"typed_config": checks})
    return {
        "static_resources": {
            "listeners": [_untyped(whole)],
            "clusters": [_untyped(each) for each in clusters],
        }
    }


def discovery(version: str, resources: Sequence[Json]) -> Json:
    """A discovery response, as Envoy reads it from a file."""
    return {"version_info": version, "resources": list(resources)}


def _untyped(resource: Json) -> Json:
    return {key: value for key, value in resource.items() if key != "@type"}


def _from_file(folder: str, name: str) -> Json:
    source = {"path": f"{folder}/{name}", "watched_directory": {"path": folder}}
    return {"resource_api_version": "V3", "path_config_source": source}
