"""Loading an entry script: its module, `init()`, and how `run()` wants to be called."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


class ScriptError(Exception):
    """The entry script lacks something; the message is for its author."""


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
