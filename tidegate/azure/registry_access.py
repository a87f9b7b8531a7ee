"""The way into container registries: the login that Docker has for one, else for Azure's own the Azure login."""

import os
from collections.abc import Mapping
from typing import cast

import httpx
from pydantic import SecretStr

from tidegate.azure.errors import LoginError
from tidegate.azure.login import Login
from tidegate.image.credentials import Credentials, CredentialsError, find_credentials
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryClient, RegistryError

SUFFIX = ".azurecr.io"
SCOPE = "https://containerregistry.azure.net/.default"
TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105 (a name)
"""The user by which a registry of Azure's takes a token for a password (azure-docs: container-registry)."""


class RegistryAccess:
    """Clients of registries, each logged in to once; nobody is asked to log in."""

    def __init__(self, login: Login | None = None, environ: Mapping[str, str] | None = None) -> None:
        """Take the Azure login, and the environment in which Docker's config is looked for."""
        self._login = login or Login()
        self._environ = os.environ if environ is None else environ
        self._known: dict[str, Credentials | None] = {}
        self._clients: dict[str, RegistryClient] = {}

    def has_docker_login(self, host: str) -> bool:
        """Whether Docker, and so its builder, can log in to a registry by itself. Raises CredentialsError."""
        return find_credentials(host, self._environ) is not None

    def credentials(self, host: str) -> Credentials | None:
        """The login of a registry, None where it has to be asked as anybody may.

        Raises:
            CredentialsError: Docker's config cannot be read, or there is no Azure login that the registry takes.
        """
        if host not in self._known:
            found = find_credentials(host, self._environ)
            if found is None and host.lower().endswith(SUFFIX):
                found = Credentials(TOKEN_USER, self.token(host), identity=True)
            self._known[host] = found
        return self._known[host]

    def connect(self, host: str) -> RegistryClient:
        """A client of a registry. Raises CredentialsError."""
        return RegistryClient(host, self.credentials(host))

    def digest_of(self, reference: Reference) -> str | None:
        """The digest of what a tag or a digest names; None where there is no such image.

        Raises:
            RegistryError, CredentialsError: the registry could not be asked.
        """
        if reference.registry not in self._clients:
            self._clients[reference.registry] = self.connect(reference.registry)
        return self._clients[reference.registry].digest(reference)

    def token(self, host: str) -> SecretStr:
        """What one of Azure's registries takes in place of a password, for three hours. Raises CredentialsError.

        The exchange is described in the repository Azure/acr, docs/AAD-OAuth.md.
        """
        try:
            form = {"grant_type": "access_token", "service": host, "access_token": self._login.token(SCOPE)}
            answer = httpx.post(f"https://{host}/oauth2/exchange", data=form, timeout=30)
            document: object = answer.raise_for_status().json()
        except LoginError as error:
            raise CredentialsError(f"{error}; or log in to the registry with docker login {host}") from error
        except httpx.HTTPStatusError as error:
            said = f"{host} refuses the Azure login (HTTP {error.response.status_code})"
            raise CredentialsError(f"{said}; it takes the role AcrPush, or AcrPull to look images up") from error
        except (httpx.HTTPError, ValueError) as error:
            raise RegistryError(host, f"does not answer: {type(error).__name__} {error}".rstrip()) from error
        token = cast(dict[str, object], document).get("refresh_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not token:
            raise RegistryError(host, "answers the Azure login without a token")
        return SecretStr(token)
