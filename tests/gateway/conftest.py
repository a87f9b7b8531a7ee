"""Fixtures of the tests that run the gateway's translated configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.pods import Pods
from tests.gateway.proxy import Proxy
from tests.gateway.target import short_folder


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with short_folder() as folder:
        yield folder


@pytest.fixture
def pods(short_path: Path) -> Iterator[Pods]:
    """Scoring servers that are ended after the test."""
    running = Pods(short_path)
    yield running
    running.stop()


@pytest.fixture
def proxy(short_path: Path) -> Iterator[Proxy]:
    """An Envoy that is ended after the test."""
    running = Proxy(short_path)
    yield running
    running.stop()
