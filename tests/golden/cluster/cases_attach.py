"""What the rules over attached clusters say."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.unit.cluster.test_attach import ID, check, ranges, resolve
from tidegate.findings import Finding


def of(attach: dict[str, Any], **beside: Any) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(attach, **beside)[1]


def looked_over(**settings: Any) -> Callable[[], Sequence[Finding]]:
    return lambda: check(**settings)


NEEDED = ("198.51.100.0/24", "192.0.2.0/28")

CASES = [
    ("attach-form", "Nothing under it", of({})),
    ("attach-form", "A name alone", of({"name": "aks"})),
    ("attach-form", "Both forms", of({"resourceId": ID, "name": "aks"})),
    ("attach-id", "A slash at the end", of({"resourceId": f"{ID}/"})),
    ("attach-id", "A pool's id", of({"resourceId": f"{ID}/agentPools/system"})),
    ("attach-id", "A registry's id", of({"resourceId": ID.replace("managedClusters", "containerGroups")})),
    ("attach-alone", "Settings of a cluster that is made", of({"resourceId": ID}, tier="Free", pools={})),
    ("attach-alone", "A purpose in the wrong place", of({"resourceId": ID}, purpose="DevTest")),
    ("attach-domain", "A domain label", of({"resourceId": ID}, tls={"leafDomainLabel": "scores"})),
    ("attach-state", "Still being changed", looked_over(provisioningState="Updating")),
    ("attach-state", "Failed", looked_over(provisioningState="Failed")),
    ("attach-state", "Stopped", looked_over(powerState={"code": "Stopped"})),
    ("attach-kubernetes", "Too old", looked_over(currentKubernetesVersion="1.32.9")),
    ("attach-kubernetes", "Newer than the gateway", looked_over(currentKubernetesVersion="1.37.0")),
    ("attach-load-balancer", "Basic", looked_over(networkProfile={"loadBalancerSku": "basic"})),
    (
        "attach-ranges",
        "Neither this machine nor the workspace",
        looked_over(deployer="203.0.113.7", needed=NEEDED, **ranges("192.0.2.0/24")),
    ),
    ("attach-private", "A private cluster", looked_over(apiServerAccessProfile={"enablePrivateCluster": True})),
    ("attach-owner", "Another environment's", looked_over(tags={"tidegate-owner": "acme/tidegate/dev"})),
]
