# ruff: noqa: N815 (http.server's method names)
"""A front before a registry that can be made to fail."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs

import httpx

from tests.standins.cloud import TOKEN

Fault = Literal["", "denies", "garbage", "slow", "loses manifests"]

DENIED = "requests from this address are not allowed by the firewall"
FULL = "the registry has no space left"


class Front:
    """Passes requests on to a registry; `fault` is how it fails, "" for not at all."""

    def __init__(self, behind: str) -> None:
        self.fault: Fault = ""
        self.patience_s = 0.0
        """How long each answer takes where it is slow."""
        self.exchanges = 0
        """How often an Azure login was taken."""
        self._behind = behind
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def address(self) -> str:
        """`127.0.0.1:<port>`."""
        return f"127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Front"]:
        """Serve until the end."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _exchange(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """What a registry of Azure's answers to the Azure login (Azure/acr, docs/AAD-OAuth.md)."""
        given = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        wanted = {"grant_type": "access_token", "service": request.headers["host"], "access_token": TOKEN}
        if request.command != "POST" or given != wanted or self.fault == "denies":
            return _send(request, 401, {"content-type": "application/json"}, _errors("UNAUTHORIZED", "no such login"))
        self.exchanges += 1
        return _send(request, 200, {"content-type": "application/json"}, b'{"refresh_token": "a-refresh-token"}')

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                with suppress(BrokenPipeError, ConnectionResetError):
                    front._answer(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's name)
                """The registry has a log of its own."""

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = _body(request)
        if self.fault == "slow":
            time.sleep(self.patience_s)
        if request.path == "/oauth2/exchange":
            return self._exchange(request, body)
        if self.fault == "denies":
            return _send(request, 403, {"content-type": "application/json"}, _errors("DENIED", DENIED))
        if self.fault == "garbage":
            return _send(request, 200, {"content-type": "text/html"}, b"<html>Sign in to the guest network</html>")
        if self.fault == "loses manifests" and request.command == "PUT" and "/manifests/" in request.path:
            return _send(request, 403, {"content-type": "application/json"}, _errors("DENIED", FULL))
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
        with httpx.Client(trust_env=False, timeout=60) as client:
            # The host stays the front's: the registry builds the addresses of uploads from it.
            url = f"http://{self._behind}{request.path}"
            answer = client.request(request.command, url, headers=headers, content=body)
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
        return _send(request, answer.status_code, kept, answer.content)


_HOP = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding", "accept-encoding"})


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("transfer-encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("content-length") or 0))
    body = b""
    while size := int(request.rfile.readline().split(b";")[0], 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


def _send(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes) -> None:
    request.send_response_only(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("content-length", str(len(content)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content)


def _errors(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()
