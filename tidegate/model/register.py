"""The numbers of models in a stack's config: what there is, who uses it, what comes next (rules M1, M3)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tidegate.findings import ConfigError, Finding
from tidegate.model.content import content_digest
from tidegate.model.rules import Registry
from tidegate.model.spec import ModelRef, ModelSpec
from tidegate.names import MODEL
from tidegate.parse import Loc, key_path, parse
from tidegate.paths import kind
from tidegate.stack_input import StackInput

_MODELS = "tidegate:models"
_ENDPOINTS = "tidegate:endpoints"


@dataclass(frozen=True)
class Registered:
    """One number of a model, and the versions (`endpoint/version`) that use it, sorted."""

    spec: ModelSpec
    used_by: tuple[str, ...]


@dataclass(frozen=True)
class Registration:
    """What registering comes to: a new number, or one that has this content already."""

    number: int
    content: str
    """The digest."""
    same_as: ModelSpec | None = None
    """The number that is there already; nothing is to be registered then."""


def registered(config: Mapping[str, object], root: Path) -> tuple[Registered, ...]:
    """The models of a stack's config, those that versions register by a bare path among them.

    `config` has full keys and plain values; relative paths begin at `root`. What is wrong elsewhere in the config, such
    as a version that names a model which is still to be registered, is no matter here; what is wrong with the models
    themselves raises ConfigError.
    """
    parsed = parse(StackInput, {_MODELS: _plain(config.get(_MODELS) or {})})
    registry = Registry(root)
    findings = list(parsed.findings)
    for name, entry in sorted((parsed.value.models or {}).items()):
        findings += registry.register((_MODELS, name), name, entry)
    # A file that is gone is no reason not to list its number, and the less not to delete it.
    gone = {
        key_path((_MODELS, spec.name, *number, "path"))
        for spec in registry.models
        if kind(spec.path) == "nothing"
        for number in ((), (str(spec.number),))
    }
    if refused := [finding for finding in findings if finding.path not in gone]:
        raise ConfigError(refused)
    users: dict[ModelRef, set[str]] = {}
    for loc, text in _uses(config.get(_ENDPOINTS)):
        model, _ = registry.refer(loc, text)
        if model is not None:
            users.setdefault(model, set()).add(f"{loc[1]}/{loc[3]}")
    return tuple(
        Registered(spec, tuple(sorted(users.get(ModelRef(name=spec.name, number=spec.number), ()))))
        for spec in registry.models
    )


def registration(models: tuple[Registered, ...], name: str, path: Path) -> Registration:
    """What registering `path` under `name` comes to: the next number, unless one has this content already.

    A number keeps its content, so another one needs a path of its own. Raises ContentError where the path holds no
    model, ConfigError where the name is none.
    """
    if problem := MODEL.problem(name):
        raise ConfigError([Finding("NAME", problem, "Choose another name")])
    content = content_digest(path)
    numbers = [each.spec for each in models if each.spec.name == name]
    for spec in numbers:
        if spec.path.exists() and content_digest(spec.path) == content:
            return Registration(spec.number, content, spec)
    return Registration(max((spec.number for spec in numbers), default=0) + 1, content)


def _uses(endpoints: object) -> Iterator[tuple[Loc, str]]:
    """Every entry of a version's `models`, whatever else is right or wrong around it."""
    for endpoint, entry in _mapping(endpoints).items():
        for version, given in _mapping(_mapping(entry).get("versions")).items():
            models = _mapping(given).get("models")
            for index, text in enumerate(cast(list[object], models) if isinstance(models, list) else ()):
                if isinstance(text, str):
                    yield (_ENDPOINTS, str(endpoint), "versions", str(version), "models", index), text


def _plain(value: object) -> object:
    """The same with text for keys: a number is one to a reader of YAML, and none to the engine."""
    if not isinstance(value, Mapping):
        return value
    return {str(key): _plain(each) for key, each in cast(Mapping[object, object], value).items()}


def _mapping(value: object) -> Mapping[object, object]:
    return cast(Mapping[object, object], value) if isinstance(value, Mapping) else {}
