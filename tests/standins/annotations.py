"""Checks azure-native inputs against the annotations of its own SDK: names, types, what is required, enumerations.

For types of which the published bodies are not in the bundle: Azure Monitor workspaces and data collection, private
DNS, scope maps and tokens of a registry in their newer version. It is the weaker check: it knows no patterns and no
ranges, and it comes from the package that the product calls, so it finds what the product gets wrong and nothing that
the SDK gets wrong.
"""

import enum
import importlib
import inspect
import types
import typing
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pulumi
from pulumi import _types  # the SDK's own reader of its input classes

from providers.values import UNKNOWN
from tests.standins.bicep import Problem

OPEN = frozenset({"KnownDataFlowStreams", "KnownExtensionDataSourceStreams"})
"""Enumerations of the SDK that lack values which the service's own documentation uses: a data flow of managed
Prometheus has the stream Microsoft-PrometheusMetrics, one of Container insights, and its extension,
Microsoft-ContainerInsights-Group-Default."""


def check_inputs(token: str, inputs: Mapping[str, Any]) -> list[Problem]:
    """Every fault of a resource's inputs, sorted; `token` is `azure-native:<module>:<Type>`."""
    return check(arguments(token), inputs)


def check(kind: type, inputs: Mapping[str, Any]) -> list[Problem]:
    """Every fault of inputs for an SDK class, sorted."""
    return sorted(_object(kind, inputs, ""))


def arguments(token: str) -> type:
    """The SDK's class of a resource's inputs."""
    _, module, name = token.split(":")
    found = importlib.import_module(f"pulumi_azure_native.{module}")
    # In some modules a nested type has taken the shorter name; the resource's inputs are then Init arguments.
    return getattr(found, f"{name}InitArgs", None) or getattr(found, f"{name}Args")


@cache
def fields(kind: type) -> dict[str, tuple[tuple[Any, ...], bool]]:
    """The properties of an SDK input class by their names on the wire: type, and whether it is required."""
    names = _types.input_type_py_to_pulumi_names(kind)
    scope = vars(importlib.import_module(kind.__module__)) | {
        "Output": pulumi.Output,
        "T": Any,
    }  # in the SDK's Input[...]
    hints = typing.get_type_hints(kind.__init__, scope)
    signature = inspect.signature(kind.__init__).parameters
    return {
        wire: (unwrapped(hints[name]), signature[name].default is inspect.Parameter.empty)
        for name, wire in names.items()
    }


def unwrapped(hint: Any) -> tuple[Any, ...]:
    """What may stand there, without None, outputs and awaitables."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(each for part in typing.get_args(hint) for each in unwrapped(part))
    if hint is type(None) or typing.get_origin(hint) in (pulumi.Output, Awaitable):
        return ()
    return (hint,)


def _object(kind: type, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem(path, f"{value!r} is not an object")
        return
    known = fields(kind)
    for name in value.keys() - known.keys():
        yield Problem(f"{path}.{name}".lstrip("."), "is not a property here")
    for name, (options, required) in known.items():
        where = f"{path}.{name}".lstrip(".")
        if value.get(name) is not None:
            yield from _value(options, value[name], where)
        elif required:
            yield Problem(where, "is required")


def _value(options: Sequence[Any], value: Any, path: str) -> Iterator[Problem]:
    if value is UNKNOWN or Any in options:
        return
    enums = [each for each in options if inspect.isclass(each) and issubclass(each, enum.Enum)]
    if enums:
        values = [member.value for each in enums for member in each]
        if value not in values and not any(each.__name__ in OPEN for each in enums):
            yield Problem(path, f"{value!r} is none of {', '.join(map(str, values))}")
        return
    # Dictionary literals and argument classes describe the same object; the class says what is required.
    classes = [each for each in options if not typing.is_typeddict(each)]
    found = [list(_one(each, value, path)) for each in classes]
    if all(found):
        yield from min(found, key=len)


def _one(option: Any, value: Any, path: str) -> Iterator[Problem]:
    origin, inner = typing.get_origin(option), typing.get_args(option)
    if origin is typing.Literal:
        if value not in inner:
            yield Problem(path, f"{value!r} is not {', '.join(map(str, inner))}")
    elif origin is Mapping or origin is dict:
        if isinstance(value, Mapping):
            for key, item in value.items():
                yield from _value(unwrapped(inner[1]), item, f"{path}.{key}")
        else:
            yield Problem(path, f"{value!r} is not an object")
    elif origin is Sequence or origin is list:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _value(unwrapped(inner[0]), item, f"{path}[{index}]")
        else:
            yield Problem(path, f"{value!r} is not a list")
    elif _types.is_input_type(option):
        yield from _object(option, value, path)
    elif not _is(option, value):
        yield Problem(path, f"{value!r} is not of type {option.__name__}")


def _is(option: type, value: Any) -> bool:
    if option in (int, float):
        return isinstance(value, (int, float) if option is float else int) and not isinstance(value, bool)
    return isinstance(value, option)
