"""Ids of subnets: the id of a virtual network, and the subnet's name behind it."""

from typing import NamedTuple

from tidegate.cluster.arm_id import parse_id

FORM = (
    "/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Network/virtualNetworks/<network>/subnets/<subnet>"
)
"""What the id of a subnet looks like, for a remedy."""


class SubnetId(NamedTuple):
    """What an id says."""

    resource_group: str
    network: str
    subnet: str

    def is_in(self, resource_group: str, network: str) -> bool:
        """Say whether the subnet is of that network; case does not count."""
        return (self.resource_group.lower(), self.network.lower()) == (resource_group.lower(), network.lower())


def parse_subnet_id(text: str) -> SubnetId | None:
    """Read the id of a subnet; None where it is none."""
    parts = text.split("/")
    if len(parts) != 11 or parts[9].lower() != "subnets" or not parts[10]:
        return None
    network = parse_id("/".join(parts[:9]), "Microsoft.Network/virtualNetworks")
    return None if isinstance(network, str) else SubnetId(network.resource_group, network.name, parts[10])
