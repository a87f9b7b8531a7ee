"""The JSON Schema of `Pulumi.<stack>.yaml`, by which an editor completes and checks it.

`python -m tidegate.schema` prints it; `schema/stack.schema.json` is its output.
"""

import json
import sys
from typing import Any, cast

from tidegate.cluster.stack_input import AzureStackInput
from tidegate.config import NAMESPACE
from tidegate.names import ENDPOINT, MODEL, VERSION, NameRule

Schema = dict[str, Any]

SECURE: Schema = {
    "description": "A value that pulumi config set --secret encrypted.",
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}


def stack_schema() -> Schema:
    """Build the schema of a whole stack file: the project's keys typed, those of others free."""
    project = cast(Schema, _tidied(AzureStackInput.model_json_schema(by_alias=True)))
    definitions: Schema = project["$defs"]
    properties: Schema = project["properties"]
    definitions["Secure"] = SECURE
    properties["tidegate:endpoints"]["propertyNames"] = _named(ENDPOINT)
    properties["tidegate:models"]["propertyNames"] = _named(MODEL)
    definitions["EndpointInput"]["properties"]["versions"]["propertyNames"] = _named(VERSION)
    # A secret is encrypted key by key or as a whole, as pulumi config set --secret was called.
    given: Schema = definitions["GivenKeysInput"]["properties"]
    for holder, key in (
        (properties, "tidegate:keys"),
        (given, "primary"),
        (given, "secondary"),
        (properties["tidegate:tlsKeys"], "additionalProperties"),
        (properties, "tidegate:tlsKeys"),
    ):
        holder[key] = {"anyOf": [holder[key], {"$ref": "#/$defs/Secure"}]}
    known = "|".join(key.removeprefix(NAMESPACE) for key in properties)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack config of Tidegate",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": properties,
                "required": ["tidegate:target"],
                "patternProperties": {f"^{NAMESPACE}(?!({known})$)": False},
            }
        },
        "$defs": definitions,
    }


def _named(rule: NameRule) -> Schema:
    return {"pattern": f"^({rule.pattern})$", "description": rule.text}


def _tidied(node: object) -> object:
    """`node` without titles that repeat the key, and without null: what is not written is left out."""
    if isinstance(node, list):
        return [_tidied(item) for item in cast(list[object], node)]
    if not isinstance(node, dict):
        return node
    schema = {key: _tidied(value) for key, value in cast(Schema, node).items()}
    if isinstance(schema.get("title"), str):
        del schema["title"]
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    choices = schema.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in cast(list[Schema], choices) if choice != {"type": "null"}]
        del schema["anyOf"]
        # A description beside the reference is the field's; it comes before the type's own.
        schema = {**rest[0], **schema} if len(rest) == 1 else {**schema, "anyOf": rest}
    return schema


if __name__ == "__main__":
    sys.stdout.write(json.dumps(stack_schema(), indent=2) + "\n")
