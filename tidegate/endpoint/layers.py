"""The places that a version's settings come from, and what they give together."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from tidegate.endpoint.input import VersionInput
from tidegate.findings import Finding, Severity
from tidegate.parse import Broken, Input, Loc, Parsed, at, key_path, known_keys, parse
from tidegate.paths import display, kind, locate
from tidegate.v1.deployment import DeploymentConfig
from tidegate.v1.inference import InferenceConfig, newer_form, newer_place, written_as


class VersionSettings(InferenceConfig, DeploymentConfig):
    """Everything that v1's two files can say about a version."""


@dataclass(frozen=True)
class Layer:
    """Settings that stand together: a file of v1, or a version in the stack config."""

    tree: Mapping[str, object]
    folder: Path
    """Where its relative paths begin."""
    file: str = ""
    base: Loc = ()
    """Where `tree` stands in the file."""
    broken: Broken = field(default_factory=Broken)
    deployment: DeploymentConfig | None = None
    """The file's content, where it is a deployment file: it may speak for the endpoint."""

    @cached_property
    def settings(self) -> Mapping[str, object]:
        """The tree in the words of v1's newer form."""
        return newer_form(self.tree)

    def finding(self, loc: Loc, problem: str, remedy: str = "", *, severity: Severity = "error") -> Finding:
        """A finding at `loc` of `settings`, which names the place as the user wrote it."""
        written = written_as(loc, self.tree)
        return Finding(key_path((*self.base, *written)), problem, remedy, self.file, severity=severity)


class Settings:
    """A version's layers, the stack config last: it wins, key by key; a list is replaced as a whole."""

    def __init__(self, layers: Iterable[Layer], *, unread: bool = False) -> None:
        """Merge the layers; `unread` says that a file is missing or broken, so what is absent may stand there."""
        self.layers = tuple(layers)
        self._unread = unread
        merged: dict[str, object] = {}
        for layer in self.layers:
            for group in EXCLUSIVE:
                claimed = [loc for loc in group if _claims(layer.settings, loc)]
                for loc in group:
                    if claimed and loc not in claimed:
                        _remove(merged, loc)
            merged = _merge(merged, layer.settings)
        self.tree: Mapping[str, object] = merged
        self.value = parse(VersionSettings, merged).value

    def origin(self, *loc: str) -> Layer:
        """The layer that the value at `loc` came from; the stack config's for what nobody wrote."""
        return next((layer for layer in reversed(self.layers) if has(layer.settings, loc)), self.layers[-1])

    def written(self, *loc: str) -> bool:
        """Say whether anyone wrote a value at `loc`."""
        return has(self.tree, loc)

    def sound(self, *loc: str) -> bool:
        """Say whether what stands at `loc` is all that the user wrote there."""
        holes = frozenset(newer_place(hole) for layer in self.layers for hole in layer.broken.places)
        return not self._unread and Broken(holes).sound(*loc)


EXCLUSIVE: tuple[tuple[Loc, ...], ...] = (
    (("environment", "python", "condaDependencies"), ("environment", "python", "condaDependenciesFile")),
    (
        ("environment", "docker", "baseImage"),
        ("environment", "docker", "baseDockerfile"),
        ("environment", "docker", "buildContext"),
    ),
    (("numReplicas",), ("autoScaler",)),
)
"""Who writes one of a group takes the others of the layers below out: it is the same question answered anew."""


def stack_layer(parsed: Parsed[Any], loc: Loc, root: Path) -> Layer:
    """The settings that stand beside a version's own keys in the stack config."""
    tree = cast(Mapping[str, object], at(parsed.tree, loc))
    settings = {key: value for key, value in tree.items() if key in _SETTINGS}
    return Layer(settings, root, base=loc, broken=parsed.broken.under(loc))


def file_layer(model: type[Input], text: str, at: Loc, root: Path) -> tuple[Layer | None, list[Finding]]:
    """Read a file of v1, which the stack config names at `at`; None where there is nothing to read."""
    path = locate(root, text)
    if kind(path) != "file":
        problem = f'there is no file "{text}"' if kind(path) == "nothing" else f'"{text}" is a folder'
        return None, [Finding(key_path(at), problem, "Write the file's path from the project's root")]
    file = display(path, root)
    try:
        tree: object = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        return None, [Finding("", f"this is no JSON: {error.msg}", "Mend it there", file, error.lineno)]
    except _TwiceError as error:
        return None, [Finding(str(error), "the key is written twice", "Take one of them out", file)]
    except (OSError, ValueError, RecursionError):
        return None, [Finding("", "this cannot be read as JSON text in UTF-8", "Save it as such", file)]
    if not isinstance(tree, dict):
        return None, [Finding("", "this is no JSON object", 'Write {"key": value}', file)]
    # v1 exports write null for what is not set.
    parsed = parse(model, cast(dict[str, object], _without_nulls(cast(object, tree))), file=file)
    deployment = parsed.value if isinstance(parsed.value, DeploymentConfig) else None
    layer = Layer(parsed.tree, path.parent, file, broken=parsed.broken, deployment=deployment)
    return layer, list(parsed.findings)


def has(tree: Mapping[str, object], loc: Loc) -> bool:
    """Say whether `tree` has a value at `loc`."""
    return at(tree, loc) is not None


_SETTINGS = frozenset(known_keys(VersionSettings)) & frozenset(known_keys(VersionInput))


class _TwiceError(ValueError):
    pass


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    tree: dict[str, object] = {}
    for key, value in pairs:
        if key in tree:
            raise _TwiceError(key)
        tree[key] = value
    return tree


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        tree = cast(dict[str, object], value)
        return {key: _without_nulls(child) for key, child in tree.items() if child is not None}
    return value


def _claims(tree: Mapping[str, object], loc: Loc) -> bool:
    # Switching the autoscaler off says nothing about the number of replicas.
    return has(tree, loc) and not (loc == ("autoScaler",) and tree["autoScaler"] == {"autoscaleEnabled": False})


def _remove(tree: dict[str, object], loc: Loc) -> None:
    if has(tree, loc):
        at = tree
        for part in loc[:-1]:
            at = cast(dict[str, dict[str, object]], at)[str(part)]
        del at[str(loc[-1])]


def _merge(low: Mapping[str, object], high: Mapping[str, object]) -> dict[str, object]:
    merged = {
        key: _merge(cast(Mapping[str, object], value), {}) if isinstance(value, Mapping) else value
        for key, value in low.items()
    }
    for key, value in high.items():
        below = merged.get(key)
        if isinstance(value, Mapping):
            above = cast(Mapping[str, object], value)
            merged[key] = _merge(cast(Mapping[str, object], below) if isinstance(below, Mapping) else {}, above)
        else:
            merged[key] = value
    return merged
