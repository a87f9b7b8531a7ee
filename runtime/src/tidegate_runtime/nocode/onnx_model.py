"""A bare ONNX file as a scoring script: `{"data": {input name: nested lists}}`, or just the lists for one input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import onnxruntime  # pyright: ignore[reportMissingImports]  (comes with the model's environment)

_NUMPY = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}

__schemas__: tuple[Any, Any] = ({"type": "object"}, {"type": "object"})

_session: Any = None


def load(path: Path) -> None:
    """Load the model; its inputs and outputs are its signature."""
    global _session, __schemas__  # noqa: PLW0603 (a scoring script's state is its module's)
    _session = onnxruntime.InferenceSession(str(path), providers=onnxruntime.get_available_providers())
    inputs = {each.name: _tensor(each) for each in _session.get_inputs()}
    given = {"type": "object", "required": ["data"], "properties": {"data": {"type": "object", "properties": inputs}}}
    outputs = {each.name: _tensor(each) for each in _session.get_outputs()}
    __schemas__ = given, {"type": "object", "properties": outputs}


def init() -> None:
    """Nothing: the signature is needed before, so the model is loaded already."""


def run(data: str) -> Any:
    """Predict every output by name."""
    content = json.loads(data)
    values = content.get("data", content) if isinstance(content, dict) else content
    inputs = _session.get_inputs()
    if not isinstance(values, dict):
        values = {inputs[0].name: values}
    feeds = {each.name: numpy.asarray(values[each.name], dtype=_NUMPY[each.type]) for each in inputs}
    names = [each.name for each in _session.get_outputs()]
    return {name: _plain(value) for name, value in zip(names, _session.run(None, feeds), strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _tensor(node: Any) -> dict[str, Any]:
    kind = _NUMPY.get(node.type, "")
    schema: dict[str, Any] = {"type": "integer"} if "int" in kind else {"type": "number"}
    if kind in ("bool", "object"):
        schema = {"type": "boolean" if kind == "bool" else "string"}
    for _ in node.shape or ():
        schema = {"type": "array", "items": schema}
    return schema
