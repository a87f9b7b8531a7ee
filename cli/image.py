"""`tidegate image update|list|show`: what the names of base images stand for, and what is in a registry."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from cli.errors import CliError
from cli.project import Project
from tidegate.azure.registry_access import RegistryAccess
from tidegate.config import Environment, from_file
from tidegate.findings import ConfigError
from tidegate.image.credentials import CredentialsError
from tidegate.image.inputs import needed_images
from tidegate.image.lock import FILE, read, write
from tidegate.image.plan import built
from tidegate.image.reference import Reference, ReferenceFormatError
from tidegate.image.registry import Manifest, RegistryClient, RegistryError
from tidegate.image.update import Looked, index_platforms, platform_name
from tidegate.image.update import update as look_up


def update(project: Project) -> list[Looked]:
    """Look up every image that the stacks of the project are made on, and write images.lock.

    What could not be looked up is in the answer with its problem, and stays in the lock as it was.
    """
    path = project.root / FILE
    try:
        environments = [from_file(file, root=project.root) for file in sorted(project.root.glob("Pulumi.*.yaml"))]
        lock, seen = look_up(read(path), _needed(environments), connect, today=datetime.now(UTC).date())
    except ConfigError as error:
        raise CliError(str(error)) from error
    if lock.images or path.exists():
        write(lock, path)
    return seen


def looked_text(seen: list[Looked]) -> str:
    """For a person: one line a name."""
    return "\n".join(f"{each.reference}: {_looked(each)}" for each in seen)


def looked_json(seen: list[Looked]) -> list[dict[str, Any]]:
    """For a program: `image`, `old`, `new` (digests or null), `moved`, `problem` (text or null)."""
    return [
        {
            "image": str(each.reference),
            "old": each.old.digest if each.old else None,
            "new": each.new.digest if each.new else None,
            "moved": each.moved,
            "problem": each.problem or None,
        }
        for each in seen
    ]


def connect(host: str) -> RegistryClient:
    """The client of a registry, with the login that Docker or the Azure CLI has left for it."""
    return RegistryAccess().connect(host)


@dataclass(frozen=True)
class Image:
    """An image in a registry, and what it says of itself."""

    reference: Reference
    """With its digest."""
    size: int
    """Compressed bytes of its layers; of an index, of no layers."""
    platforms: tuple[str, ...]
    created: str
    labels: Mapping[str, str]

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags that the image was registered with; not the registry's tag."""
        try:
            found: object = json.loads(self.labels.get("io.tidegate.tags", "{}"))
        except ValueError:
            return {}
        return (
            {str(key): str(value) for key, value in cast(dict[object, object], found).items()}
            if isinstance(found, dict)
            else {}
        )

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "image": str(self.reference),
            "name": self.labels.get("org.opencontainers.image.title", ""),
            "number": self.labels.get("org.opencontainers.image.version", ""),
            "description": self.labels.get("org.opencontainers.image.description", ""),
            "tags": dict(self.tags),
            "key": self.labels.get("io.tidegate.key", ""),
            "platforms": list(self.platforms),
            "created": self.created,
            "bytes": self.size,
            "labels": dict(self.labels),
        }


def images(repository: str) -> list[Image]:
    """The images of a repository, `REGISTRY/PATH`, by their registry's tags."""
    place = named(repository)
    with asking(place) as client:
        found = (
            _image(client, Reference(place.registry, place.repository, tag)) for tag in client.tags(place.repository)
        )
        return [image for image in found if image]


def image(reference: str) -> Image:
    """One image, by its registry's tag or its digest."""
    meant = named(reference)
    with asking(meant) as client:
        found = _image(client, meant)
    if found is None:
        raise CliError(f"there is no image {meant}")
    return found


def image_text(found: Image) -> str:
    """For a person."""
    said = found.as_json()
    rows = {
        "image": said["image"],
        "name": f"{said['name']}:{said['number']}" if said["number"] else said["name"],
        "description": said["description"],
        "tags": ", ".join(f"{key}={value}" for key, value in said["tags"].items()),
        "key": said["key"],
        "platforms": ", ".join(said["platforms"]),
        "created": said["created"],
        "size": f"{said['bytes'] / 2**20:.1f} MiB",
    }
    return "\n".join(f"{name:<13}{value}" for name, value in rows.items() if value)


def list_text(found: list[Image]) -> str:
    """For a person: one line an image."""
    if not found:
        return "no images"
    lines: list[str] = []
    for each in found:
        said = each.as_json()
        name = f"{said['name']}:{said['number']}" if said["number"] else said["name"]
        words = (
            each.reference.tag,
            each.reference.digest[:19],
            f"{each.size / 2**20:.1f} MiB",
            each.created[:10],
            name,
        )
        lines.append("  ".join(word for word in words if word))
    return "\n".join(lines)


def _needed(environments: list[Environment]) -> set[Reference]:
    return {
        reference
        for environment in environments
        for _, version in built(environment)
        for reference in needed_images(version)
    }


def _looked(each: Looked) -> str:
    if each.new is None:
        return f"{each.problem}; " + (f"{each.old.digest} stays" if each.old else "it is not in the lock")
    if each.old is None:
        return f"{each.new.digest} (new)"
    if each.moved:
        return f"moved: {each.old.digest} -> {each.new.digest}"
    return f"{each.new.digest} (unchanged since {each.old.resolved})"


@contextmanager
def asking(reference: Reference) -> Iterator[RegistryClient]:
    """A registry's client whose errors are the command's."""
    try:
        with connect(reference.registry) as client:
            yield client
    except (RegistryError, CredentialsError) as error:
        raise CliError(str(error)) from error


def named(text: str) -> Reference:
    """Read an image's name. Raises CliError."""
    try:
        return Reference.parse(text)
    except ReferenceFormatError as error:
        raise CliError(f'"{text}" {error}') from error


def _image(client: RegistryClient, reference: Reference) -> Image | None:
    manifest = client.manifest(reference)
    if manifest is None:
        return None
    whole = replace(reference, digest=manifest.digest)
    if manifest.is_index:
        return Image(whole, 0, tuple(sorted(index_platforms(manifest))), "", {})
    config = client.config(reference, manifest)
    created = config.get("created")
    return Image(
        whole,
        _layers_size(manifest),
        tuple(filter(None, [platform_name(config)])),
        created if isinstance(created, str) else "",
        _labels(config),
    )


def _labels(config: Mapping[str, object]) -> dict[str, str]:
    settings = config.get("config")
    found = cast(dict[str, object], settings).get("Labels") if isinstance(settings, dict) else None
    return (
        {key: str(value) for key, value in sorted(cast(dict[str, object], found).items())}
        if isinstance(found, dict)
        else {}
    )


def _layers_size(manifest: Manifest) -> int:
    layers = manifest.document.get("layers")
    sizes = (
        (each.get("size") for each in cast(list[object], layers) if isinstance(each, dict))
        if isinstance(layers, list)
        else ()
    )
    return sum(size for size in sizes if isinstance(size, int))
