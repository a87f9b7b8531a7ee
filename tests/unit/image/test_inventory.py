"""All images of a repository, in registries of Azure's and in others."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from tidegate.image.inventory import inventory
from tidegate.image.reference import Reference
from tidegate.image.registry import INDEX_TYPES, Manifest, RegistryClient

ONE, TWO, LIST, CACHE = (f"sha256:{letter * 64}" for letter in "1234")


class Client:
    """A registry with two images, an index over one of them, and a builder's cache."""

    def __init__(self, registry: str) -> None:
        self.registry = registry
        self.named = {"v1-1": ONE, "v1-2": TWO, "latest": TWO, "e2-1": LIST, "cache": CACHE}

    def tags(self, repository: str) -> tuple[str, ...]:
        return tuple(self.named)

    def digest(self, reference: Reference) -> str | None:
        return self.named[reference.tag]

    def manifest(self, reference: Reference) -> Manifest | None:
        if reference.digest == LIST:
            return Manifest(LIST, INDEX_TYPES[0], {"manifests": [{"digest": ONE}, {"size": 1}]})
        return Manifest(reference.digest, "image", {})

    def config(self, reference: Reference, manifest: Manifest) -> Mapping[str, Any]:
        return {"created": "1980-01-01T00:00:00Z"} if reference.digest == ONE else {"created": "yesterday"}

    def azure_manifests(self, repository: str) -> tuple[Mapping[str, Any], ...]:
        loose = {"digest": TWO, "createdTime": "2026-03-01T10:00:00.1234567Z"}
        return ({"digest": ONE, "tags": ["v1-1"], "createdTime": "2026-02-01T10:00:00Z"}, loose)


def images(registry: str) -> list[tuple[str, tuple[str, ...], datetime, tuple[str, ...]]]:
    found = inventory(cast(RegistryClient, Client(registry)), "tidegate/words/one")
    return [(each.digest, each.tags, each.created, each.parts) for each in found]


def test_tags_of_one_digest_are_one_image_and_the_cache_is_none() -> None:
    unknown = datetime(1970, 1, 1, tzinfo=UTC)
    assert images("127.0.0.1:5000") == [
        (ONE, ("v1-1",), datetime(1980, 1, 1, tzinfo=UTC), ()),
        (TWO, ("latest", "v1-2"), unknown, ()),
        (LIST, ("e2-1",), unknown, (ONE,)),
    ]


def test_a_registry_of_azures_says_when_and_has_those_without_a_tag() -> None:
    assert images("acme.azurecr.io") == [
        (ONE, ("v1-1",), datetime(2026, 2, 1, 10, tzinfo=UTC), ()),
        (TWO, (), datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC), ()),
    ]
