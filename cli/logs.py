"""What the scoring processes of a local version wrote."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CliError
from cli.project import LOCAL, Project
from tidegate.targets.local_paths import log_folder, state_folder

_POLL_S = 0.2


@dataclass(frozen=True)
class Entry:
    """One line of one replica's log."""

    replica: str
    line: str
    several: bool

    @property
    def text(self) -> str:
        """The line as a person reads it, with the replica before it where there is more than one."""
        return f"[{self.replica}] {self.line}" if self.several else self.line


def read(project: Project, endpoint: str, version: str, *, lines: int, follow: bool) -> Iterator[Entry]:
    """The last `lines` lines of each replica, and those that follow; of the last failed start where nothing runs."""
    if project.stack != LOCAL:
        raise CliError(f"logs of stack {project.stack} cannot be read yet; only those of stack {LOCAL}")
    folder = log_folder(state_folder(project.root, project.stack), endpoint, version)
    files = _files(folder)
    if not files:
        known = sorted(f"{path.parent.name} {path.name}" for path in folder.parent.parent.glob("*/*") if path.is_dir())
        raise CliError(
            f"nothing was logged by version {version} of endpoint {endpoint}; "
            f"logs are there of: {', '.join(known) or 'none'}"
        )
    for path in files:
        for line in _last(path, lines):
            yield Entry(_replica(path), line, several=len(files) > 1)
    if follow:
        yield from _follow(folder, {path: path.stat().st_size for path in files})


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.log"))
    running = [path for path in found if not path.name.startswith("failed-")]
    return running or found


def _last(path: Path, lines: int) -> list[str]:
    # One rotated file before the current one, so that a log that has just been rotated is not empty.
    older = path.with_name(path.name + ".1")
    text = (older.read_text(errors="replace") if older.exists() else "") + path.read_text(errors="replace")
    return text.splitlines()[-lines:] if lines else []


def _follow(folder: Path, seen: dict[Path, int]) -> Iterator[Entry]:
    while True:
        for path in _files(folder):
            size = path.stat().st_size
            offset = seen.get(path, 0)
            if size < offset:
                offset = 0  # rotated
            if size > offset:
                with path.open(errors="replace") as file:
                    file.seek(offset)
                    text = file.read()
                complete, newline, _ = text.rpartition("\n")
                seen[path] = offset + len((complete + newline).encode())
                for line in complete.splitlines():
                    yield Entry(_replica(path), line, several=len(seen) > 1)
        time.sleep(_POLL_S)


def _replica(path: Path) -> str:
    return path.stem.rpartition("-")[2]
