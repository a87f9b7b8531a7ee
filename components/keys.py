"""The keys of an endpoint."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.resources import ApiKey


def register_keys(
    name: str, plan: Mapping[str, Mapping[str, Any]], parent: pulumi.Resource
) -> dict[str, pulumi.Output[str]]:
    """Register the keys of the endpoint `name`, as `plan_keys` gives them; their values by name, secret."""
    return {key: _value(f"{name}.{key}", inputs, parent) for key, inputs in plan.items()}


def _value(name: str, plan: Mapping[str, Any], parent: pulumi.Resource) -> pulumi.Output[str]:
    given = {"value": pulumi.Output.secret(plan["value"].get_secret_value())} if "value" in plan else {}
    options = pulumi.ResourceOptions(parent=parent, additional_secret_outputs=["value"])
    return ApiKey(name, {**plan, **given}, options).output("value")
