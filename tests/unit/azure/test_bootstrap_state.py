"""`tools/bootstrap-state` against a Resource Manager that knows the published forms of what is sent to it."""

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.standins import bicep
from tests.unit.azure.web import Answer, Asked, Web, refusal
from tidegate.azure.arm import Arm
from tidegate.azure.login import Login
from tools import bootstrap_state
from tools.bootstrap_state import Settings, apply, main, plan

NewWeb = Callable[[Callable[[Asked], Answer]], Web]
Json = dict[str, Any]
SUBSCRIPTION, TENANT = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
CI, PERSON = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"
SETTINGS = Settings(location="West Europe", storage_account="acmestate", vault="Acme-State", ci=(CI,), users=(PERSON,))
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/tidegate-state"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/acmestate"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/Acme-State"
CONTAINER, KEY = f"{ACCOUNT}/blobServices/default/containers/state", f"{VAULT}/keys/pulumi"


def form_of(path: str) -> tuple[str, str, str]:
    """The ARM type of what is at `path`, its name, and the path of what it is in."""
    if re.fullmatch(r"/subscriptions/[^/]+/resourceGroups/[^/]+", path):
        return "Microsoft.Resources/resourceGroups", path.rsplit("/", 1)[1], ""
    scope, _, rest = path.rpartition("/providers/")
    namespace, *pairs = rest.split("/")
    parent = path.rsplit("/", 2)[0] if len(pairs) > 2 else scope
    return "/".join([namespace, *pairs[::2]]), pairs[-1], parent


class Cloud:
    """Keeps what is put, answers with more than that, and refuses what Azure would."""

    def __init__(self) -> None:
        self.there: dict[str, Json] = {}
        self.writes: list[tuple[str, str]] = []

    def __call__(self, asked: Asked) -> Answer:
        path = asked.path
        if asked.headers.get("authorization") != "Bearer token":
            return refusal(401, "AuthenticationFailed", "")
        if path == f"/subscriptions/{SUBSCRIPTION}":
            return Answer(body={"subscriptionId": SUBSCRIPTION, "tenantId": TENANT})
        kind, name, parent = form_of(path)
        if not bicep.known(kind, asked.query["api-version"]):
            return refusal(400, "NoRegisteredProviderFound", f"{kind} {asked.query}")
        if parent and parent not in self.there:
            return refusal(404, "ParentResourceNotFound", parent)
        if asked.method == "GET":
            return Answer(body=self.there[path]) if path in self.there else refusal(404, "ResourceNotFound", path)
        if asked.method == "PATCH" and path not in self.there:
            return refusal(404, "ResourceNotFound", path)
        self.writes.append((asked.method, path))
        body = asked.body
        if asked.method == "PATCH":
            properties = self.there[path]["properties"] | body["properties"]
            writable = {"tenantId", "sku"} if kind == "Microsoft.KeyVault/vaults" else set[str]()
            body = {name: value for name, value in self.there[path].items() if name in ("location", "kind", "sku")}
            body["properties"] = {k: v for k, v in properties.items() if k in asked.body["properties"] or k in writable}
        problems = bicep.check(bicep.resource_type(kind, asked.query["api-version"]), body | {"name": name})
        if problems:
            return refusal(400, "InvalidRequestContent", "; ".join(map(str, problems)))
        if kind == "Microsoft.Authorization/roleAssignments" and not re.fullmatch(r"[0-9a-f-]{36}", name):
            return refusal(400, "InvalidRoleAssignmentId", name)
        if kind == "Microsoft.KeyVault/vaults/keys" and path in self.there:
            return Answer(body=self.there[path])
        self.there[path] = {**body, "id": path, "properties": {**body.get("properties", {}), "azureSays": "more"}}
        if kind == "Microsoft.Storage/storageAccounts":
            self.there.setdefault(f"{path}/blobServices/default", {"properties": {"cors": {}}})
        return Answer(201, self.there[path])


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def web(new_web: NewWeb, cloud: Cloud) -> Web:
    return new_web(cloud)


def run(web: Web, settings: Settings = SETTINGS, *, dry_run: bool = False) -> tuple[int, list[str]]:
    said: list[str] = []
    with Arm(lambda scope: "token", endpoint=web.url) as arm:
        return apply(arm, plan(settings, SUBSCRIPTION, TENANT), said.append, dry_run=dry_run), said


def test_everything_is_made_once(web: Web, cloud: Cloud) -> None:
    changes, said = run(web)
    assert changes == len(cloud.writes) == len(said) == 10
    assert [path for _, path in cloud.writes[:6]] == [
        *(GROUP, ACCOUNT, f"{ACCOUNT}/blobServices/default", CONTAINER, VAULT, KEY)
    ]
    assert run(web) == (0, [f"  is there  {line[12:]}" for line in said])
    assert len(cloud.writes) == 10


def test_the_storage_account_is_closed_and_keeps_what_is_deleted(web: Web, cloud: Cloud) -> None:
    run(web)
    account = cloud.there[ACCOUNT]
    assert (account["location"], account["kind"], account["sku"]) == (
        "westeurope",
        "StorageV2",
        {"name": "Standard_ZRS"},
    )
    assert (
        account["properties"].items()
        >= {
            "allowSharedKeyAccess": False,
            "allowBlobPublicAccess": False,
            "minimumTlsVersion": "TLS1_2",
            "supportsHttpsTrafficOnly": True,
        }.items()
    )
    blobs = cloud.there[f"{ACCOUNT}/blobServices/default"]["properties"]
    assert blobs["isVersioningEnabled"]
    assert blobs["deleteRetentionPolicy"] == blobs["containerDeleteRetentionPolicy"] == {"enabled": True, "days": 30}
    assert cloud.there[CONTAINER]["properties"]["publicAccess"] == "None"


def test_the_vault_is_opened_by_roles_and_cannot_be_purged(web: Web, cloud: Cloud) -> None:
    run(web)
    vault = cloud.there[VAULT]["properties"]
    assert (vault["enableRbacAuthorization"], vault["enablePurgeProtection"], vault["tenantId"]) == (True, True, TENANT)
    assert cloud.there[KEY]["properties"]["keyOps"] == ["encrypt", "decrypt"]


def test_the_rights_reach_no_further_than_container_and_key(web: Web, cloud: Cloud) -> None:
    run(web)
    given = {
        (path.split("/providers/Microsoft.Authorization")[0], body["properties"]["principalId"]): (
            body["properties"]["roleDefinitionId"].rsplit("/", 1)[1],
            body["properties"]["principalType"],
        )
        for path, body in cloud.there.items()
        if "/roleAssignments/" in path
    }
    blobs, crypto = "ba92f5b4-2d11-453d-a403-e96b0029c9fe", "12338af0-0e69-4776-bea7-57ae8d297424"
    assert given == {
        (CONTAINER, CI): (blobs, "ServicePrincipal"),
        (KEY, CI): (crypto, "ServicePrincipal"),
        (CONTAINER, PERSON): (blobs, "User"),
        (KEY, PERSON): (crypto, "User"),
    }


@pytest.mark.parametrize(
    ("path", "name", "value", "method"),
    [
        (ACCOUNT, "allowSharedKeyAccess", True, "PATCH"),
        (f"{ACCOUNT}/blobServices/default", "isVersioningEnabled", False, "PUT"),
        (f"{ACCOUNT}/blobServices/default", "deleteRetentionPolicy", {"enabled": True, "days": 7}, "PUT"),
        (f"{ACCOUNT}/blobServices/default", "deleteRetentionPolicy", None, "PUT"),
        (CONTAINER, "publicAccess", "Blob", "PATCH"),
        (VAULT, "enableRbacAuthorization", False, "PATCH"),
    ],
)
def test_what_no_longer_holds_is_mended(
    web: Web, cloud: Cloud, path: str, name: str, value: object, method: str
) -> None:
    run(web)
    before = cloud.there[path]["properties"][name]
    cloud.there[path]["properties"][name] = value
    changes, said = run(web)
    assert changes == 1
    assert cloud.writes[10:] == [(method, path)]
    assert cloud.there[path]["properties"][name] == before
    assert sum(line.startswith("  mended    ") for line in said) == 1


def test_a_right_that_was_given_under_another_name_is_there(web: Web, cloud: Cloud) -> None:
    run(web)
    for path in [path for path in cloud.there if "/roleAssignments/" in path]:
        del cloud.there[path]
    web.answer = lambda asked: (
        refusal(409, "RoleAssignmentExists", "exists") if asked.method == "PUT" else Cloud.__call__(cloud, asked)
    )
    changes, said = run(web)
    assert changes == 0
    assert all(line.startswith("  is there  ") for line in said)


def test_a_dry_run_shows_the_calls_and_writes_nothing(web: Web, cloud: Cloud) -> None:
    changes, said = run(web, dry_run=True)
    assert (changes, cloud.there, cloud.writes) == (10, {}, [])
    head, body = said[1].split("\n", 1)
    assert head == f"  PUT {ACCOUNT}?api-version=2024-01-01"
    assert json.loads(body)["properties"]["allowSharedKeyAccess"] is False


@pytest.mark.parametrize(
    ("location", "sku"),
    [("westeurope", "Standard_ZRS"), ("westus", "Standard_GRS"), ("West India", "Standard_GRS")],
)
def test_copies_are_kept_as_far_apart_as_the_region_lets(location: str, sku: str) -> None:
    def chosen(given: str) -> str:
        settings = Settings(location=location, storage_account="a1b", vault="abc", sku=given)
        return plan(settings, SUBSCRIPTION, TENANT)[1].body["sku"]["name"]

    assert (chosen(""), chosen("Standard_LRS")) == (sku, "Standard_LRS")


def test_every_wrong_option_is_told_at_once() -> None:
    wrong = Settings(
        location="westeurop", storage_account="Acme_State", vault="1vault", resource_group="rg.", container="-a",
        key="a_b", ci=("me@example.com",),
    )  # fmt: skip
    assert [problem.split(":")[0] for problem in wrong.problems()] == [
        *("--resource-group", "--storage-account", "--container", "--vault", "--key", "--location", "--ci"),
    ]
    assert wrong.problems()[5] == "--location: 'westeurop' is no region; did you mean westeurope?"
    assert SETTINGS.problems() == []
    nobody = Settings(location="westeurope", storage_account="abc", vault="abc")
    assert nobody.problems() == ["--ci or --user: name at least one who may use the state"]


# -- the command


class Credential:
    def get_token(self, *scopes: str) -> Any:
        return type("Token", (), {"token": "token", "expires_on": 1 << 40})


@pytest.fixture
def command(web: Web, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setenv("ARM_ENDPOINT", web.url)
    monkeypatch.setattr(bootstrap_state, "Login", lambda: Login({}, credential=Credential))

    def start(*options: str) -> None:
        needed = ("--location", "westeurope", "--storage-account", "acmestate", "--vault", "Acme-State")
        monkeypatch.setattr(sys, "argv", ["bootstrap-state", *needed, "--subscription", SUBSCRIPTION, *options])
        main()

    return start


def test_the_command_says_what_to_do_next(
    command: Callable[..., None], cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    command("--ci", CI)
    said = capsys.readouterr().out
    assert f"subscription {SUBSCRIPTION}\n  made      resource group tidegate-state\n" in said
    assert "8 changes\n" in said
    assert "  PULUMI_BACKEND_URL=azblob://state?storage_account=acmestate\n" in said
    provider = "azurekeyvault://acme-state.vault.azure.net/keys/pulumi"
    assert f"pulumi stack init dev --secrets-provider='{provider}'" in said
    command("--ci", CI)
    assert "nothing had to be changed\n" in capsys.readouterr().out
    command("--ci", CI, "--user", PERSON, "--dry-run")
    assert "nothing was written; 2 calls would be made\n" in capsys.readouterr().out
    assert len(cloud.writes) == 8


def test_the_command_tells_azures_words_and_wrong_options(command: Callable[..., None], web: Web) -> None:
    with pytest.raises(SystemExit, match="name at least one who may use the state"):
        command()
    web.answer = lambda asked: refusal(403, "AuthorizationFailed", "not you")
    with pytest.raises(SystemExit, match="bootstrap-state: Azure answered 403 AuthorizationFailed: not you"):
        command("--ci", CI)
