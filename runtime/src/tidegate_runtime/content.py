"""Fetches models and code at start, by their content: from blob storage with workload identity, or from a folder.

What is fetched is named by the SHA-256 of a manifest, and each of its files by its own: whatever the store answers, a
script only ever sees the bytes that were registered.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote, urlsplit

from tidegate_runtime import logs
from tidegate_runtime.storage import StorageError, WorkloadToken

FORM = 1
"""Of the manifests that this reads."""
RANGE_BYTES = 8 * 1024 * 1024
"""What one request asks for."""
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Before a request is sent again that storage is too busy for, or that got lost."""
LONGEST_PAUSE_S = 30.0

_CONNECTIONS = 4
_PIECE_BYTES = 1024 * 1024
_TIMEOUT_S = 60
_API_VERSION = "2023-11-03"
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_HEX = re.compile(r"[0-9a-f]{64}")


class ContentError(Exception):
    """Something could not be fetched, or is not what it should be; the message says what and why."""


@dataclass(frozen=True)
class Fetched:
    """Where it is now, absolute."""

    model_dir: Path | None
    source_dir: Path | None


def fetch(order: str, folder: Path) -> Fetched:
    """Lay out in `folder` what `order` names, and check all of it; what is there from an earlier start is kept.

    `order` is a JSON object: `store`, a container's URL or a folder; `manifests`, a list of objects with `name` (in
    the store), `sha256` (of the manifest's text) and `folder` (to lay it out in); `modelDir` and `sourceDir`, one of
    these folders or one above them. All folders are relative to `folder`.

    Raises ContentError. A folder that was laid out is complete, or not there.
    """
    try:
        wanted = json.loads(order)
        store, manifests = _open(wanted["store"]), [_Wanted(**each) for each in wanted["manifests"]]
        places = [_inside(each.folder) for each in manifests]
        fetched = [_inside(wanted[key]) if wanted.get(key) else None for key in ("modelDir", "sourceDir")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContentError(f"TIDEGATE_CONTENT cannot be used: {type(error).__name__}: {error}") from error
    try:
        with _exclusive(folder):
            for each, place in zip(manifests, places, strict=True):
                _lay_out(store, each, folder / place)
    except OSError as error:
        raise ContentError(f"{folder} cannot be written: {error}") from error
    model_dir, source_dir = (folder.absolute() / place if place else None for place in fetched)
    return Fetched(model_dir, source_dir)


@dataclass(frozen=True)
class _Wanted:
    name: str
    sha256: str
    folder: str


@dataclass(frozen=True)
class _File:
    path: PurePosixPath
    size: int
    sha256: str
    executable: bool

    @property
    def name(self) -> str:
        return f"content/{self.sha256}"


class _Store(Protocol):
    def read(self, name: str) -> bytes:
        """A small text."""
        ...

    def copy(self, file: _File, first: int, count: int, target: BinaryIO) -> None:
        """Write `count` bytes of a file from `first` on, at their place in `target`."""
        ...


def _lay_out(store: _Store, wanted: _Wanted, target: Path) -> None:
    started = time.monotonic()
    files = _manifest(store, wanted)
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        try:
            if target.exists():
                if _others(target, files) == [] and all(pool.map(lambda file: _is_right(target, file), files)):
                    logs.say(f"{wanted.name} is there already")
                    return
                shutil.rmtree(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{wanted.sha256}")
            missing = [file for file in files if not _is_right(partial, file)]
            _require_space(target.parent, missing)
            parts = [part for file in missing for part in _prepared(partial, file)]
            for _ in pool.map(lambda part: _fetch_part(store, *part), parts):
                pass
            for _ in pool.map(lambda file: _settle(partial, file), missing):
                pass
            partial.rename(target)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    size = sum(file.size for file in files) / (1 << 20)
    logs.say(f"fetched {wanted.name}: {size:.1f} MiB in {time.monotonic() - started:.1f} s")


def _manifest(store: _Store, wanted: _Wanted) -> list[_File]:
    text = store.read(wanted.name)
    found = hashlib.sha256(text).hexdigest()
    if found != wanted.sha256:
        raise ContentError(f"{wanted.name} in {store} has the SHA-256 {found}, and should have {wanted.sha256}")
    try:
        whole = json.loads(text)
        files = [
            _File(_inside(each["path"]), int(each["size"]), _digest(each["sha256"]), bool(each["executable"]))
            for each in whole["files"]
        ]
        form = whole["form"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContentError(f"{wanted.name} is no manifest: {type(error).__name__}: {error}") from error
    if form != FORM:
        raise ContentError(f"{wanted.name} is a manifest of form {form}, and this server reads form {FORM}")
    return files


def _prepared(partial: Path, file: _File) -> Iterator[tuple[Path, _File, int, int]]:
    """Make the file at its full size and tell the parts that fill it."""
    path = _unchecked(partial, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as empty:
        empty.truncate(file.size)
    for first in range(0, file.size, RANGE_BYTES):
        yield path, file, first, min(RANGE_BYTES, file.size - first)


def _fetch_part(store: _Store, path: Path, file: _File, first: int, count: int) -> None:
    with path.open("r+b", buffering=0) as target:
        store.copy(file, first, count, target)


def _settle(partial: Path, file: _File) -> None:
    """Check a file and give it its name."""
    path = _unchecked(partial, file)
    found = _sha256(path)
    if found != file.sha256:
        path.unlink()
        raise ContentError(f"{file.path} was fetched with the SHA-256 {found}, and should have {file.sha256}")
    path.chmod(0o755 if file.executable else 0o644)
    path.rename(partial / file.path)


def _unchecked(partial: Path, file: _File) -> Path:
    path = partial / file.path
    return path.with_name(f".{file.sha256}.{hashlib.sha256(path.name.encode()).hexdigest()[:8]}")


def _is_right(folder: Path, file: _File) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size and _sha256(path) == file.sha256


def _others(folder: Path, files: list[_File]) -> list[Path]:
    """What is in a folder beside its files; Python's bytecode does not count."""
    known = {folder / file.path for file in files}
    return [
        path for path in folder.rglob("*") if path.is_file() and path not in known and "__pycache__" not in path.parts
    ]


def _require_space(folder: Path, files: list[_File]) -> None:
    needed, free = sum(file.size for file in files), shutil.disk_usage(folder).free
    if needed > free:
        raise ContentError(f"{folder} has {free >> 20} MiB left, and {-(-needed >> 20)} MiB are to be fetched into it")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while piece := reader.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _inside(text: str) -> PurePosixPath:
    path = PurePosixPath(text)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{text!r} is no path inside a folder")
    return path


def _digest(text: str) -> str:
    if not _HEX.fullmatch(text):
        raise ValueError(f"{text!r} is no SHA-256")
    return text


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder against other processes; it dies with this one."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(location: str) -> _Store:
    scheme = urlsplit(location).scheme
    return _BlobStore(location) if scheme in ("https", "http") else _FolderStore(Path(location))


class _FolderStore:
    """A folder, such as a volume that is mounted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def read(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise ContentError(f"{self._folder / name} cannot be read: {error.strerror}") from error

    def copy(self, file: _File, first: int, count: int, target: BinaryIO) -> None:
        try:
            with (self._folder / file.name).open("rb") as reader:
                reader.seek(first)
                _copy(reader, first, count, target)
        except (OSError, EOFError) as error:
            raise ContentError(f"{file.path} cannot be copied from {self._folder / file.name}: {error}") from error


class _BlobStore:
    """A container of blob storage."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError(f"{url}: a token is only sent over https")
        self._url = url.rstrip("/")
        self._token = WorkloadToken()
        self._lock = threading.Lock()
        self._opener = urllib.request.build_opener(_NoRedirects())

    def __str__(self) -> str:
        return self._url

    def read(self, name: str) -> bytes:
        return self._get(name, {}, lambda answer: answer.read())

    def copy(self, file: _File, first: int, count: int, target: BinaryIO) -> None:
        def take(answer: Any) -> None:
            if answer.status != 206:
                raise ContentError(f"{self._url}/{file.name} was answered {answer.status} where a part was asked for")
            _copy(answer, first, count, target)

        self._get(file.name, {"Range": f"bytes={first}-{first + count - 1}"}, take)

    def _get(self, name: str, headers: dict[str, str], take: Callable[[Any], Any]) -> Any:
        """What `take` makes of the answer; asked again where it ends too soon."""
        url, failed = f"{self._url}/{quote(name)}", ""
        for pause in (*PAUSES_S, None):
            asked = None
            try:
                with self._opener.open(self._request(url, headers), timeout=_TIMEOUT_S) as answer:
                    return take(answer)
            except urllib.error.HTTPError as error:
                with error:
                    failed = f"{url} was answered {error.code} {error.headers.get('x-ms-error-code') or error.reason}"
                    asked = error.headers.get("Retry-After", "")
                    if error.code not in _BUSY:
                        raise ContentError(failed) from error
            except (OSError, EOFError, http.client.HTTPException) as error:
                failed = f"{url} cannot be fetched: {error or type(error).__name__}"
            if pause is not None:
                time.sleep(min(float(asked), LONGEST_PAUSE_S) if asked and asked.isdecimal() else pause)
        raise ContentError(failed)

    def _request(self, url: str, headers: dict[str, str]) -> urllib.request.Request:
        try:
            with self._lock:
                token = self._token.get()
        except StorageError as error:
            raise ContentError(str(error)) from error
        every = {"Authorization": f"Bearer {token}", "x-ms-version": _API_VERSION, "x-ms-date": formatdate(usegmt=True)}
        return urllib.request.Request(url, headers={**headers, **every})  # noqa: S310 (http(s), checked)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Storage never redirects; whoever does would be given the token."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        """Leave the answer as it is: an error."""


def _copy(reader: Any, first: int, count: int, target: BinaryIO) -> None:
    target.seek(first)
    left = count
    while left:
        piece = memoryview(reader.read(min(left, _PIECE_BYTES)))
        if not piece:
            raise EOFError(f"it ended {left} bytes too soon")
        left -= len(piece)
        try:
            while piece:
                piece = piece[target.write(piece) :]
        except OSError as error:  # not the store's fault, and not mended by asking it again
            raise ContentError(f"what was fetched cannot be written: {error.strerror}") from error
