"""Address spaces of the wrong size."""

from ipaddress import IPv4Network

from tidegate.cluster.addresses import check_address_space
from tidegate.findings import Finding


def said(space: str) -> list[Finding]:
    return check_address_space(("tidegate:clusters", "scoring", "network", "addressSpace"), IPv4Network(space))


CASES = [
    ("address-space-size", "too small for its subnets", lambda: said("10.224.0.0/25")),
    ("address-space-size", "too large for Azure", lambda: said("10.0.0.0/7")),
]
