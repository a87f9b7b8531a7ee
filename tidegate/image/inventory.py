"""All images of a repository, with what a decision over their deletion has to know."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from tidegate.image.reference import Reference
from tidegate.image.registry import Manifest, RegistryClient
from tidegate.image.retention import StoredImage

CACHE = "cache"
"""The tag under which a repository has the layers of earlier builds: no image, and never deleted."""
AZURE = ".azurecr.io"

_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


def inventory(client: RegistryClient, repository: str) -> tuple[StoredImage, ...]:
    """The images of a repository, sorted by digest; without the builder's cache.

    Azure's registries say when each was pushed, and list those without a tag too. Of images elsewhere the time is what
    their configs say, which for reproducible builds is the same for all.

    Raises:
        RegistryError: the registry cannot be asked, or answers what is none.
    """
    tags: dict[str, set[str]] = {}
    created: dict[str, datetime] = {}
    if client.registry.endswith(AZURE):
        for each in client.azure_manifests(repository):
            digest = str(each.get("digest", ""))
            tags[digest] = {str(tag) for tag in cast("list[object]", each.get("tags") or [])}
            created[digest] = _time(each.get("createdTime"))
    else:
        for tag in client.tags(repository):
            digest = client.digest(Reference(client.registry, repository, tag))
            if digest:
                tags.setdefault(digest, set()).add(tag)
    found: list[StoredImage] = []
    for digest, named in sorted(tags.items()):
        if CACHE in named:
            continue
        reference = Reference(client.registry, repository, digest=digest)
        manifest = client.manifest(reference)
        if manifest is None:  # deleted meanwhile
            continue
        when = created.get(digest) or _created(client, reference, manifest)
        found.append(StoredImage(digest, tuple(sorted(named)), when, tuple(_parts(manifest))))
    return tuple(found)


def _created(client: RegistryClient, reference: Reference, manifest: Manifest) -> datetime:
    return _UNKNOWN if manifest.is_index else _time(client.config(reference, manifest).get("created"))


def _parts(manifest: Manifest) -> Iterator[str]:
    entries = manifest.document.get("manifests") if manifest.is_index else None
    for entry in cast("list[object]", entries) if isinstance(entries, list) else ():
        digest = cast("dict[str, object]", entry).get("digest") if isinstance(entry, dict) else None
        if isinstance(digest, str):
            yield digest


def _time(text: object) -> datetime:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else _UNKNOWN
    except ValueError:
        return _UNKNOWN
    return found if found.tzinfo else found.replace(tzinfo=UTC)
