"""Asks scoring processes, directly by their socket or through the gateway."""

import http.client
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tidegate.targets.envoy import VERSION_HEADERS

_EFFECT_S = 2.0
"""Envoy's workers take up a new route a moment after its main thread has."""


def healthy(path: Path) -> bool:
    """Whether the scoring process at a unix socket says that it is ready."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return client.recv(64).split(b" ", 2)[1] == b"200"
    except (OSError, IndexError):
        return False


@dataclass(frozen=True)
class Answer:
    """What came back for a sample: its status and the beginning of its body."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether the sample was scored."""
        return 200 <= self.status < 300


def score_sample(
    gateway: str, endpoint: str, version: str, *, bearer: str | None, sample: bytes, timeout_s: float
) -> Answer:
    """Send a sample to one version through the gateway, as a client that names the version would."""
    deadline = time.monotonic() + _EFFECT_S
    while True:
        answer, answered_by = _score_once(gateway, endpoint, version, bearer=bearer, sample=sample, timeout_s=timeout_s)
        if answered_by == version or time.monotonic() > deadline:
            return answer
        time.sleep(0.02)


def _score_once(
    gateway: str, endpoint: str, version: str, *, bearer: str | None, sample: bytes, timeout_s: float
) -> tuple[Answer, str]:
    where = urlsplit(gateway)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=timeout_s)
    headers = {"Content-Type": "application/json", VERSION_HEADERS[0]: version}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    try:
        connection.request("POST", f"/{endpoint}/score", sample, headers)
        response = connection.getresponse()
        text = response.read(2000).decode(errors="replace")
        return Answer(response.status, text), response.getheader(VERSION_HEADERS[0], "")
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, f"no answer: {error}"), ""
    finally:
        connection.close()
