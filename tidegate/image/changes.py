"""What has changed between two records of what an image is made from, in words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from packaging.utils import canonicalize_name

Part = Literal["environment", "code", "models"]
"""Which image a change makes anew: the environment's, or only the thin one with code and models over it."""


@dataclass(frozen=True)
class Change:
    """One thing that is not what it was."""

    part: Part
    text: str
    """`scikit-learn: ==1.5.2 -> ==1.6.1`, one line."""
    package: str = ""
    """The canonical name of the package that it is about; empty where it is about none."""


def changes(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[Change, ...]:
    """Everything that differs between two records, environment first; nothing where they are one image."""
    return tuple(_changes(old, new))


def _changes(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Change]:
    for name, words in _TEXTS.items():
        before, after = str(old.get(name, "")), str(new.get(name, ""))
        if before != after:
            yield Change("environment", f"{words}: {_short(before)} -> {_short(after)}")
    if _texts(old, "dockerfile") != _texts(new, "dockerfile"):
        yield Change("environment", f"the base Dockerfile: {_line_changes(old, new)}")
    for name, words in _LISTS.items():
        yield from _list_changes(words, _texts(old, name), _texts(new, name))
    yield from _package_changes(_texts(old, "requirements"), _texts(new, "requirements"))
    if old.get("code") != new.get("code"):
        yield Change("code", f"the code: {_short(str(old.get('code', '')))} -> {_short(str(new.get('code', '')))}")
    before, after = _models(old), _models(new)
    for model in sorted(before.keys() | after.keys()):
        if before.get(model) != after.get(model):
            yield Change(
                "models", f"the model {model}: {_short(before.get(model, ''))} -> {_short(after.get(model, ''))}"
            )


_TEXTS = {
    "base": "the base image",
    "context": "the files of the build context",
    "platform": "the platform",
    "python": "Python",
    "server": "the scoring server",
}
_LISTS = {"dockerSteps": "Docker step", "native": "conda package", "channels": "channel"}


def _list_changes(words: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    yield from (Change("environment", f"{words} added: {item}") for item in after if item not in before)
    yield from (Change("environment", f"{words} taken out: {item}") for item in before if item not in after)
    if before != after and sorted(before) == sorted(after):
        yield Change("environment", f"the order of each {words} counts, and it has changed")


def _package_changes(before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    old, new = _by_package(before), _by_package(after)
    for package in sorted(old.keys() | new.keys()):
        was, now = old.get(package, ()), new.get(package, ())
        if was == now:
            continue
        if not was or not now:
            verb = "added" if now else "taken out"
            yield Change("environment", f"package {verb}: {' '.join(now or was)}", package)
        else:
            yield Change(
                "environment", f"{package}: {' '.join(map(_rest, was))} -> {' '.join(map(_rest, now))}", package
            )
    if list(before) != list(after) and sorted(before) == sorted(after):
        yield Change("environment", "the order of the packages counts, and it has changed")


def _by_package(requirements: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in requirements:
        name = _name(text)
        found[name] = (*found.get(name, ()), text)
    return found


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return canonicalize_name(match[0]) if match else requirement


def _rest(requirement: str) -> str:
    """A requirement without its name: what is asked of the package."""
    return re.sub(r"^[A-Za-z0-9][A-Za-z0-9._-]*", "", requirement).strip() or "any"


def _line_changes(old: Mapping[str, object], new: Mapping[str, object]) -> str:
    before, after = str(old.get("dockerfile", "")).splitlines(), str(new.get("dockerfile", "")).splitlines()
    for number, (was, now) in enumerate(zip(before, after, strict=False), start=1):
        if was != now:
            return f"line {number}: {_short(was)} -> {_short(now)}"
    return f"{len(before)} -> {len(after)} lines"


def _texts(of: Mapping[str, object], name: str) -> list[str]:
    value = of.get(name)
    if isinstance(value, list | tuple):
        return [str(item) for item in cast("Sequence[object]", value)]
    return [str(value)] if value else []


def _models(of: Mapping[str, object]) -> dict[str, str]:
    value = of.get("models")
    if not isinstance(value, Mapping):
        return {}
    return {str(name): str(digest) for name, digest in cast("Mapping[object, object]", value).items()}


def _short(text: str) -> str:
    """A digest cut to what tells it from others; `(none)` for nothing."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text) or "(none)"
