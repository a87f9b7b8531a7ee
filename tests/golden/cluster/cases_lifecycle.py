"""What the rules over a cluster's life say."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from tests.unit.cluster.test_lifecycle import LONG_TERM, SCALED, WORKSPACE, resolve
from tidegate.findings import Finding


def of(cluster: dict[str, Any], **settings: Any) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(cluster, **settings)[1]


def scaled(**profile: Any) -> Callable[[], Sequence[Finding]]:
    return of(SCALED | {"autoscaler": profile})


CASES = [
    ("kubernetes-version", "A word", of({"kubernetesVersion": "latest"})),
    ("kubernetes-support", "Ended", of({"kubernetesVersion": "1.33"})),
    ("kubernetes-support", "Ending", of({"kubernetesVersion": "1.34"})),
    ("kubernetes-support", "Both ended", of({"kubernetesVersion": "1.33"}, today=date(2027, 8, 1))),
    (
        "kubernetes-support",
        "Long-term support ending",
        of(LONG_TERM | {"kubernetesVersion": "1.33"}, today=date(2027, 7, 1)),
    ),
    ("kubernetes-gateway", "Too old", of({"kubernetesVersion": "1.32"})),
    ("kubernetes-gateway", "Too new", of({"kubernetesVersion": "1.37"})),
    ("long-term-support", "Without Premium", of(LONG_TERM | {"tier": "Standard"})),
    ("long-term-support", "Premium without it", of({"tier": "Premium"})),
    ("long-term-support-keda", "With Prometheus, as by default", of(LONG_TERM | {"monitoring": {}})),
    ("tier-free", "In production", of({"tier": "Free"})),
    ("channel-node-image", "An outdated channel", of({"upgrade": {"channel": "node-image"}})),
    (
        "channel-node-image",
        "With another channel of the nodes",
        of({"upgrade": {"channel": "node-image", "nodeOSChannel": "SecurityPatch"}}),
    ),
    ("channel-moves-version", "A patch under the channel patch", of({"kubernetesVersion": "1.36.2"})),
    (
        "channel-moves-version",
        "A minor under the channel stable",
        of({"kubernetesVersion": "1.36", "upgrade": {"channel": "stable"}}),
    ),
    ("channel-rapid", "The channel rapid", of({"upgrade": {"channel": "rapid"}})),
    ("node-os-updates", "No updates in production", of({"upgrade": {"nodeOSChannel": "Unmanaged"}})),
    ("maintenance-window", "No time of day", of({"upgrade": {"window": {"startTime": "24:00"}}})),
    ("maintenance-window", "A time zone", of({"upgrade": {"window": {"utcOffset": "CET"}}})),
    ("maintenance-window", "Too short", of({"upgrade": {"window": {"durationHours": 3}}})),
    ("maintenance-window", "Too rare", of({"upgrade": {"nodeOSWindow": {"intervalWeeks": 5}}})),
    ("maintenance-window-unused", "No channel", of({"upgrade": {"channel": "none", "window": {}}})),
    (
        "maintenance-window-unused",
        "No channel of the nodes",
        of({"upgrade": {"nodeOSChannel": "None", "nodeOSWindow": {}}}, production=False),
    ),
    ("autoscaler-profile", "Minutes without a unit", scaled(scaleDownUnneededTime="10")),
    ("autoscaler-profile", "A share above 1", scaled(scaleDownUtilizationThreshold="50")),
    ("autoscaler-profile", "Seconds with a unit", scaled(maxGracefulTerminationSec="600s")),
    ("autoscaler-unused", "No autoscaled pool", of({"autoscaler": {"scanInterval": "10s"}})),
    ("entra-id", "A group's name", of({"entra": {"adminGroupObjectIDs": ["aks-admins"]}})),
    ("entra-id", "A tenant's name", of({"entra": {"tenantId": "acme.onmicrosoft.com"}})),
    (
        "log-analytics",
        "A name in the id's place",
        of({"monitoring": {"containerInsights": True, "logAnalyticsWorkspaceID": "logs"}}),
    ),
    ("log-analytics", "No logs", of({"monitoring": {"logAnalyticsWorkspaceID": WORKSPACE}})),
]
