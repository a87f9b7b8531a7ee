"""Debian's registry on loopback."""

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from tests.engine.harness import free_port

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class RegistryServer:
    """A registry that runs, with its files in `folder`."""

    folder: Path
    address: str
    """`127.0.0.1:<port>`."""
    auth: tuple[str, str] | None = None

    def requests(self) -> list[str]:
        """Every request so far, as `<method> <path>`."""
        return re.findall(r'"([A-Z]+ \S+) HTTP/1\.1"', (self.folder / "log").read_text())

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
        """The tags of a repository."""
        answer = self.get(f"{repository}/tags/list")
        return sorted(answer.json()["tags"] or []) if answer.is_success else []

    def get(self, path: str) -> httpx.Response:
        """One GET below `/v2/`."""
        return httpx.get(
            f"http://{self.address}/v2/{path}", auth=self.auth, headers={"accept": MANIFEST}, trust_env=False
        )


@contextmanager
def serving(folder: Path, *, auth: tuple[str, str] | None = None, htpasswd: str = "") -> Iterator[RegistryServer]:
    """Run a registry over `folder`; `htpasswd` is a line of such a file for `auth`."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RegistryServer(folder, f"127.0.0.1:{free_port()}", auth)
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "files")}, "delete": {"enabled": True}},
        "http": {"addr": server.address},
    }
    if htpasswd:
        (folder / "htpasswd").write_text(htpasswd)
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    with (folder / "config.yml").open("w") as file:
        YAML().dump(config, file)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        _wait(server, process)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait(server: RegistryServer, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if server.get("").status_code in (200, 401):
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError((server.folder / "log").read_text())
