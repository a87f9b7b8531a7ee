"""Where a version's pods run, and whether new ones find room beside old ones."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any, Literal

from tidegate.cluster.capacity import Demand, check_capacity, homes, node_room
from tidegate.cluster.node_marks import GPU_TAINT, SPOT_TAINT
from tidegate.cluster.plan.pools import azure_name
from tidegate.cluster.sizes import lookup
from tidegate.cluster.spec import ClusterSpec, PoolSpec
from tidegate.endpoint.spec import EndpointSpec, VersionSpec
from tidegate.findings import Finding
from tidegate.targets.kubernetes.labels import selector

Json = dict[str, Any]
Strategy = Literal["RollingUpdate", "Recreate"]

POOL_LABEL = "kubernetes.azure.com/agentpool"
"""By it AKS marks the nodes of a pool."""
SURGE_PERCENT = 25
"""Of the replicas, rounded up: the pods that an update starts before it ends any."""


def most_replicas(version: VersionSpec) -> int:
    """The replicas that there may be."""
    deployment = version.deployment
    if deployment.num_replicas is not None or deployment.autoscaler is None:
        return deployment.replicas
    return deployment.autoscaler.max_replicas


def plan_placement(endpoint: EndpointSpec, version: VersionSpec, pools: Sequence[PoolSpec]) -> Json:
    """The part of a pod's spec that says where it runs: spread over zones and nodes, as far as there are any."""
    matched = {"matchLabels": selector(endpoint.name, version.name)}
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": matched,
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
    placement: Json = {"topologySpreadConstraints": spread}
    if version.node_pool:
        placement["nodeSelector"] = {POOL_LABEL: _node_pool(version.node_pool, pools)}
    if taints := _tolerated(version, pools):
        placement["tolerations"] = [_toleration(taint) for taint in taints]
    if version.deployment.gpu_cores:
        anyway = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
        placement["tolerations"] = [*placement.get("tolerations", []), anyway]
    return placement


def choose_strategy(endpoint: EndpointSpec, version: VersionSpec, pools: Sequence[PoolSpec]) -> tuple[Strategy, str]:
    """How pods are replaced, and why: all at once only where GPUs do not suffice for old and new pods together."""
    rolling: tuple[Strategy, str] = ("RollingUpdate", "new pods are ready before old ones end")
    if not version.deployment.gpu_cores:
        return rolling
    if not pools:
        return "RollingUpdate", f"{rolling[1]}; whether there are GPUs for both is not known: the cluster is attached"
    wanted = _demand(endpoint, version, pools, surge=_surge(version))
    places = homes(pools, wanted)
    named = {pool.name for pool in places}
    sizes = [(pool, lookup(pool.vm_size)) for pool in places]
    given = sum(pool.most * node_room(size, pool).gpus for pool, size in sizes if size)
    others = [
        _demand(endpoint, other, pools)
        for other in endpoint.versions
        if other.deployment.gpu_cores and other.name != version.name
    ]
    # Those that may also run elsewhere are counted as if they did not: a pod that waits for a GPU holds up the update.
    beside = sum(other.pods * other.gpus for other in others if named & {pool.name for pool in homes(pools, other)})
    asked = wanted.pods * wanted.gpus + beside
    names = ", ".join(pool.name for pool in places)
    if asked <= given:
        return "RollingUpdate", f"{rolling[1]}; {names} has {given} GPUs at its largest, and both need {asked}"
    reason = f"old and new pods together need {asked} GPUs, and {names or 'no pool'} has {given} at its largest"
    return "Recreate", f"{reason}: old pods end before new ones start"


def demands(endpoints: Iterable[EndpointSpec], cluster: str, pools: Sequence[PoolSpec]) -> tuple[Demand, ...]:
    """What the endpoints on a cluster ask of its pools, an update's additional pods included (rule G3)."""
    found: list[Demand] = []
    for endpoint in endpoints:
        if endpoint.cluster != cluster:
            continue
        for version in endpoint.versions:
            strategy, _ = choose_strategy(endpoint, version, pools)
            surge = _surge(version) if strategy == "RollingUpdate" else 0
            found.append(_demand(endpoint, version, pools, surge=surge))
    return tuple(found)


def check_room(endpoints: Iterable[EndpointSpec], clusters: Iterable[ClusterSpec]) -> list[Finding]:
    """Check that each cluster has room for the endpoints on it, with its pools at their largest (rule G3)."""
    given = tuple(endpoints)
    findings: list[Finding] = []
    for cluster in clusters:
        if asked := demands(given, cluster.name, cluster.all_pools):
            findings += check_capacity(("tidegate:clusters", cluster.name), cluster.all_pools, asked)
    return findings


def _demand(endpoint: EndpointSpec, version: VersionSpec, pools: Sequence[PoolSpec], *, surge: int = 0) -> Demand:
    return Demand(
        name=f"{endpoint.name}/{version.name}",
        loc=("tidegate:endpoints", endpoint.name, "versions", version.name),
        replicas=most_replicas(version),
        cpu=version.deployment.cpu,
        memory_gib=version.deployment.memory_gb,
        gpus=version.deployment.gpu_cores or 0,
        surge=surge,
        node_pool=version.node_pool or None,
        tolerations=_tolerated(version, pools),
    )


def _surge(version: VersionSpec) -> int:
    return ceil(most_replicas(version) * SURGE_PERCENT / 100)


def _node_pool(name: str, pools: Sequence[PoolSpec]) -> str:
    """The pool's name on Azure; that of a cluster that is attached is written as it is there."""
    return next((azure_name(pool) for pool in pools if pool.name == name), name)


def _tolerated(version: VersionSpec, pools: Sequence[PoolSpec]) -> tuple[str, ...]:
    """The taints of the pool that is named, Spot's among them, and that of GPU nodes where GPUs are asked for."""
    named = [taint for pool in pools if pool.name == version.node_pool for taint in pool.node_taints]
    if version.node_pool and not pools:
        named = [SPOT_TAINT]  # nobody knows, and the node selector lets the pods go nowhere else
    return tuple(dict.fromkeys([*named, *([GPU_TAINT] if version.deployment.gpu_cores else [])]))


def _toleration(taint: str) -> Json:
    key, _, rest = taint.partition("=")
    value, _, effect = rest.rpartition(":")
    return {"key": key, "operator": "Equal", "value": value, "effect": effect}
