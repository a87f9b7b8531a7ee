"""The reference server's command and variables, for images that were written for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import uv
from scoring_servers import GRANIAN, RUNTIME, Server, clean_environment, environment, free_port, wait_for
from tidegate_runtime import cli
from tidegate_runtime.settings import Settings

Serve = Callable[..., Server]

SCRIPT = """
import os
def init(): pass
def run(data): return [os.environ["AZUREML_MODEL_DIR"], os.getpid()]
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The folder of the commands of an environment into which this server alone is installed."""
    uv_bin, folder = uv.find_uv_bin(), tmp_path / "venv"
    subprocess.run([uv_bin, "venv", "-q", "-p", sys.executable, folder], check=True)
    subprocess.run([uv_bin, "pip", "install", "-q", "-p", folder / "bin/python", RUNTIME], check=True)
    return folder / "bin"


def test_a_command_line_of_the_reference_server_starts_this_one(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    port, health = free_port(), free_port()
    command = [installed / "azmlinfsrv", "--entry_script", "score.py", "--model_dir", "model", "--port", str(port)]
    command += ["--worker_count", "2", "--health_port", str(health), "--access_control_allow_origins", "*", "--rest"]
    command += ["--appinsights_instrumentation_key", "00000000-0000-0000-0000-000000000001"]
    variables = {"TIDEGATE_HOST": "127.0.0.1", "SEPERATE_HEALTH_ENDPOINT": "true", "AML_APP_ROOT": str(tmp_path)}
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=clean_environment(variables), stdout=stream, stderr=subprocess.STDOUT
        )
    server = Server(process, log, tmp_path, port=port)
    try:
        server.wait_ready()
        answer = httpx.post(f"http://127.0.0.1:{port}/score", headers={"Origin": "https://a.example"})
        assert answer.json()[0] == str(tmp_path / "model")
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        wait_for(lambda: httpx.get(f"http://127.0.0.1:{health}/").text == "Healthy", "the health port")
        assert len(server.workers()) == 2
        assert "telemetry is off: install tidegate-runtime[telemetry]" in server.text()
    finally:
        server.stop()


def test_that_command_listens_on_all_interfaces_and_no_other_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    served: list[Settings] = []
    monkeypatch.setattr(cli, "serve", lambda settings: served.append(settings) or 0)
    arguments = ["--entry_script", str(tmp_path / "score.py")]
    monkeypatch.setattr(sys, "argv", ["azmlinfsrv", *arguments])
    monkeypatch.delenv("TIDEGATE_HOST", raising=False)
    assert (cli.azmlinfsrv(), cli.main(arguments)) == (0, 0)
    assert [settings.host for settings in served] == ["0.0.0.0", "127.0.0.1"]


def test_where_the_reference_server_is_installed_its_command_is_its_own() -> None:
    python = environment(GRANIAN, "azureml-inference-server-http==1.5.1")
    command = [python, "-c", "from tidegate_runtime.cli import azmlinfsrv; azmlinfsrv()", "--help"]
    done = subprocess.run(command, env=clean_environment({}), capture_output=True, text=True, check=False)
    assert "Azure ML Inferencing HTTP server v1.5.1" in done.stdout


def test_variables_without_effect_are_named_at_the_start(serve: Serve) -> None:
    variables = {"WORKER_TIMEOUT": "300", "AZUREML_DEBUG_PORT": "5678", "WORKER_PRELOAD": "", "WORKER_COUNT": "2"}
    text = serve(SCRIPT, variables={**variables, "AZUREML_MODEL_DIR": "/"}).text()
    said = [line.split(": ", 1)[1] for line in text.splitlines() if "without effect" in line]
    assert said == ["without effect on this server: AZUREML_DEBUG_PORT, WORKER_TIMEOUT"]
    assert "without effect" not in serve(SCRIPT).text()
