"""Labels and annotations of an endpoint's objects.

What may change while pods run (tags, descriptions, weights) stands in annotations, outside of pods' templates: a
change in there would restart them.
"""

import json
from collections.abc import Mapping
from typing import Any

from tidegate.cluster.plan.objects import PRODUCTION_LABEL, SKIP_AWAIT
from tidegate.targets.kubernetes.names import object_name

Manifest = dict[str, Any]

ENDPOINT_LABEL = "tidegate.dev/endpoint"
VERSION_LABEL = "tidegate.dev/version"
ANONYMOUS_LABEL = "tidegate.dev/anonymous"
"""On the routes of an endpoint that takes requests from anybody."""
MANAGED = {"app.kubernetes.io/managed-by": "tidegate"}


def selector(endpoint: str, version: str | None = None) -> dict[str, str]:
    """The labels by which an endpoint's pods, or those of one version, are found."""
    found = {ENDPOINT_LABEL: object_name(endpoint)}
    return found if version is None else {**found, VERSION_LABEL: object_name(version)}


def labels(endpoint: str, version: str | None = None, *, production: bool) -> dict[str, str]:
    """The labels of an object of an endpoint, or of one version."""
    return {**MANAGED, **selector(endpoint, version), **({PRODUCTION_LABEL: "true"} if production else {})}


def described(description: str, tags: Mapping[str, str]) -> dict[str, str]:
    """A user's own words as annotations, the tags as JSON."""
    found = {
        "tidegate.dev/description": description,
        "tidegate.dev/tags": json.dumps(dict(tags), sort_keys=True, ensure_ascii=False) if tags else "",
    }
    return {name: text for name, text in found.items() if text}


def manifest(api: str, kind: str, metadata: Manifest, **rest: object) -> Manifest:
    """An object by its group and version, its kind, and its other fields."""
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def metadata(
    name: str, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None
) -> Manifest:
    """An object's metadata; nobody waits for the status of any of them, since the `Rollout` looks at what counts."""
    return {
        "name": name,
        "namespace": namespace,
        "labels": dict(labels),
        "annotations": {**SKIP_AWAIT, **(annotations or {})},
    }
