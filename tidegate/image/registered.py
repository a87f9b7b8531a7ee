"""Which images there are by name and number, and which of them a version means (rules I4, M5)."""

import re
from collections.abc import Iterable

from tidegate.findings import Finding
from tidegate.image.reference import Reference, ReferenceFormatError
from tidegate.image.spec import ImageSpec
from tidegate.names import NameRule
from tidegate.parse import Broken, Loc, key_path

IMAGES = "tidegate:images"
NAME = NameRule(
    "image",
    r"[a-z0-9]+([._-][a-z0-9]+)*",  # a part of a repository's path
    "lower-case letters and digits, joined by single dots, underscores and hyphens",
)
NUMBER = r"[1-9][0-9]{0,8}"


def check_reference(loc: Loc, text: str) -> list[Finding]:
    """An image is named so that it cannot move."""
    try:
        wrong = "" if Reference.parse(text).digest else "names no digest, so that it could move"
    except ReferenceFormatError as error:
        wrong = str(error)
    remedy = "Write registry/repository@sha256:..., or a registered image as name:number"
    return [Finding(key_path(loc), f'"{text}" {wrong}', remedy)] if wrong else []


def refer(loc: Loc, text: str, images: Iterable[ImageSpec], holes: Iterable[Loc]) -> tuple[str, list[Finding]]:
    """Settle a version's `image`: `name:number`, `name` (its highest number), or a reference with a digest.

    `holes` are places of the config where something is wrong: a name that may stand there is no mistake.
    """
    broken = Broken(frozenset(holes))
    name, colon, number = text.partition(":")
    if "/" in text or "@" in text:
        return text, check_reference(loc, text)
    numbers = sorted(image.number for image in images if image.name == name)
    if not numbers:
        if not (broken.sound(IMAGES, name) and broken.sound_in_each((IMAGES,), "")):
            return text, []
        known = sorted({image.name for image in images})
        remedy = f"Known images: {', '.join(known)}" if known else f"No image is registered under {IMAGES}"
        return text, [Finding(key_path(loc), f'there is no image "{name}"', remedy)]
    if not colon:
        latest = numbers[-1]
        said = f'"{name}" stands for its highest number, {latest}'
        note = Finding(key_path(loc), said, f'Write "{name}:{latest}" to stay with it', severity="note")
        return f"{name}:{latest}", [note]
    if re.fullmatch(NUMBER, number) and int(number) in numbers:
        return text, []
    if not broken.sound(IMAGES, name):
        return text, []
    known = ", ".join(f'"{name}:{each}"' for each in numbers)
    return text, [Finding(key_path(loc), f'there is no "{text}"', f"Known numbers: {known}")]
