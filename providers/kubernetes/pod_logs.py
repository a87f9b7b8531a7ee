"""What a pod's container wrote."""

from collections.abc import Iterator
from typing import Any

from providers.kubernetes.api import Api, RefusedError
from providers.kubernetes.pods import CONTAINER

Json = dict[str, Any]

LINES = 1000
"""How many of the last lines are asked for."""
SHOWN = 30
"""How many of them an error shows."""


def last_lines(
    api: Api, pod: Json, *, container: str = CONTAINER, previous: bool = False, lines: int = LINES
) -> list[str]:
    """The last lines of a container, or of the one before it; [] where it has not started, or none was before it."""
    query = {"container": container, "tailLines": str(lines)} | ({"previous": "true"} if previous else {})
    try:
        return api.text(log_path(pod), **query).splitlines()
    except RefusedError as error:
        if error.status in (400, 404):  # not started, no previous one, or gone meanwhile
            return []
        raise


def follow(api: Api, pod: Json, *, lines: int, container: str = CONTAINER) -> Iterator[str]:
    """The last lines of a container and those that it writes from now on, until it ends."""
    return api.lines(log_path(pod), container=container, tailLines=str(lines), follow="true")


def crash_lines(api: Api, pod: Json, *, container: str = CONTAINER) -> list[str]:
    """The last lines of what ended last; of what runs where nothing has ended."""
    statuses = pod.get("status", {})
    every = [*(statuses.get("initContainerStatuses") or ()), *(statuses.get("containerStatuses") or ())]
    status = next((each for each in every if each["name"] == container), {})
    again = "running" in status.get("state", {}) and "terminated" in status.get("lastState", {})
    return (again and last_lines(api, pod, container=container, previous=True)) or last_lines(
        api, pod, container=container
    )


def tail(lines: list[str]) -> str:
    """The last lines as an error shows them."""
    return "\n".join(f"  {line}" for line in lines[-SHOWN:]) or "  (it wrote nothing)"


def log_path(pod: Json) -> str:
    """Where the API serves a pod's log."""
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/log"
