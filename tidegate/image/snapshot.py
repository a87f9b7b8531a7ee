"""The project's code as it goes into an image or a local deployment: chosen, checked and named by content (rule I3)."""

import os
import re
import stat
import tempfile
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from tidegate.digest import copy_sha256, records_sha256
from tidegate.findings import Finding
from tidegate.image.hash_cache import Entry, HashCache, UnreadableError, hash_files

SIZE_LIMIT_BYTES = 300 * 1024 * 1024
"""Azure ML v1's limit for a snapshot, which may just be reached."""


MOST_NAME_BYTES = 255
MOST_PATH_BYTES = 4096 - 256
"""Linux opens no path of 4096 bytes (PATH_MAX); what stands above the code in an image is less than 256."""


class SourceFile(NamedTuple):
    """One file of a snapshot."""

    path: str
    """Posix, relative to the snapshot's root."""
    size: int
    """Bytes."""
    executable: bool
    sha256: str
    """64 hex digits of the file's bytes."""


@dataclass(frozen=True)
class Snapshot:
    """The files of a source directory at one moment; holds no content, `copy_snapshot` fetches and checks it."""

    root: Path
    files: tuple[SourceFile, ...]
    """Sorted by path."""
    digest: str
    """`s1-` and 64 hex digits over paths, executable bits and contents; times, owners and the root do not count."""
    size: int
    """Bytes of all files."""


class SnapshotError(Exception):
    """A source that cannot be packed. `findings` holds everything that is wrong with it, sorted."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Take all findings; `str()` shows one a line."""
        self.findings: tuple[Finding, ...] = tuple(sorted(findings))
        super().__init__(self.findings)

    def __str__(self) -> str:
        """The findings, one a line."""
        return "\n".join(str(finding) for finding in self.findings)


def take_snapshot(source: Path, *, limit_bytes: int = SIZE_LIMIT_BYTES, cache: Path | None = None) -> Snapshot:
    """Choose and hash the files of a source directory, or one file alone.

    In a directory, `.amlignore` in its root says what is left out, or, only where that file is missing, `.gitignore`
    in its root; ignore files further down mean nothing, as in v1. `.git`, `__pycache__` and `*.pyc` are never in.
    A link counts as what it leads to, as long as that is in the directory. Empty directories do not count.

    Args:
        source: a directory, or a file that becomes the only one of the snapshot.
        limit_bytes: the most that all files together may have.
        cache: the folder for caches; with it a file that has not changed since the last time is not read again.

    Raises:
        SnapshotError: links out of the directory or in a circle, special or unreadable files, names that differ only
            in case, are not Unicode or that no container can hold, no file at all, or more than `limit_bytes`.
    """
    now_ns = time.time_ns()
    if source.is_file():
        return _snapshot(source.parent, _single(source), now_ns, None)
    if not source.is_dir():
        raise SnapshotError([Finding(str(source), "does not exist", "Name the directory that holds the entry script")])
    walk = _Walk(source)
    found = sorted(walk.files(), key=itemgetter(0))
    findings = [*walk.findings, *_case_clashes([entry.path for entry in found]), *_too_large(found, limit_bytes)]
    if not found and not findings:
        findings.append(Finding(str(source), "holds no file to pack", "Look at its .amlignore or .gitignore"))
    if findings:
        raise SnapshotError(findings)
    return _snapshot(source, found, now_ns, cache)


def copy_snapshot(snapshot: Snapshot, destination: Path) -> None:
    """Copy the snapshot's files to the directory `destination`, all or nothing, and check each while it is copied.

    What stands at `destination` is replaced, so it is safe to repeat. Links become files. Modes are 0644 and 0755.

    Raises:
        SnapshotError: a file has changed or gone since the snapshot was taken; `destination` is then untouched.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{destination.name}.", dir=destination.parent) as temporary:
        copy = Path(temporary) / "files"
        copy.mkdir()
        findings = [finding for file in snapshot.files if (finding := _copy_file(snapshot.root, file, copy))]
        if findings:
            raise SnapshotError(findings)
        if destination.exists():
            destination.rename(Path(temporary) / "replaced")
        copy.rename(destination)


class _Walk:
    """One walk over a source directory; collects what is wrong on the way."""

    def __init__(self, root: Path) -> None:
        self.findings: list[Finding] = []
        self._root = root
        self._real_root = root.resolve()
        self._ignored = _ignore_rules(root)
        self._has_rules = bool(self._ignored.patterns)
        self._can_reinclude = any(pattern.include is False for pattern in self._ignored.patterns)

    def files(self) -> Iterator[Entry]:
        return self._directory("", (str(self._real_root),))

    def _directory(self, prefix: str, above: tuple[str, ...]) -> Iterator[Entry]:
        """Yield the files under `prefix` ("" or "a/b/"); `above` are the real directories on the way there."""
        try:
            with os.scandir(self._root / prefix) as listing:
                entries = list(listing)
        except OSError as error:
            self._report(prefix, f"cannot be read: {error.strerror}", "Make it readable, or name it in .amlignore")
            return
        roomy = len(prefix.encode()) + MOST_NAME_BYTES <= MOST_PATH_BYTES
        for entry in entries:
            name = entry.name
            relative = prefix + name
            is_directory = _is_directory(entry)
            if name in _NEVER or name.endswith(".pyc"):
                continue
            if self._has_rules and self._is_ignored(relative, is_directory):
                continue
            if not (_is_plain(name) and roomy) and not self._is_name(name, relative):
                continue
            is_link = entry.is_symlink()
            if is_link and not self._is_sound_link(relative):
                continue
            if is_directory:
                real = str((self._root / relative).resolve()) if is_link else f"{above[-1]}/{name}"
                if real in above:
                    self._report(relative, "is a link to a directory above it", _TAKE_LINK_OUT)
                else:
                    yield from self._directory(f"{relative}/", (*above, real))
            elif found := self._file(entry, relative):
                yield found

    def _is_ignored(self, relative: str, is_directory: bool) -> bool:
        if is_directory:
            # A pattern with `!` may bring back a file further down, so then each file is asked.
            return not self._can_reinclude and self._ignored.match_file(f"{relative}/")
        return self._ignored.match_file(relative)

    def _is_name(self, name: str, relative: str) -> bool:
        try:
            too_long = len(relative.encode()) > MOST_PATH_BYTES
        except UnicodeEncodeError:
            return self._refuse_name(relative, "has a name that is not Unicode")
        if too_long:
            problem = f"is longer than the {MOST_PATH_BYTES} bytes that a container's file system leaves for it"
        elif name.startswith(_WHITEOUT):
            problem = f"begins with {_WHITEOUT}, by which the layers of images mark what is deleted"
        elif any(unicodedata.category(char) == "Cc" for char in name):
            problem = "has a control character in its name"
        else:
            return True
        return self._refuse_name(relative, problem)

    def _refuse_name(self, relative: str, problem: str) -> bool:
        shown = relative if relative.isprintable() else ascii(relative)
        self._report(shown, problem, "Rename it, or name it in .amlignore")
        return False

    def _is_sound_link(self, relative: str) -> bool:
        path = self._root / relative
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # a circle of links is an OSError or, before Python 3.13, a RuntimeError
            self._report(relative, "is a link that leads nowhere", _TAKE_LINK_OUT)
            return False
        inside = target.is_relative_to(self._real_root)
        if not inside or ".git" in target.relative_to(self._real_root).parts:
            self._report(relative, "is a link to what is not part of the source directory", _TAKE_LINK_OUT)
            return False
        return True

    def _file(self, entry: "os.DirEntry[str]", relative: str) -> Entry | None:
        try:
            status = entry.stat()
        except OSError as error:
            self._report(relative, f"cannot be read: {error.strerror}", "Make it readable, or name it in .amlignore")
            return None
        if stat.S_ISREG(status.st_mode):
            return _entry(relative, entry.path, status)
        self._report(relative, "is a socket, a pipe or a device", "Remove it, or name it in .amlignore")
        return None

    def _report(self, path: str, problem: str, remedy: str) -> None:
        self.findings.append(Finding(path, problem, remedy))


_NEVER = frozenset({".git", "__pycache__"})
_WHITEOUT = ".wh."  # OCI image specification, "Whiteouts"
_is_plain = re.compile(r"(?!\.wh\.)[ -~]+").fullmatch
"""Whether a name is one that everything can hold: what is true of nearly all, and soon seen."""
_TAKE_LINK_OUT = "Copy what it leads to into the directory, or name the link in .amlignore"


def _ignore_rules(root: Path) -> GitIgnoreSpec:
    """The one ignore file that counts, as patterns; there is no merging."""
    for name in (".amlignore", ".gitignore"):
        path = root / name
        if path.is_file():
            try:
                return GitIgnoreSpec.from_lines(path.read_text(encoding="utf-8-sig").splitlines())
            except ValueError as error:  # bytes that are not UTF-8, or a pattern that is none
                finding = Finding("", f"cannot be read: {error}", "Write one gitignore pattern a line", file=name)
                raise SnapshotError([finding]) from error
    return GitIgnoreSpec.from_lines(())


def _is_directory(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links, which is reported as such
        return False


def _entry(relative: str, place: str, status: os.stat_result) -> Entry:
    executable = bool(status.st_mode & stat.S_IXUSR)
    return Entry(relative, place, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, executable)


def _single(source: Path) -> list[Entry]:
    return [_entry(source.name, str(source), source.stat())]


def _snapshot(root: Path, entries: list[Entry], now_ns: int, cache: Path | None) -> Snapshot:
    size = sum(entry.size for entry in entries)
    try:
        if cache is not None and size >= _WORTH_CACHING_BYTES:
            hashes = HashCache.of(root, cache).hashes(entries, now_ns=now_ns)
        else:
            hashes = hash_files(entries)
    except UnreadableError as error:
        remedy = "Make it readable, or name it in .amlignore"
        raise SnapshotError(Finding(path, problem, remedy) for path, problem in error.problems) from error
    files = tuple(
        SourceFile(entry.path, entry.size, entry.executable, digest)
        for entry, digest in zip(entries, hashes, strict=True)
    )
    records = ((path, "x" if executable else "-", digest) for path, _, executable, digest in files)
    return Snapshot(root, files, f"s1-{records_sha256(records)}", size)


_WORTH_CACHING_BYTES = 1024 * 1024
"""What is less is read as fast as it is looked up."""


def _case_clashes(paths: list[str]) -> Iterator[Finding]:
    """Files and directories whose names are one on a file system that ignores case or composes Unicode."""
    if _are_apart(paths):
        return
    seen: dict[tuple[str, str], str] = {}
    known: set[str] = set()
    for path in paths:
        for parent, name in _steps(path, known):
            folded = unicodedata.normalize("NFC", name).casefold()
            first = seen.setdefault((parent, folded), name)
            if first != name:
                yield Finding(
                    parent + name,
                    f"differs from '{parent}{first}' only in case or in how its letters are composed",
                    "Rename one of them: some systems cannot hold both",
                )


def _are_apart(paths: list[str]) -> bool:
    """Whether it is plain that none clash: ASCII, and apart in lower case. Quick, since it is true of nearly all."""
    joined = "\0".join(paths)
    known: set[str] = set()
    for path in {path.rpartition("/")[0] for path in paths}:
        known.update(str(parent) for parent in (PurePosixPath(path), *PurePosixPath(path).parents))
    every = {*joined.lower().split("\0"), *(parent.lower() for parent in known)}
    return joined.isascii() and len(every) == len(paths) + len(known)


def _steps(path: str, known: set[str]) -> Iterator[tuple[str, str]]:
    """The directory ("" or "a/") and the name of a path and of each directory on its way that is not known yet."""
    parent, slash, name = path.rpartition("/")
    if slash and parent not in known:
        known.add(parent)
        yield from _steps(parent, known)
    yield parent + slash, name


def _too_large(found: list[Entry], limit_bytes: int) -> Iterator[Finding]:
    size = sum(entry.size for entry in found)
    if size <= limit_bytes:
        return
    largest = sorted(found, key=lambda entry: (-entry.size, entry.path))[:10]
    listed = ", ".join(f"{entry.path} ({_megabytes(entry.size)})" for entry in largest)
    yield Finding(
        "",
        f"The source directory has {_megabytes(size)}, over the limit of {_megabytes(limit_bytes)}; largest: {listed}",
        "Name what scoring does not need in .amlignore, and register models under tidegate:models",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


def _copy_file(root: Path, file: SourceFile, copy: Path) -> Finding | None:
    target = copy / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        written = copy_sha256(root / file.path, target)
    except OSError as error:
        return Finding(file.path, f"cannot be read any more: {error.strerror}", "Run the command again")
    if written != file.sha256:
        return Finding(file.path, "changed while it was being packed", "Run the command again")
    target.chmod(0o755 if file.executable else 0o644)
    return None
