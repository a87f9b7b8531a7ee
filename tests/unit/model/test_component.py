"""The storage account that the component registers, in a pretended cloud that refuses what Azure refuses."""

from pathlib import Path
from typing import Any

import pulumi
import pulumi_azure_native as azure_native
import pytest
from pydantic import ValidationError

from components.model_store import ModelStore
from tests.standins.cloud import SUBSCRIPTION
from tests.standins.mocks import Recorded, named, record
from tidegate.cluster.plan.names import role_definition
from tidegate.model.storage import BLOB_DATA_CONTRIBUTOR, BLOB_DATA_READER, ModelStoreSpec

SPEC = ModelStoreSpec(account="scoring7421", resource_group="scoring", location="westeurope", tags={"b": "c", "a": "b"})
CONTAINER = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/scoring/providers/Microsoft.Storage"
    "/storageAccounts/scoring7421/blobServices/default/containers/models"
)
POD, CI = "11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002"


def registered(tmp_path: Path, **changes: Any) -> list[Recorded]:
    def program() -> None:
        group = azure_native.resources.ResourceGroup("group", resource_group_name="scoring", location="westeurope")
        store = ModelStore("store", SPEC.model_copy(update=changes), after=[group])
        store.let_read("pods.models", who="pods", principal=POD, parent=store)
        store.let_write("ci.models", who="ci", principal=CI, parent=store)
        pulumi.export("store", store.location)

    return record(program, cloud=tmp_path / "cloud")


def test_the_account_takes_neither_keys_nor_the_public(tmp_path: Path) -> None:
    inputs = named(registered(tmp_path), "StorageAccount")["inputs"]
    assert inputs["allowSharedKeyAccess"] is False
    assert inputs["allowBlobPublicAccess"] is False
    assert inputs["enableHttpsTrafficOnly"] is True
    assert inputs["minimumTlsVersion"] == "TLS1_2"
    assert list(inputs["tags"].items()) == [("a", "b"), ("b", "c")]


def test_what_is_deleted_or_written_over_is_kept_for_a_while(tmp_path: Path) -> None:
    found = registered(tmp_path)
    blobs = named(found, "BlobServiceProperties")["inputs"]
    assert blobs["isVersioningEnabled"] is True
    assert blobs["deleteRetentionPolicy"] == blobs["containerDeleteRetentionPolicy"] == {"enabled": True, "days": 14}
    (rule,) = named(found, "ManagementPolicy")["inputs"]["policy"]["rules"]
    assert rule["definition"]["actions"] == {"version": {"delete": {"daysAfterCreationGreaterThan": 14}}}
    container = named(found, "BlobContainer", "store.container")
    assert any(each.endswith("store.blobs") for each in container["options"]["dependsOn"])


def test_pods_read_and_those_who_deploy_write_in_this_container_alone(tmp_path: Path) -> None:
    found = registered(tmp_path)
    given = {
        name: {
            key: named(found, "RoleAssignment", name)["inputs"][key]
            for key in ("scope", "principalId", "roleDefinitionId")
        }
        for name in ("pods.models", "ci.models")
    }
    assert given == {
        "pods.models": {
            "scope": CONTAINER,
            "principalId": POD,
            "roleDefinitionId": role_definition(SUBSCRIPTION, BLOB_DATA_READER),
        },
        "ci.models": {
            "scope": CONTAINER,
            "principalId": CI,
            "roleDefinitionId": role_definition(SUBSCRIPTION, BLOB_DATA_CONTRIBUTOR),
        },
    }
    names = {each["inputs"]["roleAssignmentName"] for each in found if each["type"].endswith(":RoleAssignment")}
    assert len(names) == 2


@pytest.mark.parametrize("production", [False, True])
def test_a_production_store_is_protected(tmp_path: Path, production: bool) -> None:
    found = registered(tmp_path, production=production)
    for kind, name in (("StorageAccount", "store.account"), ("BlobContainer", "store.container")):
        assert named(found, kind, name)["options"].get("protect", False) is production


def test_its_url_is_known_before_it_is_there(tmp_path: Path) -> None:
    outputs = named(registered(tmp_path), "tidegate:azure:ModelStore")["outputs"]
    assert outputs == {"location": "https://scoring7421.blob.core.windows.net/models"}


@pytest.mark.parametrize(
    "wrong", [{"account": "Scoring"}, {"account": "ab"}, {"container": "a--b"}, {"container": "ab"}, {"kept_days": 0}]
)
def test_names_that_azure_refuses_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModelStoreSpec(**{**SPEC.model_dump(), **wrong})
