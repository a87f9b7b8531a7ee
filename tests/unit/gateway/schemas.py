"""Manifests against the schemas of their CustomResourceDefinitions, as far as a field's name and type go."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from tidegate.gateway.bundles import read_bundle

Schema = dict[str, Any]

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


@cache
def schemas() -> dict[tuple[str, str], Schema]:
    """By API version and kind."""
    found: dict[tuple[str, str], Schema] = {}
    for bundle in ("gateway-api", "envoy-gateway-crds", "cert-manager"):
        for each in read_bundle(bundle).objects:
            if each["kind"] == "CustomResourceDefinition":
                spec = each["spec"]
                for version in spec["versions"]:
                    key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                    found[key] = version["schema"]["openAPIV3Schema"]
    return found


def faults(value: Any, schema: Schema, path: str) -> Iterator[str]:
    """Every field that the schema does not have, lacks, or has of another type."""
    if schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    expected = _TYPES[schema["type"]]
    if not isinstance(value, expected) or (isinstance(value, bool) and schema["type"] != "boolean"):
        yield f"{path}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from faults(each, schema["items"], f"{path}[{index}]")
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name in schema.get("required", []):
            if name not in value:
                yield f"{path}.{name}: is missing"
        for name, each in value.items():
            if name in properties:
                yield from faults(each, properties[name], f"{path}.{name}")
            elif isinstance(others, dict):
                yield from faults(each, others, f"{path}.{name}")
            else:
                yield f"{path}.{name}: is not a field"
