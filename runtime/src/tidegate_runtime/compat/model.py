"""`azureml.core.model`: where a script finds its models."""

from __future__ import annotations

import os
from pathlib import Path


class ModelNotFoundException(Exception):  # noqa: N818 (v1's name)
    """No such model beside this script."""


class Model:
    """The one part of v1's `Model` that a scoring script uses."""

    @staticmethod
    def get_model_path(model_name: str, version: int | None = None, _workspace: object = None) -> str:
        """The path of a model that is deployed with the script: a file where it is one file, else its folder.

        `AZUREML_MODEL_DIR` holds `<name>/<number>/...` for several models, or the content of one version.
        """
        root = Path(os.environ.get("AZUREML_MODEL_DIR") or ".")
        named = root / model_name
        if not named.exists():
            return str(_single(root, model_name, version))
        if not named.is_dir():
            return str(named)
        numbers = sorted((int(each.name) for each in named.iterdir() if each.name.isdigit()), reverse=True)
        if version is not None and version not in numbers:
            raise ModelNotFoundException(f"model {model_name!r} has no version {version} in {root}; it has {numbers}")
        if not numbers:
            return str(named)
        return str(_content(named / str(numbers[0] if version is None else version)))


def _single(root: Path, name: str, version: int | None) -> Path:
    """The only model of a deployment: its folder is `<name>/<number>` itself."""
    if root.name.isdigit() and root.parent.name == name and version in (None, int(root.name)):
        return _content(root)
    raise ModelNotFoundException(f"model {name!r}{'' if version is None else f' version {version}'} is not in {root}")


def _content(folder: Path) -> Path:
    """The one file of a version folder, or the folder."""
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 else folder
