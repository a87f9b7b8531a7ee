"""Which ARM resource stands behind each azure-native type: its path, its API version and what replaces it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.standins import bicep
from tests.standins.cloud import SUBSCRIPTION


@dataclass(frozen=True)
class Kind:
    """One type of azure-native.

    `name` is the input that names the resource, `parents` those that name what it is in. `scope` is the input whose
    value is the id of what an extension resource hangs on.
    """

    token: str
    arm: str
    version: str
    name: str
    parents: tuple[str, ...] = ()
    scope: str = ""
    in_group: bool = True
    singleton: str = ""
    """What stands between the last parent and the name in the id, where no input names it: `type/name`."""
    lifted: bool = True
    """Whether azure-native lifts `properties` of this type's answers."""
    replace: frozenset[str] = frozenset()
    """Paths of inputs whose change replaces, beside the path parameters; `[]` stands for any index."""

    @property
    def path_inputs(self) -> tuple[str, ...]:
        """The inputs that are part of the ARM id and not of the body."""
        group = ("resourceGroupName",) if self.in_group and not self.scope else ()
        return tuple(filter(None, (*group, self.scope, *self.parents, self.name)))

    @property
    def resource(self) -> bicep.ResourceType | None:
        """The published type; None where the bundle does not have this version."""
        return bicep.resource_type(self.arm, self.version) if bicep.known(self.arm, self.version) else None

    def id(self, inputs: Mapping[str, Any]) -> str:
        """The ARM id that the inputs name."""
        if self.arm == "Microsoft.Resources/resourceGroups":
            return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{inputs[self.name]}"
        base = (
            str(inputs[self.scope])
            if self.scope
            else f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{inputs['resourceGroupName']}"
        )
        provider, *types = self.arm.split("/")
        names = [str(inputs[each]) for each in (*self.parents, self.name)]
        if self.singleton:
            names.insert(-1, self.singleton.partition("/")[2])
        return f"{base}/providers/{provider}/" + "/".join(
            f"{kind}/{name}" for kind, name in zip(types, names, strict=True)
        )

    def body(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs that are not part of the path."""
        return {key: value for key, value in inputs.items() if key not in self.path_inputs}


def _aks(token: str, arm: str, name: str, *parents: str, replace: frozenset[str] = frozenset()) -> Kind:
    return Kind(
        f"containerservice:{token}", f"Microsoft.ContainerService/{arm}", "2025-09-01", name, parents, replace=replace
    )


_LOCATION = frozenset({"location"})
# What AKS can never change, or only along a path that the provider does not know; azure-native's own table after its
# pull request 4771 (provider/pkg/gen/replacement.go). Written here a second time, apart from the product's table.
_CLUSTER = _LOCATION | {
    "diskEncryptionSetID",
    "dnsPrefix",
    "fqdnSubdomain",
    "linuxProfile",
    "nodeResourceGroup",
    "windowsProfile",
    *(
        f"networkProfile.{name}"
        for name in (
            "serviceCidr",
            "serviceCidrs",
            "podCidr",
            "podCidrs",
            "dnsServiceIP",
            "networkMode",
            "networkPlugin",
            "networkPluginMode",
            "networkDataplane",
            "networkPolicy",
            "outboundType",
            "ipFamilies",
        )
    ),
}
_POOL = frozenset({"vmSize", "gpuInstanceProfile", "networkProfile.nodePublicIPTags"})
_NETWORK = "2024-05-01"
_ML = "2025-12-01"
_STORAGE = "2024-01-01"

KINDS: Mapping[str, Kind] = {
    f"azure-native:{kind.token}": kind
    for kind in (
        Kind(
            "resources:ResourceGroup", "Microsoft.Resources/resourceGroups", "2024-03-01", "resourceGroupName",
            in_group=False, lifted=False, replace=_LOCATION,
        ),
        Kind(
            "managedidentity:UserAssignedIdentity", "Microsoft.ManagedIdentity/userAssignedIdentities", "2023-01-31",
            "resourceName", replace=_LOCATION,
        ),
        Kind(
            "managedidentity:FederatedIdentityCredential",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials", "2023-01-31",
            "federatedIdentityCredentialResourceName", ("resourceName",),
        ),
        Kind(
            "authorization:RoleAssignment", "Microsoft.Authorization/roleAssignments", "2022-04-01",
            "roleAssignmentName", scope="scope", replace=frozenset({"principalId"}),
        ),
        _aks("ManagedCluster", "managedClusters", "resourceName", replace=_CLUSTER),
        _aks("AgentPool", "managedClusters/agentPools", "agentPoolName", "resourceName", replace=_POOL),
        _aks("MaintenanceConfiguration", "managedClusters/maintenanceConfigurations", "configName", "resourceName"),
        Kind(
            "network:VirtualNetwork", "Microsoft.Network/virtualNetworks", _NETWORK, "virtualNetworkName",
            replace=_LOCATION,
        ),
        Kind(
            "network:Subnet", "Microsoft.Network/virtualNetworks/subnets", _NETWORK, "subnetName",
            ("virtualNetworkName",),
        ),
        Kind(
            "network:NetworkSecurityGroup", "Microsoft.Network/networkSecurityGroups", _NETWORK,
            "networkSecurityGroupName", replace=_LOCATION,
        ),
        Kind("network:RouteTable", "Microsoft.Network/routeTables", _NETWORK, "routeTableName", replace=_LOCATION),
        Kind(
            "network:NatGateway", "Microsoft.Network/natGateways", _NETWORK, "natGatewayName",
            replace=_LOCATION | {"sku", "zones"},
        ),
        Kind(
            "network:PublicIPAddress", "Microsoft.Network/publicIPAddresses", _NETWORK, "publicIpAddressName",
            replace=_LOCATION | {"publicIPAddressVersion", "publicIPPrefix", "sku", "zones"},
        ),
        Kind(
            "network:PrivateEndpoint", "Microsoft.Network/privateEndpoints", _NETWORK, "privateEndpointName",
            replace=_LOCATION | {"subnet"},
        ),
        Kind(
            "network:PrivateDnsZoneGroup", "Microsoft.Network/privateEndpoints/privateDnsZoneGroups", _NETWORK,
            "privateDnsZoneGroupName", ("privateEndpointName",),
        ),
        Kind("privatedns:PrivateZone", "Microsoft.Network/privateDnsZones", "2024-06-01", "privateZoneName"),
        Kind(
            "privatedns:VirtualNetworkLink", "Microsoft.Network/privateDnsZones/virtualNetworkLinks", "2024-06-01",
            "virtualNetworkLinkName", ("privateZoneName",),
        ),
        Kind(
            "containerregistry:Registry", "Microsoft.ContainerRegistry/registries", "2023-01-01-preview",
            "registryName", replace=_LOCATION,
        ),
        Kind(
            "containerregistry:ScopeMap", "Microsoft.ContainerRegistry/registries/scopeMaps", "2024-11-01-preview",
            "scopeMapName", ("registryName",),
        ),
        Kind(
            "containerregistry:Token", "Microsoft.ContainerRegistry/registries/tokens", "2024-11-01-preview",
            "tokenName", ("registryName",),
        ),
        Kind(
            "storage:StorageAccount", "Microsoft.Storage/storageAccounts", _STORAGE, "accountName",
            replace=_LOCATION | {"isHnsEnabled"},
        ),
        Kind(
            "storage:BlobServiceProperties", "Microsoft.Storage/storageAccounts/blobServices", _STORAGE,
            "blobServicesName", ("accountName",),
        ),
        Kind(
            "storage:ManagementPolicy", "Microsoft.Storage/storageAccounts/managementPolicies", _STORAGE,
            "managementPolicyName", ("accountName",),
        ),
        Kind(
            "storage:BlobContainer", "Microsoft.Storage/storageAccounts/blobServices/containers", _STORAGE,
            "containerName", ("accountName",), singleton="blobServices/default",
        ),
        Kind(
            "machinelearningservices:Workspace", "Microsoft.MachineLearningServices/workspaces", _ML, "workspaceName",
            replace=_LOCATION,
        ),
        Kind(
            "machinelearningservices:Compute", "Microsoft.MachineLearningServices/workspaces/computes", _ML,
            "computeName", ("workspaceName",), lifted=False, replace=_LOCATION,
        ),
        Kind(
            "operationalinsights:Workspace", "Microsoft.OperationalInsights/workspaces", "2023-09-01",
            "workspaceName", replace=_LOCATION,
        ),
        Kind(
            "monitor:AzureMonitorWorkspace", "Microsoft.Monitor/accounts", "2023-04-03", "azureMonitorWorkspaceName",
            replace=_LOCATION,
        ),
        Kind(
            "monitor:DataCollectionEndpoint", "Microsoft.Insights/dataCollectionEndpoints", "2022-06-01",
            "dataCollectionEndpointName", replace=_LOCATION,
        ),
        Kind(
            "monitor:DataCollectionRule", "Microsoft.Insights/dataCollectionRules", "2022-06-01",
            "dataCollectionRuleName", replace=_LOCATION,
        ),
        Kind(
            "monitor:DataCollectionRuleAssociation", "Microsoft.Insights/dataCollectionRuleAssociations", "2022-06-01",
            "associationName", scope="resourceUri",
        ),
        Kind(
            "monitor:DiagnosticSetting", "Microsoft.Insights/diagnosticSettings", "2021-05-01-preview",
            "name", scope="resourceUri",
        ),
    )
}  # fmt: skip


def by_arm(arm: str) -> Kind | None:
    """The kind of an ARM resource type, in any case."""
    return next((kind for kind in KINDS.values() if kind.arm.lower() == arm.lower()), None)
