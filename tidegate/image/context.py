"""Build contexts on disk: the files that a builder is given, the same on every machine."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tidegate.image.dockerfile import SOURCE_DATE_EPOCH


def write_context(files: Mapping[str, Path | bytes], folder: Path) -> None:
    """Make `folder` hold exactly `files`: by relative posix path, what a file leads to or the bytes themselves.

    Modes are 0644 and 0755, and every time is `SOURCE_DATE_EPOCH`: builders copy both into layers. What stood in
    `folder` before is gone.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: a path leads out of the folder.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for relative, content in sorted(files.items()):
        if PurePosixPath(relative).is_absolute() or ".." in PurePosixPath(relative).parts:
            raise ValueError(f"'{relative}' leads out of the build context")
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
            executable = False
        else:
            shutil.copyfile(content, path)
            executable = os.access(content, os.X_OK)
        path.chmod(0o755 if executable else 0o644)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (SOURCE_DATE_EPOCH, SOURCE_DATE_EPOCH))
