import base64
import json
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from tidegate.image.credentials import Credentials, CredentialsError, find_credentials

HOST = "registry.example.org:5000"


def configured(folder: Path, document: object) -> dict[str, str]:
    (folder / "config.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return {"DOCKER_CONFIG": str(folder), "PATH": str(folder) + os.pathsep + os.environ["PATH"]}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def helper(folder: Path, name: str, script: str) -> None:
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_a_login_there_is_none(tmp_path: Path) -> None:
    assert find_credentials(HOST, {"HOME": str(tmp_path)}) is None
    for document in ({}, [], {"auths": None}, {"auths": {HOST: {}}}, {"auths": {"other": {"auth": encoded("a:b")}}}):
        assert find_credentials(HOST, configured(tmp_path, document)) is None


@pytest.mark.parametrize("key", [HOST, f"https://{HOST}"])
def test_a_stored_login(tmp_path: Path, key: str) -> None:
    environ = configured(tmp_path, {"auths": {key: {"auth": encoded("me:a:b\0")}}})
    assert find_credentials(HOST, environ) == Credentials("me", SecretStr("a:b"))


def test_docker_hub_has_a_name_of_its_own_there(tmp_path: Path) -> None:
    environ = configured(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": encoded("me:b")}}})
    assert find_credentials("docker.io", environ) == Credentials("me", SecretStr("b"))


def test_a_token_of_az_acr_login(tmp_path: Path) -> None:
    entry = {"auth": encoded("00000000-0000-0000-0000-000000000000:"), "identitytoken": "token"}
    found = find_credentials(HOST, configured(tmp_path, {"auths": {HOST: entry}}))
    assert found == Credentials("00000000-0000-0000-0000-000000000000", SecretStr("token"), identity=True)


def test_the_file_in_the_home_is_read(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    configured(tmp_path / ".docker", {"auths": {HOST: {"auth": encoded("a:b")}}})
    assert find_credentials(HOST, {"HOME": str(tmp_path)}) == Credentials("a", SecretStr("b"))


def test_a_helper_is_asked_first_and_the_one_for_the_registry_before_the_general_one(tmp_path: Path) -> None:
    helper(tmp_path, "mine", 'echo "{\\"Username\\": \\"$(cat)\\", \\"Secret\\": \\"s\\"}"')
    helper(tmp_path, "all", "exit 1")
    document = {"credHelpers": {HOST: "mine"}, "credsStore": "all", "auths": {HOST: {"auth": encoded("a:b")}}}
    assert find_credentials(HOST, configured(tmp_path, document)) == Credentials(HOST, SecretStr("s"))


def test_a_helper_may_give_a_token_or_nothing(tmp_path: Path) -> None:
    environ = configured(tmp_path, {"credsStore": "all", "auths": {HOST: {"auth": encoded("a:b")}}})
    helper(tmp_path, "all", 'echo \'{"Username": "<token>", "Secret": "t"}\'')
    assert find_credentials(HOST, environ) == Credentials("<token>", SecretStr("t"), identity=True)
    helper(tmp_path, "all", "echo credentials not found in native keychain; exit 1")
    assert find_credentials(HOST, environ) == Credentials("a", SecretStr("b"))


@pytest.mark.parametrize("script", ["echo secret; exit 1", "echo secret", "echo '{\"Username\": 1}'", "echo []"])
def test_a_helper_that_fails_is_named_and_its_output_is_not_shown(tmp_path: Path, script: str) -> None:
    helper(tmp_path, "all", script)
    with pytest.raises(CredentialsError, match="docker-credential-all") as caught:
        find_credentials(HOST, configured(tmp_path, {"credsStore": "all"}))
    assert "secret" not in str(caught.value)


def test_what_is_damaged_is_named_and_not_shown(tmp_path: Path) -> None:
    for document in ("{", {"auths": {HOST: {"auth": "!"}}}, {"auths": {HOST: {"auth": encoded("secret")}}}):
        with pytest.raises(CredentialsError, match=r"config\.json") as caught:
            find_credentials(HOST, configured(tmp_path, document))
        assert "secret" not in str(caught.value)
    with pytest.raises(CredentialsError, match="docker-credential-absent"):
        find_credentials(HOST, configured(tmp_path, {"credsStore": "absent"}))
