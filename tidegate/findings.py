"""What a check has to say about a config, and the error that carries all of it at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, order=True)
class Finding:
    """One remark about one place in the config. It never holds a secret.

    Sorts by path, so that a report reads in the order of the config's tree.
    """

    path: str
    """Key path: `tidegate:endpoints.diabetes.versions.ridge.traffic`, or inside `file`: `dependencies[1]`."""
    problem: str
    """The value and the rule that it breaks, one sentence without its full stop."""
    remedy: str = ""
    """The way out, one sentence without its full stop; empty where the problem says it."""
    file: str = ""
    """The file in which the key stands, relative to the project's root; empty for the stack config."""
    line: int = 0
    """The line in `file`, from 1; 0 where it is not known."""
    severity: Severity = "error"
    """`error` stops the run; `warning` and `note` are shown and the run goes on."""
    rule: str = ""
    """The id of the rule behind it, where it has one that can be looked up."""

    def __str__(self) -> str:
        """`examples/x/conda.yml:3: dependencies[0]: the problem. The remedy`."""
        file = f"{self.file}:{self.line}" if self.file and self.line else self.file
        place = ": ".join(part for part in (file, self.path) if part)
        said = ". ".join(part.rstrip(".") for part in (self.problem, self.remedy) if part)
        return f"{place}: {said}" if place else said


class ConfigError(Exception):
    """A config that cannot be used. `findings` holds everything that is wrong with it, sorted."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Take all findings of a run, in any order; `str()` shows those that are errors."""
        self.findings: tuple[Finding, ...] = tuple(sorted(findings))
        super().__init__(self.findings)

    def __str__(self) -> str:
        """The whole list, one finding a line, headed by the count."""
        errors = [finding for finding in self.findings if finding.severity == "error"]
        noun = "error" if len(errors) == 1 else "errors"
        return "\n".join([f"{len(errors)} {noun} in the configuration", *(f"  {error}" for error in errors)])
