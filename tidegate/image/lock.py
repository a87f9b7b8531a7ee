"""`images.lock`: which image each base's name stood for when it was last looked up.

The file is committed, so that keys of environments are known without a network, are the same on every machine, and
change only where someone asked for it (`tidegate image update`).
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from tidegate.findings import ConfigError, Finding
from tidegate.image.reference import Reference, ReferenceFormatError, is_digest

FILE = "images.lock"
"""The file's name, in the project's root."""
REMEDY = "Run tidegate image update, and commit images.lock"


def _digest(text: str) -> str:
    if not is_digest(text):
        raise ValueError("not sha256: and 64 hex digits")
    return text


Digest = Annotated[str, AfterValidator(_digest)]


class LockedImage(BaseModel):
    """What one name stood for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: Digest
    """Of what the tag names: one image, or an index of images for several platforms."""
    platforms: Mapping[str, Digest]
    """The image's own digest by platform (`linux/amd64`, `linux/arm/v7`)."""
    resolved: date
    """When it was looked up."""


@dataclass(frozen=True)
class Lock:
    """All of them, by name in the long form (`docker.io/library/debian:12-slim`)."""

    images: Mapping[str, LockedImage] = field(default_factory=dict[str, LockedImage])

    def digest(self, reference: Reference, platform: str) -> str | None:
        """The digest of the image for `platform`; None where it has not been looked up, or has none for it.

        A reference that has a digest already is taken at its word.
        """
        if reference.digest:
            return reference.digest
        locked = self.images.get(str(reference))
        return locked.platforms.get(platform) if locked else None

    def check(self, reference: Reference, platform: str, *, path: str, file: str = "") -> list[Finding]:
        """What is to be said where `digest` knows none: at `path` of `file`, how to look it up."""
        if self.digest(reference, platform) is not None:
            return []
        locked = self.images.get(str(reference))
        if locked is None:
            return [Finding(path, f'the image "{reference}" is not in {FILE}', REMEDY, file=file)]
        offered = ", ".join(sorted(locked.platforms))
        problem = f'the image "{reference}" has nothing for {platform}; it is there for {offered}'
        return [Finding(path, problem, "Choose another image or another platform", file=file)]

    def with_image(self, reference: Reference, image: LockedImage) -> "Lock":
        """The lock with `image` for `reference`; the date of one that says the same already is kept."""
        known = self.images.get(str(reference))
        if known and known.model_copy(update={"resolved": image.resolved}) == image:
            return self
        return Lock({**self.images, str(reference): image})

    def only(self, references: Iterable[Reference]) -> "Lock":
        """The lock without the names that nobody uses any more."""
        used = {str(reference) for reference in references}
        return Lock({name: image for name, image in self.images.items() if name in used})


def read(path: Path) -> Lock:
    """Read the lock; a file that is not there is an empty one.

    Raises:
        ConfigError: the file cannot be read, or does not have this form; all that is wrong with it at once.
    """
    try:
        images = _IMAGES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise ConfigError([Finding("", f"cannot be read: {error.strerror}", file=path.name)]) from error
    except ValidationError as error:
        findings = (
            Finding(".".join(map(str, each["loc"])), each["msg"], f"Restore it, or delete it. {REMEDY}", file=path.name)
            for each in error.errors(include_url=False)
        )
        raise ConfigError(findings) from error
    names = [finding for name in images for finding in _check_name(name, path.name)]
    if names:
        raise ConfigError(names)
    return Lock(images)


def write(lock: Lock, path: Path) -> None:
    """Write the lock: sorted, one value a line, all or nothing."""
    images = {name: image.model_dump(mode="json") for name, image in lock.images.items()}
    text = json.dumps(images, indent=2, sort_keys=True) + "\n"
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


_IMAGES = TypeAdapter(dict[str, LockedImage])


def _check_name(name: str, file: str) -> list[Finding]:
    try:
        reference = Reference.parse(name)
    except ReferenceFormatError as error:
        return [Finding(name, f'"{name}" {error}', f"Take it out. {REMEDY}", file=file)]
    if str(reference) == name and not reference.digest:
        return []
    return [Finding(name, f'is not the long form of a name with a tag, "{reference.tagged}"', REMEDY, file=file)]
