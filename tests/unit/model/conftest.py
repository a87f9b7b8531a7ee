"""A store on loopback, with the login for it."""

from collections.abc import Iterator

import pytest

from tests.standins.blob_server import BlobServer


@pytest.fixture
def server() -> Iterator[BlobServer]:
    with BlobServer().running() as server:
        yield server
