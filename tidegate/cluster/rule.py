"""A rule over an Azure environment: what it is called, the fact behind it, and where that fact is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.findings import Finding, Severity
from tidegate.parse import key_path


@dataclass(frozen=True)
class Rule:
    """One rule. Its findings carry its `id`, by which a report adds the fact and its source."""

    id: str
    """Kebab case, unique: `pool-name`."""
    fact: str
    """The fact that forces the rule, one sentence without its full stop."""
    source: str
    """Where the fact is written: a page, a file or a table, named so that a reader finds it."""

    def error(self, loc: Sequence[str | int], problem: str, remedy: str) -> Finding:
        """The rule is broken at `loc`: `problem` has the value and the rule, `remedy` the way out."""
        return self._finding(loc, problem, remedy, "error")

    def warning(self, loc: Sequence[str | int], problem: str, remedy: str = "") -> Finding:
        """Something that works and will not stay, or should be known."""
        return self._finding(loc, problem, remedy, "warning")

    def note(self, loc: Sequence[str | int], problem: str, remedy: str = "") -> Finding:
        """Something said for the reader's information."""
        return self._finding(loc, problem, remedy, "note")

    def _finding(self, loc: Sequence[str | int], problem: str, remedy: str, severity: Severity) -> Finding:
        return Finding(key_path(loc), problem, remedy, severity=severity, rule=self.id)
