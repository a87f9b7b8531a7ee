"""What a store keeps under one name: a list of files by their hashes, itself named by a hash."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from tidegate.image.snapshot import Snapshot
from tidegate.model.content import ContentError, content_files, digest_of

FORM = 1
"""Of the text; the scoring server reads this form alone."""

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class ManifestFile:
    """One file: where it goes, and its bytes by their SHA-256."""

    path: str
    """Posix, relative to the folder that the manifest is laid out in."""
    size: int
    """Bytes."""
    sha256: str
    """64 hex digits."""
    executable: bool = False


@dataclass(frozen=True)
class Manifest:
    """The files of a model's number, or of a version's code."""

    place: str
    """Where it stands in a store: `models/<name>/<number>`, or `code/<digest>`."""
    content: str
    """The digest of the whole: `sha256:` and 64 hex digits of a model, `s1-` and 64 of code."""
    files: tuple[ManifestFile, ...]
    """Sorted by path."""

    @property
    def name(self) -> str:
        """The name of its text in a store."""
        return manifest_name(self.place)

    @property
    def title(self) -> str:
        """The name of a model's file or folder."""
        return self.files[0].path.partition("/")[0]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def text(self) -> bytes:
        """JSON; the same bytes for the same files."""
        files = [asdict(file) for file in self.files]
        whole = {"form": FORM, "place": self.place, "content": self.content, "files": files}
        return json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"

    @property
    def sha256(self) -> str:
        """64 hex digits of the text: who knows them needs to trust no store."""
        return hashlib.sha256(self.text).hexdigest()


@dataclass(frozen=True)
class Package:
    """A manifest and where its files are on this machine, by their path in it."""

    manifest: Manifest
    sources: dict[str, Path]


def manifest_name(place: str) -> str:
    """The name of the manifest's text at a place of a store."""
    return f"{place}/manifest.json"


def model_place(name: str, number: int) -> str:
    """Where a model's number stands in a store."""
    return f"models/{name}/{number}"


def pack_model(name: str, number: int, path: Path, content: str, *, called: str = "") -> Package:
    """Pack a model as v1 laid it out: the file, or the folder by its name, below `<name>/<number>`.

    `called` is the name of the file or the folder where it had another one when the number was registered.

    Raises ContentError where the path does not hold `content` (any more).
    """
    folder = path.is_dir()
    found = content_files(path)
    now = digest_of(found, folder=folder)
    if now != content:
        raise ContentError(f"{path} has changed: it is {now}, and the model was registered as {content}")
    title = called or path.name
    sources = {f"{title}/{file.path}" if folder else title: file.source for file in found}
    named = zip(sources, found, strict=True)
    files = tuple(sorted(ManifestFile(inner, file.size, file.sha256) for inner, file in named))
    return Package(Manifest(model_place(name, number), content, files), sources)


def pack_code(snapshot: Snapshot) -> Package:
    """Pack a source directory's snapshot; the same code is at one place, whoever uses it."""
    files = tuple(sorted(ManifestFile(file.path, file.size, file.sha256, file.executable) for file in snapshot.files))
    alone = snapshot.root.is_file()
    sources = {file.path: snapshot.root if alone else snapshot.root / file.path for file in files}
    return Package(Manifest(f"code/{snapshot.digest}", snapshot.digest, files), sources)


def read_manifest(text: bytes) -> Manifest:
    """Read a manifest's text. Raises ValueError where it is none."""
    try:
        whole = cast(dict[str, Any], json.loads(text))
        if whole["form"] != FORM:
            raise ValueError(f"a manifest of form {whole['form']!r}, and this reads form {FORM}")
        files = tuple(
            ManifestFile(file["path"], file["size"], file["sha256"], file["executable"])
            for file in cast(list[dict[str, Any]], whole["files"])
        )
        manifest = Manifest(whole["place"], whole["content"], files)
        sound = all(_is_sound(file) for file in files)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no manifest: {type(error).__name__} {error}") from error
    if not sound or manifest.text != text:
        raise ValueError("no manifest: not as it is written")
    return manifest


def _is_sound(file: ManifestFile) -> bool:
    path = PurePosixPath(file.path)
    inside = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    return inside and file.size >= 0 and _HEX.fullmatch(file.sha256) is not None
