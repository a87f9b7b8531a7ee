"""What others publish for clusters, as `tools/render-manifests` wrote it down; read when a cluster needs it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tidegate.gateway.names import Manifest, from_mirror

BundleName = Literal["gateway-api", "envoy-gateway-crds", "envoy-gateway", "cert-manager"]

FOLDER = Path(__file__).parent / "manifests"

_ORDER = (
    ("CustomResourceDefinition",),
    (),  # every other kind
    ("Job",),
    ("Deployment", "Service"),
    ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
)
"""Kinds that need those before them: a Job makes the certificates that a Deployment mounts, pulumi-kubernetes waits for
the pods behind a Service, and an API server that asks a webhook whose pods are not there refuses everything."""


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


def read_bundle(name: BundleName, *, mirror: str = "") -> Bundle:
    """Read a bundle of the pinned version, its images at `mirror` instead of where their publishers have them."""
    content = json.loads(from_mirror((FOLDER / f"{name}.json").read_text(), mirror))
    objects: list[Manifest] = content["objects"]
    stage_of = {kind: number for number, kinds in enumerate(_ORDER) for kind in kinds}
    others = _ORDER.index(())
    stages = [
        tuple(each for each in objects if stage_of.get(each["kind"], others) == number) for number in range(len(_ORDER))
    ]
    return Bundle(name, content["version"], tuple(stage for stage in stages if stage))
