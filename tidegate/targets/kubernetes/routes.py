"""The HTTPRoutes of an endpoint: one for each version that a header names, one for unknown names, one for the split.

Which rule a request meets must not depend on which route is older. Envoy Gateway (1.9, internal/gatewayapi/sort.go)
sorts the rules of all routes together: exact paths first, then by the length of the path, the number of headers, the
number of exact headers; only what is equal then goes by age. All paths here are exact and of equal length for one
request, so headers decide:

    x-tidegate-version, known      2 headers, 1 exact (the second header is one that every request has)
    x-tidegate-version, unknown    2 headers
    azureml-model-deployment, known    1 header, exact
    azureml-model-deployment, unknown  1 header
    split                          none

Each version's route is an object of its own, since Envoy's clusters are named by the number of a rule in its route: so
one version's coming or going renames no other's cluster.
"""

from collections.abc import Sequence
from typing import Any

from tidegate.cluster.plan.objects import GATEWAY_NAMESPACE
from tidegate.endpoint.spec import EndpointSpec, VersionSpec
from tidegate.gateway.names import ENVOY_API, GATEWAY, GATEWAY_API, HTTP, HTTPS
from tidegate.targets.envoy import ANSWER_MARGIN_MS, CLIENT_HEADER, VERSION_HEADERS, paths, unknown_version
from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.labels import ANONYMOUS_LABEL, Manifest, described, labels, manifest, metadata
from tidegate.targets.kubernetes.names import object_name
from tidegate.targets.kubernetes.service import PORT

Json = dict[str, Any]

ROUTED_HEADER = "x-tidegate-routed-to"
"""The version that was chosen, on a request that goes to a pod: what the answer's headers are made from."""
MOST_BACKENDS = 16
"""In a rule, by the Gateway API."""
_FINE = 10_000
"""A percent, where weights are written as parts of a million: the largest weight of the Gateway API."""

_EVERY_REQUEST = "x-forwarded-proto"
"""Set by Envoy itself before it looks for a route."""


def plan_version_route(endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts) -> Manifest:
    """The way to one version by its name in a header, whatever its share of the traffic."""
    matches = [
        _match(path, index, version.name) for index in range(len(VERSION_HEADERS)) for path in paths(endpoint.name)
    ]
    rule = _forward(endpoint, matches, [(version, 1)], [version])
    return _route(endpoint, cluster, ("version", version.name), [rule], version=version.name)


def plan_unknown_route(endpoint: EndpointSpec, cluster: ClusterFacts) -> Manifest:
    """404 for a name that no version has."""
    rules = [
        {
            "matches": [_match(path, index, None) for path in paths(endpoint.name)],
            "filters": [_extension(_unknown_filter_name(endpoint, header))],
        }
        for index, header in enumerate(VERSION_HEADERS)
    ]
    return _route(endpoint, cluster, ("unknown",), rules)


def plan_split(endpoint: EndpointSpec, cluster: ClusterFacts) -> Manifest:
    """The split by weight of all requests that name no version, with copies of those to be scored for shadows."""
    live = [version for version in endpoint.versions if endpoint.percents[version.name]]
    shares = _shares(endpoint, live)
    mirrors = [_mirror(endpoint, name, percent) for name, percent in sorted(endpoint.shadows.items())]
    rules: list[Json] = []
    for resource in ("score", "swagger.json"):
        matches = [
            _match(path, None, None) for path, inside in paths(endpoint.name).items() if inside == f"/{resource}"
        ]
        rules.append(_forward(endpoint, matches, shares, live, mirrors if resource == "score" else ()))
    marks = {"tidegate.dev/default": endpoint.default, "tidegate.dev/control": endpoint.control or ""}
    annotations = described(endpoint.description, endpoint.tags) | {name: text for name, text in marks.items() if text}
    return _route(endpoint, cluster, ("split",), rules, annotations=annotations)


def plan_filters(endpoint: EndpointSpec, cluster: ClusterFacts) -> tuple[Manifest, ...]:
    """What the routes refer to: the paths that the scoring server knows, and the answers to unknown names."""
    versions = [version.name for version in endpoint.versions]
    rewrite = {"pattern": r"^.*/(score|swagger\.json)$", "substitution": r"/\1"}
    specs: dict[str, Json] = {
        _paths_filter_name(endpoint): {
            "urlRewrite": {"path": {"type": "ReplaceRegexMatch", "replaceRegexMatch": rewrite}}
        }
    }
    for header in VERSION_HEADERS:
        text = unknown_version(endpoint.name, header, versions)
        specs[_unknown_filter_name(endpoint, header)] = {
            "directResponse": {
                "statusCode": 404,
                "body": {"type": "Inline", "inline": text},  # the gateway makes JSON of it, as of all its own answers
            }
        }
    own = labels(endpoint.name, production=cluster.production)
    return tuple(
        manifest(ENVOY_API, "HTTPRouteFilter", metadata(name, endpoint.namespace, own), spec=spec)
        for name, spec in specs.items()
    )


def duration(milliseconds: int) -> str:
    """A duration as the Gateway API writes it: at most five digits a unit."""
    seconds, rest = divmod(milliseconds, 1000)
    hours, seconds = divmod(seconds, 3600) if seconds > 99_999 else (0, seconds)
    return "".join(f"{number}{unit}" for number, unit in ((hours, "h"), (seconds, "s"), (rest, "ms")) if number) or "0s"


def timeout_ms(versions: Sequence[VersionSpec]) -> int:
    """The longest that the gateway waits for an answer of one of `versions`: a little more than they may take."""
    longest = max(each.deployment.scoring_timeout_ms + each.deployment.max_queue_wait_ms for each in versions)
    return longest + ANSWER_MARGIN_MS


def _route(
    endpoint: EndpointSpec,
    cluster: ClusterFacts,
    suffix: Sequence[str],
    rules: Sequence[Json],
    *,
    version: str | None = None,
    annotations: dict[str, str] | None = None,
) -> Manifest:
    open_to_all = {ANONYMOUS_LABEL: "true"} if endpoint.auth == "none" else {}
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": GATEWAY,
        "namespace": GATEWAY_NAMESPACE,
        "sectionName": HTTPS if cluster.tls else HTTP,
    }
    return manifest(
        GATEWAY_API,
        "HTTPRoute",
        metadata(
            object_name(endpoint.name, *suffix),
            endpoint.namespace,
            labels(endpoint.name, version, production=cluster.production) | open_to_all,
            annotations,
        ),
        spec={
            "parentRefs": [parent],
            **({"hostnames": [cluster.host]} if cluster.host else {}),
            "rules": list(rules),
        },
    )


def _match(path: str, header: int | None, version: str | None) -> Json:
    """A path, with the header of that index set to `version`, or to anything."""
    match: Json = {"path": {"type": "Exact", "value": path}}
    if header is not None:
        kind = {"type": "Exact", "value": version} if version else {"type": "RegularExpression", "value": ".*"}
        match["headers"] = [{"name": VERSION_HEADERS[header], **kind}]
        if header == 0:
            match["headers"].append({"name": _EVERY_REQUEST, "type": "RegularExpression", "value": ".*"})
    return match


def _shares(endpoint: EndpointSpec, live: Sequence[VersionSpec]) -> list[tuple[VersionSpec, int]]:
    """The backends of the split with their weights: those of 100, or of a million where versions have no traffic.

    Envoy's clusters are named by a backend's place in its rule, and Envoy Gateway makes none for a weight of 0. A
    cluster that comes with its first request, or goes before the last one, answers 500 for a moment (30 of 42,000
    requests in 50 such changes, on Envoy Gateway 1.9.1). So a version without traffic keeps its place and its cluster,
    as far as there is room, by a millionth of the requests for the busiest version, which that version answers. The
    default stands first: versions that come and go do not move the one that most requests are for.
    """
    percents = endpoint.percents
    idle = len(endpoint.versions) - len(live)
    listed = sorted(endpoint.versions, key=lambda version: version.name != endpoint.default)
    if not idle or len(listed) > MOST_BACKENDS:
        return [(version, percents[version.name]) for version in listed if percents[version.name]]
    busiest = max(live, key=lambda version: percents[version.name])
    weights = {version.name: percents[version.name] * _FINE for version in live}
    weights[busiest.name] -= idle
    return [(version, weights[version.name]) if version.name in weights else (busiest, 1) for version in listed]


def _forward(
    endpoint: EndpointSpec,
    matches: Sequence[Json],
    shares: Sequence[tuple[VersionSpec, int]],
    live: Sequence[VersionSpec],
    mirrors: Sequence[Json] = (),
) -> Json:
    filters = [
        {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {
                # The scoring server counts a request's wait from here, not from when it picks the request up.
                "set": [{"name": "x-request-start", "value": "t=%START_TIME(%s.%6f)%"}],
                # The key check has put the client's name there; without one nobody was checked by name.
                "remove": ["authorization", *([] if endpoint.auth == "key" else [CLIENT_HEADER])],
            },
        },
        {
            "type": "ResponseHeaderModifier",
            # From the request that went to a pod, so that an answer of the gateway itself (401) names none.
            "responseHeaderModifier": {
                "set": [{"name": header, "value": f"%REQ({ROUTED_HEADER})%"} for header in VERSION_HEADERS]
            },
        },
        _extension(_paths_filter_name(endpoint)),
        *mirrors,
    ]
    return {
        "matches": list(matches),
        "filters": filters,
        "backendRefs": [_backend(endpoint, version, weight) for version, weight in shares],
        "timeouts": {"request": duration(timeout_ms(live))},
    }


def _backend(endpoint: EndpointSpec, version: VersionSpec, weight: int) -> Json:
    # A filter of its own gives each version its own Envoy cluster, with exact weights and its own limits.
    # The server is told by the header by which clients ask: a copy for a shadow names the version that answers.
    named = {"set": [{"name": name, "value": version.name} for name in (ROUTED_HEADER, VERSION_HEADERS[0])]}
    return {
        **_service(endpoint, version.name),
        "weight": weight,
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": named}],
    }


def _mirror(endpoint: EndpointSpec, version: str, percent: int) -> Json:
    return {
        "type": "RequestMirror",
        "requestMirror": {"backendRef": _service(endpoint, version), "percent": percent},
    }


def _service(endpoint: EndpointSpec, version: str) -> Json:
    return {"group": "", "kind": "Service", "name": object_name(endpoint.name, version), "port": PORT}


def _extension(name: str) -> Json:
    reference = {"group": "gateway.envoyproxy.io", "kind": "HTTPRouteFilter", "name": name}
    return {"type": "ExtensionRef", "extensionRef": reference}


def _paths_filter_name(endpoint: EndpointSpec) -> str:
    return object_name(endpoint.name, "paths")


def _unknown_filter_name(endpoint: EndpointSpec, header: str) -> str:
    return object_name(endpoint.name, "unknown", str(VERSION_HEADERS.index(header)))
