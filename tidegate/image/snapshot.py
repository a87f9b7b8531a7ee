"""The project's code as it goes into an image or a local deployment: chosen, checked and named by content (rule I3)."""

import stat
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from tidegate.digest import copy_sha256, file_sha256, records_sha256
from tidegate.findings import Finding

SIZE_LIMIT_BYTES = 300 * 1024 * 1024
"""Azure ML v1's limit for a snapshot, which may just be reached."""


@dataclass(frozen=True)
class SourceFile:
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


def take_snapshot(source: Path, *, limit_bytes: int = SIZE_LIMIT_BYTES) -> Snapshot:
    """Choose and hash the files of a source directory, or one file alone.

    In a directory, `.amlignore` in its root says what is left out, or, only where that file is missing, `.gitignore`
    in its root; ignore files further down mean nothing, as in v1. `.git`, `__pycache__` and `*.pyc` are never in.
    A link counts as what it leads to, as long as that is in the directory. Empty directories do not count.

    Args:
        source: a directory, or a file that becomes the only one of the snapshot.
        limit_bytes: the most that all files together may have.

    Raises:
        SnapshotError: links out of the directory or in a circle, special or unreadable files, names that differ only
            in case or are not Unicode, no file at all, or more than `limit_bytes`.
    """
    if source.is_file():
        return _snapshot(source.parent, [_source_file(source, source.name)])
    if not source.is_dir():
        raise SnapshotError([Finding(str(source), "does not exist", "Name the directory that holds the entry script")])
    walk = _Walk(source)
    files = sorted(walk.files(), key=lambda file: file.path)
    findings = [*walk.findings, *_case_clashes(file.path for file in files), *_too_large(files, limit_bytes)]
    if not files and not findings:
        findings.append(Finding(str(source), "holds no file to pack", "Look at its .amlignore or .gitignore"))
    if findings:
        raise SnapshotError(findings)
    return _snapshot(source, files)


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
        self._can_reinclude = any(pattern.include is False for pattern in self._ignored.patterns)

    def files(self) -> Iterator[SourceFile]:
        return self._directory("", (self._real_root,))

    def _directory(self, prefix: str, above: tuple[Path, ...]) -> Iterator[SourceFile]:
        """Yield the files under `prefix` ("" or "a/b/"); `above` are the real directories on the way there."""
        try:
            names = sorted(path.name for path in (self._root / prefix).iterdir())
        except OSError as error:
            self._report(prefix, f"cannot be read: {error.strerror}", "Make it readable, or name it in .amlignore")
            return
        for name in names:
            relative = prefix + name
            path = self._root / relative
            is_directory = path.is_dir()
            if self._is_left_out(name, relative, is_directory) or not self._is_sound(path, relative):
                continue
            real = path.resolve()
            if not is_directory:
                yield from self._file(path, relative)
            elif real in above:
                self._report(relative, "is a link to a directory above it", _TAKE_LINK_OUT)
            else:
                yield from self._directory(f"{relative}/", (*above, real))

    def _is_left_out(self, name: str, relative: str, is_directory: bool) -> bool:
        if name in {".git", "__pycache__"} or name.endswith(".pyc"):
            return True
        if is_directory:
            # A pattern with `!` may bring back a file further down, so then each file is asked.
            return not self._can_reinclude and self._ignored.match_file(f"{relative}/")
        return self._ignored.match_file(relative)

    def _is_sound(self, path: Path, relative: str) -> bool:
        try:
            relative.encode()
        except UnicodeEncodeError:
            self._report(ascii(relative), "has a name that is not Unicode", "Rename it, or name it in .amlignore")
            return False
        if not path.is_symlink():
            return True
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

    def _file(self, path: Path, relative: str) -> Iterator[SourceFile]:
        try:
            if stat.S_ISREG(path.stat().st_mode):
                yield _source_file(path, relative)
            else:
                self._report(relative, "is a socket, a pipe or a device", "Remove it, or name it in .amlignore")
        except OSError as error:
            self._report(relative, f"cannot be read: {error.strerror}", "Make it readable, or name it in .amlignore")

    def _report(self, path: str, problem: str, remedy: str) -> None:
        self.findings.append(Finding(path, problem, remedy))


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


def _source_file(path: Path, relative: str) -> SourceFile:
    status = path.stat()
    return SourceFile(relative, status.st_size, bool(status.st_mode & stat.S_IXUSR), file_sha256(path))


def _snapshot(root: Path, files: list[SourceFile]) -> Snapshot:
    records = ((file.path, "x" if file.executable else "-", file.sha256) for file in files)
    return Snapshot(root, tuple(files), f"s1-{records_sha256(records)}", sum(file.size for file in files))


def _case_clashes(paths: Iterable[str]) -> Iterator[Finding]:
    """Files and directories whose names are one on a file system that ignores case or composes Unicode."""
    seen: dict[str, str] = {}
    reported: set[str] = set()
    for path in paths:
        for part in (*reversed(PurePosixPath(path).parents), PurePosixPath(path)):
            spelled = str(part)
            first = seen.setdefault(unicodedata.normalize("NFC", spelled).casefold(), spelled)
            if first != spelled and spelled not in reported:
                reported.add(spelled)
                yield Finding(
                    spelled,
                    f"differs from '{first}' only in case or in how its letters are composed",
                    "Rename one of them: some systems cannot hold both",
                )
                break


def _too_large(files: list[SourceFile], limit_bytes: int) -> Iterator[Finding]:
    size = sum(file.size for file in files)
    if size <= limit_bytes:
        return
    largest = sorted(files, key=lambda file: (-file.size, file.path))[:10]
    listed = ", ".join(f"{file.path} ({_megabytes(file.size)})" for file in largest)
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
