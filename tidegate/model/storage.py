"""The storage account in which pods find models and code, as azure-native wants it.

What makes a number immutable is how it is written: under a name that must not be there yet (`If-None-Match: *`), with
its hash checked by whoever reads. A time-based immutability policy would stand against deleting a model; so a blob that
is deleted, or written over by other means, is kept as an older version instead.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Plan = dict[str, Any]

# Azure's built-in roles (azure-docs: role-based-access-control/built-in-roles/storage.md).
BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"


RECORDS = "records"
"""The container for what pods write: collected data and outputs. They may not write where models are."""


class ModelStoreSpec(BaseModel):
    """A storage account and a container in it, both made by the stack."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str = Field(pattern=r"^[a-z0-9]{3,24}$")
    """Unique in all of Azure."""
    resource_group: str
    location: str
    container: str = Field(default="models", pattern=r"^[a-z0-9](-?[a-z0-9])+$", min_length=3, max_length=63)
    sku: str = "Standard_ZRS"
    kept_days: int = Field(default=14, ge=1, le=365)
    """For how long what was deleted can be had back."""
    public_network_access: bool = True
    deployer_object_id: str | None = None
    """Who uploads; None for the login."""
    deployer_principal_type: Literal["User", "ServicePrincipal"] | None = None
    production: bool = False
    tags: dict[str, str] = {}

    @property
    def url(self) -> str:
        """The container's, in the public cloud."""
        return f"https://{self.account}.blob.core.windows.net/{self.container}"

    @property
    def records_url(self) -> str:
        """That of the container for what pods write."""
        return f"https://{self.account}.blob.core.windows.net/{RECORDS}"


def plan_account(spec: ModelStoreSpec) -> Plan:
    """A `StorageAccount` that takes Entra logins alone."""
    return {
        "resourceGroupName": spec.resource_group,
        "accountName": spec.account,
        "location": spec.location,
        "kind": "StorageV2",
        "sku": {"name": spec.sku},
        "accessTier": "Hot",
        "allowBlobPublicAccess": False,
        "allowCrossTenantReplication": False,
        "allowSharedKeyAccess": False,
        "defaultToOAuthAuthentication": True,
        "enableHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "publicNetworkAccess": "Enabled" if spec.public_network_access else "Disabled",
        "tags": dict(sorted(spec.tags.items())),
    }


def plan_blobs(spec: ModelStoreSpec) -> Plan:
    """The account's `BlobServiceProperties`: versions and soft delete."""
    kept = {"enabled": True, "days": spec.kept_days}
    return {
        "resourceGroupName": spec.resource_group,
        "accountName": spec.account,
        "blobServicesName": "default",
        "isVersioningEnabled": True,
        "deleteRetentionPolicy": kept,
        "containerDeleteRetentionPolicy": kept,
    }


def plan_container(spec: ModelStoreSpec, name: str) -> Plan:
    """A `BlobContainer` without public reads."""
    return {
        "resourceGroupName": spec.resource_group,
        "accountName": spec.account,
        "containerName": name,
        "publicAccess": "None",
    }


def plan_lifecycle(spec: ModelStoreSpec) -> Plan:
    """The account's `ManagementPolicy`: older versions of blobs go once they need not be kept."""
    expiry = {"daysAfterCreationGreaterThan": spec.kept_days}
    return {
        "resourceGroupName": spec.resource_group,
        "accountName": spec.account,
        "managementPolicyName": "default",
        "policy": {
            "rules": [
                {
                    "enabled": True,
                    "name": "older-versions",
                    "type": "Lifecycle",
                    "definition": {
                        "actions": {"version": {"delete": expiry}},
                        "filters": {"blobTypes": ["blockBlob"], "prefixMatch": [f"{spec.container}/"]},
                    },
                }
            ]
        },
    }
