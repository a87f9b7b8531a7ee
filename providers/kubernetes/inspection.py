"""How a version on Kubernetes is, for those who only look."""

from dataclasses import dataclass
from typing import Any

from providers.kubernetes import pods
from providers.kubernetes.api import Api
from providers.kubernetes.workload import Workload, look

Json = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """One pod: what it is at, what keeps it from being ready, how its container ended last; "" where nothing is."""

    name: str
    ready: bool
    state: str
    restarts: int
    node: str
    problem: str
    last_end: str


@dataclass(frozen=True)
class Running:
    """One version: how many replicas are wanted and ready, what they run, and the last that went wrong in them."""

    replicas: int
    ready: int
    restarts: int
    image: str
    problem: str
    pods: tuple[Pod, ...]


def running_version(api: Api, namespace: str, deployment: str) -> Running | None:
    """How the version is that a Deployment runs, None where there is none. Raises what `Api` raises."""
    workload = look(api, namespace, deployment)
    if workload is None:
        return None
    every = (*workload.newest, *workload.older)
    found = tuple(map(_pod, every))
    return Running(
        replicas=max(workload.wanted, workload.deployment["spec"].get("replicas", 1)),
        ready=sum(each.ready for each in found),
        restarts=sum(each.restarts for each in found),
        image=_image(workload.deployment),
        problem=_problem(workload, found),
        pods=found,
    )


def _pod(pod: Json) -> Pod:
    trouble = None if pods.ready(pod) else pods.trouble(pod)
    return Pod(
        name=pod["metadata"]["name"],
        ready=pods.ready(pod),
        state=pods.doing(pod),
        restarts=pods.restarts(pod),
        node=pod["spec"].get("nodeName", ""),
        problem=f"{trouble.reason}: {trouble.text}" if trouble else "",
        last_end=pods.last_end(pod),
    )


def _problem(workload: Workload, found: tuple[Pod, ...]) -> str:
    """The first that keeps a pod from being ready, else how a container ended last, else nothing."""
    if failed := workload.failed_create:
        return f"no pod can be made: {failed.reason}: {failed.text}"
    for each in found:
        if each.problem:
            return f"{each.name}: {each.problem}"
    ended = max((each for each in found if each.last_end), key=lambda each: each.last_end, default=None)
    return f"{ended.name}: {ended.last_end}" if ended else ""


def _image(deployment: Json) -> str:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return next(each["image"] for each in containers if each["name"] == pods.CONTAINER)
