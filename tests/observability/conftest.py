"""Fixtures: promtool, and a scoring server whose metrics are read as Prometheus does."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engine.harness import CHECKOUT, free_port

SCRIPT = """
import time
def init():
    pass
def run(raw_data):
    if "fail" in raw_data:
        raise ValueError("no such column")
    return 1
"""


@dataclass(frozen=True)
class Promtool:
    """promtool on documents that are written to a folder: JSON is YAML."""

    program: str
    folder: Path

    def write(self, name: str, document: Any) -> Path:
        file = self.folder / name
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return file

    def require(self, *words: str | Path) -> str:
        """Run it; what it says."""
        done = subprocess.run([self.program, *words], check=False, capture_output=True, text=True, cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def promtool_program() -> str:
    return subprocess.run(
        [CHECKOUT / "tools" / "promtool"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


@pytest.fixture
def promtool(promtool_program: str, tmp_path: Path) -> Promtool:
    return Promtool(promtool_program, tmp_path)


@pytest.fixture(scope="session")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What a server of version ridge says to Prometheus after a few requests."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "score.py").write_text(SCRIPT)
    port, scraped = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tidegate_runtime", "--entry", "score.py", "--port", str(port)],
        cwd=folder,
        env={"SERVICE_NAME": "diabetes", "SERVICE_VERSION": "ridge", "TIDEGATE_METRICS_PORT": str(scraped)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("wb"),
    )
    try:
        _wait_healthy(process, f"http://127.0.0.1:{port}/", folder / "log")
        for body in ('"a"', '"fail"'):
            httpx.post(f"http://127.0.0.1:{port}/score", content=body)
        yield httpx.get(f"http://127.0.0.1:{scraped}/metrics").raise_for_status().text
    finally:
        process.terminate()
        process.wait(30)


def _wait_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if httpx.get(url).text == "Healthy":
                return
        except httpx.TransportError:
            time.sleep(0.05)
