"""The small HTTP servers of the main process: metrics for Prometheus, health on a port of its own.

They live in the main process's event loop: one request a connection, answered from memory, no thread.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

Route = Callable[[], tuple[int, str, str]]
"""Gives status, content type and body."""

_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
_REQUEST_BYTES = 8192


class AdminPort:
    """A listening port with a few GET routes."""

    def __init__(self, host: str, port: int, routes: dict[str, Route]) -> None:
        self._routes = routes
        self.listener = socket.create_server((host, port), backlog=16)
        self.listener.setblocking(False)

    def accept(self) -> socket.socket | None:
        """The next connection, to be given to `answer` when it can be read."""
        with contextlib.suppress(OSError):
            connection, _ = self.listener.accept()
            connection.setblocking(False)
            return connection
        return None

    def answer(self, connection: socket.socket) -> None:
        """Answer a connection's request and close it."""
        with connection, contextlib.suppress(OSError):
            request = connection.recv(_REQUEST_BYTES).decode("latin-1").split("\r\n", 1)[0].split(" ")
            if len(request) != 3:
                return
            status, kind, body = self._response(request[0], request[1].partition("?")[0])
            data = body.encode()
            head = (
                f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: {kind}\r\n"
                f"content-length: {len(data)}\r\nconnection: close\r\n\r\n"
            )
            connection.setblocking(True)
            connection.settimeout(1)
            connection.sendall(head.encode() + (b"" if request[0] == "HEAD" else data))

    def _response(self, method: str, path: str) -> tuple[int, str, str]:
        route = self._routes.get(path)
        if route is None:
            return 404, "text/plain", "Not found\n"
        if method not in ("GET", "HEAD"):
            return 405, "text/plain", "Only GET\n"
        return route()
