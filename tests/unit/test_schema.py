import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tidegate.schema import stack_schema

ROOT = Path(__file__).parents[2]
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


def complaints(schema: Any, value: Any, path: str = "") -> list[str]:
    """What `schema` has against `value`: the keywords that the stack's schema uses, no more."""
    if isinstance(schema, bool):
        return [] if schema else [path]
    found: list[str] = []
    if "$ref" in schema:
        found += complaints(stack_schema()["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, path)
    for word in ("anyOf", "oneOf"):
        if word in schema and all(complaints(choice, value, path) for choice in schema[word]):
            found.append(path)
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [*found, path]
    if ("enum" in schema and value not in schema["enum"]) or not (
        not isinstance(value, int | float) or schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        found.append(path)
    if isinstance(value, list):
        for item in value:
            found += complaints(schema.get("items", True), item, path)
    if isinstance(value, dict):
        found += [path for key in schema.get("required", []) if key not in value]
        found += [path] if len(value) < schema.get("minProperties", 0) else []
        for key, child in value.items():
            place = f"{path}/{key}"
            patterns = [
                rule for pattern, rule in schema.get("patternProperties", {}).items() if re.search(pattern, key)
            ]
            if key in schema.get("properties", {}):
                patterns.append(schema["properties"][key])
            for rule in patterns or [schema.get("additionalProperties", True)]:
                found += complaints(rule, child, place)
            if not re.search(schema.get("propertyNames", {}).get("pattern", ""), key):
                found.append(place)
    return found


def test_the_committed_schema_is_what_the_program_prints() -> None:
    assert json.loads((ROOT / "schema/stack.schema.json").read_text()) == stack_schema()


def test_a_valid_config_fits(project: Any) -> None:
    assert project.errors() == []
    assert complaints(stack_schema(), {"encryptionsalt": "x", "config": project.values | {"other:key": 1}}) == []


def test_the_example_fits() -> None:
    stack = YAML(typ="safe", pure=True).load((ROOT / "Pulumi.local.yaml").read_text())
    assert complaints(stack_schema(), stack) == []


def test_encrypted_keys_fit(project: Any) -> None:
    for keys in ({"secure": "v1:x"}, {"diabetes": {"primary": {"secure": "v1:x"}}}):
        assert complaints(stack_schema(), {"config": project.values | {"tidegate:keys": keys}}) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tidegate:target", "gcp"),
        ("tidegate:endpoint", {}),
        ("tidegate:endpoints", {"A": {}}),
        ("tidegate:endpoints", {"abc": {"versions": {"abc": {"traffic": 101}}}}),
        ("tidegate:endpoints", {"abc": {"versions": {"abc": {"trafic": 10}}}}),
        ("tidegate:endpoints", {"abc": {"versions": {"abc": {"traffic": None}}}}),
        ("tidegate:models", {"a": {}}),
        ("tidegate:models", {"a": {"1": {"path": 1}}}),
        ("tidegate:keys", {"abc": {"primary": 1}}),
    ],
)
def test_a_mistake_does_not_fit(project: Any, key: str, value: object) -> None:
    assert complaints(stack_schema(), {"config": project.values | {key: value}})
