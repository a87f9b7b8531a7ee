"""Scoring servers on this machine in the place of the pods of Deployments."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.local.probe import healthy

Manifest = Mapping[str, Any]
CONTAINER = "scoring"
START_S = 60.0
STOP_S = 20.0


@dataclass(frozen=True)
class Pod:
    """One scoring server: what a Service selects it by, and the unix socket that it answers on."""

    namespace: str
    labels: Mapping[str, str]
    socket: Path
    process: subprocess.Popen[bytes]


class Pods:
    """The scoring servers of Deployments, each with the environment variables of its container.

    What differs from a pod: the script comes from a folder and not from an image, and the server listens on a unix
    socket and not on the pod's address.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pods: dict[tuple[str, str], list[Pod]] = {}
        self._started = 0

    def run(self, deployment: Manifest, script: Path) -> None:
        """Start the replicas of a Deployment; one that runs already is left alone. `wait` says when they are ready."""
        key = _key(deployment)
        if key not in self._pods:
            replicas = deployment["spec"].get("replicas", 1)
            self._pods[key] = [self._start(deployment, script) for _ in range(replicas)]

    def wait(self) -> None:
        """Until `init()` has returned in every server."""
        deadline = time.monotonic() + START_S
        for pod in (each for pods in self._pods.values() for each in pods):
            while not healthy(pod.socket):
                log = pod.socket.with_suffix(".log")
                assert pod.process.poll() is None, f"a scoring server ended:\n{log.read_text()}"
                assert time.monotonic() < deadline, f"a scoring server does not answer:\n{log.read_text()}"
                time.sleep(0.05)

    def of(self, service: Manifest) -> list[Path]:
        """The sockets of the servers that a Service selects, as its EndpointSlices list their addresses."""
        namespace, selector = service["metadata"]["namespace"], service["spec"]["selector"].items()
        return [
            pod.socket
            for pods in self._pods.values()
            for pod in pods
            if pod.namespace == namespace and selector <= pod.labels.items()
        ]

    def stop(self) -> None:
        """End every server."""
        pods = [pod for each in self._pods.values() for pod in each]
        self._pods.clear()
        _end(pod.process for pod in pods)

    def _start(self, deployment: Manifest, script: Path) -> Pod:
        template = deployment["spec"]["template"]
        self._started += 1
        socket = self._folder / f"{self._started}.sock"
        with socket.with_suffix(".log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tidegate_runtime", "--socket", str(socket)),
                    *("--entry", script.name, "--source-dir", str(script.parent)),
                ],
                cwd=script.parent,
                env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **_variables(template)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return Pod(deployment["metadata"]["namespace"], template["metadata"]["labels"], socket, process)


def write_script(folder: Path, text: str) -> Path:
    """A scoring script in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "score.py"
    script.write_text(textwrap.dedent(text))
    return script


def _key(deployment: Manifest) -> tuple[str, str]:
    return deployment["metadata"]["namespace"], deployment["metadata"]["name"]


ELSEWHERE = ("AZUREML_", "SERVER_", "TIDEGATE_CONTENT", "TIDEGATE_HOST", "TIDEGATE_METRICS")
"""Variables that say where in an image things are and on which port a pod listens."""


def _variables(template: Manifest) -> dict[str, str]:
    container = next(each for each in template["spec"]["containers"] if each["name"] == CONTAINER)
    return {
        each["name"]: each["value"]
        for each in container.get("env", [])
        if "value" in each and not each["name"].startswith(ELSEWHERE)
    }


def _end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    running = list(processes)
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
