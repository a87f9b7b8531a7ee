"""A kubelet without containers: it writes the status of pods as a test wants it, and serves their logs and ports.

What is above it is real: the controllers make the pods, the scheduler gives them to this node or says why not, and the
API server asks this kubelet for logs and port-forwards over HTTPS.
"""

import contextlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from tests.kubernetes.api import Api, ApiError, Manifest
from tests.unit.cluster.pki import issue

NODE = "node-1"
CHANNELS = Subprotocol("v4.channel.k8s.io")

_DATA, _ERROR = 0, 1  # the channels of the first port


@dataclass(frozen=True)
class Life:
    """How the containers of a pod fare."""

    state: Mapping[str, Any]
    """`running`, `waiting` or `terminated`, as in a container's status."""
    ready: bool = False
    restarts: int = 0
    last_state: Mapping[str, Any] = field(default_factory=dict)
    logs: str = ""
    previous_logs: str | None = None
    """What the container had written before its last restart; None where it has not been restarted."""
    events: Sequence[tuple[str, str, str]] = ()
    """Type (Normal, Warning), reason and message."""
    ports: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    """Where port-forwards to the pod lead."""


def ready(logs: str = "", ports: Mapping[int, tuple[str, int]] | None = None) -> Life:
    """The container runs and answers its probes."""
    return Life({"running": {"startedAt": _now()}}, ready=True, logs=logs, ports=ports or {})


def hanging(logs: str = "") -> Life:
    """The container runs and never answers its startup probe."""
    probe = 'Startup probe failed: Get "http://10.244.0.9:5001/": context deadline exceeded'
    return Life({"running": {"startedAt": _now()}}, logs=logs, events=[("Warning", "Unhealthy", probe)])


def done() -> Life:
    """The container has done its work."""
    return Life({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": _now(), "finishedAt": _now()}})


def image_pull_back_off(image: str = "registry.example.com/scoring:1") -> Life:
    """There is no such image, or the node may not pull it."""
    cause = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": not found'
    message = f'Back-off pulling image "{image}": ErrImagePull: {cause}'
    return Life(
        {"waiting": {"reason": "ImagePullBackOff", "message": message}},
        events=[
            ("Normal", "Pulling", f'Pulling image "{image}"'),
            ("Warning", "Failed", f'Failed to pull image "{image}": {cause}'),
            ("Warning", "Failed", "Error: ErrImagePull"),
            ("Warning", "Failed", "Error: ImagePullBackOff"),
        ],
    )


def crashing(logs: str, *, code: int = 3, reason: str = "Error", restarts: int = 3) -> Life:
    """The container ends again and again: code 3 where init() raised."""
    begun = datetime.now(UTC) - timedelta(seconds=20)
    ended = {"exitCode": code, "reason": reason, "startedAt": _time(begun), "finishedAt": _now()}
    message = "back-off 40s restarting failed container=scoring"
    return Life(
        {"waiting": {"reason": "CrashLoopBackOff", "message": message}},
        restarts=restarts,
        last_state={"terminated": ended},
        logs=logs,
        previous_logs=logs,
        events=[("Warning", "BackOff", "Back-off restarting failed container scoring in pod")],
    )


def out_of_memory(logs: str = "") -> Life:
    """The kernel ended the container at its memory limit."""
    return crashing(logs, code=137, reason="OOMKilled")


@dataclass
class Kubelet:
    """One node; `with kubelet.running():` registers it and lets its pods live."""

    api: Api
    folder: Path
    _rules: list[tuple[str, Mapping[str, str], str, Life]] = field(default_factory=list)
    _pods: dict[str, Manifest] = field(default_factory=dict)
    _lives: dict[str, Life] = field(default_factory=dict)
    """What was last written, by the pods' UIDs."""
    _slow: dict[str, threading.Event] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def let(self, namespace: str, life: Life, *, image: str = "", **labels: str) -> None:
        """Pods of a namespace with these labels live like this, those that are there too; the last word counts.

        With `image`, only those that run an image whose reference ends so.
        Label names are written with `_` for `-`, `/` and `.`: `tidegate_dev_version="ridge"`.
        """
        with self._lock:
            self._rules.append((namespace, labels, image, life))
            for pod in list(self._pods.values()):
                self._live(pod)

    def hold_deletions(self, namespace: str) -> threading.Event:
        """Pods of the namespace stay, terminating, until the event is set."""
        return self._slow.setdefault(namespace, threading.Event())

    @contextmanager
    def running(self) -> Iterator[Self]:
        """The node exists, and pods that the scheduler gives it are looked after."""
        with self._serving() as port:
            self._register(port)
            thread = threading.Thread(target=self._follow, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                self._stopping.set()
                for event in self._slow.values():
                    event.set()

    # -- the node

    def _register(self, port: int) -> None:
        node: Manifest = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
        }
        self.api.apply(node)
        amount = {"cpu": "1000", "memory": "4000Gi", "pods": "1000", "ephemeral-storage": "4000Gi"}
        condition = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": _now()}
        status = {
            "capacity": amount,
            "allocatable": amount,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [condition],
        }
        self.api.merge(node, {"status": status}, part="status")
        # Every node is born as not ready; no controller for nodes runs here that would take that away.
        self.api.merge(node, {"spec": {"taints": None}})

    # -- pods

    def _follow(self) -> None:
        path = self.api.path("v1", "Pod")
        while not self._stopping.is_set():
            found = self.api.request("GET", path, params=_ON_THIS_NODE)
            for pod in found["items"]:
                self._seen({"type": "MODIFIED", "object": {"apiVersion": "v1", "kind": "Pod", **pod}})
            version = found["metadata"]["resourceVersion"]
            watch = {**_ON_THIS_NODE, "watch": "1", "resourceVersion": version, "timeoutSeconds": "60"}
            with (
                contextlib.suppress(httpx.TransportError),  # the API server closes a watch now and then
                self.api.http.stream("GET", path, params=watch, timeout=None) as answer,
            ):
                for line in answer.iter_lines():
                    if self._stopping.is_set():
                        return
                    self._seen(json.loads(line))

    def _seen(self, change: Mapping[str, Any]) -> None:
        pod: Manifest = change["object"]
        if change["type"] == "ERROR":
            return
        uid = pod["metadata"]["uid"]
        with self._lock:
            if change["type"] == "DELETED":
                self._pods.pop(uid, None)
                self._lives.pop(uid, None)
            elif pod["metadata"].get("deletionTimestamp"):
                self._end(pod)
            else:
                self._pods[uid] = pod
                self._live(pod)

    def _live(self, pod: Manifest) -> None:
        life, uid = self._life(pod), pod["metadata"]["uid"]
        if self._lives.get(uid) == life:
            return
        self._lives[uid] = life
        with contextlib.suppress(ApiError):  # it is being deleted at this moment
            self.api.merge(pod, {"status": _status(pod, life)}, part="status")
            for kind, reason, message in life.events:
                self.api.create(_event(pod, kind, reason, message))

    def _end(self, pod: Manifest) -> None:
        held = self._slow.get(pod["metadata"]["namespace"])

        def remove() -> None:
            if held:
                held.wait()
            with contextlib.suppress(httpx.TransportError):  # the whole control plane has ended meanwhile
                self.api.delete(pod, grace=0)

        if held:
            threading.Thread(target=remove, daemon=True).start()
        else:
            remove()

    def _life(self, pod: Manifest) -> Life:
        labels = {re.sub(r"[-./]", "_", key): value for key, value in (pod["metadata"].get("labels") or {}).items()}
        image: str = pod["spec"]["containers"][0]["image"]
        for namespace, wanted, ending, life in reversed(self._rules):
            meant = namespace == pod["metadata"]["namespace"] and image.endswith(ending)
            if meant and wanted.items() <= labels.items():
                return life
        return _READY if pod["spec"]["restartPolicy"] == "Always" else _DONE

    def _pod(self, namespace: str, name: str) -> Manifest | None:
        with self._lock:
            for pod in self._pods.values():
                if (pod["metadata"]["namespace"], pod["metadata"]["name"]) == (namespace, name):
                    return pod
        return None

    # -- what the API server asks

    @contextmanager
    def _serving(self) -> Iterator[int]:
        signed = issue(NODE, names=[NODE])
        pem = self.folder / "kubelet.pem"
        pem.write_text(signed.pem + signed.key_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server: Server = serve(
            self._forward, "127.0.0.1", 0, ssl=context, process_request=self._answer, subprotocols=[CHANNELS],
            compression=None, server_header=None,
        )  # fmt: skip
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Logs; None for a port-forward, which goes on as a web socket."""
        url = urlsplit(request.path)
        match url.path.strip("/").split("/"):
            case ["portForward", namespace, name]:
                if self._pod(namespace, name) is None:
                    return _text(HTTPStatus.NOT_FOUND, f'pod "{name}" not found')
                return None
            case ["containerLogs", namespace, name, container]:
                return self._logs(namespace, name, container, parse_qs(url.query))
        return _text(HTTPStatus.NOT_FOUND, "the kubelet's double has logs and port-forwards only")

    def _logs(self, namespace: str, name: str, container: str, options: Mapping[str, list[str]]) -> Response:
        pod = self._pod(namespace, name)
        if pod is None:
            return _text(HTTPStatus.NOT_FOUND, f'pods "{name}" not found')
        life = self._life(pod)
        whom = f'container "{container}" in pod "{name}"'
        if options.get("previous") == ["true"]:
            if life.previous_logs is None:
                return _text(HTTPStatus.BAD_REQUEST, f"previous terminated {whom} not found")
            return _text(HTTPStatus.OK, _tail(life.previous_logs, options))
        if "waiting" in life.state and not life.restarts:
            why = life.state["waiting"]
            return _text(HTTPStatus.BAD_REQUEST, f"{whom} is waiting to start: {why.get('message', why['reason'])}")
        return _text(HTTPStatus.OK, _tail(life.logs, options))

    def _forward(self, connection: ServerConnection) -> None:
        """Port-forward of one port: channel 0 carries data, 1 errors; each begins with the port's number."""
        assert connection.request
        url = urlsplit(connection.request.path)
        _, namespace, name = url.path.strip("/").split("/")
        port = int(parse_qs(url.query)["port"][0])
        for channel in (_DATA, _ERROR):
            connection.send(bytes([channel]) + port.to_bytes(2, "little"))
        pod = self._pod(namespace, name)
        address = self._life(pod).ports.get(port) if pod else None
        try:
            if address is None:
                raise ConnectionRefusedError(f"dial tcp4 127.0.0.1:{port}: connect: connection refused")
            target = socket.create_connection(address)
        except OSError as error:
            connection.send(bytes([_ERROR]) + f"error forwarding port {port} to pod {name}: {error}".encode())
            return
        with target:
            back = threading.Thread(target=_copy_back, args=(target, connection), daemon=True)
            back.start()
            with contextlib.suppress(ConnectionClosed, OSError):
                for message in connection:
                    assert isinstance(message, bytes)
                    if message[0] == _DATA and len(message) > 1:
                        target.sendall(message[1:])
            with contextlib.suppress(OSError):  # the other side has closed it
                target.shutdown(socket.SHUT_RDWR)
            back.join()


def _copy_back(target: socket.socket, connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed, OSError):
        while received := target.recv(65536):
            connection.send(bytes([_DATA]) + received)
    connection.close()


_ON_THIS_NODE = {"fieldSelector": f"spec.nodeName={NODE}"}


def _status(pod: Manifest, life: Life) -> Manifest:
    containers: Iterable[Manifest] = pod["spec"]["containers"]
    statuses = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": life.ready,
            "started": life.ready,
            "restartCount": life.restarts,
            "state": dict(life.state),
            "lastState": dict(life.last_state),
        }
        for container in containers
    ]
    truth = "True" if life.ready else "False"
    why = {} if life.ready else {"reason": "ContainersNotReady", "message": "containers with unready status"}
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": _now()},
        {"type": "Initialized", "status": "True", "lastTransitionTime": _now()},
        {"type": "ContainersReady", "status": truth, "lastTransitionTime": _now(), **why},
        {"type": "Ready", "status": truth, "lastTransitionTime": _now(), **why},
    ]
    address = f"10.244.{int(pod['metadata']['uid'][:2], 16)}.{int(pod['metadata']['uid'][2:4], 16)}"
    return {
        "phase": _phase(life),
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": pod["status"].get("startTime") or _now(),
        "containerStatuses": statuses,
        "conditions": conditions,
    }


def _phase(life: Life) -> str:
    if ended := life.state.get("terminated"):
        return "Failed" if ended["exitCode"] else "Succeeded"
    return "Running" if "running" in life.state or life.restarts else "Pending"


def _event(pod: Manifest, kind: str, reason: str, message: str) -> Manifest:
    metadata = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name'][:240]}.{uuid4().hex[:12]}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "source": {"component": "kubelet", "host": NODE},
        "firstTimestamp": _now(),
        "lastTimestamp": _now(),
        "count": 1,
    }


def _tail(logs: str, options: Mapping[str, list[str]]) -> str:
    lines = logs.splitlines(keepends=True)
    wanted = int(options["tailLines"][0]) if "tailLines" in options else len(lines)
    return "".join(lines[max(0, len(lines) - wanted) :])


def _text(status: HTTPStatus, body: str) -> Response:
    content = body.encode()
    headers = Headers({"Content-Type": "text/plain", "Content-Length": str(len(content)), "Connection": "close"})
    return Response(status.value, status.phrase, headers, content)


def _now() -> str:
    return _time(datetime.now(UTC))


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_READY, _DONE = ready(), done()
