"""Where an endpoint runs in a cluster: which one, in which pools, under which names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidegate.endpoint.input import EndpointInput, VersionInput
from tidegate.endpoint.spec import EndpointSpec
from tidegate.findings import Finding
from tidegate.guid import GUID
from tidegate.names import SERVICE_ACCOUNT
from tidegate.parse import Loc, key_path

TAKEN = frozenset({"default", "gatekeeper-system", "cert-manager", "envoy-gateway-system", "keda"})
"""Namespaces that a cluster is born with, or that belong to what is installed in it."""
_TAKEN_PREFIXES = ("kube-", "aks-", "tidegate-")
_BORN_ACCOUNT = "default"


@dataclass(frozen=True)
class Clusters:
    """The clusters of an environment, as far as endpoints have to know them."""

    pools: Mapping[str, tuple[str, ...]]
    """The names of each one's pools; none of a cluster that is attached, whose pools nobody lists here."""
    with_tls: frozenset[str] = frozenset()
    """Those that answer by TLS, as far as that is known here."""
    complete: bool = True
    """Whether this is all that the user wrote; else nothing is said of a name that is missing here."""


def resolve_cluster(loc: Loc, endpoint: EndpointInput, clusters: Clusters) -> tuple[str, list[Finding]]:
    """The cluster of an endpoint: the named one, or the only one (rule C18)."""
    place, known = key_path((*loc, "cluster")), sorted(clusters.pools)
    given = endpoint.cluster
    if given in known:
        return given, []
    if given is None and len(known) == 1:
        return known[0], []
    if not clusters.complete:
        return given or "", []
    if not known:
        problem = "there is no cluster to run on" if given is None else f'there is no cluster "{given}"'
        remedy = (
            "Make one under tidegate:clusters (main: {purpose: DevTest}), or use one that exists (main: {attach: ...})"
        )
        return "", [Finding(place, problem, remedy)]
    if given is None:
        problem = f"there are {len(known)} clusters, and none is named"
        return "", [Finding(place, problem, f"Write one of {', '.join(known)}")]
    problem = f'there is no cluster "{given}"'
    remedy = f"Known clusters: {', '.join(known)}; or make or attach it under tidegate:clusters"
    return "", [Finding(place, problem, remedy)]


def check_pool(loc: Loc, version: VersionInput, cluster: str, clusters: Clusters) -> list[Finding]:
    """A version's pool is one of its cluster's; what pools an attached cluster has is its owner's business."""
    pools = clusters.pools.get(cluster, ())
    if version.node_pool is None or not pools or version.node_pool in pools:
        return []
    problem = f'cluster {cluster} has no pool "{version.node_pool}" that takes scoring pods'
    return [Finding(key_path((*loc, "nodePool")), problem, f"Known pools: {', '.join(sorted(pools))}")]


def check_namespace(loc: Loc, namespace: str) -> list[Finding]:
    """An endpoint's namespace is made for it, with the rules for its pods, and goes with it."""
    if namespace not in TAKEN and not namespace.startswith(_TAKEN_PREFIXES):
        return []
    problem = f'the namespace "{namespace}" belongs to the cluster or to what is installed in it'
    remedy = "Write another namespace at the endpoint: it is made, and several endpoints may share it"
    return [Finding(key_path((*loc, "namespace")), problem, remedy)]


def check_identity(loc: Loc, endpoint: EndpointInput) -> list[Finding]:
    """The names by which the endpoint's pods are known to Kubernetes and to Entra ID."""
    findings: list[Finding] = []
    account, client = endpoint.service_account, endpoint.identity_client_id
    if account is not None and (problem := SERVICE_ACCOUNT.problem(account)):
        findings.append(Finding(key_path((*loc, "serviceAccount")), problem, "Choose another name"))
    if client is not None and not re.fullmatch(GUID, client):
        problem = f'"{client}" is no GUID'
        findings.append(Finding(key_path((*loc, "identityClientId")), problem, "Write the identity's client ID"))
    return findings


def check_accounts(endpoints: Iterable[EndpointSpec]) -> list[Finding]:
    """An endpoint's service account is made for it, with its own identity, and goes with it."""
    findings: list[Finding] = []
    owners: dict[tuple[str, str, str], str] = {}
    for endpoint in endpoints:
        account = endpoint.service_account
        owner = owners.setdefault((endpoint.cluster, endpoint.namespace, account), endpoint.name)
        if account == _BORN_ACCOUNT:
            problem = f'Kubernetes makes the service account "{account}" itself, in each namespace'
        elif owner != endpoint.name:
            problem = f'the service account "{account}" of namespace {endpoint.namespace} is that of endpoint {owner}'
        else:
            continue
        place = key_path(("tidegate:endpoints", endpoint.name, "serviceAccount"))
        findings.append(Finding(place, problem, "Write another name: it is made for this endpoint's pods"))
    return findings
