"""Fixtures of the tests with real builds."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine.harness import CHECKOUT
from tests.images.base import base_files
from tests.images.front import Front
from tests.images.registry import RegistryServer, serving
from tests.images.stack import ImageStack


@pytest.fixture(scope="session")
def engine() -> str:
    """The folder of the Pulumi CLI."""
    return subprocess.run([CHECKOUT / "tools" / "engine"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture
def new_registry(tmp_path: Path) -> Iterator[Callable[..., RegistryServer]]:
    """Starts registries of their own, and ends them."""
    with ExitStack() as servers:

        def start(name: str, *, asks_for_password: bool = False) -> RegistryServer:
            return servers.enter_context(serving(tmp_path / f"{name} registry", asks_for_password=asks_for_password))

        yield start


@pytest.fixture
def registry(new_registry: Callable[..., RegistryServer]) -> RegistryServer:
    """A registry with nothing in it."""
    return new_registry("own")


@pytest.fixture
def registry_with_base(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry that has the base image."""
    folder = tmp_path / "registry with base"
    shutil.copytree(base_files(), folder / "content")
    with serving(folder) as server:
        yield server


@pytest.fixture
def front(registry: RegistryServer) -> Iterator[Front]:
    """A way to that registry that can be made to fail."""
    with Front(registry.address).running() as front:
        yield front


@pytest.fixture
def new_stack(tmp_path: Path, engine: str, registry: RegistryServer) -> Callable[..., ImageStack]:
    """Makes projects with an environment and one version over it; a machine is a builder's store."""

    def make(name: str = "a project", *, address: str = "", machine: str = "buildah") -> ImageStack:
        return ImageStack(tmp_path / name, engine, address or registry.address, tmp_path / machine).make()

    return make


@pytest.fixture
def stack(new_stack: Callable[..., ImageStack]) -> ImageStack:
    """One of them."""
    return new_stack()
