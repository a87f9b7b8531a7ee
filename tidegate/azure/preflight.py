"""What a look at the subscription says of a plan before anything is made (G3)."""

from collections.abc import Sequence
from itertools import chain

from tidegate.azure.arm import Arm
from tidegate.azure.quota import compute_usage
from tidegate.cluster.capacity import check_quota, quota_needed
from tidegate.cluster.spec import ClusterSpec
from tidegate.findings import Finding


def check_quotas(arm: Arm, subscription: str, clusters: Sequence[ClusterSpec]) -> list[Finding]:
    """Compare what the pools of all clusters need with the quotas of their regions.

    Quotas are a region's, so its clusters are added up. Raises what `Arm` raises.
    """
    findings: list[Finding] = []
    for location in sorted({cluster.location for cluster in clusters}):
        pools = chain.from_iterable(cluster.all_pools for cluster in clusters if cluster.location == location)
        findings += check_quota(quota_needed(list(pools)), compute_usage(arm, subscription, location))
    return findings
