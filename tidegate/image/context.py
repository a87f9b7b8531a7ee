"""Build contexts on disk: the files that a builder is given, the same on every machine."""

import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tidegate.digest import copy_sha256
from tidegate.findings import ConfigError, Finding
from tidegate.image.dockerfile import SOURCE_DATE_EPOCH


@dataclass(frozen=True)
class KnownFile:
    """A file whose content is known by its hash; it is compared while it is copied."""

    source: Path
    sha256: str
    executable: bool = False


ContextFile = Path | bytes | KnownFile
"""What a file of a context is copied from, or its bytes."""


def write_context(files: Mapping[str, ContextFile], folder: Path) -> None:
    """Make `folder` hold exactly `files`, by relative posix path.

    Modes are 0644 and 0755, and every time is `SOURCE_DATE_EPOCH`: builders copy both into layers. What stood in
    `folder` before is gone.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: a path leads out of the folder.
        ConfigError: a `KnownFile` is not (any more) what its hash says.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for relative, content in sorted(files.items()):
        if PurePosixPath(relative).is_absolute() or ".." in PurePosixPath(relative).parts:
            raise ValueError(f"'{relative}' leads out of the build context")
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755 if _write(content, path) else 0o644)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (SOURCE_DATE_EPOCH, SOURCE_DATE_EPOCH))


def keep_context(files: Mapping[str, ContextFile], folder: Path) -> None:
    """Make `folder`, whose name says what is in it, hold `files`; one that is there is taken as it is.

    It appears whole or not at all, so two processes may do this at once. Raises as `write_context` does.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as temporary:
        written = Path(temporary) / "context"
        write_context(files, written)
        try:
            written.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was first
                raise


def drop_contexts(parent: Path, keep: Collection[str]) -> None:
    """Remove the contexts below `parent` whose names are not in `keep`."""
    for folder in parent.iterdir() if parent.is_dir() else ():
        if folder.name not in keep and not folder.name.startswith("."):
            shutil.rmtree(folder, ignore_errors=True)


def _write(content: ContextFile, path: Path) -> bool:
    """Write one file; whether it is executable."""
    if isinstance(content, bytes):
        path.write_bytes(content)
        return False
    if isinstance(content, Path):
        shutil.copyfile(content, path)
        return os.access(content, os.X_OK)
    if copy_sha256(content.source, path) != content.sha256:
        problem = "the file changed while it was copied into a build context"
        raise ConfigError([Finding("", problem, "Run it again", file=str(content.source))])
    return content.executable
