"""Rights that Azure honours only some time after it has given them."""

from collections.abc import Callable

import pytest

from tests.engine.azure_harness import GROUP, AzureStack
from tests.standins.aks import CLUSTERS
from tests.standins.cloud import Failure

pytestmark = pytest.mark.engine

NewAzure = Callable[..., AzureStack]
NOT_YET = Failure(
    arm=CLUSTERS,
    operation="create",
    status=400,
    code="CustomKubeletIdentityMissingPermissionError",
    message="The cluster's identity must be given the role Managed Identity Operator.",
)


@pytest.fixture
def fresh(new_azure: NewAzure) -> AzureStack:
    return new_azure(
        "dev",
        {
            "tidegate:target": "azure",
            "tidegate:location": "westeurope",
            "tidegate:resourceGroup": GROUP,
            "tidegate:clusters": {"main": {"purpose": "DevTest", "monitoring": {"prometheus": False}}},
        },
    )


def test_one_up_is_enough(fresh: AzureStack) -> None:
    fresh.cloud.fail(NOT_YET)
    done = fresh.up().require().output
    assert "does not honour its rights yet" in done
    assert fresh.azure()["properties"]["provisioningState"] == "Succeeded"
    fresh.up("--expect-no-changes").require()


def test_another_failure_is_told_at_once(fresh: AzureStack) -> None:
    fresh.cloud.fail(Failure(arm=CLUSTERS, operation="create", code="QuotaExceeded", message="No cores are left."))
    failed = fresh.up().require_failure().output
    assert "No cores are left." in failed
    assert "trying again" not in failed


def test_a_failed_destroy_says_why(fresh: AzureStack) -> None:
    fresh.up().require()
    fresh.cloud.fail(Failure(arm=CLUSTERS, operation="delete", code="ScopeLocked", message="A lock holds the cluster."))
    assert "A lock holds the cluster." in fresh.destroy().require_failure().output
    fresh.destroy().require()
