"""Waits until the newest generation of a Deployment is ready, or it is plain that it will not be."""

import time
from dataclasses import dataclass
from typing import Any

from providers.kind import Call, OperationError
from providers.kubernetes import failure, pods
from providers.kubernetes.api import Api
from providers.kubernetes.pods import Trouble
from providers.kubernetes.workload import Workload, look

Json = dict[str, Any]

POLL_S = 2.0
PULL_S = 600.0
"""What a new node and the pull of an image may take, beyond the start of the script."""
NOT_SCALED_S = 120.0
"""How long a pod waits that the cluster autoscaler finds no node for: another pod may go."""


@dataclass(frozen=True)
class Version:
    """A version of an endpoint, and the Deployment that runs it."""

    endpoint: str
    name: str
    namespace: str
    deployment: str
    replicas: int
    startup_s: int

    @property
    def text(self) -> str:
        """What an error calls it."""
        return f"version {self.name} of endpoint {self.endpoint}"


def wait_ready(api: Api, call: Call, version: Version, *, fresh: bool) -> Workload:
    """Wait until the version is ready.

    Raises `OperationError` with the reason in words where waiting cannot help, or where nothing has moved on for the
    time that a start may take. `fresh` says whether this version has not served yet.
    """
    return _Wait(api, call, version, fresh=fresh).run()


class _Wait:
    def __init__(self, api: Api, call: Call, version: Version, *, fresh: bool) -> None:
        self._api, self._call, self._version, self._fresh = api, call, version, fresh
        self._seen: dict[tuple[str, str], float] = {}
        self._best: tuple[int, ...] = ()
        self._moved = time.monotonic()
        self._said = ""

    def run(self) -> Workload:
        while True:
            if self._call.cancelled.is_set():
                raise OperationError(
                    f"interrupted while {self._version.text} starts; the next update waits for it again"
                )
            version = self._version
            workload = look(self._api, version.namespace, version.deployment, asked=version.replicas)
            if workload is None:
                raise OperationError(f"{self._version.text}: {self._place} is not in the cluster")
            if workload.done:
                return workload
            self._judge(workload)
            self._call.cancelled.wait(POLL_S)

    def _judge(self, workload: Workload) -> None:
        now = time.monotonic()
        troubles = self._troubles(workload)
        seen = {(each.pod, each.reason): self._seen.get((each.pod, each.reason), now) for each in troubles}
        self._seen = seen
        self._say(workload)
        if workload.observed:
            final = [each for each in troubles if self._final(workload, each, now - seen[each.pod, each.reason])]
            if final:
                rest = [each for each in troubles if each not in final]
                raise OperationError(self._text(workload, "is not ready", [*final, *rest]))
        if (moved := _moved(workload)) > self._best:
            self._best, self._moved = moved, now
        limit = self._version.startup_s + PULL_S
        if now - self._moved > limit:
            what = f"is not ready: nothing has moved on for {limit:.0f} s"
            raise OperationError(self._text(workload, what, troubles))

    def _troubles(self, workload: Workload) -> list[Trouble]:
        found = [pods.trouble(pod) for pod in workload.newest if not pods.ready(pod)]
        return [each for each in (*found, workload.failed_create) if each]

    def _final(self, workload: Workload, trouble: Trouble, seen_s: float) -> bool:
        if trouble.reason == pods.UNSCHEDULABLE and seen_s >= NOT_SCALED_S:
            pod = next(each for each in workload.newest if each["metadata"]["name"] == trouble.pod)
            return any(event.reason == failure.NOT_SCALED for event in failure.events_of(self._api, pod))
        return trouble.patience_s is not None and seen_s >= trouble.patience_s

    def _say(self, workload: Workload) -> None:
        waiting = next((pod for pod in workload.newest if not pods.ready(pod)), None)
        if waiting:
            rest = f"waiting for {waiting['metadata']['name']}: {pods.doing(waiting)}"
        elif workload.older:
            rest = f"{len(workload.older)} of before still to go"
        else:
            rest = f"waiting for {self._place}"
        said = f"{workload.ready}/{workload.wanted} ready, {rest}"
        if said != self._said:
            self._said = said
            self._call.progress(said)

    def _text(self, workload: Workload, what: str, troubles: list[Trouble]) -> str:
        head = f"{self._version.text} {what} ({workload.ready} of {workload.wanted} replicas)"
        lines = [head, *failure.explain(self._api, workload, troubles)]
        if any("failed startup probe" in line for line in lines):
            lines.append(
                f"init() did not return within {self._version.startup_s} s "
                "(livenessProbeRequirements.initialDelaySeconds)"
            )
        serving = sum(map(pods.ready, workload.older))
        if serving:
            lines.append(f"what ran before keeps its traffic ({serving} replica{'s' * (serving > 1)} ready)")
        elif self._fresh:
            lines.append("it gets no traffic, and no weight has changed")
        elif not workload.ready:
            lines.append("none of its replicas is ready: its share of the requests is answered 503")
        return "\n".join(lines)

    @property
    def _place(self) -> str:
        return f"Deployment {self._version.namespace}/{self._version.deployment}"


def _moved(workload: Workload) -> tuple[int, ...]:
    """How far a rollout is: it only grows while one goes on."""
    generation = workload.deployment["metadata"]["generation"]
    running = sum(1 for pod in workload.newest if pods.doing(pod) == pods.STARTED)
    return generation, workload.ready, -len(workload.older), running, len(workload.newest)
