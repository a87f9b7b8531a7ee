"""Who may do what: identities and role assignments, exactly as many as a cluster needs."""

from typing import Any

from tidegate.cluster.spec import ClusterSpec, ExistingNetwork

Plan = dict[str, Any]

# Azure's built-in roles (azure-docs: role-based-access-control/built-in-roles.md).
MANAGED_IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
PRIVATE_DNS_ZONE_CONTRIBUTOR = "b12aa53e-6015-4669-85d0-8515ebb3ae7f"
RBAC_CLUSTER_ADMIN = "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b"
MONITORING_DATA_READER = "b0d8363b-8ddd-447d-831f-62ca05bff136"
PULL_ROLES = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Container Registry Repository Reader": "b93aa761-3e63-49ed-ac28-beffa264f7ac",
}


def plan_identity(spec: ClusterSpec, use: str) -> Plan:
    """A `UserAssignedIdentity` of the cluster; `use` says whose it is: `control-plane`, `kubelet`, `keda`."""
    return {
        "resourceGroupName": spec.resource_group,
        "resourceName": f"{spec.name}-{use}",
        "location": spec.location,
        "tags": dict(sorted(spec.tags.items())),
    }


def plan_role(
    *, definition: object, name: object, scope: object, principal: object, kind: str = "ServicePrincipal"
) -> Plan:
    """A `RoleAssignment`: the ids of the role, of what it is on and of who gets it; `name` is its GUID.

    The kind of principal is always said: Azure then does not look it up in Entra ID, where a new identity is not to be
    found for a while.
    """
    return {
        "scope": scope,
        "roleDefinitionId": definition,
        "principalId": principal,
        "principalType": kind,
        "roleAssignmentName": name,
    }


def network_scopes(spec: ClusterSpec) -> tuple[str, ...]:
    """Where the cluster's identity has to be Network Contributor: `vnet`, or subnets by their use in the network.

    Nodes, internal load balancers and an integrated API server join their subnets; a private DNS zone of one's own has
    to be linked to the whole network. In a network of AKS's own it is that already
    (aks-docs: configure-byo-vnet, private-clusters.md, api-server-vnet-integration.md).
    """
    if spec.network.place is None:
        return ()
    if private_zone(spec):
        return ("vnet",)
    uses = ["nodes", *([front] if (front := front_subnet(spec)) else [])]
    if spec.api_server.private and spec.api_server.private.vnet_integration:
        uses.append("apiserver")
    return tuple(uses)


def front_subnet(spec: ClusterSpec) -> str | None:
    """The use of the subnet from which the scoring front has its address; None where that is the nodes' or public."""
    front, place = spec.load_balancer, spec.network.place
    if front.type == "PublicIp" or not front.subnet_name:
        return None
    if isinstance(place, ExistingNetwork):
        return None if front.subnet_name == place.subnet_name else "scoring"
    return None if front.subnet_name == "nodes" else front.subnet_name


def private_zone(spec: ClusterSpec) -> str | None:
    """The id of the user's own zone for the API server's name; None where AKS has one, or there is none."""
    zone = spec.api_server.private.private_dns_zone if spec.api_server.private else "none"
    return None if zone in ("system", "none") else zone
