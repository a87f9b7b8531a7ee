"""What the tests ask of a registry of their own."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.standins.registry import PASSWORD, USER, Registry, htpasswd, registry
from tidegate.image.registry import IMAGE_TYPES, INDEX_TYPES


@dataclass(frozen=True)
class RegistryServer:
    """A registry that runs."""

    served: Registry
    auth: tuple[str, str] | None = None

    @property
    def address(self) -> str:
        """`127.0.0.1:<port>`."""
        return self.served.host

    def requests(self) -> list[str]:
        """Every request of others so far, as `<method> <path>`."""
        return [
            f"{method} {path}"
            for method, path, agent in re.findall(r'"([A-Z]+) (\S+) HTTP/1\.1" .*"([^"]*)"$', self._log(), re.MULTILINE)
            if agent != "tests"
        ]

    def manifest(self, repository: str, reference: str) -> Mapping[str, Any]:
        """The manifest behind a tag or a digest."""
        return self.get(f"{repository}/manifests/{reference}").raise_for_status().json()

    def digest(self, repository: str, reference: str) -> str | None:
        """The digest behind a tag; None where there is no such manifest."""
        answer = self.get(f"{repository}/manifests/{reference}")
        return answer.headers["docker-content-digest"] if answer.is_success else None

    def layers(self, repository: str, reference: str) -> list[str]:
        """The digests of an image's layers, the base first."""
        return [layer["digest"] for layer in self.manifest(repository, reference)["layers"]]

    def config(self, repository: str, reference: str) -> Mapping[str, Any]:
        """What an image says of itself."""
        digest = self.manifest(repository, reference)["config"]["digest"]
        return self.get(f"{repository}/blobs/{digest}").raise_for_status().json()

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository that name content; the builder's cache has names of its own."""
        answer = self.get(f"{repository}/tags/list")
        names: list[str] = answer.json()["tags"] or [] if answer.is_success else []
        return sorted(name for name in names if re.match(r"[ev]1-", name))

    def get(self, path: str) -> httpx.Response:
        """One GET below `/v2/`."""
        headers = {"accept": ", ".join((*IMAGE_TYPES, *INDEX_TYPES)), "user-agent": "tests"}
        return httpx.get(f"http://{self.address}/v2/{path}", auth=self.auth, headers=headers, trust_env=False)

    def _log(self) -> str:
        return self.served.log.read_text()


@contextmanager
def serving(folder: Path, *, asks_for_password: bool = False) -> Iterator[RegistryServer]:
    """Run a registry over `folder`; its content is in the folder `content` there."""
    auth = htpasswd(folder) if asks_for_password else None
    with registry(folder, auth=auth) as served:
        yield RegistryServer(served, (USER, PASSWORD) if asks_for_password else None)
