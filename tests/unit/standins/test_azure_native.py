"""The stand-in for azure-native as the engine meets it: its protocol, without the engine."""

from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from providers.values import UNKNOWN, decode, encode
from tests.standins.azure_native import AzureNative, carried
from tests.standins.cloud import SUBSCRIPTION, Failure
from tests.unit.standins.conftest import CLUSTER, Azure

REPLACE = ("ADD_REPLACE", "DELETE_REPLACE", "UPDATE_REPLACE")


class AbortedError(Exception):
    """How a call ended."""


class Context:
    """As much of gRPC's context as the plugin uses."""

    metadata: tuple[Any, ...] = ()

    def abort(self, code: grpc.StatusCode, text: str) -> None:
        raise AbortedError(text)

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata


@pytest.fixture
def plugin(azure: Azure) -> AzureNative:
    return AzureNative(azure.cloud)


def urn(token: str) -> str:
    return f"urn:pulumi:dev::a::tidegate:azure:Cluster$azure-native:{token}::name"


def cluster(**changes: Any) -> dict[str, Any]:
    return {
        "resourceGroupName": "scoring",
        "resourceName": "scoring",
        "location": "westeurope",
        "dnsPrefix": "scoring",
        "agentPoolProfiles": [{"name": "system", "mode": "System", "count": 2, "vmSize": "a"}],
        "networkProfile": {"networkPlugin": "azure", "loadBalancerSku": "standard"},
        "oidcIssuerProfile": {"enabled": True},
        "tags": {"team": "a"},
        **changes,
    }


def pool(**changes: Any) -> dict[str, Any]:
    names = {"resourceGroupName": "scoring", "resourceName": "scoring", "agentPoolName": "pool"}
    return {**names, "vmSize": "a", "count": 1, **changes}


def diff(plugin: AzureNative, token: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    request = provider_pb2.DiffRequest(urn=urn(token), old_inputs=encode(old), news=encode(new))
    answer = plugin.Diff(request, Context())
    kinds = {path: provider_pb2.PropertyDiff.Kind.Name(each.kind) for path, each in answer.detailedDiff.items()}
    assert bool(answer.replaces) == any(kind in REPLACE for kind in kinds.values()) == answer.deleteBeforeReplace
    return kinds


CLUSTER_TOKEN, POOL_TOKEN = "containerservice:ManagedCluster", "containerservice:AgentPool"


@pytest.mark.parametrize(
    ("token", "old", "new", "found"),
    [
        (CLUSTER_TOKEN, cluster(), cluster(), {}),
        (CLUSTER_TOKEN, cluster(), cluster(location="West Europe"), {}),
        (CLUSTER_TOKEN, cluster(), cluster(tags={"team": "b"}), {"tags.team": "UPDATE"}),
        (CLUSTER_TOKEN, cluster(), cluster(kubernetesVersion="1.36"), {"kubernetesVersion": "ADD"}),
        (CLUSTER_TOKEN, cluster(), cluster(location="northeurope"), {"location": "UPDATE_REPLACE"}),
        (CLUSTER_TOKEN, cluster(), cluster(dnsPrefix="b"), {"dnsPrefix": "UPDATE_REPLACE"}),
        (CLUSTER_TOKEN, cluster(), cluster(resourceName="b"), {"resourceName": "UPDATE_REPLACE"}),
        (
            CLUSTER_TOKEN,
            cluster(),
            cluster(networkProfile={"networkPlugin": "none", "loadBalancerSku": "basic"}),
            {"networkProfile.networkPlugin": "UPDATE_REPLACE", "networkProfile.loadBalancerSku": "UPDATE"},
        ),
        (
            CLUSTER_TOKEN,
            cluster(),
            cluster(networkProfile={**cluster()["networkProfile"], "podCidr": "10.244.0.0/16"}),
            {"networkProfile.podCidr": "ADD_REPLACE"},
        ),
        (POOL_TOKEN, pool(), pool(count=2), {"count": "UPDATE"}),
        (POOL_TOKEN, pool(), pool(maxPods=50), {"maxPods": "ADD"}),
        (POOL_TOKEN, pool(), pool(vmSize="b"), {"vmSize": "UPDATE_REPLACE"}),
        (POOL_TOKEN, pool(), pool(agentPoolName="b"), {"agentPoolName": "UPDATE_REPLACE"}),
        (
            "authorization:RoleAssignment",
            {"scope": "a", "principalId": "b", "roleDefinitionId": "c"},
            {"scope": "d", "principalId": "e", "roleDefinitionId": "f"},
            {"scope": "UPDATE_REPLACE", "principalId": "UPDATE_REPLACE", "roleDefinitionId": "UPDATE"},
        ),
    ],
)
def test_what_a_change_of_inputs_means(
    plugin: AzureNative, token: str, old: dict[str, Any], new: dict[str, Any], found: dict[str, str]
) -> None:
    assert diff(plugin, token, old, new) == found


def check(plugin: AzureNative, token: str, inputs: dict[str, Any]) -> list[str]:
    request = provider_pb2.CheckRequest(urn=urn(token), news=encode(inputs))
    return [each.property for each in plugin.Check(request, Context()).failures]


def test_faults_are_found_in_the_preview(plugin: AzureNative) -> None:
    assert check(plugin, CLUSTER_TOKEN, cluster()) == []
    assert check(plugin, CLUSTER_TOKEN, cluster(networkProfile={"outboundType": "direct"})) == [
        "properties.networkProfile.outboundType"
    ]


def test_a_type_that_is_not_known_is_said(plugin: AzureNative) -> None:
    with pytest.raises(AbortedError, match="no type azure-native:iothub:IotHubResource"):
        check(plugin, "iothub:IotHubResource", {})


def create(plugin: AzureNative, token: str, inputs: dict[str, Any], *, preview: bool = False) -> Any:
    request = provider_pb2.CreateRequest(urn=urn(token), properties=encode(inputs), preview=preview)
    return plugin.Create(request, Context())


def test_a_creation_and_its_outputs(plugin: AzureNative) -> None:
    answer = create(plugin, CLUSTER_TOKEN, cluster())
    outputs = decode(answer.properties)
    assert answer.id == CLUSTER
    assert outputs["name"] == "scoring"
    assert outputs["azureApiVersion"] == "2025-09-01"
    assert outputs["oidcIssuerProfile"]["issuerURL"].startswith("https://")
    assert "id" not in outputs
    assert "properties" not in outputs


def test_a_preview_makes_nothing_and_knows_what_the_inputs_say(plugin: AzureNative, azure: Azure) -> None:
    outputs = decode(create(plugin, CLUSTER_TOKEN, cluster(), preview=True).properties)
    assert outputs["dnsPrefix"] == "scoring"
    assert outputs["fqdn"] is UNKNOWN
    assert outputs["oidcIssuerProfile"] == {"enabled": True, "issuerURL": UNKNOWN}
    assert azure.cloud.get(CLUSTER) is None


def test_a_previewed_update_keeps_name_and_location_alone(plugin: AzureNative) -> None:
    olds = create(plugin, CLUSTER_TOKEN, cluster()).properties
    news = encode(cluster(tags={"team": "b"}))
    request = provider_pb2.UpdateRequest(id=CLUSTER, urn=urn(CLUSTER_TOKEN), olds=olds, news=news, preview=True)
    outputs = decode(plugin.Update(request, Context()).properties)
    assert (outputs["name"], outputs["location"], outputs["fqdn"]) == ("scoring", "westeurope", UNKNOWN)


def test_a_half_made_resource_comes_with_its_state(plugin: AzureNative, azure: Azure) -> None:
    azure.cloud.fail(Failure("Microsoft.ContainerService/managedClusters", "create", half=True, message="no room"))
    context = Context()
    request = provider_pb2.CreateRequest(urn=urn(CLUSTER_TOKEN), properties=encode(cluster()))
    with pytest.raises(AbortedError, match="no room"):
        plugin.Create(request, context)
    [(name, content)] = context.metadata
    assert name == "grpc-status-details-bin"
    assert CLUSTER.encode() in content
    assert b"Failed" in content


def read(plugin: AzureNative, token: str, identity: str, state: Any, inputs: dict[str, Any]) -> Any:
    request = provider_pb2.ReadRequest(id=identity, urn=urn(token), properties=state, inputs=encode(inputs))
    return plugin.Read(request, Context())


def test_a_refresh_carries_over_what_changed_outside_and_nothing_else(plugin: AzureNative, azure: Azure) -> None:
    state = create(plugin, CLUSTER_TOKEN, cluster()).properties
    answer = read(plugin, CLUSTER_TOKEN, CLUSTER, state, cluster())
    assert decode(answer.inputs) == cluster()  # none of the service's own defaults
    azure.arm.tag(CLUSTER, "Merge", {"owner": "b"})
    azure.pool("blue")
    inputs = decode(read(plugin, CLUSTER_TOKEN, CLUSTER, state, cluster()).inputs)
    assert inputs["tags"] == {"team": "a", "owner": "b"}
    assert [each["name"] for each in inputs["agentPoolProfiles"]] == ["system", "blue"]
    assert "provisioningState" not in inputs["agentPoolProfiles"][1]
    assert {**inputs, "tags": None, "agentPoolProfiles": None} == {**cluster(), "tags": None, "agentPoolProfiles": None}


def test_how_a_value_was_written_stays() -> None:
    ranges = carried(
        {"ranges": ["A"], "zone": "X"}, {"ranges": ["a"], "zone": "x"}, {"ranges": ["a", "b"], "zone": "x"}
    )
    assert ranges == {"ranges": ["A", "b"], "zone": "X"}


def test_what_is_gone_is_gone(plugin: AzureNative, azure: Azure) -> None:
    state = create(plugin, CLUSTER_TOKEN, cluster()).properties
    azure.cloud.delete(CLUSTER)
    assert read(plugin, CLUSTER_TOKEN, CLUSTER, state, cluster()).id == ""
    plugin.Delete(provider_pb2.DeleteRequest(id=CLUSTER, urn=urn(CLUSTER_TOKEN)), Context())


def invoke(plugin: AzureNative, token: str, **arguments: Any) -> dict[str, Any]:
    request = provider_pb2.InvokeRequest(tok=f"azure-native:{token}", args=encode(arguments))
    return decode(getattr(plugin.Invoke(request, Context()), "return"))


def test_functions(plugin: AzureNative) -> None:
    create(plugin, CLUSTER_TOKEN, cluster())
    names = {"resourceGroupName": "scoring", "resourceName": "scoring"}
    assert invoke(plugin, "authorization:getClientConfig")["subscriptionId"] == SUBSCRIPTION
    found = invoke(plugin, "containerservice:getManagedCluster", **names)
    assert (found["id"], found["dnsPrefix"]) == (CLUSTER, "scoring")
    credentials = "containerservice:listManagedClusterUserCredentials"
    assert invoke(plugin, credentials, format="exec", **names)["kubeconfigs"][0]["name"] == "clusterUser"
    with pytest.raises(AbortedError, match="local accounts are disabled"):
        invoke(plugin, "containerservice:listManagedClusterAdminCredentials", **names)
    with pytest.raises(AbortedError, match="ResourceNotFound"):
        invoke(plugin, "containerservice:getManagedCluster", **{**names, "resourceName": "other"})
    with pytest.raises(AbortedError, match="no such function"):
        invoke(plugin, "compute:getVirtualMachine")
