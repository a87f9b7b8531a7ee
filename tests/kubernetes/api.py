"""A thin client of an API server, for tests: objects are plain dictionaries, and warnings are kept."""

import base64
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

import httpx
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from tests.standins import api_server

Manifest = dict[str, Any]

MANAGER = "tests"
"""The field manager of what tests apply, unless they name another."""


class ApiError(Exception):
    """What the API server answered instead of success; `status` is its Status object."""

    def __init__(self, code: int, status: Mapping[str, Any]) -> None:
        super().__init__(status.get("message") or f"status {code}")
        self.code, self.status = code, status

    @property
    def reason(self) -> str:
        """The machine's word for it, e.g. `Invalid`, `Conflict`, `NotFound`."""
        return str(self.status.get("reason", ""))

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths of the fields that were refused."""
        causes = (self.status.get("details") or {}).get("causes") or ()
        return tuple(str(cause["field"]) for cause in causes if cause.get("field"))


@dataclass(frozen=True)
class Address:
    """Where an API server is, and a login."""

    server: str
    authority: str = field(repr=False)
    """The PEM of what has signed its certificate."""
    token: str = field(repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which the stand-ins take this API server for that of a pretended cluster on AKS."""
        authority = base64.b64encode(self.authority.encode()).decode()
        return {api_server.SERVER: self.server, api_server.AUTHORITY: authority, api_server.TOKEN: self.token}

    @property
    def kubeconfig(self) -> str:
        """A kubeconfig with the token in it."""
        authority = base64.b64encode(self.authority.encode()).decode()
        text = StringIO()
        YAML().dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {"name": "test", "cluster": {"server": self.server, "certificate-authority-data": authority}}
                ],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "current-context": "test",
                "users": [{"name": "test", "user": {"token": self.token}}],
            },
            text,
        )
        return text.getvalue()


@dataclass(frozen=True)
class Api:
    """The objects of one API server."""

    address: Address
    warnings: list[str] = field(default_factory=list, repr=False)
    """Every Warning header of every answer, in their order."""

    @cached_property
    def http(self) -> httpx.Client:
        """For what no method here does."""
        return httpx.Client(
            base_url=self.address.server,
            verify=ssl.create_default_context(cadata=self.address.authority),
            headers={"Authorization": f"Bearer {self.address.token}"},
            timeout=30,
            trust_env=False,
        )

    def close(self) -> None:
        self.http.close()

    def apply(
        self, manifest: Mapping[str, Any], *, manager: str = MANAGER, force: bool = True, dry_run: bool = False
    ) -> Manifest:
        """Server-side apply; the object as it is afterwards. Unknown fields are errors, as pulumi-kubernetes has it."""
        parameters = {"fieldManager": manager, "fieldValidation": "Strict", **_dry_run(dry_run)}
        parameters["force"] = str(force).lower()
        return self.request(
            "PATCH",
            self.path_of(manifest),
            params=parameters,
            json=manifest,
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Manifest:
        """POST; refused where the object is there."""
        namespace = manifest["metadata"].get("namespace", "")
        path = self.path(manifest["apiVersion"], manifest["kind"], namespace=namespace)
        parameters = {"fieldManager": MANAGER, "fieldValidation": "Strict", **_dry_run(dry_run)}
        return self.request("POST", path, params=parameters, json=manifest)

    def merge(self, manifest: Mapping[str, Any], change: Mapping[str, Any], *, part: str = "") -> Manifest:
        """JSON merge patch of an object, or of a `part` of it such as `status`."""
        path = "/".join(filter(None, (self.path_of(manifest), part)))
        return self.request(
            "PATCH", path, json=change, headers={"Content-Type": "application/merge-patch+json"}
        )  # fmt: skip

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Manifest:
        return self.request("GET", self.path(api_version, kind, name, namespace))

    def find(self, api_version: str, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """Like `get`, None where there is none."""
        try:
            return self.get(api_version, kind, name, namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, api_version: str, kind: str, namespace: str = "", **labels: str) -> list[Manifest]:
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        parameters = {"labelSelector": selector} if selector else None
        return self.request("GET", self.path(api_version, kind, namespace=namespace), params=parameters)["items"]

    def delete(self, manifest: Mapping[str, Any], *, grace: int | None = None) -> None:
        """Ask for the deletion of an object; nothing where it is gone already."""
        options = {"propagationPolicy": "Background"} | ({} if grace is None else {"gracePeriodSeconds": grace})
        try:
            self.request("DELETE", self.path_of(manifest), json=options)
        except ApiError as error:
            if error.code != 404:
                raise

    def path_of(self, manifest: Mapping[str, Any]) -> str:
        """Where an object is."""
        metadata = manifest["metadata"]
        return self.path(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace", ""))

    def path(self, api_version: str, kind: str, name: str = "", namespace: str = "") -> str:
        """Where objects of a kind are: one, those of a namespace, or all."""
        plural, namespaced = self._kind(api_version, kind)
        place = ("namespaces", namespace) if namespaced and namespace else ()
        return "/".join((_group(api_version), *place, plural, *((quote(name),) if name else ())))

    def request(self, method: str, path: str, **options: Any) -> Manifest:
        """A request whose answer is JSON."""
        answer = self.http.request(method, path, **options)
        self.warnings.extend(_warnings(answer))
        if answer.is_success:
            return answer.json()
        try:
            status = answer.json()
        except ValueError:
            status = {"message": answer.text}
        raise ApiError(answer.status_code, status)

    @contextmanager
    def expecting_no_warning(self) -> Iterator[None]:
        """Fail where the API server warns of what it is given."""
        before = len(self.warnings)
        yield
        assert not self.warnings[before:]

    def _kind(self, api_version: str, kind: str) -> tuple[str, bool]:
        if (api_version, kind) not in self._known:
            for each in self.request("GET", _group(api_version))["resources"]:
                if "/" not in each["name"]:
                    self._known[api_version, each["kind"]] = (each["name"], each["namespaced"])
        if (api_version, kind) not in self._known:
            raise ApiError(404, {"reason": "NotFound", "message": f'no matches for kind "{kind}" in "{api_version}"'})
        return self._known[api_version, kind]

    @cached_property
    def _known(self) -> dict[tuple[str, str], tuple[str, bool]]:
        return {}


def until(condition: Callable[[], Any], what: str, *, seconds: float = 30) -> Any:
    """Wait for a true value and give it back; fail after a time in which it must have come."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.05)
    return value


def _group(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _dry_run(wanted: bool) -> dict[str, str]:
    return {"dryRun": "All"} if wanted else {}


def _warnings(answer: httpx.Response) -> Iterator[str]:
    # 299 - "text", with " and \ escaped (RFC 7234, 5.5)
    for header in answer.headers.get_list("warning"):
        for text in re.findall(r'299 \S+ "((?:[^"\\]|\\.)*)"', header):
            yield re.sub(r"\\(.)", r"\1", text)
