"""A cluster that exists: how it is named in the config, and what it must be like to be used (rules C10 and C11)."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, collapse_addresses
from typing import cast

from tidegate.cluster.arm_id import id_form, parse_id
from tidegate.cluster.front import resolve_front, resolve_images
from tidegate.cluster.input import AttachInput, ClusterInput, LoadBalancerInput
from tidegate.cluster.lifecycle import GATEWAY_MINORS, MINORS, read_version
from tidegate.cluster.naming import CLUSTER_TYPE, CLUSTERS, check_resource_group
from tidegate.cluster.purpose import NO_ZONES, check_purpose
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import AttachedClusterSpec, Installed, OwnCertificate, PoolSpec, SpotSpec
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc

FORM = Rule(
    "attach-form",
    "a cluster that exists is named by its id, or by its resource group and its name",
    "azureml-core 1.61: AksCompute.attach_configuration, resource_id, resource_group and cluster_name",
)
ID = Rule(
    "attach-id",
    "a cluster's id has nine parts, the type Microsoft.ContainerService/managedClusters among them",
    "Azure REST: Microsoft.ContainerService/managedClusters; azureml-core 1.61: AksAttachConfiguration",
)
ALONE = Rule(
    "attach-alone",
    "a cluster that is attached stays as it is, so nothing is said about it beside its scoring front",
    "azureml-core 1.61: AksCompute.attach_configuration; AksAttachConfiguration.enable_ssl",
)
DOMAIN = Rule(
    "attach-domain",
    "a domain label is one of a region, and that of a cluster that is attached is not known before it is asked",
    "Azure REST: publicIPAddresses 2024-05-01, dnsSettings",
)
STATE = Rule(
    "attach-state",
    "a cluster can be used once Azure has finished making or changing it, and while it runs",
    "Azure REST: Microsoft.ContainerService/managedClusters 2025-09-01, provisioningState and powerState",
)
VERSION = Rule(
    "attach-kubernetes",
    f"AKS supports Kubernetes 1.{min(MINORS)} to 1.{max(MINORS)}, and the gateway, Envoy Gateway 1.9, is made for "
    f"1.{min(GATEWAY_MINORS)} to 1.{max(GATEWAY_MINORS)}",
    "aks-docs: supported-kubernetes-versions.md; Envoy Gateway: site/content/en/news/releases/matrix.md",
)
BALANCER = Rule(
    "attach-load-balancer",
    "AKS has supported no Basic load balancer since 2025-09-30",
    "aks-docs: Upgrading from Basic Load Balancer on AKS",
)
RANGES = Rule(
    "attach-ranges",
    "an API server with authorized ranges answers nobody else",
    "aks-docs: api-server-authorized-ip-ranges.md; ml-docs: v1/how-to-create-attach-kubernetes.md",
)
PRIVATE = Rule(
    "attach-private",
    "a private API server answers only in the networks that are joined to its own",
    "aks-docs: private-clusters.md",
)
OWNER = Rule(
    "attach-owner",
    "a cluster has one owner at a time, which its tag tidegate-owner names",
    "Azure ML v1: AksCompute.attach, a cluster is attached to one workspace",
)
RULES: tuple[Rule, ...] = (FORM, ID, ALONE, DOMAIN, STATE, VERSION, BALANCER, RANGES, PRIVATE, OWNER)

OWNER_TAG = "tidegate-owner"

_BESIDE = ("attach", "tls", "loadBalancer", "gatewayImages")


def resolve_attach(
    loc: Loc, name: str, entry: ClusterInput, broken: Broken, *, tls: OwnCertificate | None = None
) -> tuple[AttachedClusterSpec | None, list[Finding]]:
    """Settle which cluster the one at `loc` is, None where that is not said; its front's certificate is `tls`."""
    attach = entry.attach or AttachInput.model_validate({})
    place: Loc = (*loc, "attach")
    findings = _check_alone(loc, entry)
    if entry.tls and entry.tls.leaf_domain_label is not None:
        problem, remedy = "a domain label under the tls of an attached cluster", "Write cname, certificate and key"
        findings.append(DOMAIN.error((*loc, "tls", "leafDomainLabel"), problem, remedy))
    given = entry.load_balancer or LoadBalancerInput.model_validate({})
    balancer, more = resolve_front((*loc, "loadBalancer"), given, None)
    images, bad = resolve_images(loc, entry.gateway_images)
    findings += more + bad
    spec: AttachedClusterSpec | None = None
    purpose = attach.purpose or "FastProd"
    by_name = [key for key, value in (("resourceGroup", attach.resource_group), ("name", attach.name)) if value]
    if attach.resource_id is not None and by_name:
        problem = f"resourceId and {' and '.join(by_name)} are both written"
        findings.append(FORM.error(place, problem, "Keep resourceId, or take it out"))
    elif attach.resource_id is not None:
        parsed = parse_id(attach.resource_id, CLUSTER_TYPE)
        if isinstance(parsed, str):
            problem = f"this is no cluster's id: {parsed}"
            findings.append(ID.error((*place, "resourceId"), problem, f"Write {id_form(CLUSTER_TYPE)}"))
        else:
            spec = AttachedClusterSpec(
                name=name,
                purpose=purpose,
                subscription_id=parsed.subscription_id,
                resource_group=parsed.resource_group,
                cluster_name=parsed.name,
            )
    elif attach.resource_group and attach.name:
        findings += check_resource_group((*place, "resourceGroup"), attach.resource_group)
        spec = AttachedClusterSpec(
            name=name,
            purpose=purpose,
            subscription_id=None,
            resource_group=attach.resource_group,
            cluster_name=attach.name,
        )
    elif all(broken.sound(*place, key) for key in ("resourceId", "resourceGroup", "name")):
        missing = " and ".join(key for key in ("resourceGroup", "name") if key not in by_name)
        problem = f"{missing} is missing" if by_name else "nothing says which cluster it is"
        findings.append(FORM.error(place, problem, "Write resourceId, or resourceGroup and name"))
    if spec is None or findings:
        return None, findings
    installed: tuple[Installed, ...] = tuple(sorted(set(attach.installed or ())))
    front = {"load_balancer": balancer, "tls": tls, "gateway_images": images}
    return spec.model_copy(update={"installed": installed, **front}), findings


def check_attached(
    cluster: Mapping[str, object],
    spec: AttachedClusterSpec,
    *,
    owner: str,
    deployer_address: str | None,
    needed_ranges: Sequence[str],
) -> list[Finding]:
    """Look over what Azure says of the cluster, the answer of ARM's GET, before it is used.

    `owner` is this stack's mark; `deployer_address` the public address of this machine, None where it is not known;
    `needed_ranges` the ranges from which a workspace calls the API server.
    """
    loc: Loc = (CLUSTERS, spec.name, "attach")
    properties = _mapping(cluster.get("properties"))
    return [
        *_check_owner(loc, cluster, owner),
        *_check_state(loc, properties),
        *_check_kubernetes(loc, properties),
        *_check_balancer(loc, properties),
        *_check_access(loc, properties, deployer_address, needed_ranges),
        *_check_pools(loc, properties, spec),
    ]


def _check_alone(loc: Loc, entry: ClusterInput) -> list[Finding]:
    beside = [key for key in entry.model_dump(by_alias=True, exclude_none=True) if key not in _BESIDE]
    if not beside:
        return []
    problem = f"{', '.join(beside)} beside attach"
    remedy = "Take attach out to make a cluster here, or the rest to use one as it is"
    if "purpose" in beside:
        remedy += "; its purpose stands under attach"
    return [ALONE.error(loc, problem, remedy)]


def _check_owner(loc: Loc, cluster: Mapping[str, object], owner: str) -> list[Finding]:
    # The names of tags differ in case from answer to answer; their values do not.
    tags = {key.lower(): value for key, value in _mapping(cluster.get("tags")).items()}
    other = tags.get(OWNER_TAG)
    if other in (None, "", owner):
        return []
    problem = f"the cluster belongs to {other}"
    remedy = f"Detach it there; where that stack is gone, take the tag {OWNER_TAG} from the cluster"
    return [OWNER.error(loc, problem, remedy)]


def _check_state(loc: Loc, properties: Mapping[str, object]) -> list[Finding]:
    state = _text(properties.get("provisioningState"))
    power = _text(_mapping(properties.get("powerState")).get("code"))
    if state != "Succeeded":
        remedy = "Try again when Azure has finished"
        if state in ("Failed", "Canceled"):
            remedy = "Repair it first; its activity log says what failed"
        return [STATE.error(loc, f"the cluster's provisioning state is {state or 'not known'}", remedy)]
    if power and power != "Running":
        return [STATE.error(loc, f"the cluster's power state is {power}", "Start it by az aks start")]
    return []


def _check_kubernetes(loc: Loc, properties: Mapping[str, object]) -> list[Finding]:
    text = _text(properties.get("currentKubernetesVersion")) or _text(properties.get("kubernetesVersion"))
    version = read_version(text)
    both = [minor for minor in GATEWAY_MINORS if minor in MINORS]
    if version is not None and version[0] in both:
        return []
    problem = f"the cluster runs Kubernetes {text or 'of a version that Azure does not say'}"
    remedy = f"Upgrade it to one of 1.{min(both)} to 1.{max(both)}, by one minor version at a time"
    if version is not None and version[0] > max(both):
        remedy = f"Attach one of 1.{min(both)} to 1.{max(both)}: Azure does not go back to an older version"
    return [VERSION.error(loc, problem, remedy)]


def _check_balancer(loc: Loc, properties: Mapping[str, object]) -> list[Finding]:
    sku = _text(_mapping(properties.get("networkProfile")).get("loadBalancerSku"))
    if sku.lower() == "standard":
        return []
    remedy = "Move it to a Standard one, which has a downtime: az aks update --load-balancer-sku=Standard"
    return [BALANCER.error(loc, f"the cluster's load balancer is {sku or 'not known'}", remedy)]


def _check_access(
    loc: Loc, properties: Mapping[str, object], deployer_address: str | None, needed_ranges: Sequence[str]
) -> list[Finding]:
    profile = _mapping(properties.get("apiServerAccessProfile"))
    if profile.get("enablePrivateCluster") is True:
        problem = "the cluster's API server is private"
        return [PRIVATE.warning(loc, problem, "Run pulumi where it can be reached, in its network or a joined one")]
    given = [_network(_text(text)) for text in _list(profile.get("authorizedIPRanges"))]
    allowed = list(collapse_addresses([network for network in given if network]))
    if not allowed:
        return []
    wanted = [*([deployer_address] if deployer_address else []), *needed_ranges]
    missing = [
        text
        for text in wanted
        if (network := _network(text)) and not any(network.subnet_of(other) for other in allowed)
    ]
    if not missing:
        return []
    problem = f"the API server's authorized ranges do not have {', '.join(missing)}"
    remedy = "Add them to those that are there: az aks update --api-server-authorized-ip-ranges takes the whole list"
    return [RANGES.error(loc, problem, remedy)]


def _check_pools(loc: Loc, properties: Mapping[str, object], spec: AttachedClusterSpec) -> list[Finding]:
    pools = [_pool(_mapping(profile)) for profile in _list(properties.get("agentPoolProfiles"))]
    linux = [pool for pool in pools if pool is not None]
    findings = check_purpose(loc, linux, spec.purpose, production=spec.purpose == "FastProd")
    # Zones are chosen when a pool is made, which is not this project's doing.
    return [finding for finding in findings if finding.rule != NO_ZONES.id]


def _pool(profile: Mapping[str, object]) -> PoolSpec | None:
    """What counts of a pool for scoring; None for Windows nodes, which take no scoring pod."""
    if _text(profile.get("osType")).lower() == "windows":
        return None
    count = _number(profile.get("count"))
    scaled = profile.get("enableAutoScaling") is True
    return PoolSpec(
        name=_text(profile.get("name")),
        vm_size=_text(profile.get("vmSize")),
        count=count,
        min_count=_number(profile.get("minCount")) if scaled else None,
        max_count=max(count, _number(profile.get("maxCount"))) if scaled else None,
        mode="System" if profile.get("mode") == "System" else "User",
        node_taints=tuple(_text(taint) for taint in _list(profile.get("nodeTaints"))),
        spot=SpotSpec() if profile.get("scaleSetPriority") == "Spot" else None,
    )


def _network(text: str) -> IPv4Network | None:
    """A range, or an address; AKS knows only those of IPv4."""
    try:
        return IPv4Network(text, strict=False)
    except ValueError:
        return None


def _mapping(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return cast(list[object], value) if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    # Numbers come as floats through the engine.
    return int(value) if isinstance(value, int | float) else 0
