"""What the program and the plugin add to `pulumi up` when there is nothing to do, and a second `make up`."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.project import example, local_stack
from bench.section import Figure, Section, median
from tests.engine.harness import CHECKOUT, Stack

ROUNDS = 7
UP = ("pulumi", "up", "--yes", "--non-interactive")


def run() -> Section:
    """Time `pulumi up` with nothing to do on the README's stack beside an empty Python program's, in turn."""
    with local_stack() as stack, tempfile.TemporaryDirectory(prefix="tidegate-empty-") as folder:
        example(stack)
        stack.up().require()
        empty = _empty_project(stack, Path(folder))
        ours = _timer(stack, stack.root, UP)
        theirs = _timer(stack, empty, UP)
        pairs = [(theirs(), ours()) for _ in range(ROUNDS)]
        again = [_timer(stack, stack.root, (sys.executable, "-m", "tools.up"))() for _ in range(3)]
        memory = _memory(stack)
    ratio = median(mine / other for other, mine in pairs)
    return Section(
        "The engine with nothing to do, and what runs while idle",
        "python -m bench engine",
        "`pulumi up --yes` (preview and update) on the README's stack of 13 resources, nothing changed, beside an "
        f"empty Python program on the same engine: {ROUNDS} rounds in turn. Then `make up` again, setup left out, "
        "and the memory (proportional set size) of everything that the stack keeps running.",
        (
            Figure("empty program", f"{median(other for other, _ in pairs):.2f} s"),
            Figure("this stack", f"{median(mine for _, mine in pairs):.2f} s"),
            Figure("ratio, median of the rounds", f"{ratio:.2f}x", "≤ 2x"),
            Figure("`make up` again", f"{median(again):.1f} s"),
            *(Figure(f"memory of {name}", f"{size / 1024:.0f} MiB") for name, size in memory.items()),
            Figure("memory in all", f"{sum(memory.values()) / 1024:.0f} MiB"),
        ),
    )


def _empty_project(stack: Stack, folder: Path) -> Path:
    (folder / ".venv").symlink_to(CHECKOUT / ".venv")
    (folder / "__main__.py").write_text("import pulumi\n")
    options = "    toolchain: pip\n    virtualenv: .venv\n"
    (folder / "Pulumi.yaml").write_text(f"name: empty\nruntime:\n  name: python\n  options:\n{options}")
    for command in (("pulumi", "stack", "init", "empty"), UP):
        subprocess.run(command, check=True, cwd=folder, env=stack.environment, stdout=subprocess.DEVNULL)
    return folder


def _timer(stack: Stack, folder: Path, command: tuple[str, ...]) -> Callable[[], float]:
    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run(command, check=True, cwd=folder, env=stack.environment, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    return seconds


def _memory(stack: Stack) -> dict[str, int]:
    """KiB by what it is for; memory that processes share is counted once in all."""
    names = {"supervisord": "supervisord", "bin/envoy": "Envoy", "tidegate_runtime": "the two scoring processes"}
    found = dict.fromkeys(names.values(), 0)
    for pid, command in stack.processes().items():
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        size = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        found[next(name for text, name in names.items() if text in command)] += size
    return found
