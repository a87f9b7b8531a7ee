"""Fixtures of the tests that run the gateway's translated configuration."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.conformance.endpoints import TENANT
from tests.gateway.pods import Pods
from tests.gateway.proxy import Proxy
from tests.gateway.target import TranslatedTarget, signing_keys

NewTarget = Callable[[], AbstractContextManager[TranslatedTarget]]
KEYS = f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with _short_folder() as folder:
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


@pytest.fixture(scope="session")
def new_target() -> NewTarget:
    """Makes pretended clusters, whose processes are ended at the end of the `with`."""

    @contextmanager
    def make() -> Iterator[TranslatedTarget]:
        with _short_folder() as folder, signing_keys(KEYS) as keys:
            pods, proxy = Pods(folder), Proxy(folder)
            try:
                yield TranslatedTarget(folder, pods, proxy, keys)
            finally:
                proxy.stop()
                pods.stop()

    return make


@contextmanager
def _short_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tg") as folder:
        yield Path(folder)
