"""Builds in one of Azure's registries (ACR Tasks), for machines that have no builder themselves.

The calls and the form of a run are those of Microsoft.ContainerRegistry 2019-06-01-preview; the steps are written as
"ACR Tasks reference: YAML" has them.
"""

import base64
import gzip
import json
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

import httpx

from tidegate.azure.arm import Arm
from tidegate.azure.errors import AzureError, UnreachableError
from tidegate.image.dockerfile import FOLDER, SOURCE_DATE_EPOCH

API_VERSION = "2019-06-01-preview"
DOCKERFILE = f"{FOLDER}/Dockerfile"
"""Where the packed context has the Dockerfile: a given context may have one of its own."""
POLL_S = 2.0
TIMEOUT_S = 3600
"""After which the registry ends a run by itself."""
MOST_LINES = 20
"""Of the log, in the error of a run that failed."""

TIMEOUTS = httpx.Timeout(120, connect=10)
"""Of storage, in seconds."""

_ENDED = frozenset({"Succeeded", "Failed", "Canceled", "Error", "Timeout"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Say = Callable[[str], None]


class BuildFailedError(AzureError):
    """A run ended without an image; the text has the last lines of its log."""


@dataclass(frozen=True)
class RemoteBuild:
    """What is built: `folder` is the context, `platform` is as Docker writes it."""

    folder: Path
    dockerfile: str
    repository: str
    tag: str
    platform: str
    build_args: Mapping[str, str]


def start(arm: Arm, registry_id: str, build: RemoteBuild, say: Say) -> str:
    """Upload the packed context and have it built; the ARM path of the run. Raises AzureError."""
    place = arm.post(f"{registry_id}/listBuildSourceUploadUrl", API_VERSION)
    with tempfile.TemporaryFile() as archive:
        pack(build, archive)
        say(f"uploading the build context, {archive.tell() / 2**20:.1f} MiB")
        with httpx.Client(timeout=TIMEOUTS) as storage:
            _upload(storage, str(place["uploadUrl"]), archive)
    run = arm.post(f"{registry_id}/scheduleRun", API_VERSION, request(build, str(place["relativePath"])))
    return f"{registry_id}/runs/{run['properties']['runId']}"


def follow(arm: Arm, path: str, build: RemoteBuild, say: Say, cancelled: threading.Event) -> str:
    """Pass each line of a run's log to `say` until its end; the digest of what it has pushed.

    Raises:
        BuildFailedError: it ended without the image.
        AzureError: Azure refuses, does not answer, or `cancelled` was set.
    """
    with httpx.Client(timeout=TIMEOUTS) as storage:
        log = _Log(storage, str(arm.post(f"{path}/listLogSasUrl", API_VERSION)["logLink"]))
        while True:
            run: dict[str, Any] = arm.get(path, API_VERSION)["properties"]
            for line in log.new_lines():
                say(line)
            if run.get("status") in _ENDED:
                break
            cancelled.wait(POLL_S)
    name = path.rpartition("/")[2]
    if run["status"] != "Succeeded":
        ending = "\n".join(log.lines[-MOST_LINES:]) or str(run.get("runErrorMessage") or "its log is empty")
        raise BuildFailedError(f"the run {name} of the registry ended as {run['status']}:\n{ending}")
    for image in cast("list[dict[str, str]]", run.get("outputImages") or []):
        if (image.get("repository"), image.get("tag")) == (build.repository, build.tag):
            return image["digest"]
    raise BuildFailedError(f"the run {name} of the registry has not pushed {build.repository}:{build.tag}")


def cancel(arm: Arm, path: str) -> None:
    """Have a run end. Raises AzureError."""
    arm.post(f"{path}/cancel", API_VERSION)


def pack(build: RemoteBuild, archive: IO[bytes]) -> None:
    """Write the context with the Dockerfile as tar and gzip: the same bytes for the same files."""
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=archive, mtime=SOURCE_DATE_EPOCH) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(build.folder.rglob("*")):
            tar.add(path, path.relative_to(build.folder).as_posix(), recursive=False, filter=_plain)
        text = build.dockerfile.encode()
        entry = tarfile.TarInfo(DOCKERFILE)
        entry.size, entry.mtime = len(text), SOURCE_DATE_EPOCH
        with tempfile.SpooledTemporaryFile() as content:
            content.write(text)
            content.seek(0)
            tar.addfile(entry, content)


def request(build: RemoteBuild, place: str) -> dict[str, Any]:
    """The body of scheduleRun: an EncodedTaskRunRequest, since a DockerBuildRequest cannot ask for BuildKit."""
    image = f"$Registry/{build.repository}:{build.tag}"
    arguments = " ".join(f"--build-arg {name}={value}" for name, value in sorted(build.build_args.items()))
    task = {
        "version": "v1.1.0",
        "steps": [
            # The mounts of the Dockerfiles are BuildKit's.
            {"build": f"--tag {image} --file {DOCKERFILE} {arguments} .", "env": ["DOCKER_BUILDKIT=1"]},
            {"push": [image]},
        ],
    }
    system, _, architecture = build.platform.partition("/")
    return {
        "type": "EncodedTaskRunRequest",
        "encodedTaskContent": base64.b64encode(json.dumps(task).encode()).decode(),  # JSON is YAML
        "sourceLocation": place,
        "platform": {"os": system.capitalize(), "architecture": architecture},
        "timeout": TIMEOUT_S,
    }


class _Log:
    """The log of a run, which grows while it runs: a blob behind a link that needs no login."""

    def __init__(self, storage: httpx.Client, link: str) -> None:
        _check_safe(link)
        self._storage, self._link = storage, link
        self._read = 0
        self._rest = b""
        self.lines: list[str] = []

    def new_lines(self) -> Iterator[str]:
        """What was written since the last time, in whole lines; nothing where it cannot be read just now."""
        try:
            answer = self._storage.get(self._link, headers={"range": f"bytes={self._read}-"})
        except httpx.TransportError:
            return
        if answer.status_code != 206:  # nothing new (416), or not there yet (404)
            return
        self._read += len(answer.content)
        *whole, self._rest = (self._rest + answer.content).split(b"\n")
        for line in whole:
            self.lines.append(line.decode(errors="replace").rstrip())
            yield self.lines[-1]


def _upload(storage: httpx.Client, url: str, archive: IO[bytes]) -> None:
    _check_safe(url)
    size = archive.tell()
    archive.seek(0)
    headers = {"x-ms-blob-type": "BlockBlob", "content-length": str(size)}
    try:
        answer = storage.put(url, content=_pieces(archive), headers=headers)
    except httpx.TransportError as error:
        raise UnreachableError(f"the build context cannot be uploaded: {type(error).__name__} {error}") from error
    if not answer.is_success:
        # Not the address: it holds the right to write there.
        raise UnreachableError(f"the build context cannot be uploaded: storage answered {answer.status_code}")


def _pieces(archive: IO[bytes]) -> Iterator[bytes]:
    while piece := archive.read(1 << 20):
        yield piece


def _check_safe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise UnreachableError("the registry leads to an address that is not https")


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = SOURCE_DATE_EPOCH
    return entry
