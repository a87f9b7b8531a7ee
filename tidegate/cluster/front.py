"""The front of the scoring endpoints: its load balancer, and who may reach it."""

import re
from ipaddress import collapse_addresses

from tidegate.cluster.input import LoadBalancerInput, NetworkInput
from tidegate.cluster.placement import Placement
from tidegate.cluster.ranges import read_ranges
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import LoadBalancerSpec
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc

SKU = Rule(
    "load-balancer-sku",
    "AKS has had no Basic load balancer since 2025-09-30, only the Standard one",
    "Azure/AKS: retirement of Basic Load Balancer; aks-docs: load-balancer-standard.md",
)
SUBNET = Rule(
    "load-balancer-subnet",
    "an internal load balancer takes its address from a subnet of the cluster's network",
    "aks-docs: internal-lb.md",
)
SOURCES = Rule(
    "allowed-source-ranges",
    "only the security group of a network that is made here is this program's to write",
    "aks-docs: concepts-network-cni-overview.md, Prerequisites",
)
IMAGES = Rule(
    "gateway-images",
    "images are found by a registry and a path in it, without scheme, tag and slash at the end",
    "distribution/reference: grammar of a reference",
)
RULES: tuple[Rule, ...] = (SKU, SUBNET, SOURCES, IMAGES)

_REPOSITORY = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"

_PLANNED = ("scoring", "nodes", "endpoints", "gateway")
"""Subnets of a network made here in which an address can be had; the API server's is delegated to it."""


def resolve_front(
    loc: Loc, given: LoadBalancerInput, placement: Placement | None
) -> tuple[LoadBalancerSpec, list[Finding]]:
    """Check and complete the load balancer at `loc`, for a network of kind `placement`; None where that is unknown."""
    kind = given.type or "PublicIp"
    findings = _sku(loc, given.sku)
    subnet = given.subnet_name
    if subnet is None:
        subnet = "scoring" if kind == "InternalLoadBalancer" and placement == "created" else None
        return LoadBalancerSpec(type=kind, subnet_name=subnet), findings
    place = (*loc, "subnetName")
    if kind == "PublicIp":
        problem = f'"{subnet}" has no use: a public load balancer has no address in a subnet'
        findings.append(SUBNET.error(place, problem, "Write type: InternalLoadBalancer beside it, or take it out"))
    elif placement == "managed":
        problem = f'"{subnet}" is not there: the network that AKS makes has the subnet of the nodes alone'
        remedy = "Take it out, or make a network by network.addressSpace, or name one that exists"
        findings.append(SUBNET.error(place, problem, remedy))
    elif placement == "created" and subnet not in _PLANNED:
        problem = f'"{subnet}" is no subnet of the network that is made here'
        remedy = f"Write one of {', '.join(_PLANNED)}; without subnetName it is scoring"
        findings.append(SUBNET.error(place, problem, remedy))
    return LoadBalancerSpec(type=kind, subnet_name=subnet), findings


def resolve_sources(
    loc: Loc, given: NetworkInput, placement: Placement | None, broken: Broken
) -> tuple[tuple[str, ...], list[Finding]]:
    """Check and merge the ranges that may reach the front; `loc` is the network's."""
    place = (*loc, "allowedSourceRanges")
    if given.allowed_source_ranges is None:
        return (), []
    networks, findings = read_ranges(place, given.allowed_source_ranges)
    if placement not in ("created", None):
        problem = "allowedSourceRanges has no use in a network that is not made here"
        remedy = "Make one by addressSpace, or write the rule into the network security group of the existing subnet"
        findings.append(SOURCES.error(place, problem, remedy))
    if not given.allowed_source_ranges and broken.sound(*place):
        problem = "allowedSourceRanges is empty, and nobody could reach the scoring front"
        findings.append(SOURCES.error(place, problem, "Write a range, or take the key out to allow all"))
    return tuple(str(network) for network in collapse_addresses(networks)), findings


def resolve_images(loc: Loc, text: str | None) -> tuple[str, list[Finding]]:
    """Check where the images of the gateway of the cluster at `loc` are; empty: where their publishers have them."""
    if text is None or re.fullmatch(_REPOSITORY, text):
        return text or "", []
    remedy = "Write a registry's login server, and a path in it where there is one: scoring.azurecr.io/cache"
    return "", [IMAGES.error((*loc, "gatewayImages"), f'"{text}" is no place of images', remedy)]


def _sku(loc: Loc, sku: str | None) -> list[Finding]:
    if sku is None or sku.lower() == "standard":
        return []
    what = "Basic load balancers were retired on 2025-09-30" if sku.lower() == "basic" else "AKS has no such one"
    return [SKU.error((*loc, "sku"), f'"{sku}" cannot be had: {what}', "Write Standard, or take the key out")]
