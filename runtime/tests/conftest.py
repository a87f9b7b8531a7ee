"""Fixtures: servers that are stopped after their test, and the environments that they run in."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode leaves it out

from scoring_servers import GRANIAN, Server, environment, start_server


@pytest.fixture(scope="session")
def azure_python() -> Path:
    """The reference server's environment."""
    return environment("azureml-inference-server-http==1.5.1", "inference-schema", "numpy", "pandas")


@pytest.fixture(scope="session")
def schema_python() -> Path:
    """A script's environment with inference-schema, without any Azure ML package."""
    return environment(GRANIAN, "inference-schema", "numpy", "pandas", "scikit-learn")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="tg") as folder:
        yield Path(folder)


@pytest.fixture
def serve(short_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers that are stopped after the test; `wait=False` for those that must fail."""
    servers: list[Server] = []

    def start(script: str | Path | None, *, wait: bool = True, **options: object) -> Server:
        server = start_server(script, folder=short_path / str(len(servers)), **options)
        servers.append(server)
        return server.wait_ready() if wait else server

    yield start
    for server in servers:
        server.stop()
