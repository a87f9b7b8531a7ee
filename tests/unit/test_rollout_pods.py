"""What a pod's status is in words, and what of it waiting cannot mend."""

from typing import Any

import pytest
from tidegate_runtime.worker import EXIT_SCRIPT_FAILED

from providers.kubernetes import drain, pods, sample
from tests.standins.workloads import IMAGE, RUNNING, pod, terminated, waiting
from tidegate.targets.kubernetes import container

Json = dict[str, Any]

CRASHED = waiting("CrashLoopBackOff", "back-off 10s restarting failed container=scoring")
NOT_FOUND = f'Back-off pulling image "{IMAGE}": ErrImagePull: failed to resolve reference "{IMAGE}": not found'
DENIED = "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized"


def named(thing: Json) -> Json:
    thing["metadata"]["name"] = "p"
    return thing


@pytest.mark.parametrize(
    ("thing", "reason", "text", "patience"),
    [
        (pod(state=waiting("ImagePullBackOff", NOT_FOUND)), "ImagePullBackOff", f"the image {IMAGE} cannot", 0),
        (pod(state=waiting("ErrImagePull", DENIED)), "ErrImagePull", "401 Unauthorized", None),
        (pod(state=waiting("InvalidImageName", "a b")), "InvalidImageName", "a b", 0),
        (
            pod(state=waiting("CreateContainerConfigError", 'secret "k" not found')),
            "CreateContainerConfigError",
            "k",
            60,
        ),
        (pod(unschedulable="0/3 nodes: 3 Insufficient cpu."), "Unschedulable", "0/3 nodes: 3 Insufficient cpu.", None),
        # One start of the script that fails may be a matter of the moment, two are not.
        (pod(state=terminated(3)), "Error", "init() raised, or", None),
        (pod(state=CRASHED, last=terminated(3)), "CrashLoopBackOff", "started 1 time", None),
        (pod(state=RUNNING, last=terminated(3), restarts=1), "Error", "started 2 times", None),
        (pod(state=CRASHED, last=terminated(3), restarts=1), "CrashLoopBackOff", "(exit code 3); started 2 times", 0),
        (pod(state=RUNNING, last=terminated(3), restarts=2), "Error", "started 3 times", 0),
        (pod(state=CRASHED, last=terminated(1), restarts=1), "CrashLoopBackOff", "exit code 1 (Error)", None),
        (pod(state=CRASHED, last=terminated(1), restarts=2), "CrashLoopBackOff", "exit code 1 (Error)", 0),
        (
            pod(state=CRASHED, last=terminated(137, "OOMKilled"), restarts=1, memory="512Mi"),
            "CrashLoopBackOff",
            "OOMKilled: it took more memory than its limit of 512Mi (containerResourceRequirements.memoryInGBLimit)",
            None,
        ),
        (pod(state=CRASHED, last=terminated(137, "OOMKilled"), restarts=2), "CrashLoopBackOff", "OOMKilled", 0),
    ],
)
def test_a_pod_that_is_not_ready(thing: Json, reason: str, text: str, patience: float | None) -> None:
    found = pods.trouble(named(thing))
    assert found is not None
    assert (found.pod, found.reason, found.patience_s) == ("p", reason, patience)
    assert text in found.text
    assert pods.doing(thing) == reason


@pytest.mark.parametrize(
    ("thing", "doing"),
    [
        (pod(ready=True), "ready"),
        (pod(ready=True, restarts=9, last=terminated(3)), "ready"),
        (pod(state=RUNNING), "init() is running"),
        (pod(state=waiting("ContainerCreating")), "ContainerCreating"),
        ({"metadata": {}, "spec": {"containers": []}}, "Pending"),
    ],
)
def test_a_pod_without_trouble(thing: Json, doing: str) -> None:
    assert pods.trouble(named(thing)) is None
    assert pods.doing(thing) == doing


def test_a_pod_that_was_evicted_says_why() -> None:
    thing = named(pod())
    thing["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    found = pods.trouble(thing)
    assert found is not None
    assert (found.reason, found.text) == ("Evicted", "The node was low on resource: memory.")


def test_a_container_beside_the_script_s_is_found_too() -> None:
    thing = named(pod(state=waiting("PodInitializing")))
    thing["spec"]["initContainers"] = [{"name": "fetch", "resources": {}}]
    done = {"name": "fetch", "state": terminated(0, "Completed"), "restartCount": 0, "ready": False}
    thing["status"]["initContainerStatuses"] = [done]
    assert pods.trouble(thing) is None
    assert pods.last_end(thing) == ""
    thing["status"]["initContainerStatuses"] = [done | {"state": terminated(3), "restartCount": 3}]
    found = pods.trouble(thing)
    assert found is not None
    assert (found.container, found.patience_s) == ("fetch", 0)
    assert "init()" not in found.text


def test_the_last_end_is_told_of_a_pod_that_serves_again() -> None:
    assert pods.last_end(pod(ready=True)) == ""
    assert pods.last_end(pod(ready=True, restarts=1, last=terminated(137, "OOMKilled"), memory="1Gi")) == (
        "2026-11-21T09:01:00Z OOMKilled: it took more memory than its limit of 1Gi "
        "(containerResourceRequirements.memoryInGBLimit)"
    )
    said = terminated(1, message="could not bind")
    assert pods.last_end(pod(last=said)).endswith("the process ended with exit code 1 (Error): could not bind")
    assert pods.restarts(pod(restarts=4)) == 4


def test_a_pod_that_is_going_is_not_ready() -> None:
    thing = pod(ready=True)
    assert pods.ready(thing)
    thing["metadata"]["deletionTimestamp"] = "2026-11-21T09:01:00Z"
    assert not pods.ready(thing)


def test_the_container_is_the_one_that_is_planned() -> None:
    assert (pods.CONTAINER, sample.SCORING_PORT, drain.METRICS_PORT) == (
        container.NAME,
        container.HTTP_PORT,
        container.METRICS_PORT,
    )
    assert pods.INIT_FAILED == EXIT_SCRIPT_FAILED
