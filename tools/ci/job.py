"""What a job of GitHub Actions hands to a step, and what a step can show there."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.ci.github import Json

MOST_BYTES = 1_000_000
"""GitHub takes 1 MiB of a step's summary."""


def show(markdown: str, environment: Mapping[str, str] = os.environ) -> None:
    """Put a text into the run's summary, and into the log."""
    sys.stdout.write(markdown)
    if file := environment.get("GITHUB_STEP_SUMMARY"):
        cut = markdown.encode()[:MOST_BYTES].decode(errors="ignore")
        with Path(file).open("a") as opened:
            opened.write(cut if cut == markdown else f"{cut.rpartition(chr(10))[0]}\n\nThe rest is in the log.\n")


def flag(name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a switch of the workflow is on; one that the event does not have is off."""
    return environment.get(name) == "true"


def pull_request(environment: Mapping[str, str] = os.environ) -> int | None:
    """The number of the pull request that the job runs for, if any."""
    file = environment.get("GITHUB_EVENT_PATH")
    event: Json = json.loads(Path(file).read_text()) if file else {}
    number = (event.get("pull_request") or {}).get("number")
    return int(number) if number else None
