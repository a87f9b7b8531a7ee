"""Which images of a registry may go (rule I8): those that nothing uses, but for the newest few of each repository."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

KEEP = 5
"""How many unused images of a repository stay where nothing else is said: a rollback needs the one before."""

_USED = re.compile(r"sha256:[0-9a-f]{64}|\b(?:e\d+|v\d+|s\d+)-[0-9a-f]{12,64}\b")


@dataclass(frozen=True)
class StoredImage:
    """One image of a repository: what its digest names, whatever its tags are."""

    digest: str
    tags: tuple[str, ...]
    """Sorted."""
    created: datetime
    """As its config says; images of one moment are told apart by their digests."""
    parts: tuple[str, ...] = ()
    """Of an index: the digests of the images in it."""


@dataclass(frozen=True)
class Verdict:
    """What happens to one image and why, in words."""

    image: StoredImage
    keep: bool
    reason: str


def used_in(texts: Iterable[str]) -> frozenset[str]:
    """Every digest and every content's name that stands in exported states or in descriptions of pods.

    What is mentioned anywhere is used: an image is kept rather once too often.
    """
    return frozenset(found for text in texts for found in _USED.findall(text))


def judge(images: Sequence[StoredImage], used: frozenset[str], *, keep: int = KEEP) -> tuple[Verdict, ...]:
    """Decide over the images of one repository, newest first.

    Args:
        images: all of them.
        used: what `used_in` returned.
        keep: how many of the unused ones stay, the newest.
    """
    newest = sorted(images, key=lambda image: (image.created, image.digest), reverse=True)
    reasons = {image.digest: reason for image in newest if (reason := _use(image, used))}
    unused = [image for image in newest if image.digest not in reasons]
    reasons |= {image.digest: f"one of the {keep} newest that nothing uses" for image in unused[:keep]}
    # The images of an index that stays are no images of their own: without them the index is broken.
    for image in newest:
        if image.digest in reasons:
            for part in image.parts:
                reasons.setdefault(part, f"part of {image.digest[:19]}")
    return tuple(
        Verdict(image, image.digest in reasons, reasons.get(image.digest, "nothing uses it")) for image in newest
    )


def _use(image: StoredImage, used: frozenset[str]) -> str:
    if image.digest in used:
        return "a stack uses it"
    # A tag may be a content's name cut short, so the beginning decides.
    named = [tag for tag in image.tags if any(name == tag or name.startswith(tag) for name in used) and "-" in tag]
    return f"a stack names its content {named[0][:15]}" if named else ""
