"""Names of Azure resources that nobody writes, and ids that are known before anything exists."""

from uuid import UUID, uuid5

_NAMESPACE = UUID("5c1f1f7a-6f0b-4f0e-9b43-0b6e7a2c3d10")
"""Random, drawn once: role assignments of other tools never get our names."""

LONGEST_NODE_RESOURCE_GROUP = 80
"""aks-docs: faq.yml, 'The node resource group name can be at most 80 characters'."""


def role_assignment_name(*parts: str) -> str:
    """A role assignment's name: a GUID that stays the same, unique in the tenant where the parts are.

    Put the subscription's id, the resource group and the cluster's name among them.
    """
    return str(uuid5(_NAMESPACE, "\n".join(parts)))


def role_definition(subscription: str, role: str) -> str:
    """The id of a built-in role in a subscription; `role` is its GUID."""
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def node_resource_group(resource_group: str, cluster: str, location: str) -> str:
    """The group that AKS would choose for a cluster's nodes, cut as AKS cuts it."""
    return f"MC_{resource_group}_{cluster}_{location}"[:LONGEST_NODE_RESOURCE_GROUP]
