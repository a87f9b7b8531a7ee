"""Checks ARM request bodies against Microsoft's published types (bicep-types-az), strictly.

The types of exactly those API versions that azure-native uses by default are in `tests/data`, with licence and source.
Nearly every enumeration of Azure is published as open: its values, or any text. A literal reader would accept every
misspelling, so a union of literals and text counts as closed here, save for what `OPEN` lists. Numbers that are doubles
in the service are published as integers; those are listed in `DOUBLES`. What the types cannot say (the form of a CIDR,
rules over several fields) is in `rules.py`.
"""

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from pathlib import Path
from typing import Any

from providers.values import UNKNOWN

BUNDLE = Path(__file__).resolve().parents[1] / "data" / "bicep-types-az-subset.tar.gz"

DOUBLES = frozenset({"spotMaxPrice", "cpu", "memoryInGB"})
OPEN: Mapping[str, frozenset[str]] = {}
"""Properties whose enumerations really are open, by resource type; none of those in use here is."""

Type = Mapping[str, Any]


class Flags(IntFlag):
    """What bicep-types says of a property."""

    REQUIRED = 1
    READ_ONLY = 2
    WRITE_ONLY = 4
    DEPLOY_TIME_CONSTANT = 8
    IDENTIFIER = 16


@dataclass(frozen=True, order=True)
class Problem:
    """One fault of a body, at its path as ARM writes it."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


@dataclass(frozen=True)
class ResourceType:
    """One resource type of one API version, with the list that its references point into."""

    name: str
    types: tuple[Type, ...]
    body: Type

    def follow(self, reference: Mapping[str, str]) -> Type:
        """The type that a `$ref` points to."""
        return self.types[int(reference["$ref"].removeprefix("#/"))]

    def properties(self, kind: Type) -> dict[str, Mapping[str, Any]]:
        """The properties of an object type, by name."""
        return dict(kind.get("properties") or {})

    def inner(self, kind: Type) -> Type | None:
        """The type of an object's own `properties`, where it has any and they are an object."""
        own = self.properties(kind).get("properties")
        if own is None:
            return None
        found = self.follow(own["type"])
        return found if found["$type"] in {"ObjectType", "DiscriminatedObjectType"} else None

    def variant(self, kind: Type, value: Mapping[str, Any]) -> Type | None:
        """The one object type that a value's discriminator chooses, with the properties common to all."""
        chosen = kind["elements"].get(str(value.get(kind["discriminator"])))
        if chosen is None:
            return None
        own = self.follow(chosen)
        return {**own, "properties": {**kind["baseProperties"], **self.properties(own)}}

    def literals(self, kind: Type) -> tuple[str, ...]:
        """The values of an enumeration; none where it is not one."""
        if kind["$type"] == "StringLiteralType":
            return (kind["value"],)
        if kind["$type"] == "UnionType":
            return tuple(value for element in kind["elements"] for value in self.literals(self.follow(element)))
        return ()


@cache
def resource_type(name: str, version: str) -> ResourceType:
    """A resource type by its ARM name and API version; KeyError where the bundle does not have it."""
    types = _bundle()[f"{name}@{version}".lower()]
    found = next(each for each in types if each.get("name", "").lower() == f"{name}@{version}".lower())
    body = types[int(found["body"]["$ref"].removeprefix("#/"))]
    return ResourceType(found["name"].partition("@")[0], types, body)


def known(name: str, version: str) -> bool:
    """Whether the bundle has this type in this version."""
    return f"{name}@{version}".lower() in _bundle()


def check(resource: ResourceType, body: Mapping[str, Any], *, strict: bool = True) -> list[Problem]:
    """Every fault of a PUT body (with its `name`), sorted; `strict` closes enumerations."""
    return sorted(_Checker(resource, strict).object(resource.body, body, ""))


@cache
def _bundle() -> dict[str, tuple[Type, ...]]:
    """The list of types by the lower-case `Type@version` of each resource in it."""
    found: dict[str, tuple[Type, ...]] = {}
    with tarfile.open(BUNDLE) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.name.endswith("types.json") else None
            if content is None:
                continue
            types = tuple(json.load(content))
            found |= {each["name"].lower(): types for each in types if each["$type"] == "ResourceType"}
    return found


@dataclass(frozen=True)
class _Checker:
    resource: ResourceType
    strict: bool

    def value(self, kind: Type, value: Any, path: str) -> Iterator[Problem]:
        if value is UNKNOWN:
            return
        match kind["$type"]:
            case "ObjectType":
                yield from self.object(kind, value, path)
            case "DiscriminatedObjectType":
                yield from self._discriminated(kind, value, path)
            case "ArrayType":
                yield from self._array(kind, value, path)
            case "UnionType":
                yield from self._union(kind, value, path)
            case "StringType":
                yield from self._text(kind, value, path)
            case "StringLiteralType":
                if value != kind["value"]:
                    yield Problem(path, f"{value!r} is not {kind['value']!r}")
            case "IntegerType":
                yield from self._number(kind, value, path)
            case "BooleanType":
                if not isinstance(value, bool):
                    yield Problem(path, f"{value!r} is not true or false")
            case "AnyType":
                return
            case other:
                raise AssertionError(f"bicep-types has a type this reader does not know: {other}")

    def object(self, kind: Type, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, Mapping):
            yield Problem(path, f"{value!r} is not an object")
            return
        fields, rest = self.resource.properties(kind), kind.get("additionalProperties")
        for name, item in value.items():
            where = f"{path}.{name}" if path else name
            if name in fields:
                if Flags.READ_ONLY in Flags(fields[name]["flags"]):
                    yield Problem(where, "is read-only")
                else:
                    yield from self.value(self.resource.follow(fields[name]["type"]), item, where)
            elif rest is not None:
                yield from self.value(self.resource.follow(rest), item, where)
            else:
                yield Problem(where, "is not a property here")
        for name, field in fields.items():
            needed = Flags(field["flags"]) & (Flags.REQUIRED | Flags.READ_ONLY) == Flags.REQUIRED
            if needed and value.get(name) is None:
                yield Problem(f"{path}.{name}" if path else name, "is required")

    def _discriminated(self, kind: Type, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, Mapping):
            yield Problem(path, f"{value!r} is not an object")
            return
        chosen = self.resource.variant(kind, value)
        if chosen is None:
            key = kind["discriminator"]
            yield Problem(f"{path}.{key}", f"{value.get(key)!r} is none of {', '.join(sorted(kind['elements']))}")
        else:
            yield from self.object(chosen, value, path)

    def _array(self, kind: Type, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(path, f"{value!r} is not a list")
            return
        if len(value) < kind.get("minLength", 0) or len(value) > kind.get("maxLength", len(value)):
            yield Problem(path, f"has {len(value)} items, outside {kind.get('minLength', 0)}-{kind.get('maxLength')}")
        for index, item in enumerate(value):
            yield from self.value(self.resource.follow(kind["itemType"]), item, f"{path}[{index}]")

    def _union(self, kind: Type, value: Any, path: str) -> Iterator[Problem]:
        options = [self.resource.follow(each) for each in kind["elements"]]
        literals = self.resource.literals(kind)
        is_open = not self.strict or path.rpartition(".")[2] in OPEN.get(self.resource.name, frozenset())
        if literals and any(option["$type"] == "StringType" for option in options) and not is_open:
            if value not in literals:
                yield Problem(path, f"{value!r} is none of {', '.join(literals)}")
        elif all(any(self.value(option, value, path)) for option in options):
            yield Problem(path, f"{value!r} fits none of {', '.join(literals) or 'the types that may stand here'}")

    def _text(self, kind: Type, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield Problem(path, f"{value!r} is not text")
            return
        if len(value) < kind.get("minLength", 0) or len(value) > kind.get("maxLength", len(value)):
            yield Problem(path, f"{value!r} has {len(value)} characters")
        if "pattern" in kind and not re.search(kind["pattern"], value):
            yield Problem(path, f"{value!r} does not match {kind['pattern']}")

    def _number(self, kind: Type, value: Any, path: str) -> Iterator[Problem]:
        double = path.rpartition(".")[2] in DOUBLES
        if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, float) and not double):
            yield Problem(path, f"{value!r} is not a {'number' if double else 'whole number'}")
        elif value < kind.get("minValue", value) or value > kind.get("maxValue", value):
            yield Problem(path, f"{value} is outside {kind.get('minValue', '')}..{kind.get('maxValue', '')}")
