"""From what a user writes about Azure to an `AzureSpec`: every rule is asked, every finding kept."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from tidegate.cluster.access import resolve_api_server
from tidegate.cluster.attach import resolve_attach
from tidegate.cluster.capacity import check_capacity
from tidegate.cluster.delivery import resolve_delivery
from tidegate.cluster.front import resolve_images
from tidegate.cluster.input import AzureInput, ClusterInput
from tidegate.cluster.lifecycle import resolve_lifecycle
from tidegate.cluster.naming import check_cluster_names, check_resource_group
from tidegate.cluster.network import resolve_network
from tidegate.cluster.pools import resolve_pools
from tidegate.cluster.regions import find, nearest
from tidegate.cluster.registry import resolve_registry
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import (
    PRODUCTION_TAG,
    AttachedClusterSpec,
    AzureSpec,
    ClusterSpec,
    OwnCertificate,
    RegistrySpec,
)
from tidegate.cluster.telemetry import check_connection_string
from tidegate.cluster.tls import resolve_tls
from tidegate.cluster.workspace import resolve_workspace
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc

LOCATION = Rule(
    "location",
    "every Azure resource stands in one region, and only Azure's own region names are known",
    "Azure: GET /subscriptions/{id}/locations; tidegate/cluster/data/regions.json",
)
RESOURCE_GROUP = Rule(
    "resource-group",
    "every resource stands in a resource group of 1-90 characters",
    "Azure: resource-name-rules, Microsoft.Resources/resourceGroups",
)
REPLACEMENT_NAMES = Rule(
    "replacement-allowed-by-name",
    "a replacement takes everything on a cluster down, so it is allowed cluster by cluster",
    "docs/reference/azure.md, Replacement",
)
TLS_KEY_NAMES = Rule(
    "tls-key-without-cluster",
    "a key belongs to the certificate of one cluster",
    "docs/reference/azure.md, TLS",
)
RULES = (LOCATION, RESOURCE_GROUP, REPLACEMENT_NAMES, TLS_KEY_NAMES)

CLUSTERS = "tidegate:clusters"


def is_production(given: AzureInput) -> bool:
    """Whether an environment is production where its config does not say: it is where a purpose is FastProd."""
    purposes = [(entry.attach or entry).purpose or "FastProd" for entry in (given.clusters or {}).values()]
    return "FastProd" in purposes


def pools_for_scoring(cluster: ClusterSpec | AttachedClusterSpec) -> tuple[str, ...]:
    """The names of a cluster's pools that take scoring pods; none of an attached one, whose pools nobody lists here."""
    if isinstance(cluster, AttachedClusterSpec):
        return ()
    return tuple(pool.name for pool in (cluster.system_pool, *cluster.pools) if pool.takes_scoring_pods)


def answers_by_tls(cluster: ClusterSpec | AttachedClusterSpec) -> bool:
    """Whether a cluster's gateway has a certificate; an attached one's is not known here, and taken for granted."""
    return isinstance(cluster, AttachedClusterSpec) or cluster.tls is not None


def resolve_azure(
    given: AzureInput, broken: Broken, *, production: bool, root: Path, now: datetime, serves: bool = False
) -> tuple[AzureSpec | None, list[Finding]]:
    """Check and complete what stands on Azure; None where too little is left to build it.

    Paths begin at `root`; `now` decides what has expired; `serves` says that there are endpoints.
    """
    return _Resolver(given, broken, production, root, now).resolve(serves=serves)


class _Resolver:
    """One run over one config; collects findings as it goes."""

    def __init__(self, given: AzureInput, broken: Broken, production: bool, root: Path, now: datetime) -> None:
        self._given = given
        self._broken = broken
        self._production = production
        self._root = root
        self._now = now
        # By this tag the policy pack, and whoever looks at the resources in Azure, knows what production is.
        self._tags = (given.tags or {}) | ({PRODUCTION_TAG: "true"} if production else {})
        self._findings: list[Finding] = []

    def resolve(self, *, serves: bool) -> tuple[AzureSpec | None, list[Finding]]:
        clusters: Mapping[str, ClusterInput] = dict(sorted((self._given.clusters or {}).items()))
        location = self._location(("tidegate:location",), self._given.location) if self._makes_anything() else ""
        group = self._group(("tidegate:resourceGroup",), self._given.resource_group, needed=self._makes_anything())
        workspace = None
        if self._given.workspace is not None:
            workspace, findings = resolve_workspace(
                self._given.workspace,
                location=location or "",
                resource_group=group or "",
                root=self._root,
                clusters=clusters,
                broken=self._broken,
            )
            self._findings += findings
        self._findings += check_cluster_names(clusters, workspace=self._given.workspace is not None)
        specs = [self._cluster(name, entry, location, group) for name, entry in clusters.items()]
        registry = None
        if self._given.registry is not None:
            registry, findings = resolve_registry(
                self._given.registry,
                location=location or "",
                resource_group=group or "",
                tags=self._tags,
                production=self._production,
                broken=self._broken,
            )
            self._findings += findings
        delivery, findings = resolve_delivery(
            self._given,
            location=location or "",
            resource_group=group or "",
            tags=self._tags,
            production=self._production,
            serves=serves,
            broken=self._broken,
        )
        self._findings += findings
        self._findings += check_connection_string(self._given.application_insights)
        self._check_lists()
        if location is None or group is None:
            return None, self._findings
        complete = tuple(spec for spec in specs if spec)
        existing = {name.lower() for name in self._given.existing_resource_groups or []}
        groups = {group} if group and self._makes_anything() else set[str]()
        groups |= {spec.resource_group for spec in complete if isinstance(spec, ClusterSpec)}
        groups |= {registry.resource_group} if isinstance(registry, RegistrySpec) else set()
        groups |= {delivery.model_store.resource_group} if delivery.model_store else set()
        spec = AzureSpec(
            location=location,
            resource_groups=tuple(sorted(name for name in groups if name.lower() not in existing)),
            clusters=complete,
            registry=registry,
            shared_registries=delivery.shared_registries,
            promote_from=delivery.promote_from,
            model_store=delivery.model_store,
            workspace=workspace,
            insights=self._given.application_insights,
            tags=self._tags,
            production=self._production,
        )
        return spec, self._findings

    def _makes_anything(self) -> bool:
        """Say whether something is made here, and not only attached: it needs a region and a resource group."""
        clusters = (self._given.clusters or {}).values()
        registry = self._given.registry
        makes = self._given.model_store is not None or (registry is not None and registry.resource_id is None)
        return makes or not clusters or any(entry.attach is None for entry in clusters)

    def _location(self, loc: Loc, text: str | None) -> str | None:
        if text is None:
            if self._broken.sound(*loc):
                problem, remedy = "the region is missing", "Write tidegate:location, e.g. westeurope"
                self._findings.append(LOCATION.error(loc, problem, remedy))
            return None
        region = find(text)
        if region is None:
            near = nearest(text)
            remedy = f'Did you mean "{near}"?' if near else "Write a region of Azure's public cloud, e.g. westeurope"
            self._findings.append(LOCATION.error(loc, f'"{text}" is no region of Azure', remedy))
            return None
        return region.name

    def _group(self, loc: Loc, name: str | None, *, needed: bool) -> str | None:
        if name is None:
            if needed and self._broken.sound(*loc):
                problem, remedy = "the resource group is missing", "Write tidegate:resourceGroup, a name of yours"
                self._findings.append(RESOURCE_GROUP.error(loc, problem, remedy))
            return None if needed else ""
        findings = check_resource_group(loc, name)
        self._findings += findings
        return None if findings else name

    def _cluster(
        self, name: str, entry: ClusterInput, location: str | None, group: str | None
    ) -> ClusterSpec | AttachedClusterSpec | None:
        loc: Loc = (CLUSTERS, name)
        if entry.attach is not None:
            return self._attached(loc, name, entry)
        if entry.location is not None:
            location = self._location((*loc, "location"), entry.location)
        if entry.resource_group is not None:
            group = self._group((*loc, "resourceGroup"), entry.resource_group, needed=True)
        purpose = entry.purpose or "FastProd"
        system, pools, findings = resolve_pools(
            loc, entry, purpose, self._production, self._broken, today=self._now.date()
        )
        # Where a value is refused a default stands in its place, and a sum of those would be wrong.
        whole = self._broken.sound(*loc, "pools") and not any(finding.severity == "error" for finding in findings)
        if system and whole:
            findings += check_capacity(loc, (system, *pools), ())
        network, load_balancer, more = resolve_network(loc, entry, self._broken, location=location)
        images, bad = resolve_images(loc, entry.gateway_images)
        findings += more + bad
        lifecycle, more = resolve_lifecycle(
            loc, entry, purpose, production=self._production, today=self._now.date(), broken=self._broken
        )
        findings += more
        key = (self._given.tls_keys or {}).get(name)
        tls, more = resolve_tls(
            loc, entry, location=location or "", root=self._root, key_text=key, now=self._now, broken=self._broken
        )
        self._findings += findings + more
        api_server, more = resolve_api_server(
            loc, entry, production=self._production, network=network, broken=self._broken, location=location
        )
        self._findings += more
        if not location or not group or system is None or network is None:
            return None
        return ClusterSpec(
            name=name,
            purpose=purpose,
            location=location,
            resource_group=group,
            kubernetes_version=lifecycle.kubernetes_version,
            tier=lifecycle.tier,
            support_plan=lifecycle.support_plan,
            dns_prefix=entry.dns_prefix or name.lower(),
            node_resource_group=entry.node_resource_group,
            system_pool=system,
            pools=pools,
            network=network,
            api_server=api_server,
            load_balancer=load_balancer,
            gateway_images=images,
            tls=tls,
            entra=lifecycle.entra,
            upgrade=lifecycle.upgrade,
            autoscaler=lifecycle.autoscaler,
            monitoring=lifecycle.monitoring,
            tags=self._tags | (entry.tags or {}),
            production=self._production,
            replacement_allowed=name in (self._given.allow_replacement or []),
        )

    def _attached(self, loc: Loc, name: str, entry: ClusterInput) -> AttachedClusterSpec | None:
        key = (self._given.tls_keys or {}).get(name)
        tls, findings = resolve_tls(
            loc, entry, location="", root=self._root, key_text=key, now=self._now, broken=self._broken
        )
        own = tls if isinstance(tls, OwnCertificate) else None
        spec, more = resolve_attach(loc, name, entry, self._broken, tls=own)
        self._findings += findings + more
        return spec

    def _check_lists(self) -> None:
        """Names of clusters elsewhere in the config must be clusters."""
        if not self._broken.sound_in_each((CLUSTERS,), ""):
            return
        known = sorted(self._given.clusters or {})
        remedy = f"Known clusters: {', '.join(known)}" if known else f"There is none under {CLUSTERS}"
        for index, name in enumerate(self._given.allow_replacement or []):
            if name not in known:
                loc: Loc = ("tidegate:allowReplacement", index)
                self._findings.append(REPLACEMENT_NAMES.error(loc, f'there is no cluster "{name}"', remedy))
        if (self._given.tls_keys or {}).keys() - known:
            # No name is shown: a key in the wrong place may stand there.
            problem = "a key is given for a cluster that is not there"
            self._findings.append(TLS_KEY_NAMES.error(("tidegate:tlsKeys",), problem, remedy))
