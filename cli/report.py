"""What a preview plans, for a reader who decides: endpoints in words first, then what goes away."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cli.errors import CliError
from tidegate.report.markdown import as_markdown, escaped
from tidegate.report.preview import WORDS, Gone, Preview, counted, read_preview
from tidegate.report.text import as_text


def read(file: str) -> Preview:
    """Read what `pulumi preview --json` wrote to `file`; `-` is standard input."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{file} cannot be read: {error}") from error
    try:
        preview: Any = json.loads(text)
        if not isinstance(preview, dict):
            raise TypeError
        return read_preview(preview)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise CliError(f"{file} is not what pulumi preview --json writes") from error


def text(preview: Preview) -> str:
    """For a terminal."""
    return "\n\n".join("\n".join(part) for part in _parts(preview))


def markdown(preview: Preview) -> str:
    """For a pull request."""
    parts = [as_markdown(report) for report in preview.endpoints]
    parts.append(f"**{escaped(_counts(preview))}**")
    parts += ["\n".join(f"- {escaped(_gone(each))}" for each in preview.gone)] if preview.gone else []
    parts += [f"**error**: {escaped(error)}" for error in preview.errors]
    return "\n\n".join(parts)


def as_json(preview: Preview) -> dict[str, Any]:
    """For a program."""
    return asdict(preview)


def _parts(preview: Preview) -> Iterator[list[str]]:
    for report in preview.endpoints:
        yield [as_text(report)]
    yield [_counts(preview), *(f"  {_gone(each)}" for each in preview.gone)]
    for error in preview.errors:
        yield [f"error: {error}"]


def _counts(preview: Preview) -> str:
    return ", ".join(counted(preview.counts)) or "no changes"


def _gone(gone: Gone) -> str:
    return f"{WORDS.get(gone.op, ('', gone.op))[1]}: {gone.name} ({gone.type})"
