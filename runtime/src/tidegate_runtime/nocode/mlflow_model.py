"""An MLflow model folder as a scoring script.

Takes v1's and v2's forms of input: a data frame as `{"input_data": {"columns", "data"[, "index"]}}`, `dataframe_split`,
`dataframe_records`, or arrays as `{"inputs": ...}`, `{"instances": ...}`, `{"data": ...}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow.pyfunc  # pyright: ignore[reportMissingImports]  (comes with the model's environment)
import pandas  # pyright: ignore[reportMissingImports]

_TYPES = {
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "datetime": {"type": "string", "format": "date-time"},
}

__schemas__: tuple[Any, Any] = ({"type": "object"}, {"type": "object"})

_model: Any = None


def load(folder: Path) -> None:
    """Load the model and its signature."""
    global _model, __schemas__  # noqa: PLW0603 (a scoring script's state is its module's)
    _model = mlflow.pyfunc.load_model(str(folder))
    signature = _model.metadata.signature
    if signature is not None:
        given = {"type": "object", "required": ["input_data"], "properties": {"input_data": _split(signature.inputs)}}
        __schemas__ = given, _rows(signature.outputs)


def init() -> None:
    """Nothing: the signature is needed before, so the model is loaded already."""


def run(data: str) -> Any:
    """Predict."""
    return _plain(_model.predict(_read(json.loads(data))))


def _read(content: Any) -> Any:
    if not isinstance(content, dict):
        return pandas.DataFrame(content)
    for name in ("input_data", "dataframe_split"):
        if name in content:
            value = content[name]
            return pandas.DataFrame(**value) if isinstance(value, dict) and "data" in value else pandas.DataFrame(value)
    if "dataframe_records" in content:
        return pandas.DataFrame.from_records(content["dataframe_records"])
    for name in ("inputs", "instances", "data"):
        if name in content:
            return pandas.DataFrame(content[name])
    return pandas.DataFrame(content)


def _plain(result: Any) -> Any:
    if isinstance(result, pandas.DataFrame):
        return json.loads(result.to_json(orient="records"))
    return result.tolist() if hasattr(result, "tolist") else result


def _columns(schema: Any) -> dict[str, Any]:
    if schema is None or not schema.has_input_names():
        return {}
    return {each["name"]: _TYPES.get(str(each.get("type")), {}) for each in schema.to_dict()}


def _split(schema: Any) -> dict[str, Any]:
    columns = _columns(schema)
    return {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}, "example": list(columns)},
            "data": {"type": "array", "items": {"type": "array", "items": {}}},
        },
        "x-columns": columns,
    }


def _rows(schema: Any) -> dict[str, Any]:
    columns = _columns(schema)
    return {"type": "array", "items": {"type": "object", "properties": columns} if columns else {}}
