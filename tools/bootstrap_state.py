"""`tools/bootstrap-state`: a place on Azure for the state of stacks, and a key for their secrets, made once.

A storage account with a container and a Key Vault with a key, and the least rights on both for those who run `pulumi`.
Run again it changes nothing, or mends what no longer is as it should be.
"""

import argparse
import json
import re
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tidegate.azure.arm import Arm
from tidegate.azure.errors import ArmError, AzureError
from tidegate.azure.login import Login
from tidegate.cluster.regions import find, nearest

Json = dict[str, Any]

RESOURCES, STORAGE, KEY_VAULT, AUTHORIZATION = "2024-03-01", "2024-01-01", "2024-11-01", "2022-04-01"
"""API versions: those of azure-native 3.29."""
SUBSCRIPTIONS = "2022-12-01"

BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
CRYPTO_USER = "12338af0-0e69-4776-bea7-57ae8d297424"
"""Roles by the ids that Azure gave them (Azure docs: role-based-access-control/built-in-roles.md)."""

KEPT_DAYS = 30
"""How long deleted blobs and containers can be had back."""
VAULT_KEPT_DAYS = 90
_NAMESPACE = uuid.UUID("6f9d1c1e-3f0b-5d3a-9f63-0d8f1c2a7b54")

_FORMS: Mapping[str, tuple[str, str]] = {
    "resource_group": (r"[\w().-]{1,89}[\w()-]", "1-90 letters, digits, _ - ( ) and dots, the last no dot"),
    "storage_account": (r"[a-z0-9]{3,24}", "3-24 lower-case letters and digits, unique in all of Azure"),
    "container": (r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", "3-63 lower-case letters, digits and single hyphens"),
    "vault": (
        r"(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
        "3-24 letters, digits and single hyphens, a letter first",
    ),
    "key": (r"[A-Za-z0-9-]{1,127}", "1-127 letters, digits and hyphens"),
}
"""Azure docs: azure-resource-manager/management/resource-name-rules.md."""


@dataclass(frozen=True)
class Settings:
    """What there is to make, and for whom. Principals are object ids in Entra."""

    location: str
    storage_account: str
    vault: str
    resource_group: str = "tidegate-state"
    container: str = "state"
    key: str = "pulumi"
    sku: str = ""
    """Of the storage account; empty: copies in all zones of the region, else in its pair, else in one place."""
    ci: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def problems(self) -> list[str]:
        """Everything that Azure would refuse, by option."""
        found = [
            f"--{name.replace('_', '-')}: {getattr(self, name)!r} is not {said}"
            for name, (form, said) in _FORMS.items()
            if not re.fullmatch(form, getattr(self, name))
        ]
        if find(self.location) is None:
            near = nearest(self.location)
            found.append(f"--location: {self.location!r} is no region" + (f"; did you mean {near}?" if near else ""))
        for option, principals in (("ci", self.ci), ("user", self.users)):
            found += [f"--{option}: {each!r} is no object id" for each in principals if not _is_guid(each)]
        if not self.ci and not self.users:
            found.append("--ci or --user: name at least one who may use the state")
        return found

    @property
    def backend(self) -> str:
        """What `pulumi login` takes."""
        return f"azblob://{self.container}?storage_account={self.storage_account}"

    @property
    def secrets_provider(self) -> str:
        """What `pulumi stack init --secrets-provider` takes."""
        return f"azurekeyvault://{self.vault.lower()}.vault.azure.net/keys/{self.key}"


@dataclass(frozen=True)
class Step:
    """One resource: what it is made with, and what has to hold of its properties once it is there."""

    title: str
    path: str
    api_version: str
    body: Json
    holds: Json = field(default_factory=dict[str, Any])
    mend: Literal["PUT", "PATCH"] = "PATCH"


def plan(settings: Settings, subscription: str, tenant: str) -> list[Step]:
    """All resources, each after those that it needs."""
    region = find(settings.location)
    if region is None:
        raise ValueError(settings.location)
    sku = settings.sku or ("Standard_ZRS" if region.zones else "Standard_GRS" if region.paired else "Standard_LRS")
    group = f"/subscriptions/{subscription}/resourceGroups/{settings.resource_group}"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/{settings.storage_account}"
    container = f"{account}/blobServices/default/containers/{settings.container}"
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/{settings.vault}"
    key = f"{vault}/keys/{settings.key}"
    roles = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions"
    closed: Json = {
        "allowBlobPublicAccess": False,
        "allowCrossTenantReplication": False,
        "allowSharedKeyAccess": False,
        "defaultToOAuthAuthentication": True,
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
    }
    kept: Json = {"enabled": True, "days": KEPT_DAYS}
    blobs: Json = {"isVersioningEnabled": True, "deleteRetentionPolicy": kept, "containerDeleteRetentionPolicy": kept}
    guarded: Json = {"enableRbacAuthorization": True, "enableSoftDelete": True, "enablePurgeProtection": True}
    return [
        Step(f"resource group {settings.resource_group}", group, RESOURCES, {"location": region.name}),
        Step(
            f"storage account {settings.storage_account}",
            account,
            STORAGE,
            {"location": region.name, "kind": "StorageV2", "sku": {"name": sku}, "properties": closed},
            holds=closed,
        ),
        Step(
            "versions and soft delete of blobs",
            f"{account}/blobServices/default",
            STORAGE,
            {"properties": blobs},
            holds=blobs,
            mend="PUT",
        ),
        Step(
            f"container {settings.container}",
            container,
            STORAGE,
            {"properties": {"publicAccess": "None"}},
            holds={"publicAccess": "None"},
        ),
        Step(
            f"Key Vault {settings.vault}",
            vault,
            KEY_VAULT,
            {
                "location": region.name,
                "properties": {
                    "tenantId": tenant,
                    "sku": {"family": "A", "name": "standard"},
                    "softDeleteRetentionInDays": VAULT_KEPT_DAYS,
                    **guarded,
                },
            },
            holds=guarded,
        ),
        Step(
            f"key {settings.key}",
            key,
            KEY_VAULT,
            {"properties": {"kty": "RSA", "keySize": 3072, "keyOps": ["encrypt", "decrypt"]}},
        ),
        *(
            _role(name, f"{roles}/{role}", scope, principal=principal, kind=kind)
            for kind, principals in (("ServicePrincipal", settings.ci), ("User", settings.users))
            for principal in principals
            for name, role, scope in (
                ("Storage Blob Data Contributor", BLOB_DATA_CONTRIBUTOR, container),
                ("Key Vault Crypto User", CRYPTO_USER, key),
            )
        ),
    ]


def apply(arm: Arm, steps: Sequence[Step], say: Callable[[str], None], *, dry_run: bool) -> int:
    """Make what is missing and mend what differs; how many changes there were. `dry_run` shows the calls instead."""
    changes = 0
    for step in steps:
        there = arm.find(step.path, step.api_version)
        if there is None:
            method, body, done = "PUT", step.body, "made"
        elif not _holds(step.holds, there.get("properties") or {}):
            method, body, done = step.mend, {"properties": step.holds}, "mended"
        else:
            say(f"  is there  {step.title}")
            continue
        changes += 1
        if dry_run:
            say(f"  {method} {step.path}?api-version={step.api_version}\n{json.dumps(body, indent=2)}")
        elif _write(arm, method, step, body):
            say(f"  {done:<8}  {step.title}")
        else:
            changes -= 1
            say(f"  is there  {step.title}")
    return changes


def main() -> None:
    """Read the options, make it, and say what to do with it."""
    options = _options().parse_args()
    settings = Settings(
        **{name: getattr(options, name) for name in ("location", "resource_group", "sku", *list(_FORMS)[1:])},
        ci=tuple(options.ci),
        users=tuple(options.user),
    )
    problems = settings.problems()
    if problems:
        sys.exit("\n".join(problems))
    try:
        login = Login()
        subscription = login.subscription(options.subscription)
        with Arm(login.token) as arm:
            tenant = arm.get(f"/subscriptions/{subscription}", SUBSCRIPTIONS)["tenantId"]
            _say(f"subscription {subscription}")
            changes = apply(arm, plan(settings, subscription, tenant), _say, dry_run=options.dry_run)
    except AzureError as error:
        sys.exit(f"tools/bootstrap-state: {error}")
    if options.dry_run:
        _say(f"nothing was written; {changes} calls would be made")
        return
    _say("nothing had to be changed" if not changes else f"{changes} changes")
    _say(_next(settings, subscription, tenant))


def _next(settings: Settings, subscription: str, tenant: str) -> str:
    return f"""
Put these into the repository's variables:
  PULUMI_BACKEND_URL={settings.backend}
  PULUMI_SECRETS_PROVIDER={settings.secrets_provider}
  AZURE_SUBSCRIPTION_ID={subscription}
  AZURE_TENANT_ID={tenant}
  AZURE_CLIENT_ID=<client id of the identity by which CI logs in>
Make each stack once, and commit its Pulumi.<stack>.yaml:
  pulumi login '{settings.backend}'
  pulumi stack init dev --secrets-provider='{settings.secrets_provider}'"""


def _write(arm: Arm, method: str, step: Step, body: Json) -> bool:
    """Write; False where the same right was given under another name before."""
    try:
        (arm.put if method == "PUT" else arm.patch)(step.path, step.api_version, body)
    except ArmError as error:
        if error.code == "RoleAssignmentExists":
            return False
        raise
    return True


def _role(name: str, role: str, scope: str, *, principal: str, kind: str) -> Step:
    # A name that follows from what is given makes the second run find the first one's.
    assignment = uuid.uuid5(_NAMESPACE, f"{scope}|{role}|{principal}".lower())
    body: Json = {"properties": {"roleDefinitionId": role, "principalId": principal, "principalType": kind}}
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{assignment}"
    return Step(f"{name} for {principal}", path, AUTHORIZATION, body)


def _holds(wanted: Json, there: Json) -> bool:
    """Whether all that is wanted is there; Azure answers with more."""
    return all(
        _holds(value, there.get(name) or {}) if isinstance(value, dict) else there.get(name) == value
        for name, value in wanted.items()
    )


def _is_guid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/bootstrap-state", description=(__doc__ or "").split("\n\n")[1])
    say = parser.add_argument
    say("--location", required=True, help="the region, e.g. westeurope")
    say("--storage-account", required=True, help="its name, unique in all of Azure")
    say("--vault", required=True, help="the Key Vault's name, unique in all of Azure")
    say("--ci", action="append", default=[], metavar="OBJECT_ID", help="the identity by which CI logs in; repeatable")
    say("--user", action="append", default=[], metavar="OBJECT_ID", help="a person who runs pulumi; repeatable")
    say("--resource-group", default=Settings.resource_group, help="default: %(default)s")
    say("--container", default=Settings.container, help="default: %(default)s")
    say("--key", default=Settings.key, help="default: %(default)s")
    say("--sku", default="", help="of the storage account; default: by what the region has")
    say("--subscription", help="default: ARM_SUBSCRIPTION_ID, or the Azure CLI's")
    say("--dry-run", action="store_true", help="read, and show the calls that would write")
    return parser


if __name__ == "__main__":
    main()
