"""The address plan of a virtual network that is made here."""

from ipaddress import IPv4Network
from typing import Literal, NamedTuple

from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import Subnet
from tidegate.findings import Finding
from tidegate.parse import Loc

ADDRESS_SPACE = Rule(
    "address-space-size",
    "an address space is at most a /8, and five subnets, of which the API server's is a /28, need at least a /24",
    "aks-docs: concepts-network-ip-address-planning.md, api-server-vnet-integration.md",
)
RULES: tuple[Rule, ...] = (ADDRESS_SPACE,)

API_SERVER = "Microsoft.ContainerService/managedClusters"
"""The delegation of a subnet that API servers stand in."""

RESERVED = 5
"""Addresses of each subnet that Azure keeps: the first four and the last (azure-docs: virtual-networks-faq.md)."""

LARGEST, SMALLEST = 8, 24


class _Block(NamedTuple):
    """Where a subnet stands: the address space is cut into 2**bits blocks; it begins with block `at`."""

    name: Literal["nodes", "gateway", "endpoints", "apiserver", "scoring"]
    bits: int
    at: int
    longest: int
    """It takes no more than a block of this prefix, however large the address space is."""
    delegation: str = ""


_LAYOUT = (
    _Block("nodes", 1, 0, 0),
    _Block("gateway", 2, 2, 24),
    _Block("endpoints", 3, 6, 24),
    _Block("scoring", 4, 14, 24),
    _Block("apiserver", 4, 15, 28, API_SERVER),
)
"""Halves of what is left, from the nodes down. A block belongs to its subnet whether that is made or not, because
Azure cannot move a subnet in use when another is added."""


def plan_subnets(space: IPv4Network, *, scoring: bool, apiserver: bool) -> tuple[Subnet, ...]:
    """Return the subnets of a network with the addresses `space`, /8 to /24.

    `scoring` is for the address of an internal load balancer, `apiserver` for VNet integration; neither moves another.
    """
    wanted = {"nodes", "gateway", "endpoints"}
    wanted |= {"scoring"} if scoring else set()
    wanted |= {"apiserver"} if apiserver else set()
    return tuple(
        Subnet(name=block.name, cidr=str(_place(space, block)), delegation=block.delegation)
        for block in _LAYOUT
        if block.name in wanted
    )


def check_address_space(loc: Loc, space: IPv4Network) -> list[Finding]:
    """Say whether `space` is of a size that `plan_subnets` takes."""
    if LARGEST <= space.prefixlen <= SMALLEST:
        return []
    size = "large" if space.prefixlen < LARGEST else "small"
    remedy = f"Write a range from /{LARGEST} to /{SMALLEST}, e.g. 10.224.0.0/16"
    return [ADDRESS_SPACE.error(loc, f"{space} is too {size} for a virtual network of a cluster", remedy)]


def usable(subnet: IPv4Network) -> int:
    """Return how many addresses of `subnet` Azure gives out."""
    return max(0, subnet.num_addresses - RESERVED)


def _place(space: IPv4Network, block: _Block) -> IPv4Network:
    prefix = space.prefixlen + block.bits
    first = int(space.network_address) + (block.at << (32 - prefix))
    return IPv4Network((first, max(prefix, block.longest)))
