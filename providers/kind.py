"""What a kind of resource of this plugin is: the form of its inputs and its life."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, ClassVar, cast

from providers.values import UNKNOWN, Secret, property_path

Properties = dict[str, Any]

_NAMES = {str: "text", int: "a whole number", bool: "true or false", dict: "an object", list: "a list"}


@dataclass(frozen=True)
class Failure:
    """One property that the engine must refuse: its path and why, the value in the text."""

    path: str
    reason: str


class OperationError(Exception):
    """A resource could not be made, changed or removed; the text goes to the user as it is."""


@dataclass(frozen=True)
class Call:
    """One call of the engine: where progress goes and whether the user has interrupted the update."""

    progress: Callable[[str], None]
    info: Callable[[str], None]
    cancelled: threading.Event

    def stop_if_cancelled(self) -> None:
        """Raise `OperationError` once the update has been interrupted."""
        if self.cancelled.is_set():
            raise OperationError("interrupted before it was done; what was half made has been removed")


@dataclass(frozen=True)
class Form:
    """The form of one property.

    `type` is a JSON type; `items` is the form of a list's or a map's members, `fields` those of an object with fixed
    keys.
    """

    type: type
    required: bool = True
    items: "Form | None" = None
    fields: Mapping[str, "Form"] = field(default_factory=dict[str, "Form"])

    def failures(self, value: Any, path: str, *, secret: bool = False) -> list[Failure]:
        """Every way in which `value` is not of this form; a value that is not known yet is of every form.

        A reason shows no value that is `secret`, or that stands inside a secret one.
        """
        if isinstance(value, Secret):
            return self.failures(value.value, path, secret=True)
        if value is UNKNOWN:
            return []
        if not isinstance(value, self.type) or (isinstance(value, bool) and self.type is not bool):
            shown = "the secret value" if secret else repr(value)
            return [Failure(path, f"{shown} is not {_NAMES[self.type]}")]
        if self.fields:
            return object_failures(self.fields, cast("Properties", value), path, secret=secret)
        if self.items is None:
            return []
        if self.type is dict:
            members = {property_path(path, key): member for key, member in cast("Properties", value).items()}
        else:
            members = {f"{path}[{index}]": member for index, member in enumerate(cast("list[Any]", value))}
        found = [self.items.failures(member, where, secret=secret) for where, member in members.items()]
        return list(chain.from_iterable(found))


def object_failures(
    fields: Mapping[str, Form], value: Mapping[str, Any], path: str = "", *, secret: bool = False
) -> list[Failure]:
    """The failures of an object with the given fields: unknown and missing ones, and those of its values."""
    found = [
        Failure(property_path(path, key), f"unknown property {key!r}; known: {', '.join(sorted(fields))}")
        for key in value.keys() - fields
    ]
    for key, form in fields.items():
        where = property_path(path, key)
        if value.get(key) is not None:
            found += form.failures(value[key], where, secret=secret)
        elif form.required:
            found.append(Failure(where, "missing"))
    return sorted(found, key=lambda failure: failure.path)


TEXT, INTEGER, BOOLEAN = Form(str), Form(int), Form(bool)
TEXTS, TEXT_MAP = Form(list, items=TEXT), Form(dict, items=TEXT)


def optional(form: Form) -> Form:
    """The same form, for a property that may be absent."""
    return Form(form.type, required=False, items=form.items, fields=form.fields)


class Kind(ABC):
    """One resource type of the plugin.

    Inputs and outputs are plain values without `Secret` marks; those in `secret_outputs` leave the plugin marked.
    """

    type: ClassVar[str]
    inputs: ClassVar[Mapping[str, Form]]
    replace_on: ClassVar[frozenset[str]] = frozenset()
    """Top-level inputs whose change makes a new resource."""
    delete_before_replace: ClassVar[bool] = False
    secret_outputs: ClassVar[frozenset[str]] = frozenset()
    refresh_before_update: ClassVar[bool] = False
    """Whether every `pulumi up` reads this resource first: true where a reboot or a crash changes what is there."""

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        """What a change from `old` inputs ({} for a new resource) to `new` ones breaks, beyond their form.

        What another resource gives is UNKNOWN in a preview; a check looks at what the program itself gives.
        """
        return []

    def inspect(self, call: Call, old: Properties, new: Properties) -> list[Failure]:
        """What in the world outside stands against a change that `check` has passed; asked in previews as well.

        What does not stand against it but should be known is said by `call.info`.
        """
        return []

    def notices(self, old: Properties, new: Properties) -> list[str]:
        """What a reader of the preview should be told about this change in words."""
        return []

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """The outputs as far as a preview knows them."""
        return dict(new)

    @abstractmethod
    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Make the resource; its id and outputs. Whatever fails half-way is cleaned up here."""

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """The outputs as they are now; None where the resource is no longer there or no longer runs."""
        return outputs

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Change the resource in place; its new outputs."""
        return self.planned(old_outputs, new)

    @abstractmethod
    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Remove everything that the resource made; no error where it is gone already."""
