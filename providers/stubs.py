"""The engine's gRPC stubs without the SDK that they come in."""

import importlib.util
import sys
from types import ModuleType

_PACKAGES = ("pulumi", "pulumi.runtime", "pulumi.runtime.proto")


def skip_sdk() -> None:
    """Let `pulumi.runtime.proto` be imported without `pulumi/__init__.py`, in a process that is the plugin alone.

    The SDK is for programs and takes 0.1 s to import; each preview and each update starts the plugin once.
    """
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("pulumi")
    folder = spec.submodule_search_locations[0]
    for package in _PACKAGES:
        module = ModuleType(package)
        module.__path__ = ["/".join((folder, *package.split(".")[1:]))]
        sys.modules[package] = module
