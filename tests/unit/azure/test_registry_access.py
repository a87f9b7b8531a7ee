"""How registries are logged in to."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tidegate.azure.login import Login
from tidegate.azure.registry_access import TOKEN_USER, RegistryAccess
from tidegate.image.credentials import CredentialsError
from tidegate.image.registry import RegistryError

HOST = "acme.azurecr.io"


class FixedLogin(Login):
    def token(self, scope: str) -> str:
        assert scope == "https://containerregistry.azure.net/.default"
        return "an-azure-token"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the exchange of tokens was asked; the answer is what stands last in it."""
    answers: list[Any] = []

    def post(url: str, *, data: dict[str, str], timeout: float) -> httpx.Response:
        answer = answers[-1]
        answers.append((url, data))
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return httpx.Response(status, content=body, request=httpx.Request("POST", url))

    monkeypatch.setattr(httpx, "post", post)
    return answers


def access(folder: Path, auths: dict[str, Any] | None = None) -> RegistryAccess:
    (folder / "config.json").write_text(json.dumps({"auths": auths or {}}))
    return RegistryAccess(FixedLogin(), {"DOCKER_CONFIG": str(folder)})


def test_the_azure_login_is_exchanged_once_where_docker_has_none(tmp_path: Path, asked: list[Any]) -> None:
    asked.append((200, b'{"refresh_token": "a-refresh-token"}'))
    registries = access(tmp_path)
    for _ in range(2):
        found = registries.credentials(HOST)
        assert found is not None
        assert (found.username, found.password.get_secret_value(), found.identity) == (
            TOKEN_USER,
            "a-refresh-token",
            True,
        )
    form = {"grant_type": "access_token", "service": HOST, "access_token": "an-azure-token"}
    assert asked[1:] == [(f"https://{HOST}/oauth2/exchange", form)]
    assert not registries.has_docker_login(HOST)


def test_docker_s_login_comes_first_and_others_are_asked_as_anybody(tmp_path: Path, asked: list[Any]) -> None:
    registries = access(tmp_path, {HOST: {"auth": base64.b64encode(b"me:secret").decode()}})
    found = registries.credentials(HOST)
    assert found is not None
    assert (found.username, found.identity) == ("me", False)
    assert registries.has_docker_login(HOST)
    assert registries.credentials("ghcr.io") is None
    assert asked == []


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((401, b"no"), CredentialsError, "refuses the Azure login (HTTP 401); it takes the role AcrPush"),
        ((200, b"<html>"), RegistryError, f"registry {HOST}: does not answer"),
        ((200, b"[]"), RegistryError, "without a token"),
        (httpx.ConnectError("no such host"), RegistryError, "no such host"),
    ],
)
def test_what_goes_wrong_is_said_without_a_token(
    tmp_path: Path, asked: list[Any], answer: Any, kind: type[Exception], words: str
) -> None:
    asked.append(answer)
    with pytest.raises(kind) as caught:
        access(tmp_path).credentials(HOST)
    assert words in str(caught.value)
    assert "an-azure-token" not in str(caught.value)
