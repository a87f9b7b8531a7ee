"""What one measurement says, and how it reads in docs/benchmarks.md."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured value; `goal` is what it should be, empty where there is no goal."""

    name: str
    value: str
    goal: str = ""


@dataclass(frozen=True)
class Section:
    """One measurement: what was done, in a sentence or two, and what came out."""

    title: str
    command: str
    method: str
    figures: tuple[Figure, ...]

    def markdown(self) -> str:
        """The section as it stands in the document."""
        rows = "\n".join(f"| {figure.name} | {figure.value} | {figure.goal} |" for figure in self.figures)
        table = f"| figure | measured | goal |\n| --- | --- | --- |\n{rows}\n"
        return f"## {self.title}\n\n`{self.command}`\n\n{self.method}\n\n{table}"


def machine() -> str:
    """The machine in one line: processor, cores, memory, kernel, Python."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def median(values: Iterable[float]) -> float:
    """The middle value."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
