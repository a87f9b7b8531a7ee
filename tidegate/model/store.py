"""Where models and code are kept for pods to fetch: by content, whole or not at all (rules M1, M3).

    models/<name>/<number>/manifest.json    what a number holds; written last, never over another one
    code/<digest>/manifest.json             what a version's code holds
    content/<64 hex digits>                 one file's bytes, under their SHA-256

A number whose manifest is there is complete: its files were, before it was written. One store belongs to one stack,
whose updates the engine does one after another: nothing is removed while something is added.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tidegate.model.manifest import Manifest, ManifestFile, Package, manifest_name, read_manifest

PROGRESS = Callable[[int], None]
"""Called with each number of bytes that is done, in the thread that adds; what it raises ends the adding."""

_ROOTS = ("models/", "code/")


class StoreError(Exception):
    """A store that cannot be used, or that holds something else; `str()` is for a user."""


class TakenError(StoreError):
    """The place holds other content."""


class DeniedError(StoreError):
    """The login may not do this; where the right was just given, it may in a few minutes."""


class ModelStore(ABC):
    """A store of files by content, and of manifests that name them."""

    def add(self, package: Package, progress: PROGRESS) -> bool:
        """Upload what is not there yet, then the manifest; whether anything was missing.

        It is safe to repeat, also after an interruption at any point: what is there is found, and what is missing is
        added. `progress` adds up to the bytes of all different files.

        Raises:
            TakenError: the place holds other content; nothing is changed.
            StoreError: the store cannot be used, or a file is not (any more) what the manifest says.
        """
        manifest = package.manifest
        there = self.find(manifest.place)
        if there is not None and there != manifest:
            raise TakenError(
                f"{self} holds other content under {manifest.place}: {there.content}, and this is {manifest.content}"
            )
        uploaded = 0
        for file in {file.sha256: file for file in manifest.files}.values():
            if self._size(_content(file)) == file.size:
                progress(file.size)
            else:
                self._upload(_content(file), package.sources[file.path], file, progress)
                uploaded += 1
        if there is None and not self._create(manifest.name, manifest.text):
            return self.add(package, lambda _: None)  # another process was first, with this content or with another
        return there is None or uploaded > 0

    def find(self, place: str) -> Manifest | None:
        """The manifest at a place. Raises StoreError where what is there is none."""
        name = manifest_name(place)
        text = self._read(name)
        if text is None:
            return None
        try:
            return read_manifest(text)
        except ValueError as error:
            raise StoreError(f"{self}: {name} is {error}") from error

    def remove(self, place: str) -> None:
        """Remove a manifest, then what no other one names; no error where it is gone already."""
        manifest = self.find(place)
        if manifest is None:
            return
        self._delete(manifest.name)
        rest = {_content(file) for file in manifest.files}
        for name in (each for root in _ROOTS for each in self._names(root)):
            if not rest:
                return
            other = self.find(name.rpartition("/")[0])
            rest -= {_content(file) for file in other.files} if other else set()
        for name in sorted(rest):
            self._delete(name)

    @abstractmethod
    def __str__(self) -> str:
        """The store in a sentence."""

    @abstractmethod
    def _size(self, name: str) -> int | None:
        """The bytes of what is under a name, None where nothing is."""

    @abstractmethod
    def _read(self, name: str) -> bytes | None:
        """A small text, None where nothing is."""

    @abstractmethod
    def _create(self, name: str, text: bytes) -> bool:
        """Write a small text where nothing is; False where something is."""

    @abstractmethod
    def _upload(self, name: str, source: Path, file: ManifestFile, progress: PROGRESS) -> None:
        """Write a file's bytes, whole or not at all; StoreError where they are not those of `file`."""

    @abstractmethod
    def _delete(self, name: str) -> None:
        """Remove what is under a name; no error where nothing is."""

    @abstractmethod
    def _names(self, prefix: str) -> list[str]:
        """All names that begin so."""


def open_store(location: str, token: Callable[[str], str], cancelled: threading.Event | None = None) -> ModelStore:
    """The store at a blob container's URL or in a folder.

    `token` gives a bearer token for a scope, and is asked for blob storage alone; waits end when `cancelled` is set.
    """
    if urlsplit(location).scheme in ("https", "http"):
        from tidegate.model.blob_store import BlobStore  # noqa: PLC0415 (a folder needs no HTTP client)

        return BlobStore(location, token, cancelled=cancelled)
    from tidegate.model.local_store import LocalStore  # noqa: PLC0415

    return LocalStore(Path(location))


def changed(source: Path, file: ManifestFile) -> StoreError:
    """What to say of a file that is not what its manifest says."""
    return StoreError(
        f"{source} changed while it was uploaded: it no longer has the SHA-256 {file.sha256}; run it again"
    )


def _content(file: ManifestFile) -> str:
    return f"content/{file.sha256}"
