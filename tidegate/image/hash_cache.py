"""The hashes of a tree's files, remembered between runs, so that an unchanged file costs a stat and not a read.

A hash is taken from the cache where size, modification time, change time and inode are what they were. The change time
is the kernel's, which no program sets, so a modification time that was put back hides nothing. A file that was changed
within the last moments before it was read could change again within one tick of the file system's clock, and look the
same: its hash is not remembered, and it is read again the next time ("racy git" in git's technical documentation).
"""

import hashlib
import json
import os
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

SLACK_NS = 2_000_000_000
"""The coarsest clock of the file systems in use: FAT counts in two seconds, network file systems in one."""
_FORM = 1
_BUFFER_BYTES = 256 * 1024
_THREADS = min(4, os.cpu_count() or 1)
_BATCH = 64
_HEX = 64


class Entry(NamedTuple):
    """A file as it was found; times in nanoseconds."""

    path: str
    """Relative to the tree's root."""
    place: str
    """Where to open it."""
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    executable: bool
    """By its owner; not part of what makes a file another one, since the change time tells."""


class UnreadableError(Exception):
    """Files that could not be hashed. `problems` has path and reason of each, by path."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        """Take all of them."""
        self.problems = tuple(sorted(problems))
        super().__init__(self.problems)


def hash_files(entries: Sequence[Entry]) -> list[str]:
    """The SHA-256 of each file, as 64 hex digits; read in several threads, each in pieces.

    Raises:
        UnreadableError: files could not be read, or are not what they were found to be; all of them.
    """
    batches = [entries[place : place + _BATCH] for place in range(0, len(entries), _BATCH)]
    if len(batches) == 1:
        outcomes = _outcomes(batches[0])
    else:
        with ThreadPoolExecutor(_THREADS) as pool:
            outcomes = [outcome for batch in pool.map(_outcomes, batches) for outcome in batch]
    problems = [
        (entry.path, outcome.problem)
        for entry, outcome in zip(entries, outcomes, strict=True)
        if isinstance(outcome, _Problem)
    ]
    if problems:
        raise UnreadableError(problems)
    return [outcome for outcome in outcomes if isinstance(outcome, str)]


class HashCache:
    """The hashes of one tree, in one file. A file that cannot be read, or is damaged, is an empty cache."""

    def __init__(self, file: Path) -> None:
        """Take the file; it need not be there."""
        self._file = file

    @classmethod
    def of(cls, root: Path, folder: Path) -> "HashCache":
        """The cache of the tree at `root`, below a folder for caches."""
        name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
        return cls(folder / "hashes" / f"{name}.json")

    def hashes(self, entries: Sequence[Entry], *, now_ns: int) -> list[str]:
        """The SHA-256 of each file, as 64 hex digits; `now_ns` is a moment before the files were looked at.

        Reads those that are new or have changed, in several threads. The file is written anew where anything differs.

        Raises:
            UnreadableError: as `hash_files`; the cache then stays as it was.
        """
        paths, stats = "\0".join(entry.path for entry in entries), _stats(entries)
        known_paths, known_stats, known_hashes = self._read()
        if paths == known_paths and stats == known_stats:
            return known_hashes
        kept = {
            path: (known_stats[4 * index : 4 * index + 4], digest)
            for index, (path, digest) in enumerate(zip(known_paths.split("\0"), known_hashes, strict=False))
        }
        found: list[str | None] = []
        for index, entry in enumerate(entries):
            stat, digest = kept.get(entry.path, (None, None))
            found.append(digest if stat == stats[4 * index : 4 * index + 4] else None)
        read = [index for index, digest in enumerate(found) if digest is None]
        for index, digest in zip(read, hash_files([entries[index] for index in read]), strict=True):
            found[index] = digest
            entry = entries[index]
            if max(entry.mtime_ns, entry.ctime_ns) > now_ns - SLACK_NS:
                stats[4 * index] = -1  # equal to no file's
        hashes = [digest for digest in found if digest is not None]
        self._write(paths, stats, hashes)
        return hashes

    def _read(self) -> tuple[str, "array[int]", list[str]]:
        try:
            form = json.loads(self._file.read_bytes())
            stats = array("q", bytes.fromhex(form["stats"]))
            paths, joined = str(form["paths"]), str(form["hashes"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return "", array("q"), []
        count = len(joined) // _HEX
        if form.get("form") != _FORM or len(stats) != 4 * count or paths.count("\0") + 1 != count:
            return "", array("q"), []
        return paths, stats, [joined[place : place + _HEX] for place in range(0, len(joined), _HEX)]

    def _write(self, paths: str, stats: "array[int]", hashes: list[str]) -> None:
        form = {"form": _FORM, "paths": paths, "stats": stats.tobytes().hex(), "hashes": "".join(hashes)}
        temporary = ""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=f".{self._file.name}.", dir=self._file.parent)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(form, file, ensure_ascii=False)
            Path(temporary).replace(self._file)
        except OSError:  # a full disk or a cache that is read-only: the next run reads the files again
            if temporary:
                Path(temporary).unlink(missing_ok=True)


class _Problem(NamedTuple):
    problem: str


def _outcomes(entries: Sequence[Entry]) -> list[str | _Problem]:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    return [_outcome(entry, buffer) for entry in entries]


def _outcome(entry: Entry, buffer: memoryview) -> str | _Problem:
    digest = hashlib.sha256()
    try:
        descriptor = os.open(entry.place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while count := os.readv(descriptor, [buffer]):
                digest.update(buffer[:count])
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _Problem(f"cannot be read: {error.strerror}")
    if (after.st_size, after.st_mtime_ns, after.st_ctime_ns, after.st_ino) != entry[2:6]:
        return _Problem("changed while it was being read")
    return digest.hexdigest()


def _stats(entries: Sequence[Entry]) -> "array[int]":
    stats = array("q")
    for entry in entries:
        stats.extend(entry[2:6])
    return stats
