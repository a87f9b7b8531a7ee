"""What `tidegate image update` does: look up what the names of base images stand for today."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import cast

from pydantic import BaseModel, ConfigDict, ValidationError

from tidegate.image.credentials import CredentialsError
from tidegate.image.lock import Lock, LockedImage
from tidegate.image.reference import Reference
from tidegate.image.registry import Manifest, RegistryClient, RegistryError

Connect = Callable[[str], RegistryClient]
"""Gives the client of a registry by its host; may raise `CredentialsError`."""


@dataclass(frozen=True)
class Looked:
    """What became of one name."""

    reference: Reference
    old: LockedImage | None
    new: LockedImage | None
    """None where it could not be looked up; `old` then stays in the lock."""
    problem: str = ""

    @property
    def moved(self) -> bool:
        """Whether a name that was known stands for another image now."""
        return self.old is not None and self.new is not None and self.old.digest != self.new.digest


def update(lock: Lock, references: Iterable[Reference], connect: Connect, *, today: date) -> tuple[Lock, list[Looked]]:
    """Look up each name once and return the new lock with what was seen, sorted; names nobody uses are dropped.

    One registry that does not answer keeps no other from being asked; what was known of its images stays.
    References by digest need no lock and are left aside.
    """
    names = sorted({reference for reference in references if not reference.digest})
    clients: dict[str, RegistryClient] = {}
    seen: list[Looked] = []
    new = lock.only(names)
    try:
        for reference in names:
            old = lock.images.get(str(reference))
            try:
                if reference.registry not in clients:
                    clients[reference.registry] = connect(reference.registry)
                found = resolve(clients[reference.registry], reference, today=today)
            except (RegistryError, CredentialsError) as error:
                seen.append(Looked(reference, old, None, str(error)))
                continue
            new = new.with_image(reference, found)
            seen.append(Looked(reference, old, found))
    finally:
        for client in clients.values():
            client.close()
    return new, seen


def resolve(client: RegistryClient, reference: Reference, *, today: date) -> LockedImage:
    """What a name stands for in its registry.

    Raises:
        RegistryError: there is no such image, it is for no platform, or the registry fails.
    """
    manifest = client.manifest(reference)
    if manifest is None:
        raise RegistryError(client.registry, f"there is no image {reference}", status=404)
    found = index_platforms(manifest) if manifest.is_index else _image_platform(client, reference, manifest)
    if not found:
        raise RegistryError(client.registry, f"{reference} is for no platform that its manifest names")
    return LockedImage(digest=manifest.digest, platforms=dict(sorted(found.items())), resolved=today)


def index_platforms(manifest: Manifest) -> dict[str, str]:
    """The digest of the image for each platform (`linux/amd64`) in an index."""
    found: dict[str, str] = {}
    entries = manifest.document.get("manifests")
    for entry in cast(list[object], entries) if isinstance(entries, list) else ():
        each = cast(dict[str, object], entry) if isinstance(entry, dict) else {}
        name, digest = platform_name(each.get("platform")), each.get("digest")
        if name and isinstance(digest, str):
            found.setdefault(name, digest)  # of several for one platform a runtime takes the first
    return found


def platform_name(document: object) -> str:
    """The platform that an image's config, or an entry of an index, names; empty where it names none."""
    try:
        return _Platform.model_validate(document).name
    except ValidationError:
        return ""


class _Platform(BaseModel):
    model_config = ConfigDict(frozen=True)

    os: str = ""
    architecture: str = ""
    variant: str = ""

    @property
    def name(self) -> str:
        """As Docker writes it, `linux/arm/v7`; empty for what is none, such as a signature beside the images.

        `arm64/v8` is the same as `arm64`, by the rules of the module github.com/containerd/platforms.
        """
        if "unknown" in (self.os, self.architecture) or not (self.os and self.architecture):
            return ""
        variant = "" if (self.architecture, self.variant) == ("arm64", "v8") else self.variant
        return "/".join(part for part in (self.os, self.architecture, variant) if part)


def _image_platform(client: RegistryClient, reference: Reference, manifest: Manifest) -> dict[str, str]:
    name = platform_name(client.config(reference, manifest))
    return {name: manifest.digest} if name else {}
