"""What the rules over room and quota say."""

from collections.abc import Callable, Sequence
from typing import Any

from tidegate.azure.quota import Usage
from tidegate.cluster.capacity import Demand, check_capacity, check_quota, quota_needed
from tidegate.cluster.spec import PoolSpec
from tidegate.findings import Finding

CLUSTER = ("tidegate:clusters", "main")
VERSION = ("tidegate:endpoints", "diabetes", "versions", "ridge")

SYSTEM = PoolSpec(name="system", vm_size="Standard_D4s_v5", count=3, mode="System")
ADDONS = SYSTEM.model_copy(update={"node_taints": ("CriticalAddonsOnly=true:NoSchedule",)})
CPU = PoolSpec(name="cpu", vm_size="Standard_D8s_v5", count=1, min_count=1, max_count=4)
TAINTED = CPU.model_copy(update={"node_taints": ("workload=batch:NoSchedule",)})
GPU = PoolSpec(name="gpu", vm_size="Standard_NC4as_T4_v3", count=2, gpus=1, node_taints=("sku=gpu:NoSchedule",))
NEW = PoolSpec(name="new", vm_size="Standard_D4s_v9", count=3)


def of(*pools: PoolSpec, **keys: Any) -> Callable[[], Sequence[Finding]]:
    asked: dict[str, Any] = {"name": "diabetes/ridge", "loc": VERSION, "replicas": 2, "cpu": 0.5, "memory_gib": 1}
    return lambda: check_capacity(CLUSTER, pools, [Demand(**{**asked, **keys})])


def quota(used: int, limit: int) -> Callable[[], Sequence[Finding]]:
    return lambda: check_quota(quota_needed([SYSTEM]), {"standardDSv5Family": Usage(used, limit)}, loc=CLUSTER)


CASES = [
    ("pods-without-pool", "A pool that is not there", of(SYSTEM, node_pool="large")),
    ("pods-without-pool", "GPUs without a GPU pool", of(SYSTEM, gpus=1)),
    ("pods-without-pool", "Every pool keeps them away", of(ADDONS, TAINTED)),
    ("request-larger-than-node", "More vCPU than a node leaves", of(SYSTEM, cpu=4)),
    ("request-larger-than-node", "More GPUs than a node has", of(SYSTEM, GPU, gpus=2)),
    ("pool-capacity", "More vCPU than all nodes give", of(ADDONS, CPU, replicas=10, surge=2, cpu=3)),
    ("pool-capacity", "More memory than two pools give", of(SYSTEM, CPU, replicas=20, memory_gib=8)),
    ("pool-capacity", "More GPUs than there are", of(SYSTEM, GPU, replicas=2, surge=1, gpus=1)),
    ("compute-quota", "A limit that is too low", quota(0, 12)),
    ("compute-quota", "A limit of which much is used", quota(90, 100)),
]
