"""The content of a registered model: named by its digest, copied with a check (rules M1, M2)."""

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from tidegate.digest import copy_sha256, file_sha256, records_sha256
from tidegate.image.hash_cache import Entry, HashCache, UnreadableError, hash_files


class ContentError(Exception):
    """Content that is missing, cannot be held by a model, or is not what its digest says; `str()` is for a user."""


@dataclass(frozen=True)
class ContentFile:
    """One file of a model."""

    path: str
    """Posix, relative to the model's folder; of a file alone its name."""
    source: Path
    size: int
    """Bytes."""
    sha256: str
    """64 hex digits of the file's bytes."""


def content_files(path: Path, *, cache: Path | None = None) -> tuple[ContentFile, ...]:
    """The files of a model, sorted by path, each read once.

    With `cache`, the folder for caches, a file that has not changed since the last time is not read again. Raises
    ContentError as `content_digest` does.
    """
    now_ns = time.time_ns()
    found = _folder_files(path) if path.is_dir() else [(path.name, _regular(path))]
    entries = [_entry(name, file) for name, file in found]
    try:
        hashes = HashCache.of(path, cache).hashes(entries, now_ns=now_ns) if cache else hash_files(entries)
    except UnreadableError as error:
        raise ContentError("; ".join(f"{path}: {name} {problem}" for name, problem in error.problems)) from error
    return tuple(
        ContentFile(name, file, entry.size, digest)
        for (name, file), entry, digest in zip(found, entries, hashes, strict=True)
    )


def digest_of(files: Iterable[ContentFile], *, folder: bool) -> str:
    """What `content_digest` says of a folder with these files, or of the one file."""
    if folder:
        return _folder_digest((file.path, file.sha256) for file in files)
    (file,) = files
    return f"sha256:{file.sha256}"


def content_digest(path: Path) -> str:
    """Return `sha256:` and 64 hex digits of a file or a folder.

    A file: of its bytes. A folder: of its sorted relative paths and its files' digests; names of the folder itself,
    modes and times do not count, nor do empty folders. Links to files count as the file that they lead to.

    Raises:
        ContentError: nothing is there, a folder without a file, or one with a link to a folder or a special file.
    """
    if path.is_dir():
        return _folder_digest((name, file_sha256(file)) for name, file in _folder_files(path))
    return f"sha256:{file_sha256(_regular(path))}"


def copy_content(path: Path, destination: Path, digest: str) -> None:
    """Copy a model's file or folder to `destination`, all of it or nothing.

    Copies beside the destination under a temporary name, compares the digest of what was written, and renames. An
    existing destination of the same digest is left as it is, and replaced otherwise; so it is safe to repeat after
    an interruption, and for two processes at once.

    Args:
        path: the file or folder.
        destination: its place; folders above it are made.
        digest: what `content_digest(path)` returned when the model was registered.

    Raises:
        ContentError: the content is not what `digest` says; the destination is then untouched.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _locked(destination.parent):
        if destination.exists() and content_digest(destination) == digest:
            return
        with tempfile.TemporaryDirectory(prefix=f".{destination.name}.", dir=destination.parent) as temporary:
            copy = Path(temporary) / "content"
            found = _copy(path, copy)
            if found != digest:
                raise ContentError(f"{path} has changed: it is {found}, and the model was registered as {digest}")
            if destination.exists():
                destination.rename(Path(temporary) / "replaced")
            copy.rename(destination)


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None, None, None]:
    """Hold a lock on a folder against other threads and processes; it leaves no file and dies with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _copy(path: Path, copy: Path) -> str:
    if not path.is_dir():
        return f"sha256:{copy_sha256(_regular(path), copy)}"
    written: list[tuple[str, str]] = []
    for name, file in _folder_files(path):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        written.append((name, copy_sha256(file, target)))
    return _folder_digest(written)


def _entry(name: str, file: Path) -> Entry:
    status = file.stat()
    return Entry(
        name, str(file), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, executable=False
    )


def _folder_digest(records: Iterable[tuple[str, str]]) -> str:
    return f"sha256:{records_sha256(sorted(records))}"


def _folder_files(folder: Path) -> list[tuple[str, Path]]:
    """The files under `folder` with their posix paths, links to files among them."""
    found: list[tuple[str, Path]] = []
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            if path.is_symlink():
                raise ContentError(f"{path} is a link to a folder; a model holds files, folders and links to files")
            continue
        found.append((path.relative_to(folder).as_posix(), _regular(path)))
    if not found:
        raise ContentError(f"{folder} holds no file; a model is a file or a folder with at least one")
    return found


def _regular(path: Path) -> Path:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        what = "is a link that leads nowhere" if path.is_symlink() else "does not exist"
        raise ContentError(f"{path} {what}; a model is a file or a folder") from None
    if not stat.S_ISREG(mode):
        raise ContentError(f"{path} is a socket, a pipe or a device; a model holds files, folders and links to files")
    return path
