"""Which login is taken, how long its token is kept, and what is said where there is none."""

import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.identity
import pytest

from tests.unit.azure.web import Answer, Asked, Web
from tidegate.azure.errors import LoginError
from tidegate.azure.login import EARLY_S, Login, login_kind

NewWeb = Callable[[Callable[[Asked], Answer]], Web]
SCOPE = "https://management.azure.com/.default"


@dataclass
class Token:
    token: str
    expires_on: int


class Credential:
    """Gives `first`, `second`, ... that live for `lives_s`."""

    def __init__(self, lives_s: int = 3600) -> None:
        self.lives_s = lives_s
        self.asked: list[str] = []

    def get_token(self, *scopes: str) -> Token:
        self.asked += scopes
        return Token(f"{len(self.asked)} for {scopes[0]}", int(time.time()) + self.lives_s)


def test_a_token_is_kept_by_scope_until_it_is_about_to_end() -> None:
    credential = Credential()
    login = Login({}, credential=lambda: credential)
    assert [login.token("a"), login.token("a"), login.token("b")] == ["1 for a", "1 for a", "2 for b"]
    short = Credential(lives_s=EARLY_S - 1)
    login = Login({}, credential=lambda: short)
    assert [login.token("a"), login.token("a")] == ["1 for a", "2 for a"]


def test_a_token_comes_with_when_it_ends() -> None:
    text, ends = Login({}, credential=lambda: Credential(lives_s=1800)).dated_token("a")
    assert text == "1 for a"
    assert abs(ends - time.time() - 1800) < 60


def test_a_login_by_variables_is_a_programs_and_any_other_a_persons() -> None:
    assert login_kind({"ARM_SUBSCRIPTION_ID": "s", "ARM_CLIENT_ID": ""}) == "User"
    assert login_kind({"ARM_CLIENT_ID": "c"}) == login_kind({"ARM_USE_OIDC": "true"}) == "ServicePrincipal"


def test_a_managed_identity_gives_a_token(new_web: NewWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    expires = str(int(time.time()) + 3600)
    body = {"access_token": "mi-token", "expires_on": expires, "resource": "r", "token_type": "Bearer"}
    web = new_web(lambda asked: Answer(body=body))
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.setenv("IDENTITY_ENDPOINT", web.url + "/token")
    monkeypatch.setenv("IDENTITY_HEADER", "known")
    login = Login()
    assert [login.token(SCOPE), login.token(SCOPE)] == ["mi-token", "mi-token"]
    (asked,) = web.asked
    assert (asked.path, asked.query["resource"]) == ("/token", "https://management.azure.com")
    assert asked.headers["x-identity-header"] == "known"


def test_without_a_login_the_ways_to_one_are_told() -> None:
    with pytest.raises(LoginError) as caught:
        Login().token(SCOPE)
    said = str(caught.value)
    assert said.startswith("there is no Azure login that works; log in with `az login`, or set AZURE_CLIENT_ID and ")
    assert "\n" not in said
    assert len(said) < 800


def test_a_variable_that_leads_nowhere_is_a_login_that_does_not_work(tmp_path: Path) -> None:
    class Credential:
        def get_token(self, *scopes: str) -> Token:
            raise FileNotFoundError(tmp_path / "token")

    with pytest.raises(LoginError, match="token"):
        Login({}, credential=Credential).token(SCOPE)


# -- azure-native's variables


PRINCIPAL = {"ARM_CLIENT_ID": "client", "ARM_TENANT_ID": "tenant"}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """The credentials that were made, instead of asking Entra: its address must be https."""
    made: list[tuple[str, tuple[Any, ...]]] = []

    def record(name: str) -> Callable[..., Credential]:
        return lambda *arguments: made.append((name, arguments)) or Credential()

    for name in ("ClientSecretCredential", "ClientAssertionCredential", "DefaultAzureCredential"):
        monkeypatch.setattr(azure.identity, name, record(name))
    return made


def test_a_service_principal_in_azure_natives_variables(made: list[tuple[str, tuple[Any, ...]]]) -> None:
    Login(PRINCIPAL | {"ARM_CLIENT_SECRET": "secret"}).token(SCOPE)
    assert made == [("ClientSecretCredential", ("tenant", "client", "secret"))]


@pytest.mark.parametrize("environment", [{}, PRINCIPAL, {"ARM_CLIENT_SECRET": "secret"}])
def test_else_what_azure_identity_finds(made: list[tuple[str, tuple[Any, ...]]], environment: dict[str, str]) -> None:
    Login(environment).token(SCOPE)
    assert [name for name, _ in made] == ["DefaultAzureCredential"]


def test_an_oidc_token_as_text_or_file(made: list[tuple[str, tuple[Any, ...]]], tmp_path: Path) -> None:
    file = tmp_path / "token"
    given = PRINCIPAL | {"ARM_USE_OIDC": "true", "ARM_CLIENT_SECRET": "secret"}
    Login(given | {"ARM_OIDC_TOKEN": "an assertion"}).token(SCOPE)
    Login(given | {"ARM_OIDC_TOKEN_FILE_PATH": str(file)}).token(SCOPE)
    assert [(name, arguments[:2]) for name, arguments in made] == [
        ("ClientAssertionCredential", ("tenant", "client"))
    ] * 2
    assert made[0][1][2]() == "an assertion"
    file.write_text("first\n")
    assert made[1][1][2]() == "first"
    file.write_text("second")
    assert made[1][1][2]() == "second"


def test_the_oidc_token_of_a_github_job(made: list[tuple[str, tuple[Any, ...]]], new_web: NewWeb) -> None:
    web = new_web(lambda asked: Answer(body={"value": "a github assertion"}))
    request = {"ACTIONS_ID_TOKEN_REQUEST_URL": web.url + "/t?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer"}
    Login(PRINCIPAL | request | {"ARM_USE_OIDC": "1"}).token(SCOPE)
    assertion = made[0][1][2]
    assert assertion() == "a github assertion"
    assert web.asked[0].query == {"api-version": "2", "audience": "api://AzureADTokenExchange"}
    assert web.asked[0].headers["authorization"] == "Bearer bearer"
    web.answer = lambda asked: Answer(403, {"seen": asked.headers["authorization"]})
    with pytest.raises(ValueError, match="the CI's OIDC token cannot be had") as caught:
        assertion()
    assert "bearer" not in str(caught.value)


# -- the subscription


def az(folder: Path, script: str) -> dict[str, str]:
    """An environment whose Azure CLI is this script."""
    command = folder / "az"
    command.write_text("#!/bin/sh\n" + script)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_the_subscription_is_the_given_one_or_azure_natives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = az(tmp_path, 'echo \'{"id": "of the CLI"}\'\n')
    monkeypatch.setenv("PATH", cli["PATH"])
    everything = cli | {"ARM_SUBSCRIPTION_ID": "of ARM", "AZURE_SUBSCRIPTION_ID": "of AZURE"}
    assert Login(everything).subscription("given") == "given"
    assert Login(everything).subscription() == "of ARM"
    assert Login(cli | {"AZURE_SUBSCRIPTION_ID": "of AZURE"}).subscription("") == "of the CLI"
    (tmp_path / "az").unlink()
    assert Login(cli | {"AZURE_SUBSCRIPTION_ID": "of AZURE"}).subscription() == "of AZURE"


@pytest.mark.parametrize("script", ["echo 'Please run az login' >&2; exit 1\n", "echo '[]'\n", "echo nothing\n"])
def test_without_a_subscription_the_ways_to_name_one_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    cli = az(tmp_path, script)
    monkeypatch.setenv("PATH", cli["PATH"])
    with pytest.raises(LoginError, match="pulumi config set azure-native:subscriptionId ID"):
        Login(cli).subscription()


def test_without_an_azure_cli_there_is_no_subscription_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoginError):
        Login({"PATH": str(tmp_path)}).subscription()
