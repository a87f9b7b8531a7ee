"""The stand-ins themselves on the real engine, with a small program of their own."""

from collections.abc import Callable

import pytest

from tests.engine.azure_harness import AzureStack
from tests.engine.harness import CHECKOUT
from tests.standins import kubernetes_objects
from tests.standins.aks import CLUSTERS
from tests.standins.cloud import Failure

pytestmark = pytest.mark.engine

THE_CLUSTER = "azure-native:containerservice:ManagedCluster::cluster"
THE_POOL = "azure-native:containerservice:AgentPool::pool"
THE_SECRET = "kubernetes:core/v1:Secret::tls"
SCORING = f"{CLUSTERS}/scoring"


@pytest.fixture
def small(new_azure: Callable[..., AzureStack]) -> AzureStack:
    """A resource group, an identity, a cluster, a pool, and a Secret in the cluster; not made yet."""
    return new_azure("dev", {}, project=CHECKOUT / "tests" / "standins" / "program")


def test_made_quiet_changed_and_gone(small: AzureStack) -> None:
    assert set(small.steps().values()) == {"create"}
    small.up().require()
    small.up("--expect-no-changes").require()
    small.preview("--refresh", "--expect-no-changes").require()
    small.config |= {"standins:count": 3, "standins:team": "b"}
    assert small.steps() == {THE_CLUSTER: "update", THE_POOL: "update"}
    small.up().require()
    assert [pool["count"] for pool in small.azure(SCORING)["properties"]["agentPoolProfiles"]] == [2, 3]
    small.destroy().require()
    assert small.cloud.all() == []


def test_replacements(small: AzureStack) -> None:
    small.up().require()
    small.config["standins:size"] = "Standard_D8s_v5"
    assert small.steps() == {THE_POOL: "replace"}
    small.up().require()
    assert [call for call, identity in small.cloud.calls() if identity.endswith("agentPools/scoring")] == [
        "create",
        "delete",
        "create",
    ]
    small.config["standins:outbound"] = "none"
    assert small.steps()[THE_CLUSTER] == "replace"


def test_a_secret_in_kubernetes_is_replaced_unless_the_provider_may_change_it(small: AzureStack) -> None:
    small.up().require()
    small.config["standins:key"] = "b"
    assert small.steps() == {THE_SECRET: "replace"}
    small.up().require()
    [secret] = kubernetes_objects.find(small.cloud, small.id(SCORING), "Secret")
    assert secret["stringData"] == {"key": "b"}


def test_a_kubeconfig_that_asks_somebody_at_a_browser_is_refused(small: AzureStack) -> None:
    small.config["standins:login"] = "devicecode"
    assert "needs somebody at a browser" in small.up().require_failure().output
    small.config["standins:login"] = "workloadidentity"
    small.up().require()


def test_faults_of_a_body_are_found_in_the_preview(small: AzureStack) -> None:
    small.config |= {"standins:outbound": "direct", "standins:version": "1.30"}
    output = small.preview().require_failure().output
    assert "networkProfile.outboundType: 'direct' is none of" in output
    del small.config["standins:outbound"]
    assert "K8sVersionNotSupported" in small.up().require_failure().output  # only Azure knows its versions


def test_a_half_made_cluster_is_kept_and_repaired(small: AzureStack) -> None:
    small.cloud.fail(Failure(CLUSTERS, "create", half=True, code="AllocationFailed", message="no room"))
    assert "no room" in small.up().require_failure().output
    kept = [each["type"] for each in small.state()["deployment"]["resources"]]
    assert "azure-native:containerservice:ManagedCluster" in kept
    assert small.steps()[THE_CLUSTER] == "update"
    small.up().require()
    assert small.azure(SCORING)["properties"]["provisioningState"] == "Succeeded"
