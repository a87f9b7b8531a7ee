"""One version of an endpoint as running scoring processes."""

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from providers.kind import INTEGER, TEXT, TEXT_MAP, TEXTS, Call, Form, Kind, OperationError, Properties, optional
from providers.local.envoy_admin import Admin, AdminUnreachableError
from providers.local.launch import SOCKET
from providers.local.layout import Layout, private_folder, replace_file
from providers.local.probe import healthy
from providers.local.supervisor import Supervisor, base_environment
from providers.local.xds import Xds
from providers.values import UNKNOWN
from tidegate.targets.envoy import MAX_REQUESTS, ClusterPlan
from tidegate.targets.local_paths import log_folder

LOG_LINES = 25
_RESTART_S = 3.0
_LOG_S = 2.0
_LOG_QUIET_S = 0.3
_POLL_S = 0.03
_PROGRESS_S = 2.0


class Deployment(Kind):
    """The replicas of one version, ready once `init()` has returned in each, and their cluster in the gateway.

    Any change of what runs is a new deployment beside the old one. Its id follows from its content, so that one that an
    interrupted update left running is found again and taken over; `incarnation` tells which of two owners came last.
    """

    type = "tidegate-serving:local:Deployment"
    inputs: ClassVar = {
        "state": TEXT,
        "endpoint": TEXT,
        "version": TEXT,
        "source": Form(dict, fields={"path": TEXT, "digest": TEXT}),
        "entryScript": TEXT,
        "arguments": optional(TEXTS),
        "models": Form(list, items=Form(dict, fields={"name": TEXT, "number": INTEGER, "copy": TEXT})),
        "interpreter": TEXT,
        "environmentVariables": optional(TEXT_MAP),
        "replicas": INTEGER,
        "maxConcurrentRequests": INTEGER,
        "maxQueueWaitMs": INTEGER,
        "scoringTimeoutMs": INTEGER,
        "maxRequestBytes": optional(INTEGER),
        "startupSeconds": INTEGER,
    }
    replace_on = frozenset(inputs) - {"startupSeconds"}
    refresh_before_update = True

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """The id of a deployment that stays is known."""
        return new | {
            "deployment": old_outputs.get("deployment", UNKNOWN),
            "incarnation": old_outputs.get("incarnation", UNKNOWN),
        }

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Start the processes, wait until they are ready, and tell the gateway of them."""
        running = _Running(Layout(Path(new["state"])), _identity(new))
        _sweep(running.layout)
        outputs = new | {"deployment": running.identity, "incarnation": uuid.uuid4().hex}
        if running.complete():
            running.announce(new)
        else:
            running.start_anew(call, new)
        running.own(outputs["incarnation"])
        return running.identity, outputs

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where its processes are no longer kept up, or its folder is gone."""
        running = _Running(Layout(Path(outputs["state"])), identity)
        return outputs if running.complete() and running.incarnation() == outputs["incarnation"] else None

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Drain and end the processes, unless a later owner took them over or an endpoint still sends them requests."""
        running = _Running(Layout(Path(outputs["state"])), identity)
        if running.incarnation() != outputs["incarnation"]:
            return
        if Xds(running.layout).routed(identity):
            # The engine removes what a failed update left over before anything else, when the endpoint has not moved on
            # yet. The route that stops naming this deployment removes it.
            running.retire()
            return
        running.drain_and_remove(call, outputs["scoringTimeoutMs"] / 1000)


def remove_retired(call: Call, layout: Layout, identity: str, drain_s: float) -> None:
    """Remove a deployment that waited for its last route to let go of it, or of which only the routes are left."""
    running = _Running(layout, identity)
    if running.retired() or not running.complete():
        running.drain_and_remove(call, drain_s)


def sockets(layout: Layout, identity: str, replicas: int) -> list[Path]:
    """Where the replicas of a deployment listen."""
    short = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return [layout.run / f"{short}-{replica}.sock" for replica in range(replicas)]


def name_of(identity: str) -> tuple[str, str]:
    """The endpoint and the version that a deployment's id names."""
    endpoint, _, rest = identity.partition(".")
    return endpoint, rest.rpartition("-")[0]


def remove_unknown(layout: Layout, known: Collection[str]) -> list[str]:
    """Remove the deployments that no state knows, which a killed engine has made and not written down; their ids."""
    unknown = [folder.name for folder in layout.deployments.glob("*") if folder.name not in known]
    for identity in unknown:
        _Running(layout, identity).remove()
    return unknown


def log_tail(layout: Layout, identity: str) -> str:
    """The last lines that the processes of a deployment wrote."""
    return _Running(layout, identity).log_tail()


class _Running:
    """One deployment's folder, processes, sockets and logs."""

    def __init__(self, layout: Layout, identity: str) -> None:
        self.layout, self.identity = layout, identity
        self._supervisor = Supervisor(layout)
        self._folder = layout.deployments / identity
        self._logs = log_folder(layout.state, *name_of(identity))

    def complete(self) -> bool:
        """Whether it was ready once and its processes serve, or are on their way to it after a restart."""
        deadline = time.monotonic() + _RESTART_S
        while (self._folder / "ready").exists() and self._supervisor.up(self.identity):
            replicas = len(self._supervisor.processes(self.identity))
            # One that ends as soon as it is started looks like one that starts, until it is watched for a moment.
            if all(map(healthy, sockets(self.layout, self.identity, replicas))) or time.monotonic() > deadline:
                return True
            time.sleep(_POLL_S)
        return False

    def incarnation(self) -> str:
        path = self._folder / "incarnation"
        return path.read_text() if path.exists() else ""

    def own(self, incarnation: str) -> None:
        replace_file(self._folder / "incarnation", incarnation)
        (self._folder / "retired").unlink(missing_ok=True)

    def retire(self) -> None:
        (self._folder / "retired").touch()

    def retired(self) -> bool:
        return (self._folder / "retired").exists()

    def start_anew(self, call: Call, new: Properties) -> None:
        """Start the processes after whatever is left of earlier ones; nothing but the log stays where that fails."""
        self.remove()
        try:
            self._start(call, new)
        except BaseException:
            self.keep_logs()
            self.remove()
            raise

    def _start(self, call: Call, new: Properties) -> None:
        private_folder(self._folder)
        replace_file(self._folder / "starting", _process(os.getpid()))
        call.progress("copying the script")
        source = _copy_source(new, self._folder / "source")
        models = _link_models(new, self._folder / "models")
        places = sockets(self.layout, self.identity, new["replicas"])
        self._supervisor.add(
            self.identity,
            command=[
                *(new["interpreter"], "-m", "tidegate_runtime", "--entry", new["entryScript"]),
                *("--source-dir", str(source), "--model-dir", str(models)),
                *("--socket", SOCKET),
                *(["--", *new["arguments"]] if new.get("arguments") else []),
            ],
            environment=base_environment() | new.get("environmentVariables", {}) | _settings(new),
            folder=source,
            log=self._logs / f"{self.identity}.log",
            sockets=places,
            replicas=new["replicas"],
            stop_wait_s=new["scoringTimeoutMs"] // 1000 + 5,
        )
        self._wait_ready(call, places, new["startupSeconds"])
        self.announce(new)
        (self._folder / "ready").touch()
        (self._folder / "starting").unlink()

    def announce(self, new: Properties) -> None:
        """Tell the gateway of the processes."""
        plan: ClusterPlan = {
            "name": self.identity,
            "version": new["version"],
            "sockets": [str(path) for path in sockets(self.layout, self.identity, new["replicas"])],
            "max_requests": MAX_REQUESTS,
        }
        Xds(self.layout).put_cluster(plan)

    def _wait_ready(self, call: Call, places: list[Path], limit_s: int) -> None:
        began = said = time.monotonic()
        first = {process.name: process.pid for process in self._supervisor.processes(self.identity)}
        while not all(healthy(path) for path in places):
            call.stop_if_cancelled()
            now = time.monotonic()
            for process in self._supervisor.processes(self.identity):
                first[process.name] = first.get(process.name) or process.pid
                if process.state not in ("STARTING", "RUNNING") or process.pid != first[process.name]:
                    raise OperationError(self._failure("ended before it was ready"))
            if now - began > limit_s:
                raise OperationError(
                    self._failure(
                        f"init() did not return within {limit_s} s (livenessProbeRequirements.initialDelaySeconds)"
                    )
                )
            if now - said > _PROGRESS_S:
                said = now
                call.progress(f"init() is running ({now - began:.0f} s of at most {limit_s})")
            time.sleep(_POLL_S)

    def _failure(self, what: str) -> str:
        endpoint, version = name_of(self.identity)
        return (
            f"version {version} of endpoint {endpoint}: the scoring process {what}; "
            f"its last log lines:\n{self.log_tail()}"
        )

    def log_tail(self) -> str:
        self._await_log()
        logs = sorted(self._logs.glob(f"{self.identity}-*.log"), key=lambda path: path.stat().st_mtime)
        lines = logs[-1].read_text(errors="replace").splitlines()[-LOG_LINES:] if logs else []
        return "\n".join(f"  {line}" for line in lines) or "  (it wrote nothing)"

    def _await_log(self) -> None:
        # What a process wrote last is on its way through supervisord when its end, or its answer, is seen here.
        deadline, size = time.monotonic() + _LOG_S, -1
        while time.monotonic() < deadline:
            now = sum(log.stat().st_size for log in self._logs.glob(f"{self.identity}-*.log"))
            if now == size:
                return
            size = now
            time.sleep(_LOG_QUIET_S)

    def keep_logs(self) -> None:
        """Leave what a failed start wrote where `tidegate logs` finds it."""
        for log in self._logs.glob(f"{self.identity}-*.log"):
            log.replace(log.with_name(f"failed-{log.stem.rpartition('-')[2]}.log"))

    def drain_and_remove(self, call: Call, drain_s: float) -> None:
        admin, deadline = Admin(self.layout.admin_socket), time.monotonic() + drain_s
        said = 0.0
        with suppress(AdminUnreachableError):  # no gateway, so nothing is in flight
            while (waiting := admin.in_flight(self.identity)) and time.monotonic() < deadline:
                if call.cancelled.is_set():
                    raise OperationError(f"interrupted with {waiting} requests in flight; the next update removes it")
                if time.monotonic() - said > _PROGRESS_S:
                    said = time.monotonic()
                    call.progress(f"finishing {waiting} request{'s' * (waiting > 1)} in flight")
                call.cancelled.wait(_POLL_S)
        self.remove()

    def remove(self) -> None:
        xds = Xds(self.layout)
        if not xds.routed(self.identity):  # after a reboot routes are there before their deployments are again
            xds.drop_cluster(self.identity)
        self._supervisor.remove(self.identity)
        for path in self.layout.run.glob(sockets(self.layout, self.identity, 1)[0].name.replace("-0.sock", "-*.sock")):
            path.unlink(missing_ok=True)
        for log in self._logs.glob(f"{self.identity}-*.log*"):
            log.unlink()
        for folder in (self._logs, self._logs.parent):
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
        shutil.rmtree(self._folder, ignore_errors=True)


def _identity(new: Properties) -> str:
    content = json.dumps(new, sort_keys=True).encode()
    return f"{new['endpoint']}.{new['version']}-{hashlib.sha256(content).hexdigest()[:8]}"


def _sweep(layout: Layout) -> None:
    """Remove what a plugin that was killed in the middle of a start has left."""
    for mark in layout.deployments.glob("*/starting"):
        with suppress(FileNotFoundError):  # done meanwhile, by another thread
            starter = mark.read_text()
            if starter != _process(int(starter.split()[0])):
                _Running(layout, mark.parent.name).remove()


def _process(pid: int) -> str:
    """A process's id and its start time, which no other process has; "" where there is none."""
    try:
        return f"{pid} {Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except OSError:
        return ""


def _copy_source(new: Properties, folder: Path) -> Path:
    from tidegate.image.snapshot import SnapshotError, copy_snapshot, take_snapshot  # noqa: PLC0415 (not in a preview)

    path = Path(new["source"]["path"])
    try:
        snapshot = take_snapshot(path)
        if snapshot.digest != new["source"]["digest"]:
            raise OperationError(f"{path} was edited while the update ran; run pulumi up again")
        copy_snapshot(snapshot, folder)
    except (SnapshotError, OSError) as error:
        raise OperationError(str(error)) from error
    return folder


def _link_models(new: Properties, folder: Path) -> Path:
    """v1's layout: `<name>/<number>/<file or folder>`; a single model's version folder is AZUREML_MODEL_DIR itself."""
    for model in new["models"]:
        place = private_folder(folder / model["name"] / str(model["number"]))
        copy = Path(model["copy"])
        (place / copy.name).symlink_to(copy)
    private_folder(folder)
    if len(new["models"]) == 1:
        only = new["models"][0]
        return folder / only["name"] / str(only["number"])
    return folder


def _settings(new: Properties) -> dict[str, str]:
    settings = {
        "PYTHONUNBUFFERED": "1",
        "SERVICE_NAME": new["endpoint"],
        "SERVICE_VERSION": new["version"],
        "SCORING_TIMEOUT_MS": str(new["scoringTimeoutMs"]),
        "TIDEGATE_MAX_CONCURRENT_REQUESTS": str(new["maxConcurrentRequests"]),
        "TIDEGATE_MAX_QUEUE_WAIT_MS": str(new["maxQueueWaitMs"]),
    }
    if "maxRequestBytes" in new:
        settings["TIDEGATE_MAX_REQUEST_BYTES"] = str(new["maxRequestBytes"])
    return settings
