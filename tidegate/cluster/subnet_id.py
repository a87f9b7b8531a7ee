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
    *front, word, subnet = text.split("/")
    network = parse_id("/".join(front), "Microsoft.Network/virtualNetworks")
    if isinstance(network, str) or word.lower() != "subnets" or not subnet:
        return None
    return SubnetId(network.resource_group, network.name, subnet)
