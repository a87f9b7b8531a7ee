"""Clusters that somebody else made: attached, owned by one stack at a time, let go of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.azure_harness import AzureStack
from tests.standins.aks import CLUSTERS
from tests.standins.arm_server import put_cluster
from tests.standins.cloud import SUBSCRIPTION, Body, Cloud, Failure

pytestmark = pytest.mark.engine

OWNER = "tidegate-owner"
THEIRS = f"{CLUSTERS}/theirs"

NewAzure = Callable[..., AzureStack]


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """An Azure in which a cluster is that no stack made."""
    made = Cloud(tmp_path / "shared cloud")
    their_cluster(made)
    return made


def their_cluster(cloud: Cloud, **changes: Any) -> str:
    system: Body = {"name": "system", "mode": "System", "count": 3, "vmSize": "Standard_D4s_v5", "osType": "Linux"}
    return put_cluster(
        cloud, "theirs", "theirs",
        {
            "location": "northeurope",
            "tags": {"team": "theirs"},
            "properties": {
                "dnsPrefix": "theirs", "kubernetesVersion": "1.36", "agentPoolProfiles": [system],
                "oidcIssuerProfile": {"enabled": True}, "aadProfile": {"managed": True, "enableAzureRBAC": True},
                "disableLocalAccounts": True, **changes,
            },
        },
    )  # fmt: skip


def config(**attach: Any) -> dict[str, Any]:
    attach = attach or {"resourceGroup": "theirs", "name": "theirs"}
    return {
        "tidegate:target": "azure",
        "azure-native:subscriptionId": SUBSCRIPTION,
        "tidegate:clusters": {"used": {"attach": attach}},
    }


def test_a_cluster_is_attached_and_let_go_of(new_azure: NewAzure, cloud: Cloud) -> None:
    dev = new_azure("dev", config(), cloud=cloud.root)
    before = dev.azure(THEIRS, "theirs")
    dev.up().require()
    attached = dev.azure(THEIRS, "theirs")
    assert {**attached, "tags": None} == {**before, "tags": None}
    assert attached["tags"].items() >= {"team": "theirs", OWNER: "organization/tidegate/dev"}.items()
    described = dev.outputs()["clusters"]["used"]
    assert described["id"] == before["id"]
    assert described["location"] == "northeurope"
    assert described["oidcIssuer"] == before["properties"]["oidcIssuerProfile"]["issuerURL"]
    assert "kubelogin" in dev.outputs()["kubeconfigs"]["used"]
    dev.up("--expect-no-changes").require()
    dev.destroy().require()
    assert dev.azure(THEIRS, "theirs") == before


def test_by_resource_id_in_any_case(new_azure: NewAzure, cloud: Cloud) -> None:
    identity = AzureStack(cloud.root, "").id(THEIRS, "theirs").upper()
    dev = new_azure("dev", config(resourceId=identity), cloud=cloud.root)
    dev.up().require()
    assert OWNER in dev.azure(THEIRS, "theirs")["tags"]


def test_a_second_stack_gets_the_name_of_the_owner(new_azure: NewAzure, cloud: Cloud) -> None:
    dev, prod = (new_azure(name, config(), cloud=cloud.root) for name in ("dev", "prod"))
    dev.up().require()
    assert "organization/tidegate/dev" in prod.preview().require_failure().output
    assert "organization/tidegate/dev" in prod.up().require_failure().output
    prod.destroy().require()
    assert dev.azure(THEIRS, "theirs")["tags"][OWNER] == "organization/tidegate/dev"
    # Once the first has let go of it, the second may have it.
    dev.destroy().require()
    prod.up().require()
    assert prod.azure(THEIRS, "theirs")["tags"][OWNER] == "organization/tidegate/prod"


def test_a_cluster_that_another_stack_made_is_not_attached(new_azure: NewAzure, azure: AzureStack) -> None:
    prod = new_azure("prod", config(resourceGroup="scoring", name="main"), cloud=azure.cloud.root)
    assert "organization/tidegate/dev" in prod.preview().require_failure().output


def test_another_purpose_needs_no_detach(new_azure: NewAzure, cloud: Cloud) -> None:
    dev = new_azure("dev", config(), cloud=cloud.root)
    dev.up().require()
    dev.clusters["used"]["attach"]["purpose"] = "DevTest"
    assert set(dev.steps().values()) <= {"update"}
    dev.up().require()
    assert dev.outputs()["clusters"]["used"]["purpose"] == "DevTest"


def test_detached_by_its_removal_from_the_config(new_azure: NewAzure, cloud: Cloud) -> None:
    dev = new_azure("dev", config(), cloud=cloud.root)
    dev.up().require()
    dev.config |= {
        "tidegate:location": "westeurope",
        "tidegate:resourceGroup": "scoring",
        "tidegate:clusters": {"own": {"purpose": "DevTest"}},
    }
    dev.up().require()
    assert OWNER not in dev.azure(THEIRS, "theirs")["tags"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"agentPoolProfiles": [{"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D4s_v5"}]}, "12"),
        ({"apiServerAccessProfile": {"authorizedIPRanges": ["192.0.2.0/24"]}}, "198.51.100.7"),
    ],
)
def test_a_cluster_that_does_not_fit_is_refused(
    new_azure: NewAzure, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    cloud = Cloud(tmp_path / "shared cloud")
    their_cluster(cloud, **changes)
    dev = new_azure("dev", config(), cloud=cloud.root)
    assert said in dev.preview().require_failure().output
    assert OWNER not in dev.azure(THEIRS, "theirs")["tags"]


@pytest.mark.parametrize(("name", "value"), [("provisioningState", "Failed"), ("currentKubernetesVersion", "1.29.4")])
def test_a_cluster_in_a_state_that_cannot_be_used_is_refused(
    new_azure: NewAzure, cloud: Cloud, name: str, value: str
) -> None:
    dev = new_azure("dev", config(), cloud=cloud.root)
    dev.edit(THEIRS, "theirs", **{name: value})
    assert value in dev.preview().require_failure().output


def test_a_cluster_that_is_not_there(new_azure: NewAzure, cloud: Cloud) -> None:
    dev = new_azure("dev", config(resourceGroup="theirs", name="nobodys"), cloud=cloud.root)
    assert "nobodys" in dev.preview().require_failure().output


def test_a_throttled_azure_is_asked_again(new_azure: NewAzure, cloud: Cloud) -> None:
    dev = new_azure("dev", config(), cloud=cloud.root)
    cloud.fail(
        Failure(CLUSTERS, "get", status=429, code="TooManyRequests", message="slow down", times=2),
        Failure(CLUSTERS, "tags", status=429, code="TooManyRequests", message="slow down"),
    )
    dev.up().require()
    assert dev.azure(THEIRS, "theirs")["tags"][OWNER] == "organization/tidegate/dev"


def test_a_detached_cluster_that_is_gone(new_azure: NewAzure, cloud: Cloud) -> None:
    dev = new_azure("dev", config(), cloud=cloud.root)
    dev.up().require()
    cloud.delete(dev.id(THEIRS, "theirs"))
    dev.destroy().require()
