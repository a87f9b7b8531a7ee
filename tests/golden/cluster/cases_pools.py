"""What the rules over pools say."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.unit.cluster.pool_inputs import pool, resolve
from tidegate.findings import Finding


def of(cluster: dict[str, Any]) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(cluster).findings


CASES = [
    ("pool-name", "A name that begins with a digit", of({"pools": {"1st": {}}})),
    ("pool-name", "A name too long for its hash", of({"pools": {"scoringpool": {}}})),
    ("pool-name", "The name of the first pool", of({"pools": {"system": {}}})),
    ("pool-count", "Too many nodes", of(pool(count=1001))),
    ("pool-count", "A system pool without nodes", of({"systemPool": {"count": 0}})),
    ("pool-count", "A system pool that may shrink to nothing", of({"systemPool": {"minCount": 0, "maxCount": 3}})),
    ("pool-count", "Limits the wrong way round", of(pool(minCount=4, maxCount=3))),
    ("pool-count", "A count outside its limits", of(pool(count=9, minCount=1, maxCount=3))),
    ("pool-autoscaler", "A lower limit alone", of(pool(minCount=1))),
    ("pool-autoscaler", "An upper limit alone", of(pool(maxCount=3))),
    ("system-pool-nodes", "One node in FastProd", of({"systemPool": {"count": 1}})),
    ("system-pool-nodes", "One node in DevTest, as it is by default", of({"purpose": "DevTest"})),
    ("max-pods", "Fewer than Azure allows", of(pool(maxPods=9))),
    ("max-pods", "More than Azure allows", of(pool(maxPods=251))),
    ("max-pods", "Too few for a system pool", of({"systemPool": {"maxPods": 29}})),
    ("max-pods", "Too few for all nodes together", of(pool(maxPods=14, count=2))),
    ("os-disk-size", "A disk too small", of(pool(osDiskSizeGB=29))),
    ("os-disk-size", "A disk too large", of(pool(osDiskSizeGB=2049))),
    ("ephemeral-os-disk", "A size without room", of(pool(osDiskType="Ephemeral"))),
    (
        "ephemeral-os-disk",
        "A size of which nothing is known",
        of(pool(osDiskType="Ephemeral", vmSize="Standard_D4s_v3")),
    ),
    (
        "ephemeral-os-disk",
        "A disk larger than its room",
        of(pool(osDiskType="Ephemeral", osDiskSizeGB=151, vmSize="Standard_D4ads_v5")),
    ),
    ("max-surge", "Text that is no number", of(pool(maxSurge="many"))),
    ("max-surge", "No node at all", of(pool(maxSurge=0))),
    ("max-surge", "More than all of them", of(pool(maxSurge="101%"))),
    ("spot-surge", "A surge of Spot nodes", of(pool(spot={}, maxSurge="33%"))),
    ("spot-system-pool", "A Spot pool of mode System", of(pool(spot={}, mode="System", count=2))),
    ("spot-price", "A price of nothing", of(pool(spot={"maxPrice": 0}))),
    ("spot-price", "A price with too many decimals", of(pool(spot={"maxPrice": 0.123456}))),
    ("availability-zones", "A zone that no region has", of(pool(availabilityZones=["1", "4"]))),
    ("availability-zones", "A zone twice", of(pool(availabilityZones=["1", "1"]))),
    ("pool-subnet", "A subnet by its name", of(pool(vnetSubnetID="nodes"))),
]
