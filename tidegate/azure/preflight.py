"""What a look at the subscription says of a plan before anything is made (G3)."""

from collections.abc import Sequence

from tidegate.azure.arm import Arm
from tidegate.azure.quota import compute_usage
from tidegate.cluster.capacity import check_quota, quotas_needed
from tidegate.cluster.spec import ClusterSpec
from tidegate.findings import Finding


def check_quotas(arm: Arm, subscription: str, clusters: Sequence[ClusterSpec]) -> list[Finding]:
    """Compare what the pools of all clusters need with the quotas of their regions. Raises what `Arm` raises."""
    findings: list[Finding] = []
    for location, needed in quotas_needed(clusters).items():
        findings += check_quota(needed, compute_usage(arm, subscription, location))
    return findings
