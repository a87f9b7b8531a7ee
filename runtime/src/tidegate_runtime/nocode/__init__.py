"""Scripts for models that need none: an MLflow model folder, a bare ONNX file."""

from __future__ import annotations

import importlib
from pathlib import Path

from tidegate_runtime.script import Script, ScriptError


def find_script(model_dir: Path) -> Script:
    """The built-in script for what a model folder holds."""
    mlflow = _first(model_dir, "MLmodel")
    onnx = _first(model_dir, "*.onnx")
    if mlflow is not None:
        name, path = "tidegate_runtime.nocode.mlflow_model", mlflow.parent
    elif onnx is not None:
        name, path = "tidegate_runtime.nocode.onnx_model", onnx
    else:
        raise ScriptError(f"{model_dir} holds neither an MLflow model (a file MLmodel) nor an .onnx file: give --entry")
    module = importlib.import_module(name)
    module.load(path)
    return Script(module)


def _first(folder: Path, pattern: str) -> Path | None:
    """The match nearest to the top, so that a model inside a model is left alone."""
    return min(folder.rglob(pattern), key=lambda path: (len(path.parts), path), default=None)
