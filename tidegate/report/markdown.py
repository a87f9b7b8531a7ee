"""A report as GitHub's Markdown, in which nothing that a config says takes effect as markup."""

from collections.abc import Iterator

from tidegate.report.diff import EndpointReport
from tidegate.report.text import HEADERS, cells

_SPECIAL = frozenset("\\`*_{}[]<>|~#&@!")
_EVENTS = {"new": "new", "changed": "changes", "removed": "removed", "unchanged": "stays as it is"}


def as_markdown(report: EndpointReport) -> str:
    """The report: a heading, the versions as a table, a list of what else is to be known."""
    return "\n\n".join("\n".join(part) for part in _parts(report))


def escaped(text: str) -> str:
    """Text of one line as it stands: no markup, no mention, no reference and no HTML takes effect in it."""
    return "".join(f"&#{ord(char)};" if char in _SPECIAL else char for char in " ".join(text.split()))


def _parts(report: EndpointReport) -> Iterator[list[str]]:
    yield [f"#### Endpoint {escaped(report.endpoint)}: {_EVENTS[report.event]}"]
    if report.rows:
        head = [f"| {' | '.join(HEADERS)} |", f"|{' --- |' * len(HEADERS)}"]
        yield [*head, *(f"| {' | '.join(map(escaped, cells(row)))} |" for row in report.rows)]
    if report.sentences:
        yield [f"- **{escaped(each.subject)}**: {escaped(each.text)}" for each in report.sentences]
