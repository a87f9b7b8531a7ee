"""`pulumi` as the workflows run it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.ci.plan import Json, Message, Plan, from_preview

POLICY_PACK = "policy"


class Pulumi:
    """The Pulumi CLI on one stack of the project in `root`."""

    def __init__(self, stack: str, variables: Mapping[str, str], *, root: Path | None = None) -> None:
        """`variables` are those of the login; the rest is this process's, without GitHub's token."""
        self._stack = stack
        self._root = root or Path.cwd()
        self._environment = _environment(self._root) | dict(variables)

    def preview(self, *, refresh: bool = False) -> Plan:
        """What an update would do; with `refresh`, measured at what is really there."""
        with tempfile.TemporaryDirectory() as folder:
            events = Path(folder) / "events"
            command = self._command(
                "preview", "--json", "--event-log", str(events), *(["--refresh"] if refresh else [])
            )
            done = subprocess.run(
                command, check=False, cwd=self._root, env=self._environment, text=True, stdin=subprocess.DEVNULL,
                capture_output=True,
            )  # fmt: skip
            sys.stderr.write(done.stderr)
            failed = done.returncode != 0
            try:
                answer: Json = json.loads(done.stdout)
            except ValueError:
                said = done.stderr.strip() or f"pulumi preview gave no plan (exit code {done.returncode})"
                return Plan((), (Message("error", said.removeprefix("error: ")),), failed=True)
            lines = events.read_text().splitlines() if events.exists() else []
            return from_preview(answer, [json.loads(line) for line in lines if line], failed=failed)

    def up(self, *, refresh: bool = False) -> int:
        """Update the stack in front of whoever reads the log; the exit code."""
        command = self._command("up", "--yes", "--skip-preview", *(["--refresh"] if refresh else []))
        return subprocess.run(
            command, check=False, cwd=self._root, env=self._environment, stdin=subprocess.DEVNULL
        ).returncode

    def _command(self, *words: str) -> Sequence[str]:
        return ["pulumi", *words, "--non-interactive", "--stack", self._stack, "--policy-pack", POLICY_PACK]


def _environment(root: Path) -> dict[str, str]:
    # The program and its packages have no business with GitHub.
    inherited = {name: value for name, value in os.environ.items() if name not in ("GITHUB_TOKEN", "GH_TOKEN")}
    folders = [str(root / ".venv" / "bin"), inherited.get("PATH", "")]
    engine = root / ".tidegate" / "engine"
    if engine.exists():
        folders.insert(0, engine.read_text().strip())
    return {
        **inherited,
        "PATH": ":".join(folders),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DEBUG_COMMANDS": "true",  # without it there is no --event-log
    }
