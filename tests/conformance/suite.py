"""What clients see of an endpoint: one set of checks for every way to run it.

`endpoints` is a config, word for word the same for each; a `Target` runs it; each check takes a target and asserts.
They are run against the local target by tests/engine, and against what Envoy Gateway makes of the Kubernetes manifests
by tests/gateway.
"""

from collections.abc import Callable

from tests.conformance import access, bounds, changes, copies, routing
from tests.conformance.target import Target

CHECKS: tuple[Callable[[Target], None], ...] = (
    *routing.CHECKS,
    *access.CHECKS,
    *bounds.CHECKS,
    *copies.CHECKS,
    *changes.CHECKS,
)
