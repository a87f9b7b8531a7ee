"""How a Kubernetes manifest becomes a resource."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.azure import argument

_MODULES: Mapping[str, str] = {
    "": "core",
    "admissionregistration.k8s.io": "admissionregistration",
    "apiextensions.k8s.io": "apiextensions",
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
"""Kubernetes' own API groups and their modules in the SDK; everything else is a custom resource."""


def register_manifest(name: str, manifest: Mapping[str, Any], options: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register an object of a cluster under `name`. Values that are only known later may stand anywhere in it.

    Nested dictionaries go as they are: the SDK passes Kubernetes' names through.
    """
    version, kind = manifest["apiVersion"], manifest["kind"]
    fields = {argument(key): value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    own = _class(version, kind)
    if own is None:
        return CustomResource(name, api_version=version, kind=kind, opts=options, **fields)
    return own(name, opts=options, **fields)


def _class(api_version: str, kind: str) -> Callable[..., pulumi.CustomResource] | None:
    group, _, version = api_version.rpartition("/")
    if group not in _MODULES:
        return None
    return getattr(importlib.import_module(f"pulumi_kubernetes.{_MODULES[group]}.{version}"), kind)
