"""What the rules over labels and taints say."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.unit.cluster.pool_inputs import pool, resolve
from tidegate.findings import Finding


def of(**keys: Any) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(pool(**keys)).findings


CASES = [
    ("node-label", "A key that begins with a hyphen", of(nodeLabels={"-tier": "scoring"})),
    ("node-label", "A prefix that is no DNS name", of(nodeLabels={"Example_/tier": "scoring"})),
    ("node-label", "A value with a space", of(nodeLabels={"tier": "fast scoring"})),
    ("reserved-node-label", "A label of AKS", of(nodeLabels={"kubernetes.azure.com/mode": "system"})),
    (
        "reserved-node-label",
        "A label under a part of Kubernetes' own domain",
        of(nodeLabels={"node.kubernetes.io/x": ""}),
    ),
    ("reserved-node-label", "A taint of AKS", of(nodeTaints=["kubernetes.azure.com/x=y:NoSchedule"])),
    ("node-taint", "A taint without its effect", of(nodeTaints=["workload=scoring"])),
    ("node-taint", "An effect that Kubernetes does not have", of(nodeTaints=["workload=scoring:Never"])),
    ("node-taint", "Two taints for one key", of(nodeTaints=["a=1:NoSchedule", "a=2:NoSchedule"])),
    ("critical-addons-only", "A switch of system pools on a user pool", of(criticalAddonsOnly=True)),
    (
        "critical-addons-only",
        "A taint of system pools on a user pool",
        of(nodeTaints=["CriticalAddonsOnly=true:NoSchedule"]),
    ),
]
