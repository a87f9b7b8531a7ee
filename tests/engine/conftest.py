"""Fixtures of the tests on the real engine."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.azure_harness import AzureStack, small_config
from tests.engine.harness import CHECKOUT, Stack, stacks
from tests.standins.arm_server import ArmServer
from tests.standins.cloud import Cloud


@pytest.fixture(scope="session")
def engine() -> str:
    """The folder of the Pulumi CLI."""
    return subprocess.run([CHECKOUT / "tools" / "engine"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture
def new_stack(tmp_path: Path, engine: str) -> Iterator[Callable[..., Stack]]:
    """Makes stacks in folders of their own and destroys them, whatever the test did."""
    with stacks(tmp_path, engine) as make:
        yield make


@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """One stack, on a path with a space in it."""
    return new_stack()


@pytest.fixture
def new_azure(tmp_path: Path, engine: str) -> Iterator[Callable[..., AzureStack]]:
    """Makes stacks on pretended Azures of their own, or, given `cloud`, on one that is there."""
    with ExitStack() as servers:

        def make(name: str, config: dict[str, Any], *, cloud: Path | None = None, **settings: Any) -> AzureStack:
            root = tmp_path / f"{name} project"
            root.mkdir()
            server = servers.enter_context(ArmServer(Cloud(cloud or root / "cloud")).running())
            return AzureStack(
                root, engine, name, config, cloud_root=cloud, variables=server.variables, **settings
            ).make()

        yield make


@pytest.fixture(scope="session")
def settled(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AzureStack:
    """A stack on Azure after its first `up`; for copies only."""
    root = tmp_path_factory.mktemp("settled")
    stack = AzureStack(root, engine, "dev", {})
    stack.config = small_config(stack)
    with ArmServer(stack.cloud).running() as server:
        replace(stack, variables=server.variables).make().up().require()
    return stack


@pytest.fixture
def azure(tmp_path: Path, settled: AzureStack) -> Iterator[AzureStack]:
    """A stack on Azure with a cluster, two pools, a registry and a certificate, as its first `up` has left it."""
    root = tmp_path / "a project"
    with ArmServer(Cloud(root / "cloud")).running() as server:
        yield settled.copy(root, server.variables)
