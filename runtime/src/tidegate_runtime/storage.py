"""Where collected data and outputs go: a folder, or blob storage with workload identity.

The three REST calls that are needed take less code than a client library takes memory.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

_API_VERSION = "2023-11-03"
_SCOPE = "https://storage.azure.com/.default"
_TIMEOUT_S = 30


class StorageError(Exception):
    """Something could not be written; the message says what and why."""


class Storage(Protocol):
    """A place for files with names such as `a/b/c.jsonl`."""

    gather_s: float
    """How long what is to be appended should gather."""

    def append(self, name: str, data: bytes) -> None:
        """Add to the end of a file, which is made where it does not exist."""

    def put(self, name: str, path: Path) -> None:
        """Write a file's content under a name, whole or not at all."""


def open_storage(destination: str) -> Storage:
    """The storage at a folder's path or a blob container's URL."""
    return BlobStorage(destination) if destination.startswith(("https://", "http://")) else FolderStorage(destination)


class FolderStorage:
    """A folder."""

    gather_s = 0.05

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def append(self, name: str, data: bytes) -> None:
        """See `Storage`. One write call: lines of several processes do not mix."""
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error

    def put(self, name: str, path: Path) -> None:
        """See `Storage`."""
        target = self._folder / name
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(path.read_bytes())
            partial.replace(target)
        except OSError as error:
            raise StorageError(f"cannot write {target}: {error.strerror}") from error


class BlobStorage:
    """A container of blob storage, or a folder in it; appends go to append blobs."""

    gather_s = 5.0  # an append blob takes 50,000 appends, in an hour from all replicas

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._token = WorkloadToken()
        self._known: set[str] = set()
        """Append blobs that exist."""

    def append(self, name: str, data: bytes) -> None:
        """See `Storage`."""
        if name not in self._known:
            # Another replica may have made it: then the condition fails, and all is well.
            self._request(name, b"", {"x-ms-blob-type": "AppendBlob", "If-None-Match": "*"}, accept=(409, 412))
            self._known = {name}
        self._request(f"{name}?comp=appendblock", data, {})

    def put(self, name: str, path: Path) -> None:
        """See `Storage`."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error
        self._request(name, data, {"x-ms-blob-type": "BlockBlob"})

    def _request(self, name: str, data: bytes, headers: dict[str, str], accept: tuple[int, ...] = ()) -> None:
        path, _, query = name.partition("?")
        url = f"{self._url}/{quote(path)}" + (f"?{query}" if query else "")
        headers = {"x-ms-version": _API_VERSION, "Authorization": f"Bearer {self._token.get()}", **headers}
        try:
            with _open(urllib.request.Request(url, data, headers, method="PUT")):  # noqa: S310 (http(s), checked)
                pass
        except urllib.error.HTTPError as error:
            with error:
                if error.code not in accept:
                    raise StorageError(f"{url} answered {error.code} {error.reason}") from error
        except OSError as error:
            raise StorageError(f"{url} cannot be reached: {error}") from error


class WorkloadToken:
    """An Entra token for storage, got with the pod's federated token and renewed before it ends."""

    def __init__(self) -> None:
        self._value = ""
        self._ends = 0.0

    def get(self) -> str:
        """A valid token; StorageError where the pod has no workload identity or Entra refuses it."""
        if time.time() < self._ends:
            return self._value
        try:
            tenant, client = os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"]
            assertion = Path(os.environ["AZURE_FEDERATED_TOKEN_FILE"]).read_text(encoding="ascii")
        except (KeyError, OSError) as error:
            raise StorageError(f"no workload identity: {error} is missing") from error
        authority = os.environ.get("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/").rstrip("/")
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "scope": _SCOPE,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        request = urllib.request.Request(f"{authority}/{tenant}/oauth2/v2.0/token", urlencode(form).encode())  # noqa: S310
        try:
            with _open(request) as answer:
                content = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise StorageError(f"{authority} answered {error.code} {error.reason} to the pod's identity") from error
        except OSError as error:
            raise StorageError(f"{authority} cannot be reached: {error}") from error
        self._value = content["access_token"]
        self._ends = time.time() + int(content["expires_in"]) - 300
        return self._value


def _open(request: urllib.request.Request) -> Any:
    return urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310 (http(s), checked)
