"""What the scoring processes of a local version wrote."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CliError
from cli.project import Project
from tidegate.names import ENDPOINT, VERSION
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


def read_failed(project: Project, endpoint: str, version: str, *, lines: int) -> Iterator[Entry]:
    """The last `lines` lines of each replica of the version's last start that failed."""
    files = sorted(_folder(project, endpoint, version).glob("failed-*.log"))
    if not files:
        raise CliError(f"no start of version {version} of endpoint {endpoint} has failed")
    for path in files:
        for line in _Tail(path).last(lines, unfinished=True):
            yield Entry(_replica(path), line, several=len(files) > 1)


def read(project: Project, endpoint: str, version: str, *, lines: int, follow: bool) -> Iterator[Entry]:
    """The last `lines` lines of each replica, and those that follow; of the last failed start where nothing runs."""
    folder = _folder(project, endpoint, version)
    files = _files(folder)
    if not files:
        known = sorted(f"{path.parent.name} {path.name}" for path in folder.parent.parent.glob("*/*") if path.is_dir())
        raise CliError(
            f"nothing was logged by version {version} of endpoint {endpoint}; "
            f"logs are there of: {', '.join(known) or 'none'}"
        )
    tails = {path: _Tail(path) for path in files}
    for path, tail in tails.items():
        for line in tail.last(lines, unfinished=not follow):
            yield Entry(_replica(path), line, several=len(tails) > 1)
    while follow:
        for path in _files(folder):
            if path not in tails:
                tails[path] = _Tail(path)
            for line in tails[path].new():
                yield Entry(_replica(path), line, several=len(tails) > 1)
        time.sleep(_POLL_S)


def _folder(project: Project, endpoint: str, version: str) -> Path:
    for problem in (ENDPOINT.problem(endpoint), VERSION.problem(version)):
        if problem:
            raise CliError(problem)
    return log_folder(state_folder(project.root, project.stack), endpoint, version)


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.log"))
    running = [path for path in found if not path.name.startswith("failed-")]
    return running or found


class _Tail:
    """One log file, read on from where it was left, also when it is rotated meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._unfinished = b""

    def last(self, count: int, *, unfinished: bool) -> list[str]:
        """The last lines up to now, on request with the one that has no end yet; `new` goes on behind them."""
        # One rotated file before the current one, so that a log that has just been rotated is not empty.
        older = self._path.with_name(self._path.name + ".1")
        self._unfinished = older.read_bytes() if older.exists() else b""
        found = list(self._read())
        if unfinished and self._unfinished:
            found.append(_text(self._unfinished))
        return found[-count:] if count else []

    def new(self) -> Iterator[str]:
        """The lines that were finished since; what is left of a file that was rotated comes first."""
        yield from self._read()
        try:
            rotated = self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return  # between the two steps of a rotation, or removed with its deployment
        if rotated:
            yield from self._read()
            self._file.close()
            self._file = self._path.open("rb")
            yield from self._read()

    def _read(self) -> Iterator[str]:
        *finished, self._unfinished = (self._unfinished + self._file.read()).split(b"\n")
        return map(_text, finished)


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")


def _replica(path: Path) -> str:
    return path.stem.rpartition("-")[2]
