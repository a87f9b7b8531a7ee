"""The import paths of Azure ML's Python packages, for scripts that run without those packages.

Nothing here is used where the real package is installed: the finder stands last on `sys.meta_path`.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

_ALIASES: dict[str, str | None] = {
    "azureml": None,
    "azureml.contrib": None,
    "azureml.contrib.services": None,
    "azureml.contrib.services.aml_request": "tidegate_runtime.compat.http",
    "azureml.contrib.services.aml_response": "tidegate_runtime.compat.http",
    "azureml.core": "tidegate_runtime.compat.model",
    "azureml.core.model": "tidegate_runtime.compat.model",
    "azureml.monitoring": "tidegate_runtime.compat.monitoring",
    "azureml_inference_server_http": None,
    "azureml_inference_server_http.api": None,
    "azureml_inference_server_http.api.aml_request": "tidegate_runtime.compat.http",
    "azureml_inference_server_http.api.aml_response": "tidegate_runtime.compat.http",
}
"""Old module name -> the module of ours that stands in for it; None is an empty package."""


def install() -> None:
    """Make the old names importable where nothing else provides them."""
    sys.meta_path.append(_Finder())


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname not in _ALIASES:
            return None
        return importlib.util.spec_from_loader(fullname, _Loader(_ALIASES[fullname]), is_package=True)


class _Loader(importlib.abc.Loader):
    def __init__(self, source: str | None) -> None:
        self._source = source

    def exec_module(self, module: ModuleType) -> None:
        if self._source is None:
            return
        ours = importlib.import_module(self._source)
        module.__dict__.update({name: value for name, value in vars(ours).items() if not name.startswith("__")})
