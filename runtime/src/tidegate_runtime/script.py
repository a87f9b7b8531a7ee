"""Loading an entry script: its module, `init()`, and how `run()` wants to be called."""

from __future__ import annotations

import enum
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

_RAWHTTP_MODULES = (
    "tidegate_runtime.compat.http",
    "azureml_inference_server_http.api.aml_request",
    "azureml.contrib.services.aml_request",
)
"""Where `@rawhttp` may come from: ours, or a real package that is installed."""


class ScriptError(Exception):
    """The entry script lacks something; the message is for its author."""


class InputMode(enum.Enum):
    """What `run()` is given."""

    TEXT = "the body as text"
    SCHEMA = "the values of a JSON object, by inference-schema's decorators"
    RAW = "the whole request, by @rawhttp"


class Script:
    """An entry script that is imported and whose `run()` has been looked at. `init()` has not been called yet."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.init: Callable[[], object] = _function(module, "init")
        # The SDK's generated driver scripts pass arguments on wrongly; the reference server steps over them too.
        driven = getattr(module, "driver_module", None)
        self.run: Callable[..., Any] = _function(module, "run")
        if isinstance(driven, ModuleType) and hasattr(driven, "run"):
            self.run = driven.run
        self.parameters, self.wants_headers = _parameters(self.run)
        self.mode = _input_mode(self.run)
        self.schemas: tuple[Any, Any] | None = getattr(module, "__schemas__", None)
        """JSON schemas of input and output, where the module knows them without decorators."""


def load_script(entry_script: Path) -> Script:
    """Import the entry script; whatever it raises goes through."""
    spec = importlib.util.spec_from_file_location("entry_module", entry_script)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{entry_script} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["entry_module"] = module  # pickle and dataclasses look their module up
    spec.loader.exec_module(module)
    return Script(module)


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    function = getattr(module, name, None)
    if not callable(function):
        raise ScriptError(f"{module.__file__} has no {name}() function")
    return function


def _parameters(run: Callable[..., Any]) -> tuple[tuple[inspect.Parameter, ...], bool]:
    """The parameters for input data, and whether `request_headers` is among the others."""
    parameters = tuple(inspect.signature(run).parameters.values())
    if any(each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) for each in parameters):
        raise ScriptError("run() cannot have positional-only parameters, *args or **kwargs")
    data = tuple(each for each in parameters if each.name != "request_headers")
    if not data:
        raise ScriptError("run() needs a parameter for the input data")
    return data, len(data) < len(parameters)


def _input_mode(run: Callable[..., Any]) -> InputMode:
    raw = any(getattr(sys.modules.get(name), "_rawHttpRequested", False) for name in _RAWHTTP_MODULES)
    # Only a script that has imported inference-schema can be decorated with it.
    schema_util: Any = sys.modules.get("inference_schema.schema_util")
    schema = schema_util is not None and bool(schema_util.is_schema_decorated(run))
    if raw and schema:
        raise ScriptError("run() cannot be decorated with both @rawhttp and @input_schema")
    return InputMode.RAW if raw else InputMode.SCHEMA if schema else InputMode.TEXT
