"""The scoring servers that are measured beside each other, each in a virtual environment of its own."""

import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from runtime.tests.scoring_servers import (
    GRANIAN,
    Server,
    clean_environment,
    environment,
    free_port,
    start_azure_server,
    start_server,
)

LIBRARIES = ("scikit-learn==1.9.1", "numpy==2.4.6")
"""What the scripts import, the same for all."""
COLLECTED = "collected"
"""Under a server's folder, where Tidegate collects inputs and outputs."""
_START_S = 60
_POLL_S = 0.002


@dataclass(frozen=True)
class Contender:
    """A server that can be started with a scoring script.

    A script has the v1 functions `init()` and `run(data)`, and `answer(asked)`, which `run` calls with the decoded
    body: servers that decode a body themselves call it directly.
    """

    name: str
    requirements: tuple[str, ...]
    start: Callable[[Path, str, Path, int], Server]
    """From the environment's Python, the script's text, an empty folder to run in and the number of workers."""
    path: str = "/score"

    def python(self) -> Path:
        """The Python of its environment, made where it is not there yet; RuntimeError where that fails."""
        return environment(*self.requirements, *LIBRARIES)

    @contextmanager
    def serving(self, script: str, body: str, workers: int = 1) -> Iterator[Server]:
        """A server that has answered `body` once, stopped at the end."""
        with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
            server = self.start(self.python(), textwrap.dedent(script), Path(folder), workers)
            try:
                _wait_for_answer(server, self.path, body)
                yield server
            finally:
                server.stop()

    def url(self, server: Server) -> str:
        """Where the server takes scoring requests."""
        return f"http://127.0.0.1:{server.port}{self.path}"


def _tidegate(python: Path, script: str, folder: Path, workers: int) -> Server:
    options = ("--workers", str(workers), "--metrics-port", str(free_port()))
    return start_server(script, folder=folder, python=python, options=options, port=free_port())


def _tidegate_collecting(python: Path, script: str, folder: Path, workers: int) -> Server:
    variables = {
        "AML_MODEL_DC_STORAGE_ENABLED": "true",
        "TIDEGATE_COLLECTION_DESTINATION": str(folder / COLLECTED),
    }
    options = ("--workers", str(workers), "--metrics-port", str(free_port()))
    return start_server(script, folder=folder, python=python, variables=variables, options=options, port=free_port())


def _azure(python: Path, script: str, folder: Path, workers: int) -> Server:
    return start_azure_server(script, folder=folder, python=python, variables={"WORKER_COUNT": str(workers)})


def _kserve(python: Path, script: str, folder: Path, workers: int) -> Server:
    port = free_port()
    (folder / "score.py").write_text(script)
    (folder / "serve.py").write_text(_KSERVE_PROGRAM.format(port=port, workers=workers))
    return _start([python, "serve.py"], folder, port, {})


def _bentoml(python: Path, script: str, folder: Path, workers: int) -> Server:
    port = free_port()
    (folder / "score.py").write_text(script)
    (folder / "service.py").write_text(_BENTOML_SERVICE.format(workers=workers))
    variables = {"BENTOML_HOME": str(folder / "home"), "BENTOML_DO_NOT_TRACK": "true"}
    command = [python, "-m", "bentoml", "serve", "service:Score", "--host", "127.0.0.1", "--port", str(port)]
    return _start(command, folder, port, variables)


_KSERVE_PROGRAM = """
import kserve
import score


class Model(kserve.Model):
    def load(self):
        score.init()
        self.ready = True
        return True

    def predict(self, payload, headers=None):
        return score.answer(payload)


if __name__ == "__main__":
    model = Model("score")
    model.load()
    kserve.ModelServer(http_port={port}, workers={workers}, enable_grpc=False).start([model])
"""
_BENTOML_SERVICE = """
import bentoml
import score


@bentoml.service(workers={workers})
class Score:
    def __init__(self):
        score.init()

    @bentoml.api
    def score(self, data: list[list[float]]) -> dict[str, list]:
        return score.answer({{"data": data}})
"""
TIDEGATE = Contender("Tidegate", (GRANIAN,), _tidegate_collecting)
TIDEGATE_UNCOLLECTED = Contender("Tidegate without data collection", (GRANIAN,), _tidegate)
AZURE = Contender("Azure ML's server", ("azureml-inference-server-http==1.5.1",), _azure)
KSERVE = Contender("KServe's server", ("kserve==0.21.0",), _kserve, "/v1/models/score:predict")
BENTOML = Contender("BentoML's server", ("bentoml==1.4.39",), _bentoml)


def _start(command: Sequence[str | Path], folder: Path, port: int, variables: Mapping[str, str]) -> Server:
    log = folder / "log"
    environ = clean_environment(variables)
    del environ["PYTHONPATH"]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
    return Server(process, log, folder, port=port)


def _wait_for_answer(server: Server, path: str, body: str) -> None:
    deadline = time.monotonic() + _START_S
    while not _answers(server.port, path, body):
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server does not answer {path} with 200; its log:\n{server.text()}")
        time.sleep(_POLL_S)


def _answers(port: int, path: str, body: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=_START_S)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
