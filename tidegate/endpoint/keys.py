"""The keys of an endpoint, as the resources that make and keep them are told of them."""

from typing import Any

from tidegate.endpoint.spec import EndpointSpec

NAMES = ("primary", "secondary")
"""An endpoint has two, so that callers can move from one to the other (rule A1)."""


def plan_keys(endpoint: EndpointSpec) -> dict[str, dict[str, Any]]:
    """The inputs of each `ApiKey` by its name; a given `value` is still a SecretStr, since a plan may be printed.

    Empty where nobody is asked for a key.
    """
    if endpoint.auth != "key":
        return {}
    keys: dict[str, dict[str, Any]] = {}
    for name in NAMES:
        keys[name] = {"endpoint": endpoint.name, "name": name, "rotation": getattr(endpoint.key_rotation, name)}
        given = getattr(endpoint.keys, name)
        if given is not None:
            keys[name]["value"] = given
    return keys
