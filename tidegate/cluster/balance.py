"""The sum behind the capacity check, for a reader: what pools give at their largest, and what is taken of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate.cluster.capacity import Demand, Room, node_room, platform_demands
from tidegate.cluster.sizes import lookup
from tidegate.cluster.spec import ClusterSpec


@dataclass(frozen=True)
class PoolBalance:
    """One pool at its largest."""

    name: str
    vm_size: str
    nodes: int
    node: Room | None
    """What a node leaves to pods; None where the size is not in the table."""
    takes_scoring_pods: bool

    @property
    def gives(self) -> Room:
        """What all nodes leave to pods together; nothing where that is not known."""
        return _times(self.node or NOTHING, self.nodes)


@dataclass(frozen=True)
class Balance:
    """What a cluster has at its largest, and what asks for it."""

    cluster: str
    pools: tuple[PoolBalance, ...]
    demands: tuple[Demand, ...]
    """The platform's own first."""

    @property
    def gives(self) -> Room:
        """What all pools give together."""
        return _sum([pool.gives for pool in self.pools])

    @property
    def taken(self) -> Room:
        """What is asked for."""
        return _sum([_times(Room(each.cpu, each.memory_gib, each.gpus), each.pods) for each in self.demands])

    @property
    def left(self) -> Room:
        """What is left to scoring pods: what is asked for goes to pools that only take add-ons as far as it fits."""
        scoring = _sum([pool.gives for pool in self.pools if pool.takes_scoring_pods])
        elsewhere = _sum([pool.gives for pool in self.pools if not pool.takes_scoring_pods])
        overflow = _each(lambda asked, there: max(asked - there, 0), self.taken, elsewhere)
        return _each(lambda there, asked: there - asked, scoring, overflow)


NOTHING = Room(cpu=0, memory_gib=0, gpus=0)


def balance(spec: ClusterSpec, demands: Sequence[Demand] = ()) -> Balance:
    """Set what the cluster's pools give against the platform's own pods and `demands`."""
    pools = tuple(
        PoolBalance(
            name=pool.name,
            vm_size=pool.vm_size,
            nodes=pool.most,
            node=node_room(size, pool) if (size := lookup(pool.vm_size)) else None,
            takes_scoring_pods=pool.takes_scoring_pods,
        )
        for pool in spec.all_pools
    )
    return Balance(spec.name, pools, (*platform_demands(("tidegate:clusters", spec.name)), *demands))


def _times(room: Room, count: int) -> Room:
    return Room(room.cpu * count, room.memory_gib * count, room.gpus * count)


def _sum(rooms: Sequence[Room]) -> Room:
    return Room(
        sum(room.cpu for room in rooms), sum(room.memory_gib for room in rooms), sum(room.gpus for room in rooms)
    )


def _each(combine: Callable[[float, float], float], first: Room, second: Room) -> Room:
    return Room(
        combine(first.cpu, second.cpu),
        combine(first.memory_gib, second.memory_gib),
        int(combine(first.gpus, second.gpus)),
    )
