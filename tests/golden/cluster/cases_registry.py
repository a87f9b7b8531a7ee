"""What the rules over the registry say."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.unit.cluster.test_registry import ID, resolve
from tidegate.findings import Finding


def of(**registry: Any) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(registry)[1]


CASES = [
    ("registry-form", "Nothing under it", of()),
    ("registry-form", "A name and an id", of(name="acmeimages", resourceId=ID)),
    ("registry-form", "Settings of one that exists", of(resourceId=ID, sku="Premium", publicNetworkAccess=True)),
    ("registry-name", "A hyphen", of(name="acme-images")),
    ("registry-name", "A name too short, in an id", of(resourceId=ID.replace("acmeimages", "acme"))),
    ("registry-id", "A name in its place", of(resourceId="acmeimages")),
    ("registry-id", "Another type", of(resourceId=ID.replace("registries", "webhooks"))),
    ("registry-premium", "Private, by default Standard", of(name="acmeimages", publicNetworkAccess=False)),
    ("registry-premium", "Private and Basic", of(name="acmeimages", publicNetworkAccess=False, sku="Basic")),
    (
        "registry-builder",
        "A private one that builds",
        of(name="acmeimages", sku="Premium", publicNetworkAccess=False, builder="acr"),
    ),
    ("registry-zones", "Zones of a Standard registry", of(name="acmeimages", zoneRedundancy=True)),
]
