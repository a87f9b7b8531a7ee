"""Hashing a tree of files for a snapshot, beside hashing its bytes and nothing else."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.section import Figure, Section, median
from tidegate.image.hash_cache import SLACK_NS
from tidegate.image.snapshot import take_snapshot

FILES = 20_000
FOLDERS = 200
BYTES = 1_000_000_000
ROUNDS = 5


def run() -> Section:
    """Take snapshots of a tree of 1 GB in 20,000 files: with nothing known, and with nothing changed."""
    with tempfile.TemporaryDirectory(prefix="tidegate-tree-") as folder:
        root, cache = Path(folder) / "tree", Path(folder) / "cache"
        paths = _tree(root)
        time.sleep(SLACK_NS / 1e9)  # what is younger is read again, as it should be
        _raw(paths)  # into the page cache, and the first snapshot into the other one
        take_snapshot(root, limit_bytes=2 * BYTES, cache=cache)
        rounds = [
            tuple(
                _seconds(each)
                for each in (
                    lambda: _raw(paths),
                    lambda: take_snapshot(root, limit_bytes=2 * BYTES),
                    lambda: _stat(root),
                    lambda: take_snapshot(root, limit_bytes=2 * BYTES, cache=cache),
                )
            )
            for _ in range(ROUNDS)
        ]
    raw, cold, stat, warm = (median(each[index] for each in rounds) for index in range(4))
    speed = median(each[0] / each[1] for each in rounds)
    unchanged = median(each[3] / each[0] for each in rounds)
    bare = median(each[2] / each[0] for each in rounds)
    return Section(
        "The snapshot of a source directory",
        "python -m bench images",
        f"A tree of {BYTES / 1e9:.0f} GB in {FILES:,} files of one size, in the page cache. Raw is SHA-256 over each "
        "file's bytes, file by file, in a loop that does nothing else; a bare stat asks the file system for every "
        "file and looks at nothing, and no snapshot that asks for every file takes less. "
        f"{ROUNDS} rounds in turn, medians, and of the ratios the median of the rounds.",
        (
            Figure("raw SHA-256", f"{raw:.2f} s"),
            Figure("snapshot, nothing known", f"{cold:.2f} s"),
            Figure("its speed beside raw", f"{100 * speed:.0f} %", "≥ 90 %"),
            Figure("a bare stat of every file", f"{stat:.3f} s, {100 * bare:.1f} % of raw"),
            Figure("snapshot, nothing changed", f"{warm:.3f} s"),
            Figure("beside raw", f"{100 * unchanged:.1f} %", "< 2 %"),
        ),
    )


def _tree(root: Path) -> list[Path]:
    noise = os.urandom(BYTES // FILES + FILES)
    paths: list[Path] = []
    for number in range(FILES):
        path = root / f"folder-{number % FOLDERS:03}" / f"file-{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise[number : number + BYTES // FILES])
        paths.append(path)
    return paths


def _raw(paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb", buffering=0) as file:
            hashlib.file_digest(file, "sha256").hexdigest()


def _stat(folder: Path) -> None:
    with os.scandir(folder) as listing:
        for entry in listing:
            if entry.is_dir():
                _stat(Path(entry.path))
            else:
                entry.stat()


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
