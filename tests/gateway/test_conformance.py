"""What clients see of an endpoint in a cluster, as they see it on a laptop: the same checks on the real translation."""

from collections.abc import Callable, Iterator

import pytest

from tests.conformance.endpoints import SCRIPT, endpoints
from tests.conformance.suite import CHECKS
from tests.conformance.target import Target
from tests.gateway.target import translated_target

pytestmark = pytest.mark.kubernetes


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with translated_target() as made:
        made.endpoints = endpoints(lambda name, **settings: made.version(name, SCRIPT, **settings))
        made.start()
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_translated_manifests(target: Target, check: Callable[[Target], None]):
    check(target)
