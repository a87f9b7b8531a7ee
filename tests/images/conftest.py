"""Fixtures of the tests with real builds."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine.harness import CHECKOUT
from tests.images.registry import RegistryServer, serving
from tests.images.stack import ImageStack


@pytest.fixture(scope="session")
def engine() -> str:
    """The folder of the Pulumi CLI."""
    return subprocess.run([CHECKOUT / "tools" / "engine"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture
def new_registry(tmp_path: Path) -> Iterator[Callable[[str], RegistryServer]]:
    """Starts registries of their own, and ends them."""
    with ExitStack() as servers:
        yield lambda name: servers.enter_context(serving(tmp_path / f"{name} registry"))


@pytest.fixture
def registry(new_registry: Callable[[str], RegistryServer]) -> RegistryServer:
    """A registry with nothing in it."""
    return new_registry("own")


@pytest.fixture
def new_stack(tmp_path: Path, engine: str, registry: RegistryServer) -> Callable[..., ImageStack]:
    """Makes projects with an environment and one version over it, on one machine."""

    def make(name: str = "a project", *, address: str = "") -> ImageStack:
        return ImageStack(tmp_path / name, engine, address or registry.address, tmp_path / "buildah").make()

    return make


@pytest.fixture
def stack(new_stack: Callable[..., ImageStack]) -> ImageStack:
    """One of them."""
    return new_stack()
