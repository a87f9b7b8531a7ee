"""How `tidegate cluster check` shows the capacity of clusters: each sum with its terms, and the quota that it needs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, repeat
from typing import Any

from tidegate.cluster.balance import Balance, balance
from tidegate.cluster.capacity import Demand, Room, number, quotas_needed
from tidegate.cluster.spec import ClusterSpec

_FIGURES: Mapping[str, tuple[Callable[[Room], float], Callable[[Demand], float]]] = {
    "vCPU": (lambda room: room.cpu, lambda demand: demand.cpu),
    "GiB": (lambda room: room.memory_gib, lambda demand: demand.memory_gib),
    "GPU": (lambda room: room.gpus, lambda demand: demand.gpus),
}


def as_text(clusters: Sequence[ClusterSpec]) -> list[str]:
    """Lines for a person."""
    said = [line for cluster in clusters for line in _cluster(balance(cluster))]
    for location, needed in quotas_needed(clusters).items():
        terms = ", ".join(f"{name} {vcpus}" for name, vcpus in needed.items())
        said.append(f"quota in {location}, the extra nodes of upgrades among it, in vCPU: {terms or 'not known'}")
    return said


def as_plain(clusters: Sequence[ClusterSpec]) -> dict[str, Any]:
    """The same for a program."""
    return {
        "clusters": [_plain(balance(cluster)) for cluster in clusters],
        "quota": {location: dict(needed) for location, needed in quotas_needed(clusters).items()},
    }


def _cluster(found: Balance) -> list[str]:
    said = [f"capacity of {found.cluster}, its pools at their largest and after what AKS keeps of each node:"]
    rows: list[tuple[str, str]] = []
    for pool in found.pools:
        what = f"{pool.nodes} x {pool.vm_size}" + ("" if pool.takes_scoring_pods else ", for add-ons alone")
        rows.append((f"pool {pool.name}", what))
        if pool.node is None:
            rows.append(("", "not counted: the size is not in the table of sizes"))
            continue
        for unit, (of_room, _) in _FIGURES.items():
            if each := of_room(pool.node):
                rows.append(("", f"{pool.nodes} x {number(each)} = {number(of_room(pool.gives))} {unit}"))
    rows += zip(chain(["takes"], repeat("")), _taken(found), strict=False)
    left = [f"{number(of_room(found.left))} {unit}" for unit, (of_room, _) in _FIGURES.items() if of_room(found.gives)]
    rows.append(("left to scoring", ", ".join(left) or "not known"))
    width = max(len(name) for name, _ in rows)
    return said + [f"  {name:<{width}}  {text}" for name, text in rows]


def _taken(found: Balance) -> Iterator[str]:
    for unit, (of_room, of_demand) in _FIGURES.items():
        asking = [each for each in found.demands if of_demand(each)]
        terms = " + ".join(f"{each.name} {each.pods_shown} x {number(of_demand(each))}" for each in asking)
        if asking:
            yield f"{terms} = {number(of_room(found.taken))} {unit}"


def _plain(found: Balance) -> dict[str, Any]:
    return {
        "name": found.cluster,
        "pools": [
            {
                "name": pool.name,
                "vm_size": pool.vm_size,
                "nodes": pool.nodes,
                "node": pool.node and asdict(pool.node),
                "gives": asdict(pool.gives),
            }
            for pool in found.pools
        ],
        "takes": [
            {
                "name": each.name,
                "replicas": each.replicas,
                "surge": each.surge,
                "cpu": each.cpu,
                "memory_gib": each.memory_gib,
                "gpus": each.gpus,
            }
            for each in found.demands
        ],
        "left": asdict(found.left),
    }
