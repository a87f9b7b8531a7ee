"""A local stack of its own for a measurement, and the load generator."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.harness import CHECKOUT, Stack
from tidegate.cache import cache_folder

FORTIO = "v1.68.1"
"""Keeps a fixed rate, reports percentiles. Later versions need modules that the Go module proxy does not hand out."""


@contextmanager
def local_stack() -> Iterator[Stack]:
    """A stack in a temporary folder, destroyed at the end."""
    engine = subprocess.run([CHECKOUT / "tools" / "engine"], check=True, stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        stack = Stack(Path(folder), engine.stdout.strip())
        try:
            yield stack
        finally:
            stack.destroy()


def example(stack: Stack) -> None:
    """Give the stack the README's example: ridge and forest, 80/20, with keys and a sample."""
    folder = "examples/diabetes"
    stack.models = {f"diabetes-{name}": {"path": f"{folder}/models/{name}.pkl"} for name in ("ridge", "forest")}
    versions = {
        name: {
            "traffic": traffic,
            "models": [f"diabetes-{name}:1"],
            "inference": f"{folder}/{name}/inferenceconfig.json",
            "deployment": f"{folder}/{name}/deploymentconfig.json",
        }
        for name, traffic in (("ridge", 80), ("forest", 20))
    }
    versions["ridge"] |= {"default": True, "control": True}
    stack.endpoints = {"diabetes": {"sample": f"{folder}/sample.json", "versions": versions}}


def fortio() -> Path:
    """The load generator, built into the cache where it is not there yet."""
    binary = cache_folder(os.environ) / "bench" / f"fortio-{FORTIO}"
    if not binary.exists():
        binary.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=binary.parent) as folder:
            command = ["go", "install", f"fortio.org/fortio@{FORTIO}"]
            subprocess.run(command, check=True, env=os.environ | {"GOBIN": folder})
            (Path(folder) / "fortio").replace(binary)
    return binary
