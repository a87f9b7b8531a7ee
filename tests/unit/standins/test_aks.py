"""What the pretended AKS refuses, and what it answers."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.standins import aks
from tests.standins.cloud import ArmError, guid
from tests.unit.standins.conftest import CLUSTER, GROUP, Azure

OWN_NETWORK = "Microsoft.Network/virtualNetworks/net"
SUBNET = f"{OWN_NETWORK}/subnets/nodes"


def refused(call: Callable[[], Any]) -> str:
    """ARM's code for a call that it refuses."""
    with pytest.raises(ArmError) as error:
        call()
    return error.value.code


def own_network(azure: Azure, **subnet: Any) -> str:
    azure.put(OWN_NETWORK, addressSpace={"addressPrefixes": ["10.224.0.0/16"]})
    return azure.put(SUBNET, addressPrefix="10.224.0.0/20", **subnet)["id"]


def system_in(subnet: str) -> list[dict[str, Any]]:
    return [{"name": "system", "mode": "System", "count": 2, "vmSize": "a", "vnetSubnetID": subnet}]


def identity(azure: Azure, name: str) -> str:
    return azure.put(f"Microsoft.ManagedIdentity/userAssignedIdentities/{name}")["id"]


def grant(azure: Azure, role: str, scope: str, who: str) -> None:
    azure.arm.put(
        f"{scope}/providers/Microsoft.Authorization/roleAssignments/{guid(role, scope, who)}",
        {
            "properties": {
                "roleDefinitionId": f"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}",
                "principalId": aks.principal(who)["principalId"],
                "principalType": "ServicePrincipal",
            }
        },
        create=True,
    )


def test_a_cluster_answers_what_azure_computes(azure: Azure) -> None:
    body = azure.cluster(oidcIssuerProfile={"enabled": True}, kubernetesVersion="1.35")
    properties = body["properties"]
    assert body["id"] == CLUSTER
    assert properties["provisioningState"] == "Succeeded"
    assert properties["currentKubernetesVersion"] == aks.VERSIONS["1.35"]
    assert properties["kubernetesVersion"] == "1.35"
    assert properties["fqdn"].startswith("scoring-")
    assert "privateFQDN" not in properties
    assert properties["nodeResourceGroup"] == "MC_scoring_scoring_westeurope"
    assert properties["oidcIssuerProfile"]["issuerURL"].startswith("https://westeurope.oic.prod-aks.azure.com/")
    assert {"clientId", "objectId", "resourceId"} == properties["identityProfile"]["kubeletidentity"].keys()
    assert [each["name"] for each in properties["agentPoolProfiles"]] == ["system"]
    assert properties == azure.arm.get(CLUSTER)["properties"]


def test_a_cluster_that_is_made_again_is_another_one(azure: Azure) -> None:
    before = azure.cluster(oidcIssuerProfile={"enabled": True})["properties"]
    changed = azure.cluster(create=False, oidcIssuerProfile={"enabled": True})["properties"]
    azure.arm.delete(CLUSTER)
    after = azure.cluster(oidcIssuerProfile={"enabled": True})["properties"]
    for name in ("resourceUID", "fqdn", "oidcIssuerProfile"):
        assert changed[name] == before[name]
        assert after[name] != before[name]


def test_a_private_cluster_has_no_public_name(azure: Azure) -> None:
    properties = azure.cluster(apiServerAccessProfile={"enablePrivateCluster": True})["properties"]
    assert properties["privateFQDN"].endswith(".privatelink.westeurope.azmk8s.io")
    assert "fqdn" not in properties


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"agentPoolProfiles": []}, "MustDefineAtLeastOneSystemPool"),
        ({"agentPoolProfiles": [{"name": "a", "mode": "User", "count": 1}]}, "MustDefineAtLeastOneSystemPool"),
        ({"kubernetesVersion": "1.30"}, "K8sVersionNotSupported"),
        ({"kubernetesVersion": "1.36.99"}, "K8sVersionNotSupported"),
        ({"networkProfile": {"loadBalancerSku": "basic"}}, "BasicLoadBalancerNotSupported"),
        ({"networkProfile": {"serviceCidr": "10.0.0.0"}}, "InvalidCIDRNotation"),
        ({"networkProfile": {"serviceCidr": "10.0.0.1/16"}}, "InvalidCIDRNotation"),
        ({"networkProfile": {"serviceCidr": "10.0.0.0/16", "dnsServiceIP": "10.1.0.10"}}, "InvalidDNSServiceIP"),
        ({"networkProfile": {"serviceCidr": "10.0.0.0/16", "dnsServiceIP": "10.0.0.1"}}, "InvalidDNSServiceIP"),
        (
            {"networkProfile": {"serviceCidr": "10.0.0.0/16", "podCidr": "10.0.128.0/17"}},
            "ServiceCidrOverlapExistingSubnetsCidr",
        ),
        ({"networkProfile": {"outboundType": "userDefinedRouting"}}, "InvalidOutboundType"),
        (
            {"apiServerAccessProfile": {"enablePrivateCluster": True, "authorizedIPRanges": ["198.51.100.0/24"]}},
            "InvalidParameter",
        ),
        ({"apiServerAccessProfile": {"authorizedIPRanges": ["198.51.100.1/24"]}}, "InvalidCIDRNotation"),
        (
            {"apiServerAccessProfile": {"authorizedIPRanges": [f"198.51.{n}.0/24" for n in range(201)]}},
            "InvalidParameter",
        ),
        ({"disableLocalAccounts": True}, "InvalidParameter"),
        ({"securityProfile": {"workloadIdentity": {"enabled": True}}}, "WorkloadIdentityRequiresOIDCIssuer"),
        ({"supportPlan": "AKSLongTermSupport"}, "InvalidParameter"),
    ],
)
def test_a_cluster_is_refused(azure: Azure, properties: dict[str, Any], code: str) -> None:
    assert refused(lambda: azure.cluster(**properties)) == code
    assert azure.cloud.get(CLUSTER) is None


def test_a_cluster_needs_its_group(azure: Azure) -> None:
    azure.cloud.delete(GROUP)
    assert refused(azure.cluster) == "ResourceGroupNotFound"


def test_what_exists_is_not_created_again(azure: Azure) -> None:
    azure.cluster()
    with pytest.raises(ArmError, match="cannot create already existing resource"):
        azure.cluster()


def test_two_hundred_ranges_are_enough(azure: Azure) -> None:
    azure.cluster(apiServerAccessProfile={"authorizedIPRanges": [f"198.51.{n}.0/24" for n in range(200)]})


# -- prerequisites


def test_the_kubelet_identity_needs_the_clusters_permission(azure: Azure) -> None:
    own, kubelet = identity(azure, "own"), identity(azure, "kubelet")
    given: dict[str, Any] = {
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {own: {}}},
        "identityProfile": {"kubeletidentity": {"resourceId": kubelet}},
    }
    assert refused(lambda: azure.cluster(**given)) == "CustomKubeletIdentityMissingPermissionError"
    grant(azure, aks.MANAGED_IDENTITY_OPERATOR, kubelet, own)
    profile = azure.cluster(**given)["properties"]["identityProfile"]["kubeletidentity"]
    assert profile == {
        "resourceId": kubelet,
        "clientId": aks.principal(kubelet)["clientId"],
        "objectId": aks.principal(kubelet)["principalId"],
    }


def test_identities_have_to_be_there(azure: Azure) -> None:
    missing = {"type": "UserAssigned", "userAssignedIdentities": {azure.id("Microsoft.ManagedIdentity/x/y"): {}}}
    assert refused(lambda: azure.cluster(identity=missing)) == "ResourceMissing"


def test_a_subnet_has_to_be_there_and_apart_from_services(azure: Azure) -> None:
    assert refused(lambda: azure.cluster(agentPoolProfiles=system_in(azure.id(SUBNET)))) == "ResourceNotFound"
    subnet = own_network(azure)
    overlap = {"serviceCidr": "10.224.0.0/24", "dnsServiceIP": "10.224.0.10"}
    code = refused(lambda: azure.cluster(agentPoolProfiles=system_in(subnet), networkProfile=overlap))
    assert code == "ServiceCidrOverlapExistingSubnetsCidr"
    azure.cluster(agentPoolProfiles=system_in(subnet))


def test_user_defined_routes_need_a_default_route_and_with_kubenet_permission(azure: Azure) -> None:
    own = identity(azure, "own")
    table = azure.put("Microsoft.Network/routeTables/routes", routes=[])["id"]
    subnet = own_network(azure, routeTable={"id": table})
    given: dict[str, Any] = {
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {own: {}}},
        "agentPoolProfiles": system_in(subnet),
        "networkProfile": {"outboundType": "userDefinedRouting"},
    }
    assert refused(lambda: azure.cluster(**given)) == "UserDefinedRoutingMissingDefaultRoute"
    route = {"addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.1.0.4"}
    azure.put("Microsoft.Network/routeTables/routes", create=False, routes=[{"name": "default", "properties": route}])
    azure.cluster(**given)
    azure.arm.delete(CLUSTER)
    # kubenet writes routes into the table itself.
    given["networkProfile"]["networkPlugin"] = "kubenet"
    assert refused(lambda: azure.cluster(**given)) == "CustomRouteTableMissingPermission"
    grant(azure, aks.NETWORK_CONTRIBUTOR, table, own)
    azure.cluster(**given)


def test_a_nat_gateway_has_to_stand_before_the_subnet(azure: Azure) -> None:
    subnet = own_network(azure)
    given: dict[str, Any] = {
        "agentPoolProfiles": system_in(subnet),
        "networkProfile": {"outboundType": "userAssignedNATGateway"},
    }
    assert refused(lambda: azure.cluster(**given)) == "SubnetNotAssociatedWithNatGateway"
    gateway = azure.put("Microsoft.Network/natGateways/out")["id"]
    azure.put(SUBNET, create=False, addressPrefix="10.224.0.0/20", natGateway={"id": gateway})
    azure.cluster(**given)


def test_a_private_zone_needs_permission(azure: Azure) -> None:
    own = identity(azure, "own")
    zone = azure.put("Microsoft.Network/privateDnsZones/privatelink.westeurope.azmk8s.io")["id"]
    given: dict[str, Any] = {
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {own: {}}},
        "apiServerAccessProfile": {"enablePrivateCluster": True, "privateDNSZone": zone},
    }
    assert refused(lambda: azure.cluster(**given)) == "CustomPrivateDNSZoneMissingPermissionError"
    grant(azure, aks.PRIVATE_DNS_ZONE_CONTRIBUTOR, zone, own)
    azure.cluster(**given)


def test_the_api_servers_subnet_is_delegated(azure: Azure) -> None:
    subnet = own_network(azure)
    access = {"enableVnetIntegration": True, "subnetId": subnet}
    assert refused(lambda: azure.cluster(apiServerAccessProfile=access)) == "InvalidSubnetDelegation"
    delegation = {"name": "aks", "properties": {"serviceName": aks.CLUSTERS}}
    azure.put(SUBNET, create=False, addressPrefix="10.224.0.0/20", delegations=[delegation])
    azure.cluster(apiServerAccessProfile=access)


# -- changes


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("1.34", "1.36", "OperationNotAllowed"),
        ("1.36", "1.35", "OperationNotAllowed"),
        ("1.35.6", "1.35.2", "OperationNotAllowed"),
        ("1.35", "1.99", "K8sVersionNotSupported"),
    ],
)
def test_versions_move_one_minor_at_a_time(azure: Azure, before: str, after: str, code: str) -> None:
    azure.cluster(kubernetesVersion=before)
    assert refused(lambda: azure.cluster(create=False, kubernetesVersion=after)) == code


def test_an_upgrade_moves_the_control_plane_and_leaves_the_pools(azure: Azure) -> None:
    azure.cluster(kubernetesVersion="1.35")
    properties = azure.cluster(create=False, kubernetesVersion="1.36")["properties"]
    assert properties["currentKubernetesVersion"] == aks.VERSIONS["1.36"]
    assert properties["agentPoolProfiles"][0]["currentOrchestratorVersion"] == aks.VERSIONS["1.35"]


def test_naming_the_minor_again_moves_nothing(azure: Azure) -> None:
    azure.cluster(kubernetesVersion="1.35.2")
    properties = azure.cluster(create=False, kubernetesVersion="1.35")["properties"]
    assert properties["currentKubernetesVersion"] == "1.35.2"


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"dnsPrefix": "other"}, "PropertyChangeNotAllowed"),
        ({"nodeResourceGroup": "other"}, "PropertyChangeNotAllowed"),
        ({"networkProfile": {"serviceCidr": "10.1.0.0/16"}}, "PropertyChangeNotAllowed"),
        ({"apiServerAccessProfile": {"enablePrivateCluster": True}}, "PropertyChangeNotAllowed"),
        ({"oidcIssuerProfile": {"enabled": False}}, "OIDCIssuerFeatureCannotBeDisabled"),
        (
            {"agentPoolProfiles": [{"name": "other", "mode": "System", "count": 1, "vmSize": "a"}]},
            "OperationNotAllowed",
        ),
    ],
)
def test_a_change_is_refused(azure: Azure, properties: dict[str, Any], code: str) -> None:
    given: dict[str, Any] = {"oidcIssuerProfile": {"enabled": True}}
    before = azure.cluster(**given)
    assert refused(lambda: azure.cluster(create=False, **{**given, **properties})) == code
    assert azure.arm.get(CLUSTER) == before


def test_an_update_of_the_cluster_keeps_the_pools_that_came_later(azure: Azure) -> None:
    azure.cluster()
    azure.pool("blue")
    properties = azure.cluster(create=False)["properties"]
    assert [each["name"] for each in properties["agentPoolProfiles"]] == ["system", "blue"]


def test_deleting_a_cluster_deletes_its_pools(azure: Azure) -> None:
    azure.cluster()
    azure.pool()
    azure.arm.delete(CLUSTER)
    assert azure.cloud.all(aks.POOLS) == []


# -- pools


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"count": None}, "InvalidParameter"),
        ({"minCount": 1}, "InvalidParameter"),
        ({"enableAutoScaling": True, "minCount": 1, "maxCount": 3, "count": None}, "InvalidParameter"),
        ({"enableAutoScaling": True, "minCount": 1, "maxCount": 3, "count": 4}, "InvalidParameter"),
        ({"enableAutoScaling": True, "minCount": 2, "maxCount": 3, "count": 1}, "InvalidParameter"),
        ({"mode": "System", "count": 0}, "InvalidSystemPool"),
        ({"mode": "System", "scaleSetPriority": "Spot"}, "InvalidSystemPool"),
        ({"scaleSetPriority": "Spot", "upgradeSettings": {"maxSurge": "10%"}}, "InvalidParameter"),
        ({"maxPods": 251}, "InvalidParameter"),
        ({"maxPods": 9}, "InvalidParameter"),
        ({"orchestratorVersion": "1.37"}, "NodePoolMcVersionIncompatible"),
        ({"vnetSubnetID": f"{GROUP}/providers/{SUBNET}"}, "ResourceNotFound"),
    ],
)
def test_a_pool_is_refused(azure: Azure, properties: dict[str, Any], code: str) -> None:
    azure.cluster(kubernetesVersion="1.36")
    assert refused(lambda: azure.pool(**properties)) == code


def test_a_pool_needs_its_cluster(azure: Azure) -> None:
    assert refused(azure.pool) == "ResourceNotFound"


@pytest.mark.parametrize("count", [1, 3])
def test_a_pool_at_the_bounds_of_the_autoscaler(azure: Azure, count: int) -> None:
    azure.cluster()
    azure.pool(enableAutoScaling=True, minCount=1, maxCount=3, count=count)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("vmSize", "a", "b"), ("maxPods", 30, 60), ("osDiskSizeGB", 64, 128), ("availabilityZones", ["1"], ["1", "2"])],
)
def test_what_a_pool_keeps_for_its_life(azure: Azure, name: str, before: Any, after: Any) -> None:
    azure.cluster()
    azure.pool(**{name: before})
    assert refused(lambda: azure.pool(create=False, **{name: after})) == "PropertyChangeNotAllowed"


def test_the_autoscaler_owns_the_count(azure: Azure) -> None:
    azure.cluster()
    given = {"enableAutoScaling": True, "minCount": 1, "maxCount": 5}
    azure.pool(**given, count=1)
    scaled = azure.cloud.require(f"{CLUSTER}/agentPools/pool")
    azure.cloud.put(scaled["id"], {**scaled, "properties": {**scaled["properties"], "count": 4}})
    assert azure.pool(create=False, **given, count=1)["properties"]["count"] == 4
    assert azure.pool(create=False, **{**given, "maxCount": 3}, count=1)["properties"]["count"] == 3


def test_azure_marks_spot_pools(azure: Azure) -> None:
    azure.cluster()
    properties = azure.pool(scaleSetPriority="Spot", nodeTaints=["a=b:NoSchedule"])["properties"]
    assert properties["nodeTaints"] == ["a=b:NoSchedule", "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"]
    assert properties["nodeLabels"] == {"kubernetes.azure.com/scalesetpriority": "spot"}


def test_one_system_pool_stays(azure: Azure) -> None:
    azure.cluster()
    azure.pool("user")
    assert refused(lambda: azure.arm.delete(f"{CLUSTER}/agentPools/system")) == "OperationNotAllowed"
    azure.pool("second", mode="System")
    azure.arm.delete(f"{CLUSTER}/agentPools/system")
    # From now on the cluster cannot be changed with its inline pool any more.
    assert refused(lambda: azure.cluster(create=False)) == "OperationNotAllowed"


def test_maintenance_windows_have_fixed_names(azure: Azure) -> None:
    azure.cluster()
    windows = f"{aks.CLUSTERS}/scoring/maintenanceConfigurations"
    azure.put(f"{windows}/aksManagedAutoUpgradeSchedule", maintenanceWindow={})
    assert refused(lambda: azure.put(f"{windows}/weekly", maintenanceWindow={})) == "InvalidMaintenanceConfigName"
