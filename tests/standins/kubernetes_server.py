"""An API server on loopback with the objects that a test puts into it: reads, logs and port-forward.

Strict: the token, the paths and the selectors that the project uses and no others. What only a real one knows (what
controllers do, which fields there are) is tested on a real one.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

Json = dict[str, Any]

TOKEN = "the-token-of-the-kubeconfig"
CHANNELS = Subprotocol("v4.channel.k8s.io")
_QUERIES = {"limit", "continue", "labelSelector", "fieldSelector"}


@dataclass
class KubernetesServer:
    """Objects by path (`/apis/apps/v1/namespaces/a/deployments/b`), logs and ports by pod."""

    objects: dict[str, Json] = field(default_factory=dict)
    logs: dict[tuple[str, bool], str] = field(default_factory=dict)
    """What pods wrote, by name and by whether it was the container before."""
    ports: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    """Where port-forwards to a pod's port lead."""
    broken: int = 0
    """How many of the next requests are answered 503."""
    refused: dict[str, int] = field(default_factory=dict)
    """The status with which paths that end so are refused."""
    token: str = TOKEN
    page: int = 500
    """How many members of a list come at once at most."""
    requests: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda path: None
    """Called with the path before each answer: a test changes the objects here, as a cluster does with time."""
    url: str = ""

    @property
    def kubeconfig(self) -> str:
        """A kubeconfig with the token in it."""
        return kubeconfig(self.url, {"token": TOKEN})

    @contextmanager
    def running(self) -> Iterator["KubernetesServer"]:
        """Serve until the end of the block."""
        server = serve(
            self._forward, "127.0.0.1", 0, process_request=self._answer, subprotocols=[CHANNELS], compression=None
        )
        self.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()

    def put(self, path: str, thing: Json) -> Json:
        """Put an object at a path; its name and namespace follow from it."""
        parts = path.split("/")
        metadata = thing.setdefault("metadata", {})
        metadata.setdefault("name", parts[-1])
        metadata.setdefault("namespace", parts[parts.index("namespaces") + 1])
        metadata.setdefault("uid", path)
        self.objects[path] = thing
        return thing

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.requests.append(request.path)
        self.before(url.path)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _status(401, "Unauthorized")
        if self.broken:
            self.broken -= 1
            return _status(503, "the server is currently unable to handle the request")
        for end, code in self.refused.items():
            if url.path.endswith(end):
                return _status(code, f'"{end}" is forbidden: User "u" cannot get it')
        if url.path == "/version":
            return _json({"gitVersion": "v1.36.3"})
        if url.path.endswith("/log"):
            return self._log(url.path, query)
        if url.path.endswith("/portforward"):
            known = url.path.removesuffix("/portforward") in self.objects
            return None if known else _status(404, f'pods "{url.path.split("/")[-2]}" not found')
        if url.path in self.objects:
            return _json(self.objects[url.path])
        if url.path.split("/")[-2] == "deployments":
            return _status(404, f'deployments.apps "{url.path.rpartition("/")[2]}" not found')
        return self._list(url.path, query)

    def _list(self, path: str, query: Mapping[str, str]) -> Response:
        assert query.keys() <= _QUERIES, query
        assert path.split("/")[-2] not in ("pods", "deployments"), path
        found = [thing for place, thing in self.objects.items() if place.rpartition("/")[0] == path]
        for key, value in (each.split("=") for each in query.get("labelSelector", "").split(",") if each):
            found = [thing for thing in found if thing["metadata"].get("labels", {}).get(key) == value]
        if selected := query.get("fieldSelector"):
            key, _, value = selected.partition("=")
            assert key == "involvedObject.uid", key
            found = [thing for thing in found if thing["involvedObject"]["uid"] == value]
        begin = int(query.get("continue", 0))
        end = begin + min(int(query["limit"]), self.page)
        return _json({"metadata": {"continue": str(end)} if end < len(found) else {}, "items": found[begin:end]})

    def _log(self, path: str, query: Mapping[str, str]) -> Response:
        assert query.keys() <= {"container", "tailLines", "previous", "follow"}, query
        assert query["container"] == "scoring", query
        pod = path.split("/")[-2]
        text = self.logs.get((pod, query.get("previous") == "true"))
        if text is None:
            return _status(400, f'container "scoring" in pod "{pod}" is waiting to start: ContainerCreating')
        lines = text.splitlines(keepends=True)
        wanted = int(query["tailLines"])
        return _response(200, "text/plain", "".join(lines[-wanted:] if wanted else []).encode())

    def _forward(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        url = urlsplit(connection.request.path)
        pod, port = url.path.split("/")[-2], int(parse_qs(url.query)["ports"][0])
        for channel in (0, 1):
            connection.send(bytes([channel]) + port.to_bytes(2, "little"))
        try:
            target = socket.create_connection(self.ports[pod, port])
        except (KeyError, OSError):
            connection.send(b"\x01" + f"error forwarding port {port} to pod {pod}: connection refused".encode())
            return
        with target:
            back = threading.Thread(target=_copy_back, args=(target, connection), daemon=True)
            back.start()
            with contextlib.suppress(ConnectionClosed, OSError):
                for message in connection:
                    assert isinstance(message, bytes)
                    assert message[0] == 0
                    target.sendall(message[1:])
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
            back.join()


def kubeconfig(server: str, user: Json, **cluster: Any) -> str:
    """A kubeconfig for a server, as JSON."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
            "users": [{"name": "u", "user": user}],
        }
    )


def _copy_back(target: socket.socket, connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed, OSError):
        while received := target.recv(65536):
            connection.send(b"\x00" + received)
    connection.close()


def _status(code: int, message: str) -> Response:
    return _response(code, "application/json", json.dumps({"kind": "Status", "message": message}).encode())


def _json(value: Json) -> Response:
    return _response(200, "application/json", json.dumps(value).encode())


def _response(code: int, kind: str, body: bytes) -> Response:
    headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"})
    return Response(code, HTTPStatus(code).phrase, headers, body)
