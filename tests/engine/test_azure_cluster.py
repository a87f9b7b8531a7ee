"""A cluster's life on the real engine: each change of the config, what the preview says of it and what Azure gets."""

from typing import Any

import pytest

from tests.engine.azure_harness import CLUSTER, AzureStack
from tests.standins import kubernetes_objects
from tests.standins.aks import VERSIONS

pytestmark = pytest.mark.engine

THE_CLUSTER = "azure-native:containerservice:ManagedCluster::main.cluster"
THE_FIRST_POOL = "tidegate-serving:azure:SystemPool::main.system"  # looked at again after every change of the cluster
THE_GUARD = "tidegate-serving:azure:ReplacementGuard::main.guard"


def pool_steps(steps: dict[str, str]) -> dict[str, str]:
    """The steps of pools, by their names without the hash."""
    prefix = "azure-native:containerservice:AgentPool::main."
    return {name.removeprefix(prefix)[:-4]: step for name, step in steps.items() if name.startswith(prefix)}


# -- made


def test_what_is_made(azure: AzureStack) -> None:
    cluster = azure.azure()
    properties = cluster["properties"]
    assert cluster["tags"]["tidegate-owner"] == "organization/tidegate/dev"
    assert cluster["sku"] == {"name": "Base", "tier": "Free"}
    assert cluster["identity"]["type"] == "UserAssigned"
    assert properties["disableLocalAccounts"] is True
    assert properties["aadProfile"]["enableAzureRBAC"] is True
    assert properties["apiServerAccessProfile"]["authorizedIPRanges"] == ["203.0.113.0/24"]
    assert {name: pool["mode"] for name, pool in azure.pools().items()} == {
        "system": "System",
        "cpu": "User",
        "burst": "User",
    }
    outputs = azure.outputs()
    assert outputs["clusters"]["main"]["id"] == azure.id()
    assert outputs["clusters"]["main"]["kubernetesVersion"] == VERSIONS["1.35"]
    assert outputs["registry"]["loginServer"] == "scoring7421.azurecr.io"
    assert "kubelogin" in outputs["kubeconfigs"]["main"]
    assert "devicecode" not in outputs["kubeconfigs"]["main"]


def test_nothing_changes_where_nothing_changed(azure: AzureStack) -> None:
    assert "unchanged" in azure.up("--expect-no-changes").require().output
    azure.preview("--refresh", "--expect-no-changes").require()


def test_no_secret_is_kept_or_shown_in_plain_text(azure: AzureStack) -> None:
    key = (azure.root / "first.key").read_text().splitlines()[1]
    shown = azure.preview().require().output
    kept = "".join(path.read_text() for path in (azure.root / ".tidegate" / "backend").rglob("*.json"))
    assert "scoring7421" in kept  # it is the state
    for secret in (key, "client.authentication.k8s.io", "BEGIN PRIVATE KEY"):
        assert secret not in shown
        assert secret not in kept


def test_everything_goes(azure: AzureStack) -> None:
    azure.destroy().require()
    assert azure.cloud.all() == []


# -- scale


def test_a_pool_is_scaled_in_place(azure: AzureStack) -> None:
    azure.main["pools"]["cpu"]["count"] = 3
    assert azure.steps() == {f"azure-native:containerservice:AgentPool::main.{azure.pools()['cpu']['name']}": "update"}
    azure.up().require()
    assert azure.pools()["cpu"]["count"] == 3


def test_the_first_pool_is_scaled_in_place(azure: AzureStack) -> None:
    azure.main["systemPool"] = {"count": 2}
    assert set(azure.steps().values()) == {"update"}
    azure.up().require()
    assert azure.pools()["system"]["count"] == 2
    # The next change of the cluster itself does not set it back.
    azure.main["tags"] = {"team": "scoring"}
    azure.up().require()
    assert azure.pools()["system"]["count"] == 2
    azure.up("--expect-no-changes").require()


def test_the_autoscaler_keeps_its_count(azure: AzureStack) -> None:
    name = azure.pools()["burst"]["name"]
    azure.edit(f"{CLUSTER}/agentPools/{name}", count=4)
    azure.up("--refresh", "--expect-no-changes").require()
    azure.main["pools"]["burst"]["maxCount"] = 5
    azure.up().require()
    assert (azure.pools()["burst"]["count"], azure.pools()["burst"]["maxCount"]) == (4, 5)


# -- pools


def test_a_pool_is_added_and_taken_away(azure: AzureStack) -> None:
    azure.main["pools"]["more"] = {"count": 1}
    assert pool_steps(azure.steps()) == {"more": "create"}
    azure.up().require()
    assert azure.pools().keys() == {"system", "cpu", "burst", "more"}
    del azure.main["pools"]["more"]
    assert pool_steps(azure.steps()) == {"more": "delete"}
    azure.up().require()
    assert azure.pools().keys() == {"system", "cpu", "burst"}


def test_a_pool_of_another_shape_comes_before_the_old_one_goes(azure: AzureStack) -> None:
    old = azure.pools()["cpu"]["name"]
    azure.main["pools"]["cpu"]["vmSize"] = "Standard_D8s_v5"
    assert sorted(azure.steps().values()) == ["create", "delete"]
    before = len(azure.cloud.calls())
    azure.up().require()
    new = azure.pools()["cpu"]["name"]
    assert azure.cloud.calls()[before:] == [
        ("create", azure.id(f"{CLUSTER}/agentPools/{new}")),
        ("delete", azure.id(f"{CLUSTER}/agentPools/{old}")),
    ]


# -- upgrade


def test_an_upgrade_by_one_minor(azure: AzureStack) -> None:
    azure.main["kubernetesVersion"] = "1.36"
    steps = azure.steps()
    assert steps[THE_CLUSTER] == "update"
    # Nothing in Kubernetes is touched, and nothing planned to be deleted, while the cluster's outputs are unknown.
    assert not [name for name in steps if name.startswith("kubernetes:")]
    assert set(steps.values()) == {"update"}
    azure.up().require()
    assert azure.azure()["properties"]["currentKubernetesVersion"] == VERSIONS["1.36"]
    assert azure.pools()["cpu"]["currentOrchestratorVersion"] == VERSIONS["1.36"]
    azure.up("--expect-no-changes").require()


def test_a_step_back_is_refused_in_the_preview(azure: AzureStack) -> None:
    azure.main["kubernetesVersion"] = "1.36"
    azure.up().require()
    azure.main["kubernetesVersion"] = "1.35"
    assert "Kubernetes 1.36.3 cannot become 1.35 again" in azure.preview().require_failure().output
    azure.up().require_failure()
    assert azure.azure()["properties"]["currentKubernetesVersion"] == VERSIONS["1.36"]


# -- access


def test_ranges_change_in_place(azure: AzureStack) -> None:
    azure.main["apiServer"]["authorizedIPRanges"] = ["198.51.100.0/25", "198.51.100.128/25", "203.0.113.0/24"]
    assert azure.steps() == {THE_CLUSTER: "update", THE_FIRST_POOL: "update"}
    azure.up().require()
    access = azure.azure()["properties"]["apiServerAccessProfile"]
    assert access["authorizedIPRanges"] == ["198.51.100.0/24", "203.0.113.0/24"]  # merged neighbours


def test_the_deployers_address_is_found(azure: AzureStack) -> None:
    azure.main["apiServer"]["includeDeployer"] = True
    azure.up().require()
    access = azure.azure()["properties"]["apiServerAccessProfile"]
    assert access["authorizedIPRanges"] == ["198.51.100.7/32", "203.0.113.0/24"]


def test_a_certificate_is_rotated_without_touching_the_cluster(azure: AzureStack) -> None:
    azure.main["tls"] = azure.certificate("second")
    steps = azure.steps()
    assert steps == {"kubernetes:core/v1:Secret::main.scoring-certificate": "update"}
    before = kubernetes_objects.find(azure.cloud, azure.id(), "Secret")
    azure.up().require()
    after = kubernetes_objects.find(azure.cloud, azure.id(), "Secret")
    assert [each["metadata"]["uid"] for each in after] == [each["metadata"]["uid"] for each in before]
    assert after[0]["data"]["tls.crt"] != before[0]["data"]["tls.crt"]


# -- what would replace the cluster


REPLACING: dict[str, dict[str, Any]] = {
    "dnsPrefix": {"dnsPrefix": "other"},
    "networkProfile.podCidr": {"network": {"podCidr": "10.245.0.0/16"}},
    "networkProfile.serviceCidr": {"network": {"serviceCidr": "10.1.0.0/16", "dnsServiceIP": "10.1.0.10"}},
    "nodeResourceGroup": {"nodeResourceGroup": "other"},
    "location": {"location": "northeurope"},
    "agentPoolProfiles[0].vmSize": {"systemPool": {"vmSize": "Standard_D8s_v5"}},
}


@pytest.mark.parametrize("path", REPLACING)
def test_a_change_that_would_replace_the_cluster_is_refused(azure: AzureStack, path: str) -> None:
    azure.main.update(REPLACING[path])
    output = azure.preview().require_failure().output
    assert f"{path}" in output
    assert "would make Azure replace the cluster main" in output
    assert "tidegate:allowReplacement: [main]" in output


def test_a_refused_change_leaves_the_cluster_as_it_is(azure: AzureStack) -> None:
    azure.main["dnsPrefix"] = "other"
    azure.main["tags"] = {"team": "scoring"}
    before = azure.azure()
    azure.up().require_failure()
    assert azure.azure() == before


def test_a_replacement_that_is_allowed(azure: AzureStack) -> None:
    azure.main["dnsPrefix"] = "other"
    azure.config["tidegate:allowReplacement"] = ["main"]
    steps = azure.steps()
    assert steps[THE_CLUSTER] == "replace"
    azure.up().require()
    assert azure.azure()["properties"]["dnsPrefix"] == "other"
    assert azure.pools().keys() == {"system", "cpu", "burst"}
    assert kubernetes_objects.find(azure.cloud, azure.id(), "Secret")
    azure.up("--expect-no-changes").require()
    # Taken out of the list again, the guard holds the new values.
    del azure.config["tidegate:allowReplacement"]
    azure.up().require()
    azure.up("--expect-no-changes").require()


# -- several


def test_a_second_cluster_in_a_group_of_its_own(azure: AzureStack) -> None:
    azure.clusters["second"] = {"purpose": "DevTest", "resourceGroup": "elsewhere"}
    assert all(step == "create" for step in azure.steps().values())
    azure.up().require()
    second = azure.azure("Microsoft.ContainerService/managedClusters/second", "elsewhere")
    assert second["tags"]["tidegate-owner"] == "organization/tidegate/dev"
    del azure.clusters["second"]
    assert all(step == "delete" for step in azure.steps().values())
    azure.up().require()
    assert not [each for each in azure.cloud.all() if "/resourcegroups/elsewhere" in each["id"].lower()]
    assert azure.azure()
