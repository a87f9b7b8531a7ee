"""Edits of YAML text: lines are put in and taken out, and every other line stays as it is, comments included.

Written again as a whole, a comment would stay with the entry above it, though it most often speaks of the one below.
Where the text's form leaves no place for a line (a mapping in braces), it is written again all the same.
"""

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

Keys = Sequence[str]

_PLAIN = re.compile(r"[A-Za-z_/][\w./-]*(:[\w./-]+)*", re.ASCII)
_NO_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""What plain would be something else, by YAML 1.2 or by 1.1."""


def put(text: str, keys: Keys, value: Mapping[str, Any]) -> str:
    """Add `value` under a path of keys as the last of its mapping; mappings that are missing on the way are made."""

    def change(document: CommentedMap) -> None:
        mapping = document
        for key in keys[:-1]:
            if mapping.get(key) is None:
                mapping[key] = CommentedMap()
            mapping = mapping[key]
        mapping[keys[-1]] = dict(value)

    return _edited(text, change, lambda document: _with_entry(text, document, keys, value))


def nest(text: str, keys: Keys, key: str) -> str:
    """Put what is at a path of keys one level deeper, under `key`."""

    def change(document: CommentedMap) -> None:
        mapping = _at(document, keys[:-1])
        inner = mapping[keys[-1]]
        mapping[keys[-1]] = CommentedMap({key: inner})

    return _edited(text, change, lambda document: _nested(text, document, keys, key))


def remove(text: str, keys: Keys) -> str:
    """Take out what is at a path of keys, and the mappings above it, below the first, that hold nothing else."""
    document = round_trip(text).load(text)
    while len(keys) > 2 and len(_at(document, keys[:-1])) == 1:
        keys = keys[:-1]

    def change(document: CommentedMap) -> None:
        mapping = _at(document, keys[:-1])
        del mapping[_own(mapping, keys[-1])]

    return _edited(text, change, lambda document: _without_entry(text, document, keys))


def round_trip(text: str) -> YAML:
    """A reader and writer in the form that `text` has: the step of its mappings and the place of its dashes."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    depths = [len(line) - len(line.lstrip()) for line in lines]
    dashes = (
        depth - above
        for (above, _), (depth, line) in pairwise(zip(depths, lines, strict=True))
        if line.lstrip().startswith("- ")
    )
    offset = max(next(dashes, 0), 0)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # no line is broken that was not
    yaml.indent(mapping=next(filter(None, depths), 2), sequence=offset + 2, offset=offset)
    return yaml


class _NoPlaceError(Exception):
    """The text's form leaves no place for a line."""


def _edited(text: str, change: Callable[[CommentedMap], None], by_line: Callable[[CommentedMap], str]) -> str:
    """The text edited by line where that comes to the same as the change of the document, else written again."""
    yaml = round_trip(text)
    document = yaml.load(text)
    if document is None:
        document = CommentedMap()
    try:
        edited: str | None = by_line(document)
    except _NoPlaceError:
        edited = None
    change(document)
    if edited is not None and _loaded(edited) == _plain(document):
        return edited
    whole = io.StringIO()
    yaml.dump(document, whole)
    return whole.getvalue()


def _loaded(text: str) -> object:
    try:
        return _plain(YAML(typ="safe", pure=True).load(text))
    except YAMLError:
        return None


def _plain(document: object) -> object:
    return json.loads(json.dumps(document, default=str))


def _with_entry(text: str, document: CommentedMap, keys: Keys, value: Mapping[str, Any]) -> str:
    depth = 0
    mapping = document
    while isinstance(inner := mapping.get(keys[depth]), CommentedMap) and inner:
        mapping, depth = inner, depth + 1
    if not mapping or keys[depth] in mapping:  # in the place of what is empty, nothing can be put below it
        raise _NoPlaceError
    lines = text.splitlines()
    line, column = _position(mapping, list(mapping)[-1])
    step = round_trip(text).map_indent or 2
    added = [f"{' ' * (column + step * index)}{_scalar(key)}:" for index, key in enumerate(keys[depth:])]
    added[-1] += f" {_flow(value)}"
    end = _end(lines, line, column) + 1
    return "\n".join([*lines[:end], *added, *lines[end:], ""])


def _nested(text: str, document: CommentedMap, keys: Keys, key: str) -> str:
    mapping = _at(document, keys[:-1])
    line, column = _position(mapping, keys[-1])
    value_line, value_column = mapping.lc.value(keys[-1])
    lines = text.splitlines()
    end = _end(lines, line, column) + 1
    step = round_trip(text).map_indent or 2
    inner = " " * (column + step)
    if value_line == line:
        if end != line + 1:
            raise _NoPlaceError
        own = [lines[line][:value_column].rstrip(), f"{inner}{_scalar(key)}: {lines[line][value_column:]}"]
    else:
        below = [" " * step + each if each.strip() else each for each in lines[line + 1 : end]]
        own = [lines[line], f"{inner}{_scalar(key)}:", *below]
    return "\n".join([*lines[:line], *own, *lines[end:], ""])


def _without_entry(text: str, document: CommentedMap, keys: Keys) -> str:
    mapping = _at(document, keys[:-1])
    line, column = _position(mapping, _own(mapping, keys[-1]))
    lines = text.splitlines()
    return "\n".join([*lines[:line], *lines[_end(lines, line, column) + 1 :], ""])


def _at(document: CommentedMap, keys: Keys) -> CommentedMap:
    mapping = document
    for key in keys:
        mapping = mapping[key]
    return mapping


def _own(mapping: CommentedMap, key: str) -> object:
    """The key as it is written: a number without quotes is none to a reader of text."""
    return next(each for each in mapping if str(each) == key)


def _position(mapping: CommentedMap, key: object) -> tuple[int, int]:
    """Line and column of a key, from 0; only a mapping of lines has a place for another one."""
    if mapping.fa.flow_style():
        raise _NoPlaceError
    line, column = cast(tuple[int, int], mapping.lc.key(key))
    return line, column


def _end(lines: Sequence[str], line: int, column: int) -> int:
    """The last line of an entry whose key is at this place; comments after it belong to what follows."""
    last = line
    for index in range(line + 1, len(lines)):
        bare = lines[index].lstrip()
        if not bare or bare.startswith("#"):
            continue
        depth = len(lines[index]) - len(bare)
        if depth < column or (depth == column and not bare.startswith("- ")):
            break
        last = index
    return last


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(key))}: {_flow(each)}" for key, each in value.items()) + "}"
    return _scalar(str(value))


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)
