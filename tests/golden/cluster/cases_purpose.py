"""What a cluster's purpose says about its pools."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.unit.cluster.pool_inputs import resolve
from tidegate.findings import Finding


def of(cluster: dict[str, Any], *, production: bool = False) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(cluster, production=production).findings


LEFT_OUT = {
    "systemPool": {"criticalAddonsOnly": True},
    "pools": {
        "cpu": {"minCount": 2, "maxCount": 9},
        "spot": {"count": 5, "spot": {}},
    },
}

CASES = [
    ("scoring-vcpus", "Nodes that are too few", of({"systemPool": {"count": 2}})),
    ("scoring-vcpus", "The autoscaler's minimum counts, Spot and add-on nodes do not", of(LEFT_OUT)),
    ("scoring-vcpus", "No pool at all for scoring", of({"systemPool": {"criticalAddonsOnly": True}})),
    (
        "scoring-vcpus",
        "A size that is not known may make up for it",
        of({"systemPool": {"count": 2}, "pools": {"new": {"vmSize": "Standard_D4s_v9"}}}),
    ),
    ("dev-test", "DevTest", of({"purpose": "DevTest"})),
    ("dev-test", "DevTest in production", of({"purpose": "DevTest"}, production=True)),
    (
        "dev-test-vcpus",
        "Scoring has nowhere to run",
        of({"purpose": "DevTest", "systemPool": {"criticalAddonsOnly": True}}),
    ),
    ("no-availability-zones", "FastProd in no zone", of({})),
    ("no-availability-zones", "FastProd with two pools in no zone", of({"pools": {"cpu": {}}})),
]
