"""The container registry, the token that may only pull from it, and the way to one without a public address."""

from typing import Any

from tidegate.cluster.spec import ClusterSpec, ExistingRegistrySpec, RegistrySpec

Plan = dict[str, Any]

PULL = "tidegate-pull"
"""The name of the scope map and of the token."""
PULL_ACTIONS = ("repositories/*/content/read", "repositories/*/metadata/read")

PRIVATE_ZONE = "privatelink.azurecr.io"
"""azure-docs: private-endpoint-dns.md."""


def plan_registry(spec: RegistrySpec) -> Plan:
    """A `Registry` without an admin user."""
    return {
        "resourceGroupName": spec.resource_group,
        "registryName": spec.name,
        "location": spec.location,
        "sku": {"name": spec.sku},
        "adminUserEnabled": False,
        "anonymousPullEnabled": False,
        "publicNetworkAccess": "Enabled" if spec.public_network_access else "Disabled",
        "zoneRedundancy": "Enabled" if spec.zone_redundancy else "Disabled",
        "networkRuleBypassOptions": "AzureServices",
        "tags": dict(sorted(spec.tags.items())),
    }


def registry_id(spec: ExistingRegistrySpec) -> str:
    """The id of a registry that exists."""
    return (
        f"/subscriptions/{spec.subscription_id}/resourceGroups/{spec.resource_group}"
        f"/providers/Microsoft.ContainerRegistry/registries/{spec.name}"
    )


def plan_scope_map(spec: RegistrySpec | ExistingRegistrySpec) -> Plan:
    """A `ScopeMap`: pulling from every repository and nothing else."""
    return {
        "resourceGroupName": spec.resource_group,
        "registryName": spec.name,
        "scopeMapName": PULL,
        "description": "Pulls images of scoring endpoints.",
        "actions": list(PULL_ACTIONS),
    }


def plan_token(spec: RegistrySpec | ExistingRegistrySpec, *, scope_map: object) -> Plan:
    """A `Token` for targets that need a user and a password. It has no password until one is asked for."""
    return {
        "resourceGroupName": spec.resource_group,
        "registryName": spec.name,
        "tokenName": PULL,
        "scopeMapId": scope_map,
        "status": "enabled",
    }


def plan_endpoint(spec: ClusterSpec, *, registry: str, registry_id: object, subnet: object) -> Plan:
    """A `PrivateEndpoint` of the registry, called `registry`, in the network of a cluster."""
    name = f"{spec.name}-{registry}"
    return {
        "resourceGroupName": spec.resource_group,
        "privateEndpointName": name,
        "location": spec.location,
        "subnet": {"id": subnet},
        "privateLinkServiceConnections": [
            {"name": name, "privateLinkServiceId": registry_id, "groupIds": ["registry"]},
        ],
        "tags": dict(sorted(spec.tags.items())),
    }


def plan_zone(spec: ClusterSpec) -> Plan:
    """A `PrivateZone` in which the nodes of a cluster find the registry."""
    return {
        "resourceGroupName": spec.resource_group,
        "privateZoneName": PRIVATE_ZONE,
        "location": "global",
        "tags": dict(sorted(spec.tags.items())),
    }


def plan_zone_link(spec: ClusterSpec, *, network: object) -> Plan:
    """A `VirtualNetworkLink` from the zone to the cluster's network."""
    return {
        "resourceGroupName": spec.resource_group,
        "privateZoneName": PRIVATE_ZONE,
        "virtualNetworkLinkName": spec.name,
        "location": "global",
        "registrationEnabled": False,
        "virtualNetwork": {"id": network},
    }


def plan_zone_group(spec: ClusterSpec, *, registry: str, zone: object) -> Plan:
    """A `PrivateDnsZoneGroup`: Azure writes the endpoint's addresses into the zone."""
    return {
        "resourceGroupName": spec.resource_group,
        "privateEndpointName": f"{spec.name}-{registry}",
        "privateDnsZoneGroupName": "default",
        "privateDnsZoneConfigs": [{"name": "registry", "privateDnsZoneId": zone}],
    }
