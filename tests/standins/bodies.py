"""From azure-native's inputs to ARM request bodies and back.

azure-native lifts the contents of ARM's `properties` one level up, at every depth (`subnets[].properties` too). Putting
them back needs the published types: a property that the object itself has and that can be written stays; any other that
its `properties` have goes in there. That it can be written matters: `type` of an AgentPool belongs to
`properties.type`, not to the read-only type of the ARM resource.

ARM's map of user-assigned identities is a list of their ids in azure-native, and a map again in its outputs. Names with
hyphens (`scan-interval` of the cluster autoscaler) are in camelCase there.
"""

from collections.abc import Mapping
from typing import Any

from providers.values import UNKNOWN
from tests.standins.bicep import Flags, ResourceType, Type

LOOSE = frozenset({"microsoft.insights/components"})
"""Types whose ARM names differ from azure-native's in case and underscores (`Application_Type`)."""

RENAMED = {"supportsHttpsTrafficOnly": "enableHttpsTrafficOnly", "isNfsV3Enabled": "enableNfsV3"}
"""ARM's names that have another one in the SDKs (`x-ms-client-name` in Azure's own specification)."""

IDENTITIES = "userAssignedIdentities"


def nest(resource: ResourceType, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The ARM body of azure-native inputs that hold no path parameter; what belongs nowhere stays where it is."""
    return _nest(resource, resource.body, inputs)


def flatten(resource: ResourceType, body: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that azure-native makes of an ARM answer."""
    return _flatten(resource, resource.body, body)


def previewed(resource: ResourceType, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a preview knows of the outputs: the inputs, and UNKNOWN for every other property at every depth."""
    return _previewed(resource, resource.body, inputs)


def writable(resource: ResourceType, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the outputs that can be written, at every depth."""
    return _writable(resource, resource.body, outputs)


def flat_fields(resource: ResourceType, kind: Type) -> dict[str, Mapping[str, Any]]:
    """The properties of an object as azure-native shows it."""
    own, inner = resource.properties(kind), resource.inner(kind)
    if inner is not None:
        own = {**{key: field for key, field in own.items() if key != "properties"}, **resource.properties(inner)}
    return {sdk_name(key): field for key, field in own.items()}


def sdk_name(name: str) -> str:
    """ARM's name of a property as azure-native writes it."""
    if name in RENAMED:
        return RENAMED[name]
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _nest(resource: ResourceType, kind: Type, value: Any) -> Any:
    match kind["$type"], value:
        case "ObjectType", Mapping():
            return _nest_object(resource, kind, value)
        case "DiscriminatedObjectType", Mapping():
            chosen = resource.variant(kind, value)
            return dict(value) if chosen is None else _nest_object(resource, chosen, value)
        case "ArrayType", list():
            return [_nest(resource, resource.follow(kind["itemType"]), item) for item in value]
        case _:
            return value


def _nest_object(resource: ResourceType, kind: Type, value: Mapping[str, Any]) -> dict[str, Any]:
    own, inner, rest = resource.properties(kind), resource.inner(kind), kind.get("additionalProperties")
    lifted = resource.properties(inner) if inner else {}
    stays: dict[str, Any] = {}
    goes_in: dict[str, Any] = {}
    names = {sdk_name(name): name for name in (*lifted, *own)}
    for key, item in value.items():
        name = names.get(key) or _loose_name(resource, key, own, lifted)
        if name == IDENTITIES and isinstance(item, list):
            stays[name] = UNKNOWN if UNKNOWN in item else {each: {} for each in item}
            continue
        if name in own and (Flags.READ_ONLY not in Flags(own[name]["flags"]) or name not in lifted):
            stays[name] = _nest(resource, resource.follow(own[name]["type"]), item)
        elif name in lifted:
            goes_in[name] = item
        else:
            stays[name] = _nest(resource, resource.follow(rest), item) if rest else item
    if goes_in and inner:
        stays["properties"] = {**stays.get("properties", {}), **_nest_object(resource, inner, goes_in)}
    return stays


def _loose_name(resource: ResourceType, key: str, *places: Mapping[str, Any]) -> str:
    if resource.name.lower() not in LOOSE:
        return key
    names = {name.replace("_", "").lower(): name for place in places for name in place}
    return names.get(key.replace("_", "").lower(), key)


def _flatten(resource: ResourceType, kind: Type, value: Any) -> Any:
    match kind["$type"], value:
        case "ObjectType", Mapping():
            return _flatten_object(resource, kind, value)
        case "DiscriminatedObjectType", Mapping():
            chosen = resource.variant(kind, value)
            return dict(value) if chosen is None else _flatten_object(resource, chosen, value)
        case "ArrayType", list():
            return [_flatten(resource, resource.follow(kind["itemType"]), item) for item in value]
        case _:
            return value


def _flatten_object(resource: ResourceType, kind: Type, value: Mapping[str, Any]) -> dict[str, Any]:
    own, inner, rest = resource.properties(kind), resource.inner(kind), kind.get("additionalProperties")
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if key in own and not (key == "properties" and inner):
            flat[sdk_name(key)] = _flatten(resource, resource.follow(own[key]["type"]), item)
        elif key not in own:
            flat[key] = _flatten(resource, resource.follow(rest), item) if rest else item
    if inner and "properties" in value:
        flat |= _flatten(resource, inner, value["properties"])
    return flat


def _previewed(resource: ResourceType, kind: Type, value: Any) -> Any:
    match kind["$type"], value:
        case "ObjectType", Mapping():
            return _previewed_object(resource, kind, value)
        case "ArrayType", list():
            return [_previewed(resource, resource.follow(kind["itemType"]), item) for item in value]
        case _:
            return value


def _previewed_object(resource: ResourceType, kind: Type, value: Mapping[str, Any]) -> dict[str, Any]:
    fields, rest = flat_fields(resource, kind), kind.get("additionalProperties")
    known: dict[str, Any] = {}
    for key, item in value.items():
        reference = fields[key]["type"] if key in fields else rest
        if key == IDENTITIES:
            known[key] = UNKNOWN  # a list here, a map in the outputs
            continue
        known[key] = _previewed(resource, resource.follow(reference), item) if reference else item
    return {**dict.fromkeys(fields, UNKNOWN), **known}


def _writable(resource: ResourceType, kind: Type, value: Any) -> Any:
    match kind["$type"], value:
        case "ObjectType", Mapping():
            return _writable_object(resource, kind, value)
        case "ArrayType", list():
            return [_writable(resource, resource.follow(kind["itemType"]), item) for item in value]
        case _:
            return value


def _writable_object(resource: ResourceType, kind: Type, value: Mapping[str, Any]) -> dict[str, Any]:
    fields, rest = flat_fields(resource, kind), kind.get("additionalProperties")
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if key == IDENTITIES and isinstance(item, Mapping):
            kept[key] = list(item)
        elif key in fields and Flags.READ_ONLY not in Flags(fields[key]["flags"]):
            kept[key] = _writable(resource, resource.follow(fields[key]["type"]), item)
        elif key not in fields and rest:
            kept[key] = _writable(resource, resource.follow(rest), item)
    return kept
