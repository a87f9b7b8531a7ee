"""Property values as they travel between the engine and the plugin, and the difference between two of them.

The engine sends protobuf `Struct`s in which secrets, and values that a preview cannot know yet, are marked by fixed
strings. Here they become plain Python values, `Secret` and `UNKNOWN`; whole numbers come back from floats as `int`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from google.protobuf import struct_pb2

# The engine's wire constants: sdk/go/common/resource/plugin/rpc.go and resource/properties.go in pulumi/pulumi.
_UNKNOWN_VALUES = {
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
    "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
    "e48ece36-62e2-4504-bad9-02848725956a",  # archive
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
}
_UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a type mark, not a credential)


class _Unknown(Enum):
    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown.UNKNOWN
"""A value that is only known after a resource has been made; occurs in previews."""


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts in state and hides in every display."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(...)"


def plain(value: Any) -> Any:
    """`value` without its `Secret` marks, at any depth."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def has_unknown(value: Any) -> bool:
    """Say whether some of `value` is not known yet, at any depth."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return has_unknown(value.value) if isinstance(value, Secret) else value is UNKNOWN


def decode(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The properties that the engine sent."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def _decode(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "null_value" | None:
            return None
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return UNKNOWN if value.string_value in _UNKNOWN_VALUES else value.string_value
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case _:
            fields = value.struct_value.fields
            if _SIGNATURE in fields and fields[_SIGNATURE].string_value == _SECRET:
                return Secret(_decode(fields["value"]))
            return decode(value.struct_value)


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """The properties as the engine wants them back."""
    return struct_pb2.Struct(fields={key: _encode(value) for key, value in properties.items()})


def _encode(value: Any) -> struct_pb2.Value:
    match value:
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
        case _Unknown():
            return struct_pb2.Value(string_value=_UNKNOWN_STRING)
        case bool():
            return struct_pb2.Value(bool_value=value)
        case int() | float():
            return struct_pb2.Value(number_value=value)
        case str():
            return struct_pb2.Value(string_value=value)
        case Secret():
            return _encode({_SIGNATURE: _SECRET, "value": value.value})
        case Mapping():
            return struct_pb2.Value(struct_value=encode(value))
        case Sequence():
            return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_encode(item) for item in value]))
        case _:
            raise TypeError(f"a property cannot hold a {type(value).__name__}")


Change = Literal["add", "delete", "update"]


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Change]]:
    """Every path at which `new` differs from `old`, as Pulumi writes paths (`versions.ridge.percent`, `models[0]`).

    A value that is secret on one side only differs; the values inside two secrets are compared as a whole, so that a
    display of the difference shows no part of them.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            where = property_path(path, key)
            if key not in new:
                yield where, "delete"
            elif key not in old:
                yield where, "add"
            else:
                yield from differences(old[key], new[key], where)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            where = f"{path}[{index}]"
            if index >= len(new):
                yield where, "delete"
            elif index >= len(old):
                yield where, "add"
            else:
                yield from differences(old[index], new[index], where)
    elif old != new or type(old) is not type(new):
        yield path, "update"


def property_path(path: str, key: str) -> str:
    """The path of `key` in the object at `path`, as Pulumi writes it: quoted where a dot or a bracket would mislead."""
    if not key or any(char in key for char in '.["]'):
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{key}" if path else key
