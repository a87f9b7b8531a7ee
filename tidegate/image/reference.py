"""The name of an image in a registry, read as Docker reads it.

The grammar and the rules of the short forms are those of the module `github.com/distribution/reference`.
"""

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

DOCKER_HUB = "docker.io"
"""The registry of names that begin with none."""
MOST_NAME = 255
"""The most characters that registry and repository may have together."""


class ReferenceFormatError(ValueError):
    """Text that names no image; `str()` says why, as the rest of a sentence that begins with the text."""


@dataclass(frozen=True, order=True)
class Reference:
    """An image: in which registry, in which repository, and which one there, by tag, by digest, or both."""

    registry: str
    """Host, with a port where there is one: `docker.io`, `myregistry.azurecr.io`, `127.0.0.1:5000`."""
    repository: str
    """Path in the registry: `library/debian`."""
    tag: str = ""
    digest: str = ""
    """`sha256:` and 64 hex digits; where it is given, it alone decides which image is meant."""

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read `debian`, `debian:12-slim`, `host:5000/a/b@sha256:...` and the like.

        Without a registry it is Docker Hub's, without a folder there it is `library`, with neither tag nor digest it
        is the tag `latest`.

        Raises:
            ReferenceFormatError: `text` is no image's name.
        """
        if re.fullmatch(r"[0-9a-f]{64}", text):
            raise ReferenceFormatError("is 64 hex digits, which is an image's local number and not its name")
        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise ReferenceFormatError("has a digest that is not sha256: and 64 hex digits")
        registry, path = _split(rest)
        repository, colon, tag = path.partition(":")
        if colon and not _TAG.fullmatch(tag):
            raise ReferenceFormatError("has a tag that is not 1 to 128 letters, digits, '_', '.' and '-'")
        if not _REGISTRY.fullmatch(registry):
            raise ReferenceFormatError("has a registry that is not a host or host:port")
        if not _REPOSITORY.fullmatch(repository):
            raise ReferenceFormatError(_wrong_repository(repository))
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        if len(registry) + 1 + len(repository) > MOST_NAME:
            raise ReferenceFormatError(f"has a name of more than {MOST_NAME} characters")
        return cls(registry, repository, tag if tag or digest else "latest", digest)

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def tagged(self) -> "Reference":
        """The same without its digest."""
        return replace(self, digest="")

    def at(self, digest: str) -> "Reference":
        """The image with this digest in the same repository; the tag, which could say something else, is left out."""
        return replace(self, tag="", digest=digest)

    def __str__(self) -> str:
        """The long form, which `parse` reads back."""
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def is_digest(text: str) -> bool:
    """Whether `text` is the digest of something in a registry."""
    return _DIGEST.fullmatch(text) is not None


def is_loopback(registry: str) -> bool:
    """Whether a registry is on this machine; only such are talked to without TLS."""
    host = urlsplit(f"//{registry}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")


def _split(text: str) -> tuple[str, str]:
    """The registry and what follows: the first part is a registry only where it looks like a host."""
    first, slash, rest = text.partition("/")
    if not slash or not (set(first) & set(".:[") or first == "localhost" or first != first.lower()):
        return DOCKER_HUB, text
    return (DOCKER_HUB if first == f"index.{DOCKER_HUB}" else first), rest


def _wrong_repository(repository: str) -> str:
    if not repository:
        return "has no repository"
    if repository != repository.lower():
        return "has capital letters in its repository"
    return "has a repository that is not lower-case words joined by '/', '.', '_', '__' and '-'"
