"""The store that pods fetch models and code from."""

from collections.abc import Sequence

import pulumi
import pulumi_azure_native as azure_native

from components.azure import assign_role, register
from tidegate.model.storage import (
    BLOB_DATA_CONTRIBUTOR,
    BLOB_DATA_READER,
    RECORDS,
    ModelStoreSpec,
    plan_account,
    plan_blobs,
    plan_container,
    plan_lifecycle,
)


class ModelStore(pulumi.ComponentResource):
    """A storage account with one container, for one stack.

    `location` is what the resources `StoredModel` and `StoredCode` are given; they depend on this component, so that
    nothing is uploaded before the container is there. `after` has to be there first.
    """

    location: str

    def __init__(
        self,
        name: str,
        spec: ModelStoreSpec,
        *,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:ModelStore", name, None, opts)
        self.spec = spec
        self.location = spec.url
        storage = azure_native.storage
        options = pulumi.ResourceOptions(parent=self, depends_on=list(after), protect=spec.production)
        account = register(storage.StorageAccount, f"{name}.account", plan_account(spec), options)
        inside = pulumi.ResourceOptions(parent=self, depends_on=[account], deleted_with=account)
        blobs = register(storage.BlobServiceProperties, f"{name}.blobs", plan_blobs(spec), inside)
        # Versions have to be kept before there is anything to keep.
        last = pulumi.ResourceOptions(parent=self, depends_on=[blobs], deleted_with=account)
        register(storage.ManagementPolicy, f"{name}.lifecycle", plan_lifecycle(spec), last)
        container = pulumi.ResourceOptions.merge(last, pulumi.ResourceOptions(protect=spec.production))
        self._container, self._records = (
            register(storage.BlobContainer, f"{name}.{part}", plan_container(spec, called), container)
            for part, called in (("container", spec.container), ("records", RECORDS))
        )
        self.register_outputs({"location": self.location})

    def let_read(self, name: str, *, who: str, principal: pulumi.Input[str], parent: pulumi.Resource) -> None:
        """Let pods read: `principal` is the object id of their workload identity, `who` a word that tells it apart."""
        self._let(BLOB_DATA_READER, name, self._container, who=who, principal=principal, parent=parent)

    def let_keep(self, name: str, *, who: str, principal: pulumi.Input[str], parent: pulumi.Resource) -> None:
        """Let pods write what they collect and put out, in a container of its own."""
        self._let(BLOB_DATA_CONTRIBUTOR, name, self._records, who=who, principal=principal, parent=parent)

    def let_write(
        self,
        name: str,
        *,
        who: str,
        principal: pulumi.Input[str],
        kind: str = "ServicePrincipal",
        parent: pulumi.Resource,
    ) -> None:
        """Let whoever runs `pulumi` upload and remove; `kind` is what Entra ID calls the login."""
        container = self._container
        self._let(BLOB_DATA_CONTRIBUTOR, name, container, who=who, principal=principal, kind=kind, parent=parent)

    def _let(
        self,
        role: str,
        name: str,
        container: azure_native.storage.BlobContainer,
        *,
        who: str,
        principal: pulumi.Input[str],
        kind: str = "ServicePrincipal",
        parent: pulumi.Resource,
    ) -> None:
        assign_role(
            name,
            parent=parent,
            subscription=azure_native.authorization.get_client_config_output().subscription_id,
            unique=(self.spec.resource_group, self.spec.account, self.spec.container, who, role),
            role=role,
            scope=container.id,
            principal=principal,
            kind=kind,
        )
