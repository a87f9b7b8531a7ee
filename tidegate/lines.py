"""Where in a YAML file a key path stands."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tidegate.parse import Loc, key_path


def lines(text: str) -> Mapping[str, int]:
    """The line, from 1, of every key and list item of a document, by its key path; the document must be YAML."""
    node = cast("Node | None", YAML(pure=True).compose(text))  # pyright: ignore[reportUnknownMemberType]  # untyped
    return {key_path(loc): line for loc, line in _places(node, ())} if node is not None else {}


def line_of(known: Mapping[str, int], path: str) -> int:
    """The line of `path` or, where nothing stands there, of the nearest place above it; 0 where there is none."""
    while path and path not in known:
        path = re.sub(r'(\.[\w:-]+|\[\d+\]|\["(?:[^"\\]|\\.)*"\]|^[\w:-]+)$', "", path) if path else ""
    return known.get(path, 0)


def _places(node: Node, loc: Loc) -> Iterator[tuple[Loc, int]]:
    if isinstance(node, MappingNode):
        for key, value in cast("list[tuple[Node, Node]]", _value(node)):
            if isinstance(key, ScalarNode):
                here = (*loc, str(_value(key)))
                yield here, _line(key)
                yield from _places(value, here)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(cast("list[Node]", _value(node))):
            yield (*loc, index), _line(item)
            yield from _places(item, (*loc, index))


def _value(node: Node) -> object:
    return cast(Any, node).value  # the library's nodes are untyped


def _line(node: Node) -> int:
    return cast(Any, node).start_mark.line + 1
