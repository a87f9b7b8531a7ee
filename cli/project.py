"""The project's folder, its stacks, and plain `pulumi` in them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from cli.errors import CliError

LOCAL = "local"
"""The stack that `make up` runs."""


@dataclass(frozen=True)
class Project:
    """A checkout of the project and one stack of it."""

    root: Path
    stack: str = LOCAL

    @classmethod
    def find(cls, stack: str, start: Path | None = None) -> "Project":
        """The project that holds the current folder, by the nearest `Pulumi.yaml` above it."""
        start = start or Path.cwd()
        for folder in (start, *start.parents):
            if (folder / "Pulumi.yaml").exists():
                return cls(folder, stack)
        raise CliError(f"{start} is not inside a project: no Pulumi.yaml here or in a folder above")

    @property
    def settings(self) -> Path:
        """The state folder of everything local, made by `make up`."""
        return self.root / ".tidegate"

    @property
    def stack_file(self) -> Path:
        """The stack's config."""
        return self.root / f"Pulumi.{self.stack}.yaml"

    def environment(self) -> dict[str, str]:
        """The variables for `pulumi`: for the local stack those of `make up`, for any other the ones that are set."""
        if self.stack != LOCAL:
            return dict(os.environ)
        if not (self.settings / "engine").exists():
            raise CliError("there is no local stack yet; run make up")
        return os.environ | local_variables(self.root, (self.settings / "engine").read_text().strip())

    def pulumi(self, *arguments: str) -> None:
        """Run a `pulumi` command on the stack in front of the user."""
        code = in_front(["pulumi", *arguments, "--stack", self.stack], self.root, self.environment())
        if code:
            raise CliError(f"pulumi {' '.join(arguments)} failed (exit code {code})")

    def up(self, *, quiet: bool) -> None:
        """Run `pulumi up`; `quiet` keeps standard output free for what the command itself prints."""
        command = ["pulumi", "up", "--yes", "--skip-preview", "--stack", self.stack]
        code = in_front(command, self.root, self.environment(), stdout=sys.stderr if quiet else None)
        if code:
            raise CliError(f"pulumi up failed (exit code {code}); the config is changed, pulumi up goes on")

    def outputs(self, *, secrets: bool = False) -> dict[str, Any]:
        """The stack's outputs; keys only where asked for."""
        command = ["pulumi", "stack", "output", "--json", "--stack", self.stack]
        command += ["--show-secrets"] if secrets else []
        outcome = subprocess.run(
            command, check=False, cwd=self.root, env=self.environment(), capture_output=True, text=True
        )
        if outcome.returncode:
            raise CliError(f"the outputs of stack {self.stack} cannot be read: {outcome.stderr.strip()}")
        return json.loads(outcome.stdout)

    def endpoint(self, name: str) -> dict[str, Any]:
        """One endpoint of the outputs: address, swagger, auth, default, control, versions, and its `keys` by name."""
        outputs = self.outputs(secrets=True)
        return {**self.endpoint_of(outputs, name), "keys": outputs.get("keys", {}).get(name, {})}

    def endpoint_of(self, outputs: Mapping[str, Any], name: str) -> dict[str, Any]:
        """One endpoint of outputs that were read."""
        endpoints = outputs.get("endpoints", {})
        if name not in endpoints:
            known = ", ".join(sorted(endpoints)) or "none; run pulumi up"
            raise CliError(f"stack {self.stack} has no endpoint {name!r}; it has: {known}")
        return endpoints[name]


def in_front(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], stdout: IO[str] | None = None
) -> int:
    """Run a command in front of the user and pass every SIGINT and SIGTERM on to it, once; its exit code.

    The engine answers the first one by ending the update in order, and the second one by giving up at once. So it
    stands in a process group of its own, where the terminal's Ctrl-C does not reach it a second time.
    """
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, process_group=0
    )
    before = {
        number: signal.signal(number, lambda received, _: process.send_signal(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def local_variables(root: Path, engine: str) -> dict[str, str]:
    """The variables that keep the local stack's state and secrets inside the project; `engine` is the CLI's folder."""
    settings = root / ".tidegate"
    return {
        "PATH": f"{engine}:{root / '.venv' / 'bin'}:{os.environ.get('PATH', '')}",
        "PULUMI_HOME": str(settings / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{quote(str(settings / 'backend'))}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(settings / "passphrase"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
