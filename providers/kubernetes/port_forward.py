"""A socket to one port of a pod, through the API server: the `v4.channel.k8s.io` WebSocket protocol of port-forward.

Every message begins with its channel: 0 carries the port's bytes, 1 what the kubelet says where it fails. The first
message of each is the port's number.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from providers.kubernetes.kubeconfig import Access

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
_CHUNK = 64 << 10
_CLOSE_S = 2.0


@dataclass
class Tunnel:
    """An open way to a pod's port; `said` is what the kubelet says of a failure, "" where it says nothing."""

    socket: socket.socket
    said: str = field(default="")


@contextmanager
def open_tunnel(access: Access, path: str, headers: Mapping[str, str], *, timeout_s: float) -> Iterator[Tunnel]:
    """Open the way that `path` (`.../portforward?ports=N`) names; closed at the end of the block.

    Raises what `websockets` raises where it cannot be opened.
    """
    from websockets.sync.client import connect  # noqa: PLC0415 (only what forwards pays for it)
    from websockets.typing import Subprotocol  # noqa: PLC0415

    with connect(
        "ws" + access.server.removeprefix("http") + path,
        ssl=access.tls,
        server_hostname=(access.tls_name or None) if access.tls else None,
        subprotocols=[Subprotocol(PROTOCOL)],
        additional_headers=headers,
        compression=None,
        open_timeout=timeout_s,
        ping_interval=None,  # what stands behind the API server answers no pings while it waits for the pod
        close_timeout=_CLOSE_S,
        max_size=None,
    ) as connection:
        ours, theirs = socket.socketpair()
        tunnel = Tunnel(ours)
        threads = [
            threading.Thread(target=_receive, args=(connection, theirs, tunnel), daemon=True),
            threading.Thread(target=_send, args=(connection, theirs), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield tunnel
        finally:
            ours.close()
            connection.close()
            for thread in threads:
                thread.join()
            theirs.close()


def _receive(connection: "ClientConnection", inner: socket.socket, tunnel: Tunnel) -> None:
    from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 (as above)

    begun: set[int] = set()
    with suppress(ConnectionClosed, OSError):
        for message in connection:
            if not isinstance(message, bytes) or not message:
                break
            channel = message[0]
            if channel not in begun:
                begun.add(channel)
            elif channel == DATA:
                inner.sendall(message[1:])
            elif channel == ERROR:
                tunnel.said += message[1:].decode(errors="replace")
                break
    with suppress(OSError):
        inner.shutdown(socket.SHUT_RDWR)


def _send(connection: "ClientConnection", inner: socket.socket) -> None:
    from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 (as above)

    with suppress(ConnectionClosed, OSError):
        while chunk := inner.recv(_CHUNK):
            connection.send(bytes([DATA]) + chunk)
