"""Noticing edits, for `--reload`."""

from __future__ import annotations

import os
from pathlib import Path

_IGNORED = {"__pycache__", ".git", ".venv", "outputs", "node_modules"}


class SourceWatch:
    """Remembers the files below a folder. Looking at their times is enough for a desk, and needs no package."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether a file was added, edited or removed since the last call."""
        before, self._seen = self._seen, self._look()
        return before != self._seen

    def _look(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for folder, names, files in os.walk(self._folder):
            names[:] = [name for name in names if name not in _IGNORED]
            for name in files:
                path = Path(folder, name)
                try:
                    status = path.stat()
                except OSError:
                    continue
                found[str(path)] = (status.st_mtime_ns, status.st_size)
        return found
