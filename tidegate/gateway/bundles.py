"""What others publish for clusters, as `tools/render-manifests` wrote it down; read when a cluster needs it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tidegate.gateway.names import Manifest

BundleName = Literal["gateway-api", "envoy-gateway-crds", "envoy-gateway", "cert-manager"]

FOLDER = Path(__file__).parent / "manifests"

_LAST = ("Job", "Deployment", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
"""Kinds that need what stands before them: a Job makes the certificates that the Deployments mount, and an API server
that asks a webhook whose pods are not there yet refuses everything."""


@dataclass(frozen=True)
class Bundle:
    """One publisher's objects at one version."""

    name: BundleName
    version: str
    stages: tuple[tuple[Manifest, ...], ...]
    """In the order of their creation: each needs the one before."""

    @property
    def objects(self) -> tuple[Manifest, ...]:
        """All of them, in that order."""
        return tuple(each for stage in self.stages for each in stage)


def read_bundle(name: BundleName) -> Bundle:
    """Read a bundle of the pinned version."""
    content = json.loads((FOLDER / f"{name}.json").read_text())
    objects: list[Manifest] = content["objects"]
    kinds: Sequence[tuple[str, ...]] = (("CustomResourceDefinition",), *((kind,) for kind in _LAST))
    first, *later = [tuple(each for each in objects if each["kind"] in kind) for kind in kinds]
    named = {"CustomResourceDefinition", *_LAST}
    between = tuple(each for each in objects if each["kind"] not in named)
    stages = (first, between, *later)
    return Bundle(name, content["version"], tuple(stage for stage in stages if stage))
