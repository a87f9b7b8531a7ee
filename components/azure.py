"""How a plan in ARM's names becomes azure-native resources."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pulumi
import pulumi_azure_native as azure_native

from tidegate.cluster.kubeconfig import Mode, rewrite
from tidegate.cluster.plan.access import plan_identity, plan_role
from tidegate.cluster.plan.names import role_assignment_name, role_definition
from tidegate.cluster.spec import ClusterSpec

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
    parent: pulumi.Resource,
    subscription: pulumi.Input[str],
    unique: tuple[str, ...],
    role: str,
    scope: pulumi.Input[str],
    principal: pulumi.Input[str],
    kind: str = "ServicePrincipal",
) -> pulumi.Resource:
    """Give the built-in `role` (its GUID) on `scope` (an id) to `principal` (an object id).

    `unique` are words that no other role assignment of the subscription is made with: its GUID is drawn from them.
    """
    known_subscription = pulumi.Output.from_input(subscription)
    plan = plan_role(
        definition=known_subscription.apply(lambda known: role_definition(known, role)),
        name=known_subscription.apply(lambda known: role_assignment_name(known, *unique)),
        scope=scope,
        principal=principal,
        kind=kind,
    )
    return register(azure_native.authorization.RoleAssignment, name, plan, pulumi.ResourceOptions(parent=parent))


@dataclass(frozen=True)
class Identity:
    """A user-assigned identity and what Azure says of it."""

    resource: pulumi.CustomResource
    name: str
    client_id: pulumi.Output[str]
    object_id: pulumi.Output[str]


def user_identity(
    name: str, spec: ClusterSpec, use: str, *, parent: pulumi.Resource, after: Sequence[pulumi.Resource] = ()
) -> Identity:
    """Make an identity of a cluster for one `use`; `after` has to be there first."""
    identities = azure_native.managedidentity
    plan = plan_identity(spec, use)
    options = pulumi.ResourceOptions(parent=parent, depends_on=list(after))
    resource = register(identities.UserAssignedIdentity, name, plan, options)
    # Outputs of a resource are unknown in the preview of its update (a tag is enough), and an unknown principal would
    # show as a role assignment to replace: ask Azure by name instead.
    facts = identities.get_user_assigned_identity_output(
        resource_group_name=plan["resourceGroupName"],
        resource_name=plan["resourceName"],
        opts=pulumi.InvokeOutputOptions(parent=parent, depends_on=[resource]),
    )
    return Identity(resource, plan["resourceName"], facts.client_id, facts.principal_id)


def user_kubeconfig(
    *, resource_group: str, cluster: str, mode: Mode, opts: pulumi.InvokeOutputOptions
) -> pulumi.Output[str]:
    """How kubectl and pulumi-kubernetes reach a cluster, logging in by `mode`; secret.

    It is asked for by plain names: made from an output of the cluster it would be unknown in the preview of every
    update of it, and everything in Kubernetes with it.
    """
    answer = azure_native.containerservice.list_managed_cluster_user_credentials_output(
        format="exec", resource_group_name=resource_group, resource_name=cluster, opts=opts
    )
    # azure-native does not mark it, so it becomes a secret before anything is made of it.
    return pulumi.Output.secret(answer).apply(lambda known: rewrite(known.kubeconfigs[0].value, mode))
