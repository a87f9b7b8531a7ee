"""The login of a registry, from where `docker login` and `az acr login` put it.

The file and the protocol of credential helpers are those of Docker's documentation, "docker login".
"""

import base64
import binascii
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import SecretStr

from tidegate.image.reference import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_PATIENCE_S = 30


@dataclass(frozen=True)
class Credentials:
    """A user and a password; or, where `identity` is true, `password` is a token to be exchanged for one."""

    username: str
    password: SecretStr
    identity: bool = False


class CredentialsError(Exception):
    """A login that cannot be read; says the file or the program, and holds no secret."""


def find_credentials(registry: str, environ: Mapping[str, str]) -> Credentials | None:
    """The login for `registry`, None where there is none: then it is asked as anybody may.

    Reads `$DOCKER_CONFIG/config.json`, by default `~/.docker/config.json`; a credential helper named there is asked
    first.

    Raises:
        CredentialsError: the file is damaged, or the helper fails.
    """
    folder = environ.get("DOCKER_CONFIG") or str(Path(environ.get("HOME", "/")) / ".docker")
    path = Path(folder) / "config.json"
    config = _read(path)
    key = _HUB_KEY if registry == DOCKER_HUB else registry
    helper = _mapping(config.get("credHelpers")).get(key) or config.get("credsStore")
    if isinstance(helper, str) and helper:
        found = _ask(helper, key, environ)
        if found:
            return found
    auths = _mapping(config.get("auths"))
    entry = _mapping(auths.get(key) or auths.get(f"https://{key}"))
    return _stored(entry, path, registry) if entry else None


def _read(path: Path) -> Mapping[str, object]:
    try:
        return _mapping(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CredentialsError(f"{path} cannot be read as JSON; mend it, or log in again") from error


def _stored(entry: Mapping[str, object], path: Path, registry: str) -> Credentials | None:
    token = entry.get("identitytoken")
    encoded = entry.get("auth")
    try:
        text = base64.b64decode(encoded, validate=True).decode() if isinstance(encoded, str) else ""
    except (binascii.Error, UnicodeDecodeError):
        text = ":"
    username, colon, password = text.partition(":")
    if isinstance(token, str) and token:
        return Credentials(username, SecretStr(token), identity=True)
    if text and not (colon and username):
        raise CredentialsError(f"the login for {registry} in {path} is damaged; log in again")
    return Credentials(username, SecretStr(password.rstrip("\0"))) if text else None


def _ask(helper: str, key: str, environ: Mapping[str, str]) -> Credentials | None:
    program = f"docker-credential-{helper}"
    found = shutil.which(program, path=environ.get("PATH"))
    if found is None:
        raise CredentialsError(f"{program}, which Docker's config names, is not on PATH")
    try:
        outcome = subprocess.run(
            [found, "get"],
            input=key,
            capture_output=True,
            text=True,
            check=False,
            timeout=_HELPER_PATIENCE_S,
            env=dict(environ),
        )
    except subprocess.TimeoutExpired as error:
        raise CredentialsError(f"{program} did not answer within {_HELPER_PATIENCE_S} s") from error
    if "credentials not found" in outcome.stdout + outcome.stderr:
        return None
    try:
        answer = _mapping(json.loads(outcome.stdout))
    except ValueError:
        answer = _mapping(None)
    username, secret = answer.get("Username"), answer.get("Secret")
    if outcome.returncode or not isinstance(username, str) or not isinstance(secret, str):
        # Not its output: that could hold the secret.
        raise CredentialsError(f"{program} failed (exit code {outcome.returncode}); log in again")
    # The name by which helpers say that the secret is a token.
    return Credentials(username, SecretStr(secret), identity=username == "<token>")


def _mapping(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, dict) else {}
