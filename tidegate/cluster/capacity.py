"""Whether the pods of an environment find room in its pools at their largest, and the pools in a subscription's quota.

Sums are compared, not placements: pods that fit in sum may still not fit node by node, and what does not fit in sum
never fits.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidegate.cluster.node_marks import ADDONS_TAINT, GPU_TAINT
from tidegate.cluster.rule import Rule
from tidegate.cluster.sizes import Size, lookup
from tidegate.cluster.spec import ClusterSpec, PoolSpec
from tidegate.findings import Finding
from tidegate.parse import Loc

DEFAULT_PODS = 250
"""maxPods where a pool does not say it, with Azure CNI overlay."""
SLICES: Mapping[str, int] = {"MIG1g": 7, "MIG2g": 3, "MIG3g": 2, "MIG4g": 1, "MIG7g": 1}
"""GPUs that Kubernetes sees for each one of a size, by MIG profile."""

PLACE = Rule(
    "pods-without-pool",
    "a pod runs where every taint is tolerated, and one that asks for GPUs where NVIDIA GPUs are",
    "Kubernetes: Taints and Tolerations; NVIDIA k8s-device-plugin",
)
REQUEST = Rule(
    "request-larger-than-node",
    "a pod runs on one node, and AKS keeps part of every node to itself",
    "aks-docs: node-resource-reservations.md",
)
CAPACITY = Rule(
    "pool-capacity",
    "all replicas, and those that an update adds, must find room while the pools are at their largest",
    "aks-docs: node-resource-reservations.md; Kubernetes: Deployments, maxSurge",
)
QUOTA = Rule(
    "compute-quota",
    "a subscription has so many vCPU in a region, in all and by VM family, and an upgrade's extra nodes use them too",
    "azure-compute-docs: quotas.md; aks-docs: quotas-skus-regions.md",
)
RULES: tuple[Rule, ...] = (PLACE, REQUEST, CAPACITY, QUOTA)


@dataclass(frozen=True)
class Demand:
    """Pods of one kind, and what each of them asks for."""

    name: str
    """As a message names them: `diabetes/ridge`."""
    loc: Loc
    """Where they are written."""
    replicas: int
    """At most, as the autoscaler may make them."""
    cpu: float
    """vCPU of one pod."""
    memory_gib: float
    gpus: int = 0
    surge: int = 0
    """Pods beyond `replicas` while a new version of them starts."""
    node_pool: str | None = None
    """The one pool in which they may run; None: wherever their tolerations allow."""
    system: bool = False
    """Whether they run in pools of mode System."""
    tolerations: tuple[str, ...] = ()
    """The taints that they tolerate, `key=value:Effect`; that of GPU nodes is added where they ask for GPUs."""

    @property
    def pods(self) -> int:
        """The pods that there may be at the same time."""
        return self.replicas + self.surge

    @property
    def pods_shown(self) -> str:
        """The same as a term of a sum: `(2 + 1)`."""
        return f"({self.replicas} + {self.surge})" if self.surge else str(self.replicas)


@dataclass(frozen=True)
class Room:
    """What pods may use of one node."""

    cpu: float
    memory_gib: float
    gpus: int


NODE_PODS = Room(cpu=0.3, memory_gib=0.65, gpus=0)
"""What AKS's own pods take of every node: network, disks, metrics. An allowance: AKS publishes no figures, and the
requests of azure-cns, cloud-node-manager, the CSI drivers, ip-masq-agent and ama-metrics change with its versions."""


def platform_demands(loc: Loc) -> tuple[Demand, ...]:
    """What runs beside scoring pods in the cluster at `loc`: AKS's own pods (an allowance), and the gateway.

    The gateway's figures are Envoy Gateway's defaults: 100m and 512Mi a proxy, 100m and 256Mi for its controller.
    """
    gateway = (ADDONS_TAINT,)
    return (
        Demand("AKS's own pods", loc, 1, cpu=1, memory_gib=2, system=True, tolerations=gateway),
        Demand("gateway proxies", loc, 2, cpu=0.11, memory_gib=0.54, surge=1, tolerations=gateway),
        Demand("gateway controller", loc, 1, cpu=0.1, memory_gib=0.25, surge=1, tolerations=gateway),
    )


def node_room(size: Size, pool: PoolSpec) -> Room:
    """Return what a node of the pool leaves to pods, after AKS's reservation and its own pods on every node."""
    gpus = pool.gpus * SLICES.get(pool.mig_profile or "", 1) if size.gpu_vendor == "nvidia" else 0
    return Room(
        cpu=size.vcpus - reserved_cpu(size.vcpus) - NODE_PODS.cpu,
        memory_gib=size.memory_gib - reserved_memory(size.memory_gib, pool.max_pods) - NODE_PODS.memory_gib,
        gpus=gpus,
    )


def reserved_cpu(vcpus: int) -> float:
    """Return the vCPU that AKS keeps of a node: 0.06 of one, 0.1 of two, 0.14 of four, then 0.01 for each more."""
    return (60 + 40 * min(max(vcpus - 1, 0), 1) + 20 * min(max(vcpus - 2, 0), 2) + 10 * max(vcpus - 4, 0)) / 1000


def reserved_memory(memory_gib: float, max_pods: int | None) -> float:
    """Return the GiB that AKS (1.29 and later) keeps: 20 MiB a pod and 50 MiB, at most a quarter; and 100 MiB."""
    for_pods = (20 * (max_pods or DEFAULT_PODS) + 50) / 1024
    return min(for_pods, memory_gib / 4) + 100 / 1024


def check_capacity(loc: Loc, pools: Sequence[PoolSpec], demands: Sequence[Demand]) -> list[Finding]:
    """Check that the cluster at `loc` has room for `demands` beside its own pods, with its pools at their largest.

    Nothing is said of pods that may run in a pool of a size that the table of sizes does not have.
    """
    rooms = {pool.name: node_room(size, pool) for pool in pools if (size := lookup(pool.vm_size))}
    findings: list[Finding] = []
    placed: list[tuple[Demand, frozenset[str]]] = []
    for demand in (*platform_demands(loc), *demands):
        where = homes(pools, demand)
        if not where:
            findings.append(_homeless(demand, pools))
        elif all(pool.name in rooms for pool in where):
            if not any(_fits(demand, rooms[pool.name]) for pool in where):
                findings.append(_too_large(demand, where, rooms))
                continue  # its sum would say the same again
            placed.append((demand, frozenset(pool.name for pool in where)))
    refused: list[frozenset[str]] = []
    for group in sorted({names for _, names in placed}, key=lambda names: (len(names), sorted(names))):
        if any(smaller < group for smaller in refused):
            continue
        inside = [demand for demand, names in placed if names <= group]
        given = [(pool, rooms[pool.name]) for pool in pools if pool.name in group]
        if more := _check_sum(loc, inside, given):
            refused.append(group)
            findings += more
    return findings


def homes(pools: Sequence[PoolSpec], demand: Demand) -> list[PoolSpec]:
    """Return the pools in which the pods may run: taints are tolerated, and there are GPUs where those are asked."""
    return [pool for pool in pools if _takes(pool, demand)]


class Usage(Protocol):
    """What is used of a limit, in vCPU."""

    @property
    def used(self) -> int: ...  # noqa: D102
    @property
    def limit(self) -> int: ...  # noqa: D102


def quota_needed(pools: Sequence[PoolSpec]) -> Mapping[str, int]:
    """Return the vCPU that the pools need at their largest and while they are upgraded, by Azure's name of the quota.

    `cores` is the region's, `lowPriorityCores` that of all Spot nodes. Sizes that are not known are left out.
    """
    needed: Counter[str] = Counter()
    for pool in pools:
        if size := lookup(pool.vm_size):
            for name in ["lowPriorityCores"] if pool.spot else ["cores", size.family]:
                needed[name] += (pool.most + pool.surge) * size.vcpus
    return {name: vcpus for name, vcpus in sorted(needed.items()) if name and vcpus}


def quotas_needed(clusters: Sequence[ClusterSpec]) -> Mapping[str, Mapping[str, int]]:
    """Return what all clusters need by region: quotas are a region's, so its clusters are added up."""
    return {
        location: quota_needed([pool for each in clusters if each.location == location for pool in each.all_pools])
        for location in sorted({each.location for each in clusters})
    }


def check_quota(
    needed: Mapping[str, int], usage: Mapping[str, Usage], *, loc: Loc = ("tidegate:clusters",)
) -> list[Finding]:
    """Compare what pools need with the quotas of a region.

    More than the limit is an error. What does not fit beside what is used now is a warning: the nodes that are used may
    be those of these same pools.
    """
    known = {_plain(name): each for name, each in usage.items()}
    findings: list[Finding] = []
    for name, vcpus in needed.items():
        quota = known.get(_plain(name))
        if quota is None:
            continue
        remedy = f"Ask for a limit of {vcpus + quota.used} in the portal under Quotas, or use fewer nodes"
        if vcpus > quota.limit:
            problem = f"the pools need {vcpus} vCPU of {name} at their largest, and its limit is {quota.limit}"
            findings.append(QUOTA.error(loc, problem, remedy))
        elif vcpus > quota.limit - quota.used:
            problem = (
                f"the pools need {vcpus} vCPU of {name} at their largest: {quota.used} of {quota.limit} are in use"
            )
            findings.append(QUOTA.warning(loc, problem, remedy))
    return findings


def _takes(pool: PoolSpec, demand: Demand) -> bool:
    if demand.node_pool not in (None, pool.name) or (demand.system and pool.mode != "System"):
        return False
    if demand.gpus and not _nvidia(pool):
        return False
    tolerated = {*demand.tolerations, *([GPU_TAINT] if demand.gpus else [])}
    return all(taint in tolerated or taint.endswith(":PreferNoSchedule") for taint in pool.node_taints)


def _nvidia(pool: PoolSpec) -> bool:
    size = lookup(pool.vm_size)
    return size is not None and size.gpu_vendor == "nvidia"


def _homeless(demand: Demand, pools: Sequence[PoolSpec]) -> Finding:
    names = [pool.name for pool in pools]
    if demand.node_pool is not None and demand.node_pool not in names:
        problem = f"{demand.name} runs in pool {demand.node_pool}, which the cluster does not have"
        return PLACE.error(demand.loc, problem, f"Name one of {', '.join(names)}")
    if demand.gpus and not any(_nvidia(pool) for pool in pools):
        problem = f"{demand.name} asks for {demand.gpus} GPU, and no pool of the cluster has NVIDIA GPUs"
        return PLACE.error(demand.loc, problem, "Add a pool with a GPU size, e.g. vmSize: Standard_NC4as_T4_v3")
    taints = "; ".join(f"{pool.name} ({', '.join(pool.node_taints) or f'mode {pool.mode}'})" for pool in pools)
    problem = f"no pool takes the pods of {demand.name}: {taints}"
    return PLACE.error(demand.loc, problem, "Add a pool without taints, or tolerate one of these")


@dataclass(frozen=True)
class _Resource:
    unit: str
    asked: Callable[[Demand], float]
    given: Callable[[Room], float]


_RESOURCES = (
    _Resource("vCPU", lambda demand: demand.cpu, lambda room: room.cpu),
    _Resource("GiB", lambda demand: demand.memory_gib, lambda room: room.memory_gib),
    _Resource("GPU", lambda demand: demand.gpus, lambda room: room.gpus),
)


def _too_large(demand: Demand, homes: Sequence[PoolSpec], rooms: Mapping[str, Room]) -> Finding:
    asked = ", ".join(_figures([(resource.asked(demand), resource.unit) for resource in _RESOURCES]))
    given = "; ".join(
        f"{pool.name} ({pool.vm_size}) "
        + ", ".join(_figures([(resource.given(rooms[pool.name]), resource.unit) for resource in _RESOURCES]))
        for pool in homes
    )
    problem = f"a pod of {demand.name} asks for {asked}, and no node leaves that to it: {given}"
    return REQUEST.error(demand.loc, problem, "Ask for less, or choose a larger size for the pool")


def _fits(demand: Demand, room: Room) -> bool:
    return all(resource.asked(demand) <= resource.given(room) for resource in _RESOURCES)


def _check_sum(loc: Loc, demands: Sequence[Demand], given: Sequence[tuple[PoolSpec, Room]]) -> list[Finding]:
    findings: list[Finding] = []
    noun = "pool" if len(given) == 1 else "pools"
    names = ", ".join(pool.name for pool, _ in given)
    for resource in _RESOURCES:
        asked = sum(demand.pods * resource.asked(demand) for demand in demands)
        there = sum(pool.most * resource.given(room) for pool, room in given)
        if asked <= there + 1e-9:
            continue
        asked_terms = [
            f"{demand.name} {demand.pods_shown} x {number(resource.asked(demand))}"
            for demand in demands
            if resource.asked(demand)
        ]
        given_terms = [f"{pool.name} {pool.most} x {number(resource.given(room))}" for pool, room in given]
        problem = (
            f"pods ask for more {resource.unit} than {noun} {names} can give at the largest: asked "
            f"{' + '.join(asked_terms)} = {number(asked)}; given, after what AKS keeps of each node, "
            f"{' + '.join(given_terms)} = {number(there)}"
        )
        remedy = "Raise count or maxCount, choose larger sizes, or lower replicas or requests"
        findings.append(CAPACITY.error(loc, problem, remedy))
    return findings


def _figures(values: Sequence[tuple[float, str]]) -> list[str]:
    return [f"{number(value)} {unit}" for value, unit in values if value]


def number(value: float) -> str:
    """A figure with at most two decimals, as sums show it."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _plain(name: str) -> str:
    """Azure writes one family with and without spaces, and in different case."""
    return "".join(character for character in name.lower() if character.isalnum())
