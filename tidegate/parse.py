"""From parsed YAML or JSON to typed values: the one place where pydantic's errors become findings."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, ClassVar, Generic, TypeVar, Union, cast, get_args, get_origin

import annotated_types
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Tag, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tidegate.findings import Finding
from tidegate.names import ENDPOINT

Loc = tuple[str | int, ...]
"""The way to a value in a tree of mappings and lists."""

Model = TypeVar("Model", bound=BaseModel)

SECRET = frozenset({"tidegate:keys", "tidegate:tlsKeys", "keys", "sslKey", "password", "environmentVariables"})
"""A value at or under one of these keys never appears in a finding."""

LARGEST = 2**31 - 1
"""Whole numbers in Kubernetes' and Envoy's settings are 32 bits wide."""

DEEPEST = 64
"""No config nests deeper; a tree that does is refused before it is walked."""


class Input(BaseModel):
    """Base of what a user writes: camelCase, strict types, unknown keys refused, None where nothing is written."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        populate_by_name=False,
        # Most are only used inside of another one, which builds them once more.
        defer_build=True,
    )

    refused: ClassVar[Mapping[str, str]] = {}
    """Keys that belong elsewhere, each with where: they are errors with a better remedy than "unknown key"."""


def _whole(value: object) -> object:
    # The engine hands numbers over as it read them: 20.0 in YAML is 20 in JSON, so a file must take both too.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(value: object) -> object:
    whole = _whole(value)
    return str(whole) if isinstance(whole, int) and not isinstance(whole, bool) else value


NumberOrText = Annotated[
    str, BeforeValidator(_text), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})
]
"""Text that may be written as a whole number."""
Whole = Annotated[int, Field(ge=0, le=LARGEST), BeforeValidator(_whole)]
"""A whole number from 0."""
Count = Annotated[int, Field(ge=1, le=LARGEST), BeforeValidator(_whole)]
"""A whole number from 1."""
Percent = Annotated[int, Field(ge=0, le=100), BeforeValidator(_whole)]
"""A whole number from 0 to 100."""
PositivePercent = Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)]
"""A whole number from 1 to 100."""
Attempts = Annotated[int, Field(ge=1, le=3), BeforeValidator(_whole)]
"""A whole number from 1 to 3."""
RequestSize = Annotated[int, Field(ge=1, le=1024), BeforeValidator(_whole)]
"""A whole number from 1 to 1024."""
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_whole)]
"""A TCP port."""
Amount = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
"""A number above 0."""


@dataclass(frozen=True)
class Broken:
    """The places where something was taken out; rules ask it, so that one mistake gives one finding."""

    places: frozenset[Loc] = frozenset()

    def sound(self, *loc: str | int) -> bool:
        """Say whether nothing was taken out at `loc`, under it or around it."""
        return not any(within(loc, hole) or within(hole, loc) for hole in self.places)

    def sound_in_each(self, loc: Loc, key: str) -> bool:
        """Say whether every child of `loc` is still there, and nothing was taken out at its `key`."""
        below = [hole[len(loc) :] for hole in self.places if within(hole, loc)]
        around = any(within(loc, hole) for hole in self.places)
        return not around and not any(len(hole) == 1 or hole[1] == key for hole in below)

    def under(self, loc: Loc) -> "Broken":
        """The places under `loc`, seen from there."""
        return Broken(frozenset(hole[len(loc) :] for hole in self.places if within(hole, loc)))


@dataclass(frozen=True)
class Parsed(Generic[Model]):
    """What is left of a tree when everything wrong is taken out, and what was wrong."""

    value: Model
    tree: Mapping[str, object]
    """The same as `value`, as it was written: what is not written is not there."""
    findings: tuple[Finding, ...]
    broken: Broken
    given: Mapping[str, object]
    """The tree with everything wrong still in it."""

    def original(self, loc: Loc) -> object | None:
        """What the user wrote at `loc`, with the indexes that the user sees; None where nothing stands."""
        return at(self.given, loc)


def parse(model: type[Model], tree: Mapping[str, object], *, file: str = "") -> Parsed[Model]:
    """Check `tree` against `model`, take out what is wrong, and return the rest with a finding for each hole.

    `file` is the file that the findings name; empty for the stack config. Every field of `model` itself must be
    optional: a tree of which nothing is left gives the model's defaults.
    """
    rest = cast(dict[str, object], _copy(tree))
    findings: list[Finding] = []
    broken: set[Loc] = set()
    first = True
    while True:
        try:
            value = TypeAdapter(model).validate_python(rest)
        except ValidationError as error:
            spots = [(_Spot.find(model, detail["loc"]), detail) for detail in error.errors(include_url=False)]
            meant = {
                (*spot.loc[:-1], near)
                for spot, detail in spots
                if detail["type"] == "extra_forbidden" and (near := spot.nearest_key())
            }
            if first:
                # Later rounds only find missing what was taken out here; and a misspelt key is not missing either.
                findings = [
                    _finding(*spot, file) for spot in spots if spot[0].loc not in meant or not _missing(spot[1])
                ]
            holes = {spot.loc[:-1] if _missing(detail) else spot.loc for spot, detail in spots}
            for hole in sorted(holes, key=_last_first):
                _take_out(rest, hole)
            if holes <= broken:
                rest.clear()
            broken |= holes | meant
            first = False
        else:
            return Parsed(value, rest, tuple(findings), Broken(frozenset(broken)), tree)


def key_path(loc: Sequence[str | int]) -> str:
    """`tidegate:models["a.b"].path`, `dependencies[1]`: the way Pulumi writes property paths."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w:-]+", part, re.ASCII):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text


def shown(value: object) -> str:
    """A value as a reader knows it from YAML, with its type: `"20" (text)`; long text is cut."""
    if isinstance(value, bool):
        return f"{json.dumps(value)} (a boolean)"
    if isinstance(value, str):
        return f"{json.dumps(value if len(value) <= 60 else value[:57] + '...')} (text)"
    if isinstance(value, int | float):
        return f"{value:.15g} (a number)" if abs(value) < 1e300 else "a number"
    return _kind(value)


def _kind(value: object) -> str:
    if isinstance(value, _Nothing):
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else "a value of another kind"


def known_keys(model: type[BaseModel]) -> list[str]:
    """The keys of `model` as the user writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def within(inner: Sequence[str | int], outer: Sequence[str | int]) -> bool:
    """Say whether the place `inner` is `outer` or under it."""
    return tuple(inner[: len(outer)]) == tuple(outer)


def at(tree: Mapping[str, object], loc: Loc) -> object | None:
    """Return what `tree` has at `loc`, None where it has nothing."""
    value: object = tree
    for part in loc:
        value = cast(Mapping[str | int, object], value).get(part) if isinstance(value, Mapping) else None
    return value


class _Nothing:
    """Stands for an empty value, which every type refuses; None would pass for "not written"."""


def _copy(value: object, depth: int = 0) -> object:
    if depth > DEEPEST:
        return _Nothing()
    if isinstance(value, Mapping):
        return {str(key): _copy(child, depth + 1) for key, child in cast(Mapping[object, object], value).items()}
    if isinstance(value, list | tuple):
        return [_copy(child, depth + 1) for child in cast(Sequence[object], value)]
    return _Nothing() if value is None else value


def _last_first(loc: Loc) -> tuple[int, int]:
    # Taking an element out of a list moves those behind it.
    return -len(loc), -loc[-1] if loc and isinstance(loc[-1], int) else 0


def _take_out(tree: dict[str, object], loc: Loc) -> None:
    if not loc:
        tree.clear()
        return
    at: Any = tree
    try:
        for part in loc[:-1]:
            at = at[part]
        del at[loc[-1]]
    except (KeyError, IndexError, TypeError):
        return  # it went with another hole


@dataclass(frozen=True)
class _Spot:
    """Where an error is: its place as the user sees it, and what the model says of that place."""

    loc: Loc
    owner: type[Input] | None
    field: FieldInfo | None

    @classmethod
    def find(cls, model: type[BaseModel], loc: Loc) -> "_Spot":
        """Follow pydantic's location through the types; the tags of unions, which no user wrote, are left out."""
        clean: list[str | int] = []
        annotation: object = model
        owner: type[Input] | None = None
        field: FieldInfo | None = None
        for part in loc:
            chosen = _tagged(annotation, part)
            if chosen is not None:
                annotation = chosen
                continue
            clean.append(part)
            annotation = _bare(annotation)
            owner, field = None, None
            if isinstance(annotation, type) and issubclass(annotation, Input):
                owner = annotation
                field = next((f for n, f in owner.model_fields.items() if part in (f.alias, n)), None)
                annotation = field.annotation if field else None
            else:
                arguments = get_args(annotation)
                annotation = arguments[-1] if arguments else None
        return cls(tuple(clean), owner, field)

    def nearest_key(self) -> str | None:
        """The known key that the user may have meant here."""
        known = known_keys(self.owner) if self.owner else []
        return next(iter(difflib.get_close_matches(str(self.loc[-1]), known, n=1)), None)


def _bare(annotation: object) -> object:
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(choice for choice in get_args(annotation) if choice is not type(None)))
    return annotation


def _tagged(annotation: object, part: str | int) -> object | None:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) not in (Union, UnionType):
        return None
    for choice in get_args(annotation):
        if any(isinstance(mark, Tag) and mark.tag == part for mark in getattr(choice, "__metadata__", ())):
            return choice
        if (inner := _tagged(choice, part)) is not None:
            return inner
    return None


def _missing(detail: ErrorDetails) -> bool:
    return detail["type"] == "missing"


def _finding(spot: _Spot, detail: ErrorDetails, file: str) -> Finding:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_key(spot, file)
    path = key_path(_without_secret(spot.loc))
    if kind == "missing":
        return Finding(path, f'"{spot.loc[-1]}" is missing', f'Write "{spot.loc[-1]}"', file)
    said = "the value" if SECRET.intersection(spot.loc) else shown(detail["input"])
    if kind == "literal_error":
        remedy = f"Write {detail.get('ctx', {})['expected']}".replace("'", "")
        return Finding(path, f"{said} is not known here", remedy, file)
    problem, remedy = _WORDING.get(kind, ("does not fit here", ""))
    return Finding(path, f"{said} {problem}", _range(spot.field) or remedy, file)


def _without_secret(loc: Loc) -> Loc:
    """`loc`, cut where an endpoint's name should stand among the keys and something else does, perhaps a key."""
    if loc[0] == "tidegate:keys" and len(loc) > 1 and ENDPOINT.problem(str(loc[1])):
        return loc[:1]
    return loc


def _unknown_key(spot: _Spot, file: str) -> Finding:
    key = str(spot.loc[-1])
    known = sorted(known_keys(spot.owner)) if spot.owner else []
    if spot.owner and key in spot.owner.refused:
        return Finding(key_path(spot.loc), f'"{key}" cannot be written here', spot.owner.refused[key], file)
    if SECRET.intersection(spot.loc[:-1]):
        # "primary:abc" without a space is one long key, and the secret is in it.
        path = key_path(_without_secret(spot.loc[:-1]))
        return Finding(path, "there is an unknown key", f"Known keys: {', '.join(known)}", file)
    near = spot.nearest_key()
    remedy = f'Did you mean "{near}"?' if near else f"Known keys: {', '.join(known)}"
    return Finding(key_path(spot.loc), f'unknown key "{key}"', remedy, file)


_NO_WHOLE_NUMBER = ("is no whole number", "Write a whole number, without quotes")
_NO_NUMBER = ("is no number", "Write a number, without quotes")
_NO_BOOLEAN = ("is neither true nor false", "Write true or false, without quotes")
_NO_MAPPING = ("is no mapping", "Write keys and values under it")
_WORDING: Mapping[str, tuple[str, str]] = {
    "string_type": ("is no text", "Put it in quotes"),
    "int_type": _NO_WHOLE_NUMBER,
    "int_from_float": _NO_WHOLE_NUMBER,
    "float_type": _NO_NUMBER,
    "finite_number": _NO_NUMBER,
    "bool_type": _NO_BOOLEAN,
    "list_type": ("is no list", "Write a list: [one, two]"),
    "dict_type": _NO_MAPPING,
    "model_type": _NO_MAPPING,
    "model_attributes_type": _NO_MAPPING,
    "greater_than_equal": ("is too small", ""),
    "greater_than": ("is too small", ""),
    "less_than_equal": ("is too large", ""),
    "bare_token": (
        "does not say whose tokens are taken",
        "Write auth: {token: {tenantId: GUID, applicationId: GUID}}",
    ),
}
"""By pydantic's type of error, or our own: its texts speak to programmers and show the input."""


def _range(field: FieldInfo | None) -> str:
    """The limits of a number, as a remedy."""
    low = high = above = None
    for mark in _constraints(field):
        match mark:
            case annotated_types.Ge(ge):
                low = ge
            case annotated_types.Le(le):
                high = le
            case annotated_types.Gt(gt):
                above = gt
            case _:
                pass
    if above is not None:
        return f"Write a number above {above}"
    if low is None:
        return ""
    return f"Write a whole number from {low}" + (f" to {high}" if high != LARGEST else "")


def _constraints(field: FieldInfo | None) -> Iterator[object]:
    if field is None:
        return
    yield from field.metadata
    # `Percent | None` keeps its constraints on the choice, not on the field.
    for choice in get_args(field.annotation):
        for mark in getattr(choice, "__metadata__", ()):
            yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)
