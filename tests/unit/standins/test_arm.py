"""Resources around a cluster, and what all of them have in common."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.standins.arm import HalfCreatedError, problems
from tests.standins.cloud import DEPLOYER, SUBSCRIPTION, ArmError, Failure, arm_type, guid, parent_id
from tests.standins.kinds import KINDS
from tests.unit.standins.conftest import CLUSTER, GROUP, Azure

NETWORK = "Microsoft.Network/virtualNetworks/net"
REGISTRY = "Microsoft.ContainerRegistry/registries"
READER = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid('role')}"


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ArmError) as error:
        call()
    return error.value.code


def role(azure: Azure, name: str = guid("name"), scope: str = GROUP, **changes: Any) -> Any:
    given = {"roleDefinitionId": READER, "principalId": DEPLOYER, **changes}
    at = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
    return azure.arm.put(at, {"properties": given}, create=True)


def test_ids() -> None:
    pool = f"{CLUSTER}/agentPools/a"
    assert arm_type(pool) == "Microsoft.ContainerService/managedClusters/agentPools"
    assert [parent_id(pool), parent_id(CLUSTER), parent_id(GROUP)] == [CLUSTER, GROUP, f"/subscriptions/{SUBSCRIPTION}"]
    assignment = f"{CLUSTER}/providers/Microsoft.Authorization/roleAssignments/a"
    assert (arm_type(assignment), parent_id(assignment)) == ("Microsoft.Authorization/roleAssignments", CLUSTER)


def test_ids_are_found_in_any_case(azure: Azure) -> None:
    azure.cluster()
    assert azure.arm.get(CLUSTER.lower()) == azure.arm.get(CLUSTER.upper())


def test_a_group_goes_with_everything_in_it(azure: Azure) -> None:
    azure.cluster()
    role(azure)
    azure.arm.delete(GROUP)
    assert azure.cloud.all() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "reader"}, "InvalidRoleAssignmentId"),
        ({"roleDefinitionId": "reader"}, "InvalidRoleDefinitionId"),
        ({"principalId": guid("nobody")}, "PrincipalNotFound"),
        ({"scope": f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/none"}, "ResourceNotFound"),
    ],
)
def test_a_role_assignment_is_refused(azure: Azure, changes: dict[str, Any], code: str) -> None:
    assert refused(lambda: role(azure, **changes)) == code


def test_a_role_is_assigned_once(azure: Azure) -> None:
    role(azure)
    assert refused(lambda: role(azure, name=guid("other"))) == "RoleAssignmentExists"


def test_a_principal_whose_type_is_said_is_not_looked_up(azure: Azure) -> None:
    role(azure, principalId=guid("new"), principalType="ServicePrincipal")


@pytest.mark.parametrize(
    ("name", "prefix", "code"),
    [
        ("outside", "10.1.0.0/24", "NetcfgInvalidSubnet"),
        ("overlap", "10.0.0.128/25", "NetcfgSubnetRangesOverlap"),
        ("bits", "10.0.1.1/24", "InvalidCIDRNotation"),
    ],
)
def test_a_subnet_is_refused(azure: Azure, name: str, prefix: str, code: str) -> None:
    subnets = [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]
    azure.put(NETWORK, addressSpace={"addressPrefixes": ["10.0.0.0/16"]}, subnets=subnets)
    assert refused(lambda: azure.put(f"{NETWORK}/subnets/{name}", addressPrefix=prefix)) == code
    azure.put(f"{NETWORK}/subnets/next", addressPrefix="10.0.1.0/24")
    assert [each["name"] for each in azure.arm.get(azure.id(NETWORK))["properties"]["subnets"]] == ["a", "next"]


def test_what_is_in_use_cannot_be_deleted(azure: Azure) -> None:
    wall = azure.put("Microsoft.Network/networkSecurityGroups/wall")["id"]
    azure.put(NETWORK, addressSpace={"addressPrefixes": ["10.224.0.0/16"]})
    subnet = azure.put(f"{NETWORK}/subnets/a", addressPrefix="10.224.0.0/24", networkSecurityGroup={"id": wall})["id"]
    pool = {"name": "system", "mode": "System", "count": 1, "vmSize": "a", "vnetSubnetID": subnet}
    azure.cluster(agentPoolProfiles=[pool])
    assert refused(lambda: azure.arm.delete(wall)) == "InUseNetworkSecurityGroupCannotBeDeleted"
    assert refused(lambda: azure.arm.delete(subnet)) == "InUseSubnetCannotBeDeleted"
    assert refused(lambda: azure.arm.delete(azure.id(NETWORK))) == "InUseSubnetCannotBeDeleted"
    azure.arm.delete(CLUSTER)
    azure.arm.delete(azure.id(NETWORK))
    azure.arm.delete(wall)


def test_a_registrys_name_is_unique_and_some_settings_are_premium(azure: Azure) -> None:
    def put(name: str, sku: str, **properties: Any) -> Any:
        body = {"location": "westeurope", "sku": {"name": sku}, "properties": properties}
        return azure.arm.put(azure.id(f"{REGISTRY}/{name}"), body, create=True)

    assert put("Scoring", "Standard")["properties"]["loginServer"] == "scoring.azurecr.io"
    other = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other"
    azure.cloud.put(other, {"location": "westeurope", "properties": {}})
    taken = f"{other}/providers/{REGISTRY}/scoring"
    body = {"location": "westeurope", "sku": {"name": "Standard"}}
    assert refused(lambda: azure.arm.put(taken, body, create=True)) == "AlreadyInUse"
    assert refused(lambda: put("zones", "Standard", zoneRedundancy="Enabled")) == "InvalidParameter"
    put("zones", "Premium", zoneRedundancy="Enabled")


def test_a_token_needs_its_scope_map_and_that_needs_actions(azure: Azure) -> None:
    azure.arm.put(azure.id(f"{REGISTRY}/scoring"), {"location": "a", "sku": {"name": "Standard"}}, create=True)
    maps, tokens = f"{REGISTRY}/scoring/scopeMaps/pull", f"{REGISTRY}/scoring/tokens/pull"
    assert refused(lambda: azure.put(maps, actions=["repositories/*/content/pull"])) == "InvalidScopeMapAction"
    assert refused(lambda: azure.put(tokens, scopeMapId=azure.id(maps))) == "ResourceNotFound"
    azure.put(maps, actions=["repositories/*/content/read", "repositories/*/metadata/read"])
    azure.put(tokens, scopeMapId=azure.id(maps))
    assert refused(lambda: azure.arm.delete(azure.id(maps))) == "ScopeMapInUse"


def test_a_cluster_is_the_compute_target_of_one_workspace(azure: Azure) -> None:
    azure.cluster()
    for name in ("one", "two"):
        azure.put(f"Microsoft.MachineLearningServices/workspaces/{name}")
    targets = "Microsoft.MachineLearningServices/workspaces/{}/computes/scoring"
    azure.put(targets.format("one"), computeType="AKS", resourceId=CLUSTER)
    code = refused(lambda: azure.put(targets.format("two"), computeType="AKS", resourceId=CLUSTER))
    assert code == "ComputeAlreadyAttached"


def test_a_data_flow_ends_in_a_destination(azure: Azure) -> None:
    account = azure.put("Microsoft.Monitor/accounts/metrics")["id"]
    given: dict[str, Any] = {
        "destinations": {"monitoringAccounts": [{"name": "account", "accountResourceId": account}]},
        "dataFlows": [{"streams": ["Microsoft-PrometheusMetrics"], "destinations": ["other"]}],
    }
    rule = "Microsoft.Insights/dataCollectionRules/metrics"
    assert refused(lambda: azure.put(rule, **given)) == "InvalidPayload"
    given["dataFlows"][0]["destinations"] = ["account"]
    azure.put(rule, **given)


# -- failures on demand


def test_a_failure_is_met_once_by_what_it_names(azure: Azure) -> None:
    quota = Failure(
        "Microsoft.ContainerService/managedClusters/agentPools", "create", code="QuotaExceeded", name="blue"
    )
    azure.cluster()
    azure.cloud.fail(quota)
    azure.pool("green")
    assert refused(lambda: azure.pool("blue")) == "QuotaExceeded"
    azure.pool("blue")


def test_a_failure_can_be_met_again_and_again(azure: Azure) -> None:
    azure.cluster()
    azure.cloud.fail(Failure("Microsoft.ContainerService/managedClusters", "read", status=429, times=2))
    assert [refused(lambda: azure.arm.get(CLUSTER)) for _ in range(2)] == ["OperationNotAllowed"] * 2
    azure.arm.get(CLUSTER)


def test_a_half_created_cluster_is_there(azure: Azure) -> None:
    azure.cloud.fail(
        Failure("Microsoft.ContainerService/managedClusters", "create", half=True, code="AllocationFailed")
    )
    with pytest.raises(HalfCreatedError, match="AllocationFailed"):
        azure.cluster()
    assert azure.arm.get(CLUSTER)["properties"]["provisioningState"] == "Failed"
    assert azure.cluster(create=False)["properties"]["provisioningState"] == "Succeeded"


def test_every_call_is_written_down(azure: Azure) -> None:
    azure.cluster()
    azure.arm.delete(CLUSTER)
    assert azure.cloud.calls() == [("create", CLUSTER), ("delete", CLUSTER)]


# -- tags


def test_tags_are_merged_and_taken_away_pair_by_pair(azure: Azure) -> None:
    azure.cluster()
    azure.arm.tag(CLUSTER, "Merge", {"a": "1", "b": "2"})
    azure.arm.tag(CLUSTER, "Delete", {"a": "1", "b": "3"})
    assert azure.arm.get(CLUSTER)["tags"] == {"b": "2"}


# -- inputs


def test_problems_of_inputs() -> None:
    kind = KINDS["azure-native:containerservice:AgentPool"]
    good = {"resourceGroupName": "a", "resourceName": "b", "agentPoolName": "c", "vmSize": "d"}
    assert problems(kind, good) == []
    assert [each.path for each in problems(kind, {**good, "agentPoolName": "A"})] == ["name"]
    assert [each.path for each in problems(kind, {**good, "resourceName": None})] == ["resourceName"]
    group = {"resourceGroupName": "a", "location": ""}
    assert [each.path for each in problems(KINDS["azure-native:resources:ResourceGroup"], group)] == ["location"]
    cluster = KINDS["azure-native:containerservice:ManagedCluster"]
    identity = {"type": "UserAssigned", "userAssignedIdentities": {"/a": {}}}
    inputs = {"resourceGroupName": "a", "resourceName": "b", "location": "c", "identity": identity}
    assert [each.path for each in problems(cluster, inputs)] == ["identity.userAssignedIdentities"]
