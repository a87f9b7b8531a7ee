"""How a plan in ARM's names becomes azure-native resources."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pulumi
import pulumi_azure_native as azure_native

from tidegate.cluster.plan.access import plan_role
from tidegate.cluster.plan.names import role_assignment_name, role_definition

R = TypeVar("R", bound=pulumi.CustomResource)


def register(kind: Callable[..., R], name: str, plan: Mapping[str, Any], opts: pulumi.ResourceOptions) -> R:
    """Register `kind` under `name`. Nested dictionaries go as they are: the SDK passes ARM's names through."""
    return kind(name, opts=opts, **{argument(key): value for key, value in plan.items()})


def argument(key: str) -> str:
    """The SDK's keyword for a property: `osDiskSizeGB` is `os_disk_size_gb`."""
    # `resource_name` is the SDK's own first argument, Pulumi's name of the resource.
    return "resource_name_" if key == "resourceName" else _WORD.sub("_", key).lower()


_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def assign_role(
    name: str,
    *,
    parent: pulumi.ComponentResource,
    subscription: pulumi.Output[str],
    unique: tuple[str, ...],
    role: str,
    scope: pulumi.Input[str],
    principal: pulumi.Input[str],
    kind: str = "ServicePrincipal",
) -> pulumi.Resource:
    """Give the built-in `role` (its GUID) on `scope` (an id) to `principal` (an object id).

    `unique` are words that no other role assignment of the subscription is made with: its GUID is drawn from them.
    """
    plan = plan_role(
        definition=subscription.apply(lambda known: role_definition(known, role)),
        name=subscription.apply(lambda known: role_assignment_name(known, *unique)),
        scope=scope,
        principal=principal,
        kind=kind,
    )
    return register(azure_native.authorization.RoleAssignment, name, plan, pulumi.ResourceOptions(parent=parent))
