"""Servers as real processes, this one and the Azure ML inference server, for tests to talk to."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx
import uv

RUNTIME = Path(__file__).parents[1]
SOURCE = RUNTIME / "src"
EXAMPLES = RUNTIME.parent / "examples" / "scripts"
START_S = 60.0


@dataclasses.dataclass
class Server:
    """A running server and what is needed to talk to it."""

    process: subprocess.Popen[bytes]
    log: Path
    folder: Path
    socket: Path | None = None
    port: int = 0

    def client(self, **options: object) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.socket)) if self.socket else None
        base = "http://score" if self.socket else f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=base, transport=transport, timeout=30, **options)

    def connect(self) -> socket.socket:
        """A plain connection, for requests that no client library would send."""
        if self.socket:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(self.socket))
        else:
            connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(30)
        return connection

    def healthy(self) -> bool:
        try:
            with self.client() as client:
                return client.get("/").text == "Healthy"
        except httpx.TransportError:
            return False

    def wait_ready(self) -> Server:
        wait_for(lambda: self.healthy() or self.process.poll() is not None, "the server to be ready", START_S)
        assert self.process.poll() is None, self.text()
        return self

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def workers(self) -> list[int]:
        """Process ids of the main process's children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(each) for each in children.split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def wait_for(condition: Callable[[], object], what: str, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidegate" / "runtime-tests"


def environment(*requirements: str) -> Path:
    """The Python of a virtual environment with these packages, made once and kept outside the checkout.

    RuntimeError with what uv says where they cannot be installed.
    """
    key = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:16]
    folder = cache() / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            uv_bin = uv.find_uv_bin()
            subprocess.run([uv_bin, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True)
            install = [uv_bin, "pip", "install", "-q", "-p", folder / "bin/python", *requirements]
            done = subprocess.run(install, check=False, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise RuntimeError(f"uv pip install {' '.join(requirements)}:\n{done.stderr.strip()}")
            (folder / "complete").touch()
    return folder / "bin" / "python"


GRANIAN = "granian>=2.8,<2.9"


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1", **variables}


def start_server(
    script: str | Path | None,
    *,
    folder: Path,
    python: Path | str = sys.executable,
    variables: Mapping[str, str] | None = None,
    options: Sequence[str | Path] = (),
    port: int = 0,
    arguments: Sequence[str] = (),
) -> Server:
    """Start this project's server on a unix socket, or on a port where one is given; does not wait."""
    folder.mkdir(exist_ok=True)
    entry: list[str | Path] = []
    if isinstance(script, str):
        path = folder / "score.py"
        path.write_text(textwrap.dedent(script))
        entry = ["--entry", path]
    elif script is not None:
        entry = ["--entry", script]
    listen: list[str | Path] = ["--port", str(port)] if port else ["--socket", folder / "s"]
    log = folder / "log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [python, "-m", "tidegate_runtime", *entry, *listen, *options, "--", *arguments],
            cwd=folder,
            env=clean_environment(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    return Server(process, log, folder, None if port else folder / "s", port)


def start_azure_server(script: str, *, folder: Path, python: Path, variables: Mapping[str, str]) -> Server:
    """Start the reference server; does not wait."""
    (folder / "score.py").write_text(textwrap.dedent(script))
    port = free_port()
    log = folder / "log"
    environ = clean_environment(variables) | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    del environ["PYTHONPATH"]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [python.parent / "azmlinfsrv", "--entry_script", "score.py", "--port", str(port)],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    return Server(process, log, folder, port=port)
