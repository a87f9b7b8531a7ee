"""What the components register, in a pretended cloud that refuses what Azure refuses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pydantic import SecretStr

from components.cluster import Cluster
from components.cluster_network import ClusterNetwork
from components.registry import Registry
from providers.values import Secret
from stacks.azure import deploy
from tests.standins.cloud import SUBSCRIPTION, Cloud
from tests.standins.mocks import Recorded, named, record
from tests.unit.cluster.specs import CREATED, SYSTEM, cluster, pool
from tidegate.cluster.plan.pools import azure_name
from tidegate.cluster.spec import (
    ApiServerSpec,
    AttachedClusterSpec,
    AzureSpec,
    ClusterSpec,
    EntraSpec,
    ExistingNetwork,
    ExistingRegistrySpec,
    LoadBalancerSpec,
    MonitoringSpec,
    NetworkSpec,
    OwnCertificate,
    PrivateSpec,
    RegistrySpec,
    UpgradeSpec,
)
from tidegate.config import Environment
from tidegate.findings import ConfigError

Register = Callable[..., list[Recorded]]
GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
REGISTRY = RegistrySpec(name="scoring7421", resource_group="scoring", location="westeurope", sku="Premium")
CERTIFICATE = OwnCertificate(cname="a.example.com", chain="CHAIN", key=SecretStr("KEY"), expires="2027-01-01T00:00:00Z")
QUIET = MonitoringSpec(prometheus=False)
CLUSTER = "tidegate:azure:Cluster$azure-native:containerservice:ManagedCluster::prod.cluster"


@pytest.fixture
def register(tmp_path: Path) -> Register:
    """Registers a stack of these clusters; a second call begins with an empty cloud."""
    runs = iter(range(10))

    def run(*clusters: Any, preview: bool = False, cloud: Cloud | None = None, **azure: Any) -> list[Recorded]:
        given = {"location": "westeurope", "resource_groups": ("scoring",), "clusters": clusters}
        environment = Environment(stack="test", target="azure", azure=AzureSpec(**given | azure))
        folder = cloud.root if cloud else tmp_path / f"cloud-{next(runs)}"
        return record(lambda: deploy(environment, tmp_path), cloud=folder, preview=preview)

    return run


LARGE = cluster(
    monitoring=MonitoringSpec(container_insights=True),
    network=NetworkSpec(place=CREATED),
    load_balancer=LoadBalancerSpec(type="InternalLoadBalancer", subnet_name="scoring"),
    api_server=ApiServerSpec(private=PrivateSpec(vnet_integration=True)),
    tls=CERTIFICATE,
    pools=(pool(), pool(name="gpu", vm_size="Standard_NC4as_T4_v3", gpus=1, min_count=0, max_count=3)),
)
PRIVATE_REGISTRY = REGISTRY.model_copy(update={"public_network_access": False, "pull_token": True})


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    """The stack of one large cluster and a registry without a public address, registered once."""
    azure = AzureSpec(location="westeurope", resource_groups=("scoring",), clusters=(LARGE,), registry=PRIVATE_REGISTRY)
    environment = Environment(stack="test", target="azure", azure=azure)
    folder = tmp_path_factory.mktemp("large")
    return record(lambda: deploy(environment, folder), cloud=folder)


def names(recorded: list[Recorded], type_name: str) -> list[str]:
    return [each["name"] for each in recorded if each["type"].rpartition(":")[2] == type_name]


def identity(spec: Recorded) -> str:
    return f"{spec['type']} {spec['name']}"


def test_a_first_preview_shows_what_is_then_made(register: Register, large: list[Recorded]) -> None:
    previewed = register(LARGE, registry=PRIVATE_REGISTRY, preview=True)
    assert [identity(each) for each in previewed] == [identity(each) for each in large]
    assert len(large) > 50


def test_every_child_stands_under_its_component_and_has_its_name(large: list[Recorded]) -> None:
    components = {each["name"] for each in large if each["type"].startswith("tidegate:azure:")}
    assert components == {"prod", "registry"}
    for each in large:
        component = each["options"].get("parent", "").rpartition("::")[2]
        if component in components:
            assert each["name"].startswith(f"{component}."), identity(each)
        else:
            assert each["type"].startswith(("tidegate:", "pulumi:pulumi:Stack")) or "ResourceGroup" in each["type"]


def test_every_component_says_that_it_is_done(large: list[Recorded]) -> None:
    assert [each for each in large if each["type"].startswith("tidegate:azure:") and "outputs" not in each] == []


def test_no_option_names_a_property_as_python_does(register: Register, large: list[Recorded]) -> None:
    # A path in snake case is sent as it is, and silently ignores nothing.
    for each in large + register(cluster(monitoring=QUIET, replacement_allowed=True)):
        for option in ("ignoreChanges", "replaceOnChanges"):
            assert not [path for path in each["options"].get(option, []) if "_" in path], identity(each)


def test_the_guard_and_all_rights_come_before_the_cluster(large: list[Recorded]) -> None:
    waits = named(large, "ManagedCluster")["options"]["dependsOn"]
    before = {each.rpartition("::")[2] for each in waits}
    assert before == {
        "scoring",
        "prod.guard",
        "prod.identity-operator",
        "prod.network-nodes",
        "prod.network-scoring",
        "prod.network-apiserver",
    }


def test_a_cluster_in_a_network_of_akss_own_needs_no_right_on_one(register: Register) -> None:
    recorded = register(cluster(monitoring=QUIET))
    assert names(recorded, "RoleAssignment") == ["prod.deployer", "prod.identity-operator"]
    assert names(recorded, "VirtualNetwork") == names(recorded, "ClusterNetwork") == []


def test_a_right_says_what_kind_of_principal_gets_it_and_has_a_name_of_its_own(large: list[Recorded]) -> None:
    assignments = [each for each in large if each["type"].endswith(":RoleAssignment")]
    kinds = {each["name"]: each["inputs"].get("principalType") for each in assignments}
    # Who deploys is a person, unless the variables of a program's login are there.
    assert kinds.pop("prod.deployer") == "User"
    assert set(kinds.values()) == {"ServicePrincipal"}
    assert len({each["inputs"]["roleAssignmentName"] for each in assignments}) == len(assignments) > 6


def test_a_login_by_variables_deploys_as_a_service_principal(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARM_CLIENT_ID", "30000000-0000-4000-8000-000000000002")
    given = named(register(cluster(monitoring=QUIET)), "RoleAssignment", "prod.deployer")["inputs"]
    assert given["principalType"] == "ServicePrincipal"


def test_the_deployer_may_be_another(register: Register) -> None:
    other = "30000000-0000-4000-8000-000000000001"
    entra = EntraSpec(deployer_object_id=other, deployer_principal_type="User")
    given = named(register(cluster(monitoring=QUIET, entra=entra)), "RoleAssignment", "prod.deployer")["inputs"]
    assert (given["principalId"], given["principalType"]) == (other, "User")


@pytest.mark.parametrize(
    ("production", "allowed", "protected"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_production_is_protected_until_a_replacement_is_allowed(
    register: Register, production: bool, allowed: bool, protected: bool
) -> None:
    spec = cluster(monitoring=QUIET, production=production, replacement_allowed=allowed)
    recorded = register(spec, production=production)
    options = named(recorded, "ManagedCluster")["options"]
    assert options.get("protect", False) == protected
    assert named(recorded, "ResourceGroup")["options"].get("protect", False) == production
    assert named(recorded, "ReplacementGuard")["inputs"]["allowed"] == allowed
    assert ("replaceOnChanges" in options) == allowed


def test_what_lives_in_a_cluster_goes_with_it(large: list[Recorded]) -> None:
    for each in large:
        if each["type"].rpartition(":")[2] in ("AgentPool", "MaintenanceConfiguration", "Secret", "DaemonSet"):
            assert each["options"]["deletedWith"] == CLUSTER, identity(each)
            assert each["options"]["replaceWith"] == [CLUSTER], identity(each)


def test_a_reshaped_pool_is_another_resource(register: Register) -> None:
    before, after = pool(), pool(vm_size="Standard_D16s_v5")
    for spec in (before, after):
        recorded = register(cluster(monitoring=QUIET, pools=(spec,)))
        assert names(recorded, "AgentPool") == [f"prod.{azure_name(spec)}"]
    assert azure_name(before) != azure_name(after)


def test_the_autoscaler_owns_the_count(register: Register) -> None:
    recorded = register(cluster(monitoring=QUIET, pools=(pool(), pool(name="auto", min_count=1, max_count=5))))
    ignored = {
        each["name"][5:-4]: each["options"].get("ignoreChanges") for each in recorded if "AgentPool" in each["type"]
    }
    assert ignored == {"scoring": None, "auto": ["count"]}


def test_pools_follow_the_version_that_is_asked_for(register: Register) -> None:
    spec = cluster(monitoring=QUIET, kubernetes_version="1.36.2", pools=(pool(),))
    assert named(register(spec), "AgentPool")["inputs"]["orchestratorVersion"] == "1.36"
    stable = spec.model_copy(update={"upgrade": UpgradeSpec(channel="stable")})
    recorded = register(stable)
    assert "orchestratorVersion" not in named(recorded, "AgentPool")["inputs"]
    assert "kubernetesVersion" in named(recorded, "ManagedCluster")["options"]["ignoreChanges"]


def test_subnets_are_made_one_after_the_other(large: list[Recorded]) -> None:
    order = [subnet.name for subnet in CREATED.subnets]
    for earlier, later in zip(["vnet", *order], order, strict=False):
        waits = [each.rpartition("::")[2] for each in named(large, "Subnet", f"prod.{later}")["options"]["dependsOn"]]
        assert f"prod.{earlier}" in waits


def test_routes_of_the_users_own_come_with_the_right_on_them(register: Register) -> None:
    place = CREATED.model_copy(update={"next_hop_ip_address": "10.200.0.4"})
    network = NetworkSpec(place=place, outbound_type="userDefinedRouting")
    recorded = register(cluster(monitoring=QUIET, network=network))
    table = named(recorded, "RoleAssignment", "prod.routes")["inputs"]["scope"]
    assert named(recorded, "Subnet", "prod.nodes")["inputs"]["routeTable"] == {"id": table}


def test_a_network_that_exists_is_used_by_its_id(register: Register, tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "azure")
    network = f"{GROUPS}/hub/providers/Microsoft.Network/virtualNetworks/hub"
    routes = f"{GROUPS}/hub/providers/Microsoft.Network/routeTables/hub"
    cloud.put(f"{GROUPS}/hub", {"location": "westeurope", "properties": {}})
    cloud.put(network, {"location": "westeurope", "properties": {}})
    cloud.put(routes, {"properties": {"routes": [{"properties": {"addressPrefix": "0.0.0.0/0"}}]}})
    cloud.put(f"{network}/subnets/aks", {"properties": {"addressPrefix": "10.20.0.0/22", "routeTable": {"id": routes}}})
    place = ExistingNetwork(vnet_name="hub", resource_group="hub", subnet_name="aks")
    spec = cluster(monitoring=QUIET, network=NetworkSpec(place=place, outbound_type="userDefinedRouting"))
    recorded = register(spec, cloud=cloud)
    assert names(recorded, "VirtualNetwork") == []
    (profile,) = named(recorded, "ManagedCluster")["inputs"]["agentPoolProfiles"]
    assert profile["vnetSubnetID"] == f"{network}/subnets/aks"
    assert named(recorded, "RoleAssignment", "prod.routes")["inputs"]["scope"] == routes


def test_a_network_that_does_not_exist_is_an_error_at_its_place(register: Register) -> None:
    place = ExistingNetwork(vnet_name="gone", resource_group="hub", subnet_name="aks")
    spec = cluster(monitoring=QUIET, network=NetworkSpec(place=place, outbound_type="userDefinedRouting"))
    with pytest.raises(ConfigError) as refused:
        register(spec)
    (finding,) = refused.value.findings
    assert finding.path == "tidegate:clusters.prod.network"
    assert "aks of gone" in finding.problem


def test_the_kubelet_pulls_and_nobody_has_a_password(register: Register) -> None:
    recorded = register(cluster(monitoring=QUIET), registry=REGISTRY)
    pull = named(recorded, "RoleAssignment", "prod.pull")["inputs"]
    assert pull["scope"].endswith("/registries/scoring7421")
    assert pull["roleDefinitionId"].endswith("7f951dda-4ed3-4680-a7ca-43fe172d538d")
    kubelet = named(recorded, "ManagedCluster")["inputs"]["identityProfile"]["kubeletidentity"]
    assert pull["principalId"] == kubelet["objectId"]
    assert names(recorded, "Token") == []


def test_an_existing_registry_is_in_its_own_subscription(register: Register) -> None:
    existing = ExistingRegistrySpec(
        subscription_id="20000000-0000-4000-8000-000000000001",
        resource_group="hub",
        name="shared",
        pull_role="Container Registry Repository Reader",
    )
    recorded = register(cluster(monitoring=QUIET), registry=existing, preview=True)
    assert names(recorded, "Registry")[-1:] == ["registry"]  # the component alone
    pull = named(recorded, "RoleAssignment", "prod.pull")["inputs"]
    assert pull["scope"].startswith("/subscriptions/20000000-")
    assert pull["roleDefinitionId"].startswith("/subscriptions/20000000-")
    assert pull["roleDefinitionId"].endswith("b93aa761-3e63-49ed-ac28-beffa264f7ac")


def test_a_registry_without_a_public_address_is_found_by_name(register: Register, large: list[Recorded]) -> None:
    zone = named(large, "PrivateZone")["inputs"]["privateZoneName"]
    assert zone == "privatelink.azurecr.io"
    endpoint = named(large, "PrivateEndpoint")["inputs"]
    assert endpoint["subnet"]["id"].endswith("/subnets/endpoints")
    public = register(cluster(monitoring=QUIET, network=NetworkSpec(place=CREATED)), registry=REGISTRY)
    assert names(public, "PrivateEndpoint") == []


def test_certificate_and_kubeconfig_travel_as_secrets(large: list[Recorded]) -> None:
    assert isinstance(named(large, "Secret")["inputs"]["data"], Secret)
    assert isinstance(named(large, "pulumi:providers:kubernetes")["inputs"]["kubeconfig"], Secret)
    outputs = named(large, "Stack")["outputs"]
    assert isinstance(outputs["kubeconfigs"], Secret)
    assert outputs["kubeconfigs"].value.keys() == {"prod"}
    shown = repr([each["inputs"] for each in large])
    assert "Secret(...)" in shown
    assert "KEY" not in shown


def test_kubernetes_is_told_apart_by_name_and_never_replaced_for_a_text(large: list[Recorded]) -> None:
    inputs = named(large, "pulumi:providers:kubernetes")["inputs"]
    assert inputs["clusterIdentifier"] == "scoring/prod"
    assert (inputs["skipUpdateUnreachable"], inputs.get("deleteUnreachable")) == ("true", None)


def test_a_plain_cluster_has_nothing_in_kubernetes(register: Register) -> None:
    recorded = register(cluster(monitoring=QUIET))
    assert [each for each in recorded if "kubernetes" in each["type"]] == []


def test_objects_wait_for_the_right_to_make_them(large: list[Recorded]) -> None:
    for each in large:
        if each["type"].startswith("kubernetes:"):
            assert any(urn.endswith("::prod.deployer") for urn in each["options"]["dependsOn"]), identity(each)


def test_logs_go_to_the_workspace_of_the_cluster(large: list[Recorded]) -> None:
    made = named(large, "Workspace")
    addon = named(large, "ManagedCluster")["inputs"]["addonProfiles"]["omsagent"]["config"]
    assert addon["logAnalyticsWorkspaceResourceID"].endswith(f"/{made['inputs']['workspaceName']}")
    assert named(large, "DataCollectionRuleAssociation", "prod.logs")["inputs"]["associationName"] == (
        "ContainerInsightsExtension"
    )


def test_several_clusters_in_groups_of_their_own(register: Register) -> None:
    specs = [cluster(name=name, resource_group=name, dns_prefix=name, monitoring=QUIET) for name in ("one", "two")]
    recorded = register(*specs, resource_groups=("one", "two"))
    for name in ("one", "two"):
        waits = named(recorded, "ManagedCluster", f"{name}.cluster")["options"]["dependsOn"]
        assert [each.rpartition("::")[2] for each in waits if "ResourceGroup" in each] == [name]
    assert named(recorded, "Stack")["outputs"]["clusters"].keys() == {"one", "two"}


def test_an_attached_cluster_is_described_like_one_made_here(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    theirs = f"{GROUPS}/others/providers/Microsoft.ContainerService/managedClusters/theirs"
    cloud.put(
        theirs, {"properties": {"fqdn": "theirs.example", "provisioningState": "Succeeded", "resourceUID": "theirs"}}
    )
    spec = AttachedClusterSpec(
        name="them", purpose="DevTest", subscription_id=None, resource_group="others", cluster_name="theirs"
    )
    environment = Environment(stack="test", target="azure", azure=AzureSpec(location="", clusters=(spec,)))
    facts = {
        "resourceId": theirs,
        "location": "westeurope",
        "kubernetesVersion": "1.36.3",
        "nodeResourceGroup": "MC",
        "oidcIssuer": "issuer",
        "kubeletObjectId": "30000000-0000-4000-8000-000000000001",
        "apiServerAddress": "theirs.example",
    }
    recorded = record(
        lambda: deploy(environment, tmp_path),
        cloud=tmp_path,
        given={"tidegate-serving:azure:ClusterAttachment": facts},
    )
    assert named(recorded, "ClusterAttachment")["inputs"] == {
        "name": "them",
        "resourceGroup": "others",
        "clusterName": "theirs",
        "purpose": "DevTest",
        "owner": "organization/tidegate/test",
        "neededRanges": [],
    }
    outputs = named(recorded, "Stack")["outputs"]
    assert outputs["clusters"]["them"]["id"] == theirs
    assert outputs["kubeconfigs"].value.keys() == {"them"}
    assert names(recorded, "ManagedCluster") == []


def test_components_are_a_library(tmp_path: Path) -> None:
    """Another program puts a registry, a network and a cluster together without a stack's config."""
    spec = LARGE.model_copy(update={"monitoring": QUIET, "tls": None, "pools": ()})

    def program() -> None:
        group: pulumi.Resource = _group("scoring")
        network = ClusterNetwork("mine", spec, after=[group])
        registry = Registry("images", REGISTRY, after=[group])
        made = Cluster("mine", spec, owner="me", network=network, registry=registry, after=[group])
        pulumi.export("kubeconfig", made.kubeconfig)

    recorded = record(program, cloud=tmp_path, project="other")
    assert named(recorded, "ManagedCluster")["name"] == "mine.cluster"
    assert isinstance(named(recorded, "Stack")["outputs"]["kubeconfig"], Secret)


def _group(name: str) -> pulumi.Resource:
    from pulumi_azure_native.resources import ResourceGroup  # noqa: PLC0415 (only this test)

    return ResourceGroup(name, resource_group_name=name, location="westeurope")


def test_what_azure_refuses_fails_the_test(register: Register) -> None:
    wrong = SYSTEM.model_copy(update={"mode": "Other"})
    with pytest.raises(AssertionError, match="mode"):
        register(cluster(monitoring=QUIET, system_pool=wrong))


def test_an_environment_without_its_azure_part_is_a_fault(tmp_path: Path) -> None:
    environment = replace(Environment(stack="test", target="azure"), azure=None)
    with pytest.raises(TypeError, match="Azure"):
        record(lambda: deploy(environment, tmp_path), cloud=tmp_path)


def test_every_spec_of_these_tests_is_one_that_can_be_written() -> None:
    assert ClusterSpec.model_validate(LARGE.model_dump()) == LARGE
