"""A store in a folder: on this machine, or on a volume that pods have mounted."""

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from tidegate.model.manifest import ManifestFile
from tidegate.model.store import PROGRESS, ModelStore, StoreError, changed

_PIECE_BYTES = 1 << 20


class LocalStore(ModelStore):
    """A store in a folder, which is made with the first thing in it."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self._folder = folder

    def __str__(self) -> str:
        """The folder."""
        return f"the store {self._folder}"

    def _size(self, name: str) -> int | None:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def _create(self, name: str, text: bytes) -> bool:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".") as temporary:
            temporary.write(text)
            temporary.flush()
            os.fsync(temporary.fileno())
            Path(temporary.name).chmod(0o644)
            try:
                path.hardlink_to(temporary.name)  # unlike a rename, it fails where something is
            except FileExistsError:
                return False
        return True

    def _upload(self, name: str, source: Path, file: ManifestFile, progress: PROGRESS) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("ab") as writer:
            fcntl.flock(writer, fcntl.LOCK_EX)
            if self._size(name) == file.size:  # another process had the lock, and was done
                progress(file.size)
                return
            writer.truncate(0)
            if _copied(source, writer, progress) != file.sha256:
                raise changed(source, file)
            writer.flush()
            os.fsync(writer.fileno())
            partial.replace(path)

    def _delete(self, name: str) -> None:
        path = self._folder / name
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self._folder or (folder.exists() and any(folder.iterdir())):
                return
            if folder.exists():
                folder.rmdir()

    def _names(self, prefix: str) -> list[str]:
        folder = self._folder / prefix
        found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        return sorted(path.relative_to(self._folder).as_posix() for path in found)


def _copied(source: Path, writer: BinaryIO, progress: PROGRESS) -> str:
    digest = hashlib.sha256()
    try:
        with source.open("rb") as reader:
            while piece := reader.read(_PIECE_BYTES):
                digest.update(piece)
                writer.write(piece)
                progress(len(piece))
    except OSError as error:
        raise StoreError(f"{source} could not be copied into the store: {error}") from error
    return digest.hexdigest()
