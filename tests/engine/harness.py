"""A project of its own for each test on the real engine, with real Envoy and real scoring processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from cli.project import local_variables

CHECKOUT = Path(__file__).resolve().parents[2]
LINKED = (
    ".venv",
    "__main__.py",
    "cli",
    "components",
    "examples",
    "policy",
    "providers",
    "runtime",
    "stacks",
    "tidegate",
    "tools",
)
ECHO = """
    import json, os
    def init():
        pass
    def run(raw_data):
        return {"version": os.environ["SERVICE_VERSION"], "data": json.loads(raw_data)}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Result:
    """What a command printed and how it ended."""

    code: int
    output: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    def require(self) -> "Result":
        assert self.ok, self.output
        return self

    def require_failure(self) -> "Result":
        assert not self.ok, self.output
        return self


@dataclass
class Stack:
    """One local stack in a folder of its own; `endpoints`, `models` are its config, written at each command."""

    root: Path
    engine: str
    port: int = field(default_factory=free_port)
    endpoints: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in LINKED:
            (self.root / name).symlink_to(CHECKOUT / name)
        (self.root / "Pulumi.yaml").write_text((CHECKOUT / "Pulumi.yaml").read_text())
        (self.root / ".tidegate" / "backend").mkdir(parents=True)
        (self.root / ".tidegate" / "engine").write_text(self.engine)
        (self.root / ".tidegate" / "passphrase").write_text("test")
        self.write()
        self.pulumi("stack", "select", "local", "--create").require()

    # -- config

    def script(self, name: str, text: str) -> str:
        """A script of the project; its path as the config names it."""
        path = self.root / "scripts" / name / "score.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return f"scripts/{name}"

    def version(self, name: str, text: str = ECHO, **settings: Any) -> dict[str, Any]:
        """The config of a version that runs the script `text`, in an environment with nothing but the server."""
        return {"entryScript": "score.py", "sourceDirectory": self.script(name, text), **settings}

    def write(self) -> None:
        config = {
            "tidegate:target": "local",
            "tidegate:gateway": {"port": self.port},
            "tidegate:models": self.models,
            "tidegate:endpoints": self.endpoints,
            **self.extra,
        }
        path = self.root / "Pulumi.local.yaml"
        before = YAML(typ="safe").load(path.read_text()) if path.exists() else {}
        salt = {name: value for name, value in before.items() if name == "encryptionsalt"}  # `secure:` values need it
        with path.open("w") as file:
            YAML().dump({**salt, "config": config}, file)

    # -- commands

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | local_variables(self.root, self.engine)

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=self.root, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *command: str | Path) -> Result:
        process = self.start(*command)
        output, _ = process.communicate(timeout=300)
        return Result(process.returncode, output)

    def pulumi(self, *arguments: str) -> Result:
        return self.run("pulumi", *arguments)

    def up(self, *arguments: str) -> Result:
        """`pulumi up` with the config as it is here."""
        self.write()
        return self.pulumi("up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local", *arguments)

    def preview(self) -> Result:
        self.write()
        return self.pulumi("preview", "--diff", "--non-interactive", "--stack", "local")

    def destroy(self) -> Result:
        return self.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive", "--stack", "local")

    def tidegate(self, *arguments: str, folder: Path | None = None) -> Result:
        command = [sys.executable, "-c", "from cli.main import run; run()", *arguments]
        done = subprocess.run(
            command, check=False, cwd=folder or self.root, env=self.environment, capture_output=True, text=True
        )
        return Result(done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr)

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.pulumi("stack", "output", "--json", "--show-secrets").require().output)

    # -- what runs

    @property
    def state(self) -> Path:
        return self.root / ".tidegate" / "local"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def key(self, endpoint: str, name: str = "primary") -> str:
        return self.outputs()["keys"][endpoint][name]

    def client(self, endpoint: str) -> httpx.Client:
        """A client that holds the endpoint's primary key."""
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.key(endpoint)}"}, timeout=90)

    def processes(self) -> dict[int, str]:
        """Every process of this stack by its id, found by the state folder in its command line."""
        found: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.state) in command:
                found[int(folder.name)] = command
        return found

    def pids(self, text: str) -> list[int]:
        return sorted(pid for pid, command in self.processes().items() if text in command)


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Fail when `condition` does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@contextmanager
def stacks(folder: Path, engine: str) -> Iterator[Callable[..., Stack]]:
    """Makes stacks in folders of their own and destroys them at the end, whatever has happened."""
    made: list[Stack] = []

    def make(name: str = "a project") -> Stack:
        root = folder / name
        root.mkdir()
        made.append(Stack(root, engine))
        return made[-1]

    try:
        yield make
    finally:
        for stack in made:
            if not stack.destroy().ok:
                stack.pulumi("cancel", "--yes")
                stack.destroy().require()
            leftover = stack.processes()
            for pid in leftover:
                os.kill(pid, signal.SIGKILL)
            assert not leftover, f"processes were left running: {leftover}"
