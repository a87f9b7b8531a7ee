"""A report as plain text for the engine's diagnostics: no line is longer than `WIDTH`, whatever stands in it."""

import textwrap
from collections.abc import Iterator, Sequence

from tidegate.report.diff import EndpointReport, VersionRow

WIDTH = 96
"""The engine indents what is said of a resource by four; together they fit a hundred columns."""

HEADERS = ("version", "weight", "image", "replicas", "pods")
_EVENTS = {"new": "is new", "changed": "changes", "removed": "is removed", "unchanged": "stays as it is"}


def as_text(report: EndpointReport) -> str:
    """The report in lines: what becomes of the endpoint, its versions as a table, what else is to be known."""
    lines = [headline(report)]
    if report.rows:
        lines += _table([HEADERS, *map(cells, report.rows)])
    for sentence in report.sentences:
        lines += textwrap.wrap(
            f"{sentence.subject}: {sentence.text}", WIDTH, initial_indent="  ", subsequent_indent="    "
        )
    return "\n".join(lines)


def headline(report: EndpointReport) -> str:
    """`endpoint diabetes changes`"""
    return f"endpoint {report.endpoint} {_EVENTS[report.event]}"


def cells(row: VersionRow) -> tuple[str, ...]:
    """A row's cells, in the order of `HEADERS`."""
    return (row.version, row.weight, row.image, row.replicas, row.fate)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
