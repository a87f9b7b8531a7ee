"""HTTP to a port of a pod, by port-forward."""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.kubernetes.api import Api

Json = dict[str, Any]

_SHOWN = 2000


@dataclass(frozen=True)
class Answer:
    """What came back: status (0 where nothing did), the version that answered, the beginning of the body."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


def ask(
    api: Api,
    pod: Json,
    port: int,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    host: str = "localhost",
    tls: bool = False,
    timeout_s: float,
    most: int = _SHOWN,
) -> Answer:
    """Send a request to a pod; `host` goes into the request and, with `tls`, into the handshake.

    Raises what `Api` raises where the way to the pod cannot be opened.
    """
    meta = pod["metadata"]
    with api.forward(meta["namespace"], meta["name"], port) as tunnel:
        tunnel.socket.settimeout(timeout_s)
        connection = http.client.HTTPConnection(host, timeout=timeout_s)
        try:
            connection.sock = _unverified().wrap_socket(tunnel.socket, server_hostname=host) if tls else tunnel.socket
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            text = response.read(most).decode(errors="replace")
            return Answer(response.status, text, {name.lower(): value for name, value in response.getheaders()})
        except (OSError, http.client.HTTPException) as error:
            why = tunnel.said.strip() or str(error) or type(error).__name__
            return Answer(0, f"no answer: {why}", {})
        finally:
            connection.close()


def _unverified() -> ssl.SSLContext:
    # The API server vouches for the pod; whether the certificate is one that clients trust is no matter of a version.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
