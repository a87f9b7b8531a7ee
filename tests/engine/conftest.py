"""Fixtures of the tests on the real engine."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.harness import CHECKOUT, Stack


@pytest.fixture(scope="session")
def engine() -> str:
    """The folder of the Pulumi CLI."""
    return subprocess.run([CHECKOUT / "tools" / "engine"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture
def new_stack(tmp_path: Path, engine: str) -> Iterator[Callable[..., Stack]]:
    """Makes stacks in folders of their own and destroys them, whatever the test did."""
    made: list[Stack] = []

    def make(name: str = "a project") -> Stack:
        root = tmp_path / name
        root.mkdir()
        made.append(Stack(root, engine))
        return made[-1]

    yield make
    for stack in made:
        if not stack.destroy().ok:
            stack.pulumi("cancel", "--yes")
            stack.destroy().require()
        leftover = stack.processes()
        for pid in leftover:
            os.kill(pid, signal.SIGKILL)
        assert not leftover, f"processes were left running: {leftover}"


@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """One stack, on a path with a space in it."""
    return new_stack()
