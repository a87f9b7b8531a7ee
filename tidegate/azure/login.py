"""The Azure login that is there. Nobody is asked to log in: a program that runs in CI has no browser."""

import json
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

from tidegate.azure.errors import LoginError

EARLY_S = 300
"""A token is renewed this long before it ends, so that no request carries one that ends on its way."""
MOST_TEXT = 400

_HOW = (
    "log in with `az login`, or set AZURE_CLIENT_ID and AZURE_TENANT_ID with AZURE_CLIENT_SECRET or "
    "AZURE_FEDERATED_TOKEN_FILE (ARM_CLIENT_ID and the like work too)"
)


class Token(Protocol):
    """What azure-identity gives."""

    @property
    def token(self) -> str:
        """The bearer token."""
        ...

    @property
    def expires_on(self) -> int:
        """When it ends, in seconds since 1970."""
        ...


class Credential(Protocol):
    """What azure-identity's credentials have in common."""

    def get_token(self, *scopes: str) -> Token:
        """Ask for a token."""
        ...


class Login:
    """The login of this process, found at the first use; tokens are kept until they are about to end.

    In this order: a service principal or OIDC token in the ARM_* variables that azure-native reads as well, then what
    azure-identity's `DefaultAzureCredential` finds (AZURE_* variables, workload identity, managed identity, Azure CLI).
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, *, credential: Callable[[], Credential] | None = None
    ) -> None:
        """Look for the login in `environment`, this process's by default; `credential` makes another one."""
        self._environment = os.environ if environment is None else environment
        self._make = credential or (lambda: _credential(self._environment))
        self._credential: Credential | None = None
        self._tokens: dict[str, Token] = {}
        self._lock = threading.Lock()

    def token(self, scope: str) -> str:
        """A bearer token for `scope`. Raises `LoginError` where there is no login or it is refused."""
        return self.dated_token(scope)[0]

    def dated_token(self, scope: str) -> tuple[str, float]:
        """The same, with when it ends, in seconds since 1970."""
        with self._lock:
            token = self._tokens.get(scope)
            if token is None or token.expires_on - EARLY_S < time.time():
                token = self._tokens[scope] = self._ask(scope)
            return token.token, token.expires_on

    def subscription(self, given: str | None = None) -> str:
        """The subscription to use: the given one, or the one that azure-native takes.

        Where its config names none, that is ARM_SUBSCRIPTION_ID, else the Azure CLI's default. AZURE_SUBSCRIPTION_ID,
        which azure-native does not read, comes last. Raises `LoginError` where there is none.
        """
        found = (
            given
            or self._environment.get("ARM_SUBSCRIPTION_ID")
            or _cli_subscription(self._environment)
            or self._environment.get("AZURE_SUBSCRIPTION_ID")
        )
        if found:
            return found
        raise LoginError(
            "no subscription is named: `pulumi config set azure-native:subscriptionId ID`, or set ARM_SUBSCRIPTION_ID"
        )

    def _ask(self, scope: str) -> Token:
        try:
            from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 (0.4 s that a local stack saves)
        except ModuleNotFoundError as error:
            raise LoginError("azure-identity is not installed; run make setup-azure") from error
        try:
            if self._credential is None:
                self._credential = self._make()
            return self._credential.get_token(scope)
        except (ClientAuthenticationError, ValueError, OSError) as error:  # the latter: variables that lead nowhere
            raise LoginError(f"there is no Azure login that works; {_HOW}. {_shortened(str(error))}") from error


def login_kind(environment: Mapping[str, str] | None = None) -> Literal["User", "ServicePrincipal"]:
    """What Entra ID calls the login by which azure-native works: by variables it is a program's, else a person's.

    A service principal that has logged in to the Azure CLI counts as a person; its config has to say what it is.
    """
    known = os.environ if environment is None else environment
    return "ServicePrincipal" if any(known.get(name) for name in _OF_PROGRAMS) else "User"


_OF_PROGRAMS = ("ARM_CLIENT_ID", "ARM_USE_OIDC", "ARM_USE_MSI")


def _credential(environment: Mapping[str, str]) -> Credential:
    from azure.identity import (  # noqa: PLC0415 (0.4 s that a local stack saves)
        ClientAssertionCredential,
        ClientSecretCredential,
        DefaultAzureCredential,
    )

    # It warns on stderr of each way that it tries; a failure is told here, once.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    client, tenant = environment.get("ARM_CLIENT_ID"), environment.get("ARM_TENANT_ID")
    if client and tenant:
        secret, assertion = environment.get("ARM_CLIENT_SECRET"), _assertion(environment)
        if assertion:
            return ClientAssertionCredential(tenant, client, assertion)
        if secret:
            return ClientSecretCredential(tenant, client, secret)
    return DefaultAzureCredential()


def _assertion(environment: Mapping[str, str]) -> Callable[[], str] | None:
    """What gives the OIDC token by which ARM_USE_OIDC logs in: asked each time, since such tokens live for minutes."""
    if environment.get("ARM_USE_OIDC", "").lower() not in ("true", "1"):
        return None
    if token := environment.get("ARM_OIDC_TOKEN"):
        return lambda: token
    if file := environment.get("ARM_OIDC_TOKEN_FILE_PATH"):
        return lambda: Path(file).read_text().strip()
    url = environment.get("ARM_OIDC_REQUEST_URL") or environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    bearer = environment.get("ARM_OIDC_REQUEST_TOKEN") or environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if url and bearer:
        return lambda: _github_token(url, bearer)
    return None


def _github_token(url: str, bearer: str) -> str:
    import httpx  # noqa: PLC0415 (a login by other means needs none)

    try:
        whole = httpx.URL(url).copy_merge_params({"audience": "api://AzureADTokenExchange"})
        answer = httpx.get(whole, headers={"authorization": f"Bearer {bearer}"}, timeout=30)
        return str(answer.raise_for_status().json()["value"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise ValueError(f"the CI's OIDC token cannot be had: {type(error).__name__}") from error


def _cli_subscription(environment: Mapping[str, str]) -> str | None:
    command = ["az", "account", "show", "--output", "json"]
    try:
        answer = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
        )
        found = json.loads(answer.stdout)
        return str(found["id"]) if answer.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None  # no Azure CLI, or nobody is logged in to it


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_TEXT else line[: MOST_TEXT - 3] + "..."
