"""Versions on Kubernetes, by the stack's outputs: how they are, and what their pods wrote."""

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from cli.errors import CliError
from cli.logs import Entry
from cli.project import Project
from providers.kubernetes import pod_logs, pods
from providers.kubernetes.api import Api, RefusedError
from providers.kubernetes.inspection import running_version
from providers.kubernetes.kubeconfig import KubernetesError
from providers.kubernetes.workload import look

Json = dict[str, Any]

PATIENCE_S = 3.0
_POLL_S = 1.0
_AT_ONCE = 8
_ALL = 1_000_000


def versions(outputs: Mapping[str, Any], endpoint: Mapping[str, Any]) -> dict[str, Json]:
    """How each version of an endpoint is that has a Deployment in the cluster; a digest instead of the whole image."""
    deployments: Mapping[str, str] = endpoint["deployments"]
    with _asked(outputs, endpoint) as api, ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda name: running_version(api, endpoint["namespace"], name), deployments.values())
        return {
            version: {**asdict(running), "digest": _digest(running.image)}
            for version, running in zip(deployments, found, strict=True)
            if running
        }


def read_logs(
    project: Project,
    name: str,
    version: str,
    *,
    lines: int,
    follow: bool = False,
    previous: bool = False,
) -> Iterator[Entry]:
    """The last `lines` lines of each pod of a version, or with `previous` of the containers before those that run.

    With `follow` also those that are written from now on, by pods that are new too.
    """
    outputs = project.outputs(secrets=True)
    endpoint = project.endpoint_of(outputs, name)
    if "cluster" not in endpoint:
        raise CliError(f"endpoint {name} of stack {project.stack} is not on a cluster; there are no logs to read")
    deployments = endpoint["deployments"]
    if version not in deployments:
        raise CliError(f"endpoint {name} has no version {version!r}; it has: {', '.join(sorted(deployments))}")
    with _asked(outputs, endpoint) as api:
        version_pods = _Pods(api, endpoint["namespace"], deployments[version], f"version {version} of endpoint {name}")
        if follow:
            yield from _followed(version_pods, lines)
        else:
            yield from _written(version_pods, lines, previous=previous)


class _Pods:
    """The pods of a version, those of a generation before it too while they run."""

    def __init__(self, api: Api, namespace: str, deployment: str, text: str) -> None:
        self.api, self.text = api, text
        self._namespace, self._deployment = namespace, deployment

    def now(self) -> list[Json]:
        workload = look(self.api, self._namespace, self._deployment)
        if workload is None:
            raise CliError(f"{self.text} is not in the cluster: no Deployment {self._namespace}/{self._deployment}")
        return sorted((*workload.newest, *workload.older), key=_name)


def _written(version: _Pods, lines: int, *, previous: bool) -> Iterator[Entry]:
    found = version.now()
    wrote = False
    for pod in found:
        for line in pod_logs.last_lines(version.api, pod, previous=previous, lines=lines):
            wrote = True
            yield Entry(_name(pod), line, several=len(found) > 1)
    if wrote or not lines:
        return
    if previous:
        raise CliError(f"no container of {version.text} was started again")
    state = "; ".join(f"pod {_name(pod)}: {pods.doing(pod)}" for pod in found) or "it has no pod"
    raise CliError(f"{version.text} wrote nothing ({state})")


def _followed(version: _Pods, lines: int) -> Iterator[Entry]:
    entries: queue.SimpleQueue[Entry | KubernetesError] = queue.SimpleQueue()
    begun: set[tuple[str, int]] = set()
    tail = lines
    while True:
        found = version.now()
        for pod in found:
            container = (pod["metadata"]["uid"], pods.restarts(pod))
            if container not in begun and pods.has_started(pod):
                begun.add(container)
                arguments = (version.api, pod, tail, len(found) > 1, entries)
                threading.Thread(target=_copy, args=arguments, daemon=True).start()
        tail = _ALL  # of a container that starts later everything is new
        yield from _arrived(entries, time.monotonic() + _POLL_S)


def _copy(
    api: Api, pod: Json, lines: int, several: bool, entries: "queue.SimpleQueue[Entry | KubernetesError]"
) -> None:
    try:
        for line in pod_logs.follow(api, pod, lines=lines):
            entries.put(Entry(_name(pod), line, several=several))
    except RefusedError as error:
        if error.status not in (400, 404):  # gone meanwhile
            entries.put(error)
    except KubernetesError as error:
        entries.put(error)


def _arrived(entries: "queue.SimpleQueue[Entry | KubernetesError]", until: float) -> Iterator[Entry]:
    while (left := until - time.monotonic()) > 0:
        try:
            found = entries.get(timeout=left)
        except queue.Empty:
            return
        if isinstance(found, KubernetesError):
            raise found
        yield found


@contextmanager
def _asked(outputs: Mapping[str, Any], endpoint: Mapping[str, Any]) -> Iterator[Api]:
    cluster = endpoint["cluster"]
    kubeconfig = outputs.get("kubeconfigs", {}).get(cluster)
    if not kubeconfig:
        raise CliError(f"the stack's outputs have no kubeconfig of cluster {cluster}; pulumi up writes it")
    try:
        with Api(kubeconfig, patience_s=PATIENCE_S) as api:
            yield api
    except KubernetesError as error:
        raise CliError(f"cluster {cluster}: {error}") from None


def _name(pod: Json) -> str:
    return pod["metadata"]["name"]


def _digest(image: str) -> str:
    """The beginning of an image's digest, its tag where it has none."""
    _, at, digest = image.rpartition("@")
    return digest.removeprefix("sha256:")[:12] if at else image.rpartition("/")[2].rpartition(":")[2]
