"""Fronts that cannot be had."""

from tidegate.cluster.front import resolve_front, resolve_images, resolve_sources
from tidegate.cluster.input import LoadBalancerInput, NetworkInput
from tidegate.cluster.placement import Placement
from tidegate.findings import Finding
from tidegate.parse import Broken

LOC = ("tidegate:clusters", "scoring")
INTERNAL = "InternalLoadBalancer"


def balancer(placement: Placement, **given: object) -> list[Finding]:
    values = {"subnetName" if key == "subnet" else key: value for key, value in given.items()}
    return resolve_front((*LOC, "loadBalancer"), LoadBalancerInput.model_validate(values), placement)[1]


def sources(placement: Placement, *texts: str) -> list[Finding]:
    given = NetworkInput.model_validate({"allowedSourceRanges": list(texts)})
    return resolve_sources((*LOC, "network"), given, placement, Broken())[1]


CASES = [
    ("load-balancer-sku", "the one of v1's time", lambda: balancer("managed", sku="Basic")),
    ("load-balancer-sku", "one that never was", lambda: balancer("managed", sku="Premium")),
    ("load-balancer-subnet", "a public one", lambda: balancer("created", subnet="nodes")),
    ("load-balancer-subnet", "in AKS's network", lambda: balancer("managed", type=INTERNAL, subnet="front")),
    ("load-balancer-subnet", "not in the plan", lambda: balancer("created", type=INTERNAL, subnet="apiserver")),
    ("allowed-source-ranges", "in AKS's network", lambda: sources("managed", "203.0.113.0/24")),
    ("allowed-source-ranges", "nobody", lambda: sources("created")),
    ("gateway-images", "an address", lambda: resolve_images(LOC, "https://scoring.azurecr.io/")[1]),
]
