"""The registry, monitoring, the workspace and what goes into Kubernetes."""

import base64
from typing import Any

import pytest
from pydantic import SecretStr

from tests.unit.cluster.specs import cluster, pool
from tidegate.cluster.plan.monitoring import (
    plan_association,
    plan_federation,
    plan_logs_rule,
    plan_logs_workspace,
    plan_metrics_rule,
)
from tidegate.cluster.plan.objects import (
    certificate_data,
    needs_device_plugin,
    needs_objects,
    plan_certificate,
    plan_device_plugin,
)
from tidegate.cluster.plan.registry import plan_registry, plan_scope_map, plan_token, registry_id
from tidegate.cluster.plan.workspace import plan_compute
from tidegate.cluster.spec import (
    ExistingRegistrySpec,
    IssuedCertificate,
    LoadBalancerSpec,
    MonitoringSpec,
    OwnCertificate,
    RegistrySpec,
    WorkspaceSpec,
)

REGISTRY = RegistrySpec(name="scoring7421", resource_group="images", location="westeurope")
WORKSPACE = WorkspaceSpec(name="ml", resource_group="hub", location="northeurope")
CERTIFICATE = OwnCertificate(cname="a.example.com", chain="CHAIN", key=SecretStr("KEY"), expires="2027-01-01T00:00:00Z")


def test_a_registry_has_no_user_that_may_do_everything() -> None:
    found = plan_registry(REGISTRY)
    assert (found["adminUserEnabled"], found["anonymousPullEnabled"]) == (False, False)
    assert (found["publicNetworkAccess"], found["zoneRedundancy"]) == ("Enabled", "Disabled")


def test_a_premium_registry_in_zones_without_a_public_address() -> None:
    found = plan_registry(
        REGISTRY.model_copy(update={"sku": "Premium", "zone_redundancy": True, "public_network_access": False})
    )
    assert (found["sku"], found["publicNetworkAccess"]) == ({"name": "Premium"}, "Disabled")
    assert found["zoneRedundancy"] == "Enabled"


def test_the_token_may_only_pull() -> None:
    actions = plan_scope_map(REGISTRY)["actions"]
    assert all(action.endswith("/read") for action in actions)
    assert plan_token(REGISTRY, scope_map="the map")["scopeMapId"] == "the map"


def test_the_id_of_an_existing_registry() -> None:
    existing = ExistingRegistrySpec(subscription_id="s", resource_group="hub", name="shared")
    assert registry_id(existing) == (
        "/subscriptions/s/resourceGroups/hub/providers/Microsoft.ContainerRegistry/registries/shared"
    )


def test_metrics_flow_from_the_agents_to_the_workspace() -> None:
    rule = plan_metrics_rule(cluster(), endpoint="endpoint", workspace="workspace")
    (destination,) = rule["destinations"]["monitoringAccounts"]
    (flow,) = rule["dataFlows"]
    assert rule["dataCollectionEndpointId"] == "endpoint"
    assert destination["accountResourceId"] == "workspace"
    assert flow["destinations"] == [destination["name"]]
    assert flow["streams"] == rule["dataSources"]["prometheusForwarder"][0]["streams"]


def test_logs_flow_to_log_analytics() -> None:
    rule = plan_logs_rule(cluster(), workspace="workspace")
    (destination,) = rule["destinations"]["logAnalytics"]
    assert destination["workspaceResourceId"] == "workspace"
    assert rule["dataFlows"][0]["destinations"] == [destination["name"]]


@pytest.mark.parametrize(
    ("monitoring", "made"),
    [
        (MonitoringSpec(), False),
        (MonitoringSpec(container_insights=True), True),
        (MonitoringSpec(container_insights=True, log_analytics_workspace_id="given"), False),
    ],
)
def test_a_log_workspace_is_made_where_logs_have_none(monitoring: MonitoringSpec, made: bool) -> None:
    assert (plan_logs_workspace(cluster(monitoring=monitoring)) is not None) == made


def test_keda_is_its_identity_and_nobody_else() -> None:
    found = plan_federation(cluster(), identity="prod-keda", issuer="the issuer")
    assert (found["issuer"], found["resourceName"]) == ("the issuer", "prod-keda")
    assert found["subject"] == "system:serviceaccount:kube-system:keda-operator"
    assert found["audiences"] == ["api://AzureADTokenExchange"]


def test_an_association_ties_a_rule_to_a_cluster() -> None:
    found = plan_association("name", cluster="cluster", rule="rule")
    assert found == {"resourceUri": "cluster", "associationName": "name", "dataCollectionRuleId": "rule"}


def test_a_compute_target_uses_the_cluster() -> None:
    front = LoadBalancerSpec(type="InternalLoadBalancer", subnet_name="scoring")
    found = plan_compute(
        WORKSPACE,
        name="prod",
        cluster="the cluster",
        location="westeurope",
        purpose="FastProd",
        front=front,
        front_subnet="the subnet",
    )
    assert (found["workspaceName"], found["location"]) == ("ml", "northeurope")
    compute = found["properties"]
    assert (compute["computeType"], compute["resourceId"], compute["computeLocation"]) == (
        "AKS",
        "the cluster",
        "westeurope",
    )
    assert compute["properties"] == {
        "clusterPurpose": "FastProd",
        "loadBalancerType": "InternalLoadBalancer",
        "loadBalancerSubnet": "the subnet",
    }


def test_of_an_attached_cluster_only_its_purpose_is_known() -> None:
    found = plan_compute(WORKSPACE, name="a", cluster="c", location="l", purpose="DevTest")
    assert found["properties"]["properties"] == {"clusterPurpose": "DevTest"}


def test_a_certificate_is_a_secret_of_its_type() -> None:
    data = certificate_data(CERTIFICATE)
    assert {name: base64.b64decode(text) for name, text in data.items()} == {"tls.crt": b"CHAIN", "tls.key": b"KEY"}
    manifest = plan_certificate(data=data)
    assert manifest["type"] == "kubernetes.io/tls"
    assert manifest["metadata"]["namespace"] == "tidegate-gateway"
    assert manifest["data"] is data


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"tls": CERTIFICATE}, True),
        ({"tls": IssuedCertificate(leaf_domain_label="a", domain="a.westeurope.cloudapp.azure.com")}, False),
        ({"pools": (pool(),)}, False),
        ({"pools": (pool(gpus=1),)}, True),
    ],
)
def test_what_needs_objects_in_kubernetes(changes: dict[str, Any], needed: bool) -> None:
    assert needs_objects(cluster(**changes)) == needed


def device_plugin(*pools: Any) -> dict[str, Any]:
    spec = cluster(pools=pools)
    assert needs_device_plugin(spec)
    return plan_device_plugin(spec)["spec"]["template"]["spec"]


def test_the_device_plugin_runs_on_gpu_nodes_whatever_their_taints() -> None:
    pod = device_plugin(pool(gpus=1, node_taints=("sku=gpu:NoSchedule", "team=a:NoExecute")), pool(name="cpu"))
    assert pod["nodeSelector"] == {"kubernetes.azure.com/accelerator": "nvidia"}
    assert {each["key"] for each in pod["tolerations"]} == {"sku", "nvidia.com/gpu", "team"}


def test_the_device_plugin_has_no_more_rights_than_it_needs() -> None:
    (container,) = device_plugin(pool(gpus=1))["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert "--mig-strategy=none" in container["args"]
    (slicing,) = device_plugin(pool(gpus=1, mig_profile="MIG1g"))["containers"]
    assert slicing["securityContext"] == {"capabilities": {"add": ["SYS_ADMIN"]}}
    assert "--mig-strategy=single" in slicing["args"]


def test_the_device_plugin_is_of_one_version() -> None:
    (container,) = device_plugin(pool(gpus=1))["containers"]
    assert container["image"].rpartition(":")[2] not in ("", "latest")
