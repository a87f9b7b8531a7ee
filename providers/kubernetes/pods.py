"""What a pod says of itself, in words: why it is not ready, and what of that will not go away by waiting."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

CONTAINER = "scoring"
"""The container of a version's pod that scores."""

UNSCHEDULABLE = "Unschedulable"
STARTED = "init() is running"

INIT_FAILED = 3
"""The scoring server's exit code for a script that cannot be imported or whose `init()` fails."""

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"})
_NO_IMAGE = re.compile(r": not found\b|manifest unknown|no matching manifest", re.IGNORECASE)
_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_SETTLES_S = 60.0
"""What another object may still mend: a Secret that is not there yet, a quota that another pod frees."""
_TRIES = {INIT_FAILED: 2}
_MOST_TRIES = 3
"""How often a container may end before nobody believes in it: once more where a script's own start fails."""
_MOST_TEXT = 600


@dataclass(frozen=True)
class Trouble:
    """Why a pod is not ready.

    `patience_s` is how long it may still go away by itself: 0 where waiting cannot help, None where nobody knows.
    """

    pod: str
    reason: str
    text: str
    patience_s: float | None = None
    container: str = CONTAINER


def ready(pod: Json) -> bool:
    """Whether the pod takes requests."""
    return _condition(pod, "Ready").get("status") == "True" and not going(pod)


def going(pod: Json) -> bool:
    """Whether the pod is being removed, or has ended for good."""
    return "deletionTimestamp" in pod["metadata"] or pod.get("status", {}).get("phase") == "Succeeded"


def has_started(pod: Json) -> bool:
    """Whether the scoring container runs or has run."""
    for status in _statuses(pod):
        if status["name"] == CONTAINER:
            return "waiting" not in status.get("state", {}) or "terminated" in status.get("lastState", {})
    return False


def restarts(pod: Json) -> int:
    """How often its containers were started again."""
    return sum(status.get("restartCount", 0) for status in _statuses(pod))


def doing(pod: Json) -> str:
    """In one word or two, what the pod is at."""
    if found := trouble(pod):
        return found.reason
    for status in _statuses(pod):
        if waiting := status.get("state", {}).get("waiting"):
            return waiting.get("reason") or "waiting"
    if not ready(pod) and _running(pod):
        return STARTED
    return "ready" if ready(pod) else pod.get("status", {}).get("phase") or "Pending"


def trouble(pod: Json) -> Trouble | None:
    """What keeps the pod from being ready, beyond that it takes its time; None where nothing is known to."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == UNSCHEDULABLE:
        return Trouble(name, UNSCHEDULABLE, f"no node takes it: {_short(scheduled.get('message'))}")
    if status.get("phase") == "Failed" and status.get("reason"):
        return Trouble(name, status["reason"], _short(status.get("message")) or "the pod was ended")
    for each in _statuses(pod):
        if found := _container_trouble(pod, each):
            return found
    return None


def last_end(pod: Json) -> str:
    """How the pod's containers ended last, "" where none has."""
    for status in _statuses(pod):
        ended = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
        if ended and not (ended.get("exitCode") == 0 and _is_init(pod, status["name"])):
            return f"{ended.get('finishedAt') or ''} {_end(pod, status['name'], ended)}".strip()
    return ""


def _container_trouble(pod: Json, status: Json) -> Trouble | None:
    name, container = pod["metadata"]["name"], status["name"]
    state = status.get("state", {})
    waiting = state.get("waiting", {})
    reason, message = waiting.get("reason") or "", _short(waiting.get("message"))
    if reason in _PULL or reason in _HOPELESS:
        patience = 0.0 if reason in _HOPELESS or _NO_IMAGE.search(message) else None
        return Trouble(
            name, reason, f"the image {status.get('image')} cannot be pulled: {message}", patience, container
        )
    now, before = state.get("terminated"), status.get("lastState", {}).get("terminated")
    ended = now or before
    if ended and not status.get("ready") and not (_is_init(pod, container) and ended.get("exitCode") == 0):
        # Kubernetes says CrashLoopBackOff of all that it starts again with a pause; what ended says why.
        starts, running = status.get("restartCount", 0) + 1, "running" in state
        most = _TRIES.get(ended.get("exitCode", 0), _MOST_TRIES)
        patience = 0.0 if starts - running >= most else None
        text = f"{_end(pod, container, ended)}; started {starts} time{'s' * (starts > 1)}"
        return Trouble(name, reason or ended.get("reason") or "Error", text, patience, container)
    if waiting and reason not in _STARTING and message:
        return Trouble(name, reason, message, _SETTLES_S, container)
    return None


def _end(pod: Json, container: str, ended: Json) -> str:
    code, reason = ended.get("exitCode"), ended.get("reason") or "Error"
    said = f": {_short(ended['message'])}" if ended.get("message") else ""
    if reason == "OOMKilled":
        limit = _container(pod, container).get("resources", {}).get("limits", {}).get("memory")
        of = f" of {limit} (containerResourceRequirements.memoryInGBLimit)" if limit else ""
        return f"OOMKilled: it took more memory than its limit{of}{said}"
    if code == INIT_FAILED and container == CONTAINER:
        return f"init() raised, or the script could not be imported (exit code {code}){said}"
    return f"the process ended with exit code {code} ({reason}){said}"


def _statuses(pod: Json) -> Iterator[Json]:
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses") or ()
    # The scoring container first: what stands beside it matters less.
    yield from sorted(status.get("containerStatuses") or (), key=lambda each: each["name"] != CONTAINER)


def _running(pod: Json) -> bool:
    return any(status["name"] == CONTAINER and "running" in status.get("state", {}) for status in _statuses(pod))


def _condition(pod: Json, kind: str) -> Json:
    return next((each for each in pod.get("status", {}).get("conditions") or () if each["type"] == kind), {})


def _container(pod: Json, name: str) -> Json:
    spec = pod["spec"]
    every = [*spec.get("initContainers", ()), *spec["containers"]]
    return next((each for each in every if each["name"] == name), {})


def _is_init(pod: Json, name: str) -> bool:
    return any(each["name"] == name for each in pod["spec"].get("initContainers", ()))


def _short(text: str | None) -> str:
    return " ".join((text or "").split())[:_MOST_TEXT]
