"""Where an image comes from: this stack's own build, a registry that has it, or a build that is still to be done.

The name of an image is its content, so what a registry has under a tag need not be built again, whoever built it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tidegate.findings import ConfigError, Finding
from tidegate.image.credentials import CredentialsError
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryError

DigestOf = Callable[[Reference], str | None]
"""Asks a registry what a tag or a digest names; None where it has no such image."""


@dataclass(frozen=True)
class Remembered:
    """What the last update of this stack left of an image."""

    reference: Reference
    """With tag and digest, in the registry in which it was found, or to which it was pushed."""
    built: bool
    """Whether this stack built it, and so has the build among its resources."""


@dataclass(frozen=True)
class Registries:
    """Where images are looked for and where they go."""

    own: str
    """Host, with its port where it has one; builds are pushed there."""
    own_exists: bool = True
    """False until the stack that makes its registry has made it."""
    shared: tuple[str, ...] = ()
    """Further ones, in the order in which they are asked; nothing is pushed there."""


def find_image(
    repository: str, tag: str, registries: Registries, remembered: Remembered | None, digest_of: DigestOf
) -> Reference | None:
    """Where the image `repository:tag` is, with its digest; None where this stack declares its build.

    A build that this stack has among its resources stays declared, and no registry is asked: to leave it out would
    make the resources depend on what a registry holds. Otherwise the registry in which it was found the last time is
    asked first, then the own one, then the shared ones.

    Raises:
        ConfigError: a registry could not be asked; that it lacks the image cannot be concluded.
    """
    known = remembered if remembered and remembered.reference.tag == tag else None
    if known and known.built and known.reference.registry == registries.own:
        return None
    hosts = [registries.own] * registries.own_exists + [*registries.shared]
    if known and known.reference.registry in hosts:
        hosts.insert(0, known.reference.registry)
    for host in dict.fromkeys(hosts):
        reference = Reference(host, repository, tag)
        digest = _asked(reference, digest_of)
        if digest:
            return replace(reference, digest=digest)
    return None


def promoted(repository: str, tag: str, ran: Mapping[str, str], *, stack: str, path: str) -> Reference:
    """The image that another stack ran under the name `repository:tag` (rule I7).

    Args:
        repository: as in the registry.
        tag: the content that is wanted here.
        ran: what that stack says of its last complete update: `repository:tag` to the whole reference with its digest.
        stack: that stack's name, for the error.
        path: the key path of what wants the image.

    Raises:
        ConfigError: it never ran that content.
    """
    found = ran.get(f"{repository}:{tag}")
    if found:
        return replace(Reference.parse(found), tag=tag)
    others = sorted(name for name in ran if name.partition(":")[0] == repository)
    runs = f"; it ran {', '.join(others)}" if others else ""
    raise ConfigError(
        [
            Finding(
                path,
                f"{repository}:{tag} never ran in the stack {stack}{runs}",
                f"Run pulumi up -s {stack} with this content first, or go back to the content that ran there",
                rule="image-promotion",
            )
        ]
    )


def promoted_digest(reference: Reference, ran: Mapping[str, str], *, stack: str, path: str) -> Reference:
    """The image that is named by its digest, where the stack `stack` ran that digest.

    Raises:
        ConfigError: no image that it ran has this digest.
    """
    for found in ran.values():
        if Reference.parse(found).digest == reference.digest:
            return reference
    raise ConfigError(
        [
            Finding(
                path,
                f"the digest {reference.digest} never ran in the stack {stack}",
                f"Name a digest that pulumi stack output images -s {stack} shows",
                rule="image-promotion",
            )
        ]
    )


def _asked(reference: Reference, digest_of: DigestOf) -> str | None:
    try:
        return digest_of(reference)
    except (RegistryError, CredentialsError) as error:
        raise ConfigError(
            [
                Finding(
                    "tidegate:registry",
                    f"whether {reference} is there cannot be asked: {error}",
                    "Try again once the registry answers; nothing has been built",
                )
            ]
        ) from error
