"""How a pod is told what to fetch when it starts, and where v1's scripts look for it (rule M4)."""

import json
from collections.abc import Sequence

from tidegate.model.manifest import Manifest

MODELS = "azureml-models"
"""v1's folder: `<name>/<number>/<file or folder>` below it."""
CODE = "code"


def content_order(store: str, models: Sequence[Manifest], code: Manifest | None = None) -> str:
    """What TIDEGATE_CONTENT says to the scoring server; the same text for the same content.

    `store` is a container's URL, or a folder that the pod has mounted; `models` are manifests of numbers of models.
    AZUREML_MODEL_DIR is the folder of all of them, or that of a single model's number, as in v1.
    """
    places = {manifest.place: f"{MODELS}/{manifest.place.removeprefix('models/')}" for manifest in models}
    wanted = [(manifest, places[manifest.place]) for manifest in sorted(models, key=lambda each: each.place)]
    order: dict[str, object] = {"store": store}
    if models:
        order["modelDir"] = MODELS if len(models) > 1 else places[models[0].place]
    if code is not None:
        wanted.append((code, CODE))
        order["sourceDir"] = CODE
    order["manifests"] = [
        {"name": manifest.name, "sha256": manifest.sha256, "folder": folder} for manifest, folder in wanted
    ]
    return json.dumps(order, sort_keys=True)
