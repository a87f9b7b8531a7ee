"""How a pod is told what to fetch when it starts, and where v1's scripts look for it (rule M4)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tidegate.model.manifest import manifest_name

MODELS = "azureml-models"
"""v1's folder: `<name>/<number>/<file or folder>` below it."""
CODE = "code"


class Stored(Protocol):
    """What a pod has to know of something in a store: a `Manifest`, or an `Address`."""

    @property
    def place(self) -> str:
        """Where it stands."""
        ...

    @property
    def sha256(self) -> str:
        """64 hex digits of the manifest's text."""
        ...


@dataclass(frozen=True)
class Address:
    """A manifest by its place and its text's SHA-256, as the resources of a stack tell them."""

    place: str
    sha256: str


def content_order(store: str, models: Sequence[Stored], code: Stored | None = None) -> str:
    """What TIDEGATE_CONTENT says to the scoring server; the same text for the same content.

    `store` is a container's URL, or a folder that the pod has mounted; `models` are numbers of models.
    AZUREML_MODEL_DIR is the folder of all of them, or that of a single model's number, as in v1.
    """
    places = {model.place: f"{MODELS}/{model.place.removeprefix('models/')}" for model in models}
    wanted = [(model, places[model.place]) for model in sorted(models, key=lambda each: each.place)]
    order: dict[str, object] = {"store": store}
    if models:
        order["modelDir"] = MODELS if len(models) > 1 else places[models[0].place]
    if code is not None:
        wanted.append((code, CODE))
        order["sourceDir"] = CODE
    order["manifests"] = [
        {"name": manifest_name(stored.place), "sha256": stored.sha256, "folder": folder} for stored, folder in wanted
    ]
    return json.dumps(order, sort_keys=True)
