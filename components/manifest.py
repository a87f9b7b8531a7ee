"""How a Kubernetes manifest becomes a resource."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import pulumi

from components.azure import argument

_MODULES: Mapping[str, str] = {
    "": "core",
    "admissionregistration.k8s.io": "admissionregistration",
    "apiregistration.k8s.io": "apiregistration",
    "apps": "apps",
    "autoscaling": "autoscaling",
    "batch": "batch",
    "coordination.k8s.io": "coordination",
    "networking.k8s.io": "networking",
    "policy": "policy",
    "rbac.authorization.k8s.io": "rbac",
    "scheduling.k8s.io": "scheduling",
}
"""Kubernetes' own API groups and their modules in the SDK; everything else goes as it is.

A CustomResourceDefinition does too: the SDK has other names than Kubernetes for the fields of a schema.
"""


class CustomObject(pulumi.CustomResource):
    """An object of a kind that the SDK has no class for."""

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        # What is asked for as an output has to be named, with or without a value.
        properties = {**manifest, "status": None}
        super().__init__(f"kubernetes:{manifest['apiVersion']}:{manifest['kind']}", name, properties, opts)

    @property
    def status(self) -> pulumi.Output[Any]:
        """What its controller says of it; None where nobody waited for it."""
        return pulumi.get(self, "status")


def register_manifest(name: str, manifest: Mapping[str, Any], options: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register an object of a cluster under `name`. Values that are only known later may stand anywhere in it.

    Nested dictionaries go as they are: the SDK passes Kubernetes' names through.
    """
    own = _class(manifest["apiVersion"], manifest["kind"])
    if own is None:
        return CustomObject(name, manifest, options)
    fields = {argument(key): value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    return own(name, opts=options, **fields)


def _class(api_version: str, kind: str) -> Callable[..., pulumi.CustomResource] | None:
    group, _, version = api_version.rpartition("/")
    if group not in _MODULES:
        return None
    return getattr(importlib.import_module(f"pulumi_kubernetes.{_MODULES[group]}.{version}"), kind)
