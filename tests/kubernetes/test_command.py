"""`tidegate status` and `tidegate logs` on a real API server."""

import json
from pathlib import Path

import pytest

from tests.kubernetes.api import Api, until
from tests.kubernetes.kubelet import Kubelet, crashing, ready
from tests.kubernetes.test_rollout import IMAGE, Stage
from tests.unit.conftest import Command

pytestmark = pytest.mark.kubernetes


@pytest.fixture
def stage(api: Api, kubelet: Kubelet, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(api, kubelet, namespace, tmp_path_factory.mktemp("project"))


@pytest.fixture
def command(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """The command, for a stack whose outputs name the stage."""
    tidegate = Command(tmp_path, monkeypatch, capfd)
    monkeypatch.setenv("PATH", f"{tidegate.root / 'engine'}:/usr/bin:/bin")
    monkeypatch.setenv("TIDEGATE_STACK", "prod")
    described = {
        "address": "https://scoring.example.com/api/v1/service/diabetes/score",
        "auth": "key",
        "default": "ridge",
        "versions": {"ridge": 100},
        "cluster": "main",
        "namespace": stage.namespace,
        "deployments": {"ridge": "diabetes-ridge"},
    }
    kubeconfigs = {"main": stage.api.address.kubeconfig}
    tidegate.outputs({"endpoints": {"diabetes": described}, "kubeconfigs": kubeconfigs})
    return tidegate


def test_a_version_that_serves(command: Command, stage: Stage) -> None:
    stage.kubelet.let(stage.namespace, ready("loading\nready\n"))
    stage.deploy()
    stage.create()
    code, out, err = command("status", "--json")
    assert (code, err) == (0, "")
    version = json.loads(out)["endpoints"]["diabetes"]["versions"]["ridge"]
    replicas = len(stage.pods())
    assert (version["ready"], version["replicas"], version["restarts"]) == (replicas, replicas, 0)
    assert (version["image"], version["problem"]) == (IMAGE, "")
    assert {pod["node"] for pod in version["pods"]} == {"node-1"}
    names = sorted(pod["metadata"]["name"] for pod in stage.pods())
    wanted = [line for name in names for line in (f"[{name}] loading", f"[{name}] ready")]
    assert command("logs", "diabetes", "ridge")[1].splitlines() == (wanted if replicas > 1 else ["loading", "ready"])
    assert command.fails("logs", "diabetes", "ridge", "--previous") == (
        "no container of version ridge of endpoint diabetes was started again"
    )


def test_a_version_that_crashes(command: Command, stage: Stage) -> None:
    stage.kubelet.let(stage.namespace, crashing("no such column\n", restarts=3))
    stage.deploy()
    until(lambda: any(pod["status"].get("containerStatuses") for pod in stage.pods()), "a container's status")
    out = command("status")[1]
    assert "CrashLoopBackOff: init() raised, or the script could not be imported (exit code 3); started 4 times" in out
    assert "0/" in out
    assert "no such column" in command("logs", "diabetes", "ridge", "--previous", "--lines", "1")[1]


def test_a_version_that_is_gone(command: Command, stage: Stage) -> None:
    assert "not in the cluster" in command("status")[1]
    assert command.fails("logs", "diabetes", "ridge").endswith(f"no Deployment {stage.namespace}/diabetes-ridge")
