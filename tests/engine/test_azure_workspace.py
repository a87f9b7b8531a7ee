"""Compute targets of an Azure ML workspace: registered, and detached without the cluster behind them."""

import json

import pytest

from tests.engine.azure_harness import CLUSTER, AzureStack
from tests.standins.cloud import SUBSCRIPTION

pytestmark = pytest.mark.engine

WORKSPACE = "Microsoft.MachineLearningServices/workspaces/scoring-ml"
TARGET = f"{WORKSPACE}/computes/main"


@pytest.fixture
def attached(azure: AzureStack) -> AzureStack:
    """The settled stack, with its cluster in a workspace of another region."""
    hub = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub"
    azure.cloud.put(hub, {"location": "northeurope", "properties": {}})
    azure.cloud.put(f"{hub}/providers/{WORKSPACE}", {"location": "northeurope", "properties": {}})
    ranges = {"NorthEurope": ["192.0.2.0/25", "2001:db8::/32"], "WestEurope": ["192.0.2.128/25"]}
    values = [
        {"name": f"AzureMachineLearning.{region}", "properties": {"region": region.lower(), "addressPrefixes": found}}
        for region, found in ranges.items()
    ]
    (azure.root / "tags.json").write_text(json.dumps({"values": values}))
    azure.config["tidegate:workspace"] = {
        "name": "scoring-ml",
        "resourceGroup": "hub",
        "location": "northeurope",
        "serviceTags": "tags.json",
    }
    azure.up().require()
    return azure


def test_the_cluster_is_a_target_that_lets_the_workspace_in(attached: AzureStack) -> None:
    target = attached.azure(TARGET, "hub")["properties"]
    assert (target["computeType"], target["resourceId"]) == ("AKS", attached.id())
    assert target["properties"]["clusterPurpose"] == "DevTest"
    access = attached.azure()["properties"]["apiServerAccessProfile"]
    assert access["authorizedIPRanges"] == ["192.0.2.0/24", "203.0.113.0/24"]
    attached.up("--expect-no-changes").require()


def test_detached_by_its_removal_from_the_config(attached: AzureStack) -> None:
    del attached.config["tidegate:workspace"]
    attached.up().require()
    assert attached.cloud.get(attached.id(TARGET, "hub")) is None
    assert attached.azure()["properties"]["provisioningState"] == "Succeeded"
    assert attached.azure(WORKSPACE, "hub")


def test_detached_before_the_cluster_goes(attached: AzureStack) -> None:
    attached.destroy().require()
    assert attached.cloud.get(attached.id()) is None
    assert attached.cloud.get(attached.id(TARGET, "hub")) is None
    deleted = [identity for operation, identity in attached.cloud.calls() if operation == "delete"]
    assert deleted.index(attached.id(TARGET, "hub")) < deleted.index(attached.id(CLUSTER))
    assert attached.azure(WORKSPACE, "hub")


def test_a_target_that_was_detached_outside_is_no_obstacle(attached: AzureStack) -> None:
    attached.cloud.delete(attached.id(TARGET, "hub"))
    del attached.config["tidegate:workspace"]
    attached.up().require()
    assert attached.azure()["properties"]["provisioningState"] == "Succeeded"
