"""What goes wrong on Azure in the middle, what is changed or deleted there outside, and how the next `up` goes on."""

import pytest

from tests.engine.azure_harness import CLUSTER, GROUP, AzureStack
from tests.standins import kubernetes_objects
from tests.standins.aks import CLUSTERS, POOLS
from tests.standins.cloud import Failure

pytestmark = pytest.mark.engine

THE_CLUSTER = "azure-native:containerservice:ManagedCluster::main.cluster"


def test_a_quota_ends_one_pool_and_the_next_up_makes_it(azure: AzureStack) -> None:
    message = "Insufficient regional quota: 8 vCPUs of family standardDSv5Family are left, 16 are needed"
    azure.cloud.fail(Failure(POOLS, "create", code="ErrCode_InsufficientVCPUQuota", message=message))
    azure.main["pools"]["more"] = {"count": 4}
    output = azure.up().require_failure().output
    assert "ErrCode_InsufficientVCPUQuota" in output
    assert message in output
    assert "more" not in azure.pools()
    azure.up().require()
    assert azure.pools()["more"]["count"] == 4
    azure.up("--expect-no-changes").require()


def test_a_cluster_that_azure_half_made_is_repaired(azure: AzureStack) -> None:
    azure.clusters["second"] = {"purpose": "DevTest"}
    azure.cloud.fail(
        Failure(CLUSTERS, "create", code="OverconstrainedAllocationRequest", message="no room in zone 1", half=True)
    )
    assert "no room in zone 1" in azure.up().require_failure().output
    second = f"{CLUSTERS}/second"
    assert azure.azure(second)["properties"]["provisioningState"] == "Failed"
    assert azure.azure()["properties"]["provisioningState"] == "Succeeded"
    azure.up().require()
    assert azure.azure(second)["properties"]["provisioningState"] == "Succeeded"
    calls = [call for call, identity in azure.cloud.calls() if identity == azure.id(second)]
    assert calls == ["create", "update"]  # repaired, not made again
    azure.up("--expect-no-changes").require()


def test_a_conflict_while_azure_is_busy_leaves_the_cluster_and_the_next_up_goes_on(azure: AzureStack) -> None:
    azure.cloud.fail(Failure(CLUSTERS, "update", status=409, code="OperationNotAllowed", message="upgrade in progress"))
    azure.main["kubernetesVersion"] = "1.36"
    assert "upgrade in progress" in azure.up().require_failure().output
    assert azure.azure()["properties"]["kubernetesVersion"] == "1.35"
    azure.up().require()
    assert azure.azure()["properties"]["kubernetesVersion"] == "1.36"


def test_a_destroy_that_stops_half_way_goes_on(azure: AzureStack) -> None:
    azure.cloud.fail(Failure(CLUSTERS, "delete", status=409, code="Conflict", message="a lock"))
    assert "a lock" in azure.destroy().require_failure().output
    azure.destroy().require()
    assert azure.cloud.all() == []


def test_an_interrupted_creation_leaves_nothing_that_blocks(azure: AzureStack) -> None:
    # What Azure already has under the name is never taken over in silence.
    taken = f"{CLUSTERS}/second"
    azure.cloud.put(azure.id(taken), {"location": "westeurope", "properties": {"provisioningState": "Succeeded"}})
    azure.clusters["second"] = {"purpose": "DevTest"}
    assert "already existing resource" in azure.up().require_failure().output
    azure.cloud.delete(azure.id(taken))
    azure.up().require()


# -- drift


def test_what_was_changed_outside_is_seen_by_refresh_and_set_right(azure: AzureStack) -> None:
    access = {**azure.azure()["properties"]["apiServerAccessProfile"], "authorizedIPRanges": ["192.0.2.0/24"]}
    azure.edit(apiServerAccessProfile=access)
    azure.up("--expect-no-changes").require()  # nobody asked Azure
    output = azure.preview("--refresh").require().output
    assert "192.0.2.0/24" in output
    azure.up("--refresh").require()
    assert azure.azure()["properties"]["apiServerAccessProfile"]["authorizedIPRanges"] == ["203.0.113.0/24"]
    azure.preview("--refresh", "--expect-no-changes").require()


def test_a_pool_that_was_scaled_outside_is_set_right(azure: AzureStack) -> None:
    azure.edit(f"{CLUSTER}/agentPools/{azure.pools()['cpu']['name']}", count=7)
    azure.up("--refresh").require()
    assert azure.pools()["cpu"]["count"] == 2


def test_a_cluster_that_was_deleted_outside_is_made_again(azure: AzureStack) -> None:
    azure.cloud.delete(azure.id())
    azure.up("--refresh").require()
    assert azure.pools().keys() == {"system", "cpu", "burst"}
    assert kubernetes_objects.find(azure.cloud, azure.id(), "Secret")
    azure.preview("--refresh", "--expect-no-changes").require()


def test_everything_was_deleted_outside(azure: AzureStack) -> None:
    azure.cloud.delete(f"/subscriptions/{azure.id().split('/')[2]}/resourceGroups/{GROUP}")
    azure.refresh().require()
    azure.up().require()
    assert azure.pools().keys() == {"system", "cpu", "burst"}
    azure.destroy().require()
    assert azure.cloud.all() == []
