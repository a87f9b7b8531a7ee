"""What the gateway's objects are called, and what they carry."""

from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

CONTROLLER_NAMESPACE = "envoy-gateway-system"
"""Envoy Gateway's own, with its proxies in it."""
GATEWAY_CLASS = "tidegate"
GATEWAY = "scoring"
HTTP = "http"
HTTPS = "https"
"""The Gateway's listeners."""

GATEWAY_API = "gateway.networking.k8s.io/v1"
ENVOY_API = "gateway.envoyproxy.io/v1alpha1"

DOCKER_HUB = "docker.io"
_PUBLISHERS = (f"{DOCKER_HUB}/envoyproxy/", "quay.io/jetstack/")

MANAGED_BY: Mapping[str, str] = {"app.kubernetes.io/managed-by": "tidegate"}
"""The label of namespaces whose routes the Gateway takes, and of every object that this project makes."""
PROXY: Mapping[str, str] = {
    "gateway.envoyproxy.io/owning-gateway-name": GATEWAY,
    "gateway.envoyproxy.io/owning-gateway-namespace": "tidegate-gateway",
}
"""The labels that Envoy Gateway puts on the proxies' pods."""


def from_mirror(text: str, mirror: str) -> str:
    """The text with the gateway's images at `mirror`, a registry and a path in it; as it is where that is empty."""
    if not mirror:
        return text
    for prefix in _PUBLISHERS:
        text = text.replace(prefix, f"{mirror}/{prefix.partition('/')[2]}")
    return text


def manifest(
    api_version: str,
    kind: str,
    name: str,
    namespace: str | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: Any,
) -> Manifest:
    """An object with this project's label; `fields` are what stands beside its metadata."""
    metadata: Manifest = {"name": name, "labels": {**MANAGED_BY, **(labels or {})}}
    if namespace is not None:
        metadata["namespace"] = namespace
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
