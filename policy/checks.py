"""What is checked, as functions of a resource's plain inputs or a stack's plain outputs: each gives its complaints."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Properties = Mapping[str, Any]

CLUSTER = "azure-native:containerservice:ManagedCluster"
REGISTRY = "azure-native:containerregistry:Registry"
LOCAL_ROUTE = "tidegate-serving:local:Route"
HTTP_ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
SECURITY_POLICY = "kubernetes:gateway.envoyproxy.io/v1alpha1:SecurityPolicy"
POD_TEMPLATES = {
    "kubernetes:core/v1:Pod": (),
    "kubernetes:apps/v1:Deployment": ("spec", "template"),
    "kubernetes:apps/v1:DaemonSet": ("spec", "template"),
    "kubernetes:apps/v1:StatefulSet": ("spec", "template"),
    "kubernetes:batch/v1:Job": ("spec", "template"),
    "kubernetes:batch/v1:CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where a pod's template stands in each kind."""
PROTECTED = (CLUSTER, REGISTRY)
PRODUCTION_TAG = "tidegate-production"
PRODUCTION_LABEL = "tidegate.dev/production"
ANONYMOUS_LABEL = "tidegate.dev/anonymous"
"""On a route that its config opens to everyone by name (tidegate:allowAnonymous)."""
SECRET_OUTPUTS = frozenset({"keys", "kubeconfigs", "pullTokens"})
"""The outputs that the program marks as secret; nothing that looks like a credential may stand in any other."""

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_CREDENTIAL = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|^\s*(client-key-data|client-certificate-data|token|password):\s*\S"
    r"|\b(AccountKey|SharedAccessKey|InstrumentationKey|sig)=[A-Za-z0-9%+/=-]{16,}"
    r"|^kind: Config$",
    re.MULTILINE,
)


def is_production(properties: Properties) -> bool:
    """Whether a resource says that it is part of a production environment."""
    labels = (properties.get("metadata") or {}).get("labels") or {}
    return "true" in ((properties.get("tags") or {}).get(PRODUCTION_TAG), labels.get(PRODUCTION_LABEL))


def unprotected(protect: bool) -> Iterator[str]:
    """A cluster or a registry of a production environment is protected against deletion."""
    if not protect:
        yield "is not protected: one wrong edit deletes it; set protect on it"


def open_api_server(cluster: Properties) -> Iterator[str]:
    """In production the API server is private, or known ranges alone reach it."""
    access = cluster.get("apiServerAccessProfile") or {}
    if not access.get("enablePrivateCluster") and not access.get("authorizedIPRanges"):
        yield "its API server answers the whole Internet: make it private or give authorizedIPRanges"


def wildcard_ranges(cluster: Properties) -> Iterator[str]:
    """No range lets everyone in."""
    access = cluster.get("apiServerAccessProfile") or {}
    for text in access.get("authorizedIPRanges") or ():
        try:
            network = ipaddress.ip_network(str(text), strict=False)
        except ValueError:
            yield f"its range {text!r} is no CIDR range"
            continue
        if network.prefixlen == 0:
            yield f"its range {text} lets everyone in: name the ranges that may come"


def local_accounts(cluster: Properties) -> Iterator[str]:
    """Nobody gets in by a certificate that cannot be revoked."""
    if cluster.get("disableLocalAccounts") is not True:
        yield "local accounts are on: set disableLocalAccounts, so that Entra decides who gets in"


def images_without_digest(kind: str, properties: Properties) -> Iterator[str]:
    """Every image of a pod is named by its digest: a tag may be another image tomorrow."""
    pod: Any = properties
    for key in POD_TEMPLATES.get(kind, ("missing",)):
        pod = pod.get(key) or {} if isinstance(pod, Mapping) else {}
    spec = pod.get("spec") if isinstance(pod, Mapping) else None
    for group in ("initContainers", "containers"):
        for container in (spec or {}).get(group) or ():
            image = str(container.get("image", ""))
            if not _DIGEST.search(image):
                yield f"the image {image!r} of container {container.get('name')!r} is not named by its digest"


def open_endpoint(route: Properties) -> Iterator[str]:
    """An endpoint of a local environment asks for a credential."""
    if route.get("auth") == "none":
        yield f"endpoint {route.get('endpoint')!r} is open to everyone: give it auth: key"


def unguarded_routes(routes: Iterable[Properties], policies: Iterable[Properties]) -> Iterator[str]:
    """Every HTTPRoute to a backend has a SecurityPolicy that asks for a key or a token, or says that it is open."""
    guards = [policy for policy in policies if any((policy.get("spec") or {}).get(each) for each in _CREDENTIALS)]
    for route in routes:
        metadata = route.get("metadata") or {}
        if _forwards(route) and not _listed(metadata) and not any(_guards(policy, route) for policy in guards):
            yield f"HTTPRoute {metadata.get('name')!r} has no SecurityPolicy that asks for a credential"


_CREDENTIALS = ("apiKeyAuth", "jwt", "basicAuth", "oidc", "extAuth")


def _forwards(route: Properties) -> bool:
    """Whether anything behind the gateway answers; a redirect or a fixed answer is open to everyone."""
    return any(rule.get("backendRefs") for rule in (route.get("spec") or {}).get("rules") or ())


def _listed(metadata: Properties) -> bool:
    return (metadata.get("labels") or {}).get(ANONYMOUS_LABEL) == "true"


def _guards(policy: Properties, route: Properties) -> bool:
    """Whether a policy is for a route of its namespace: by the route's name, or by its labels."""
    if _namespace(policy) != _namespace(route):
        return False
    spec, metadata = policy.get("spec") or {}, route.get("metadata") or {}
    named = [*(spec.get("targetRefs") or ()), *([spec["targetRef"]] if spec.get("targetRef") else ())]
    if any(each.get("kind") == "HTTPRoute" and each.get("name") == metadata.get("name") for each in named):
        return True
    labels = (metadata.get("labels") or {}).items()
    return any(
        # What is chosen by expressions is not looked into, and counts for nothing.
        each.get("kind") == "HTTPRoute" and each.get("matchLabels") and not each.get("matchExpressions")
        and each["matchLabels"].items() <= labels
        for each in spec.get("targetSelectors") or ()
    )  # fmt: skip


def plain_credentials(outputs: Properties) -> Iterator[str]:
    """What looks like a credential stands only in the outputs that are secret."""
    for path, text in _texts({key: value for key, value in outputs.items() if key not in SECRET_OUTPUTS}, ""):
        if _CREDENTIAL.search(text):
            yield f"the output {path} looks like a credential: export it under {', '.join(sorted(SECRET_OUTPUTS))}"


def _namespace(resource: Properties) -> str:
    return str((resource.get("metadata") or {}).get("namespace", "default"))


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from _texts(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence):
        for index, child in enumerate(value):
            yield from _texts(child, f"{path}[{index}]")
