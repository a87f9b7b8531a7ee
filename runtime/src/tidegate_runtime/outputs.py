"""Keeping the files that a script writes under `./outputs`: now and then, and once more at the end.

A process of its own does it, so that no request waits for it and a worker's death loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import threading
from pathlib import Path

from tidegate_runtime import logs
from tidegate_runtime.settings import Outputs, Settings
from tidegate_runtime.storage import StorageError, open_storage


def keep_outputs(settings: Settings, outputs: Outputs) -> None:
    """Copy new and changed files until SIGTERM, then a last time."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process decides when the last worker has ended
    storage = open_storage(outputs.destination)
    folder = f"{settings.service_name}/{settings.service_version}/{settings.replica}"
    known: dict[str, tuple[int, int]] = {}
    while True:
        ended = stop.wait(outputs.interval_s)
        for name, (path, seen) in _files(settings.source_dir / "outputs").items():
            if known.get(name) != seen:
                try:
                    storage.put(f"{folder}/{name}", path)
                    known[name] = seen
                except StorageError as error:
                    logs.say(f"outputs: {error}")
        if ended:
            return


def _files(root: Path) -> dict[str, tuple[Path, tuple[int, int]]]:
    """The files below a folder by relative name, with time and size. Links are not followed out of it."""
    found: dict[str, tuple[Path, tuple[int, int]]] = {}
    for folder, _, names in os.walk(root):
        for path in (Path(folder) / name for name in names):
            with contextlib.suppress(FileNotFoundError):  # the script has taken it away again
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    found[path.relative_to(root).as_posix()] = (path, (status.st_mtime_ns, status.st_size))
    return found
