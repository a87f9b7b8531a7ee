"""Runs of one of Azure's registries (ACR Tasks) over HTTP: the upload, the schedule, the log. Strict in what it takes.

After Microsoft.ContainerRegistry 2019-06-01-preview. The build itself is a function of the test: it gets the unpacked
context and the steps, says lines, and returns the digest of what it pushed.
"""

import base64
import io
import json
import re
import tarfile
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.standins.cloud import ArmError

VERSION = "2019-06-01-preview"
REGISTRY = r"(/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ContainerRegistry/registries/([^/]+))"

Build = Callable[[Path, list[dict[str, Any]], Callable[[str], None]], str]
"""Of an unpacked context, the task's steps, and what takes lines of its log; raises RuntimeError where it fails."""


@dataclass
class Run:
    """One run."""

    number: str
    image: str
    log: bytes = b""
    status: str = "Queued"
    digest: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    def view(self, registry: str) -> dict[str, Any]:
        """As a GET answers."""
        repository, _, tag = self.image.partition(":")
        pushed = {"registry": registry, "repository": repository, "tag": tag, "digest": self.digest}
        images = {"outputImages": [pushed]} if self.digest else {}
        return {"name": self.number, "properties": {"runId": self.number, "status": self.status, **images}}


class RegistryRuns:
    """All runs of a pretended cloud; `url` is where the server over it listens."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.url = ""
        self.runs: list[Run] = []
        self._uploads: dict[str, bytes] = {}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any:
        """The JSON of an answer to the management API, None where the path is none of its; raises ArmError."""
        found = re.fullmatch(rf"{REGISTRY}(/\w+|/runs/(\w+)(/\w+)?)", path)
        if not found or (method, found[3]) == ("GET", ""):
            return None
        name, action = found[2], found[5] or found[3]
        if query.get("api-version") != VERSION:
            raise ArmError(400, "InvalidApiVersionParameter", f"runs are asked with {VERSION}")
        run = next((each for each in self.runs if each.number == found[4]), None)
        if found[4] and run is None:
            raise ArmError(404, "RunNotFound", f"The run {found[4]} was not found.")
        match method, action:
            case "POST", "/listBuildSourceUploadUrl":
                place = f"source/{len(self._uploads)}.tar.gz"
                self._uploads[place] = b""
                return {"uploadUrl": f"{self.url}/upload/{place}?sig=a-secret", "relativePath": place}
            case "POST", "/scheduleRun":
                return self._scheduled(name, json.loads(body))
            case "POST", "/listLogSasUrl" if run:
                return {"logLink": f"{self.url}/log/{run.number}?sig=a-secret"}
            case "POST", "/cancel" if run:
                run.cancelled.set()
                return {}
            case "GET", _ if run:
                return run.view(name)
        return None

    def blob(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """What storage answers behind the links that were given out."""
        place = path.partition("?")[0]
        if "sig=a-secret" not in path:
            return 403, b""
        if method == "PUT" and place.removeprefix("/upload/") in self._uploads:
            if headers.get("x-ms-blob-type") != "BlockBlob" or "content-length" not in headers:
                return 400, b""
            self._uploads[place.removeprefix("/upload/")] = body
            return 201, b""
        if method == "GET" and place.startswith("/log/"):
            log = next(run.log for run in self.runs if run.number == place.removeprefix("/log/"))
            start = int(headers["range"].removeprefix("bytes=").rstrip("-"))
            return (206, log[start:]) if start < len(log) else (416, b"")
        return 404, b""

    def _scheduled(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        known = {"type", "encodedTaskContent", "sourceLocation", "platform", "timeout"}
        if request.keys() != known or request["type"] != "EncodedTaskRunRequest":
            raise ArmError(400, "InvalidRunRequest", f"the request has {sorted(request)}")
        if request["platform"] != {"os": "Linux", "architecture": "amd64"} or not 300 <= request["timeout"] <= 28800:
            raise ArmError(400, "InvalidRunRequest", "platform or timeout")
        content = self._uploads.get(request["sourceLocation"])
        if not content:
            raise ArmError(400, "InvalidSourceLocation", "nothing was uploaded there")
        task = json.loads(base64.b64decode(request["encodedTaskContent"]))
        if task.keys() != {"version", "steps"}:
            raise ArmError(400, "InvalidTask", f"the task has {sorted(task)}")
        build, push = task["steps"]
        image = push["push"][0].removeprefix("$Registry/")
        if f"--tag $Registry/{image} " not in build["build"] or build["env"] != ["DOCKER_BUILDKIT=1"]:
            raise ArmError(400, "InvalidTask", "what is pushed is not what is built, or BuildKit is off")
        run = Run(f"ca{len(self.runs) + 1}", image)
        self.runs.append(run)
        threading.Thread(target=self._run, args=(run, task["steps"], content), daemon=True).start()
        return run.view(name)

    def _run(self, run: Run, steps: list[dict[str, Any]], content: bytes) -> None:
        def say(line: str) -> None:
            run.log += line.encode() + b"\n"
            if run.cancelled.is_set():
                raise RuntimeError("canceled")

        run.status = "Running"
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
                archive.extractall(folder, filter="data")
            try:
                run.digest = self.build(Path(folder), steps, say)
            except RuntimeError as error:
                run.log += f"{error}\n".encode()
                run.status = "Canceled" if run.cancelled.is_set() else "Failed"
            else:
                run.status = "Succeeded"
