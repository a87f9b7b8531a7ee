"""What clients see of an endpoint: one set of checks for every way to run it.

`endpoints` is a config, word for word the same for each; a `Target` runs it; each check takes a target and asserts.
They are run against the local target by tests/engine, and against what Envoy Gateway makes of the Kubernetes manifests
by tests/gateway.
"""

from collections.abc import Callable
from importlib import import_module

import pytest

from tests.conformance.target import Target

_MODULES = tuple(f"tests.conformance.{name}" for name in ("routing", "access", "bounds", "copies", "changes"))

pytest.register_assert_rewrite(*_MODULES)  # before they are imported: they are no test modules by name

CHECKS: tuple[Callable[[Target], None], ...] = tuple(check for name in _MODULES for check in import_module(name).CHECKS)
