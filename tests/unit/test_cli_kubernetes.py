"""`tidegate status`, `logs`, `score` and `keys` for a stack whose endpoints are on clusters."""

import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import kubernetes
from cli.project import Project
from tests.standins.kubernetes_server import TOKEN, KubernetesServer
from tests.standins.kubernetes_server import kubeconfig as kubeconfig_of
from tests.standins.workloads import IMAGE, NAMESPACE, RUNNING, Cluster, pod, terminated, waiting
from tests.unit.cluster.pki import issue
from tests.unit.conftest import Command
from tests.unit.test_cli_score import Endpoint

Json = dict[str, Any]

CRASHED = waiting("CrashLoopBackOff", "back-off 10s")
FOREST = "diabetes-forest"
KEYS = {"diabetes": {"primary": "the primary key", "secondary": "the secondary key"}}
DESCRIBED = {
    "address": "https://scoring.example.com/api/v1/service/diabetes/score",
    "swagger": "https://scoring.example.com/api/v1/service/diabetes/swagger.json",
    "auth": "key",
    "default": "ridge",
    "control": "ridge",
    "versions": {"ridge": 90, "forest": 10},
    "cluster": "main",
    "namespace": NAMESPACE,
    "deployments": {"ridge": "diabetes-ridge", "forest": FOREST},
}


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    with KubernetesServer().running() as server:
        yield server


@pytest.fixture
def ridge(server: KubernetesServer) -> Cluster:
    return Cluster(server)


@pytest.fixture
def forest(server: KubernetesServer) -> Cluster:
    return Cluster(server, FOREST, {"tidegate.dev/endpoint": "diabetes", "tidegate.dev/version": "forest"})


class Prod:
    """The command on the stack `prod`."""

    def __init__(self, command: Command) -> None:
        self.command = command

    def outputs(self, kubeconfig: str, **described: Any) -> None:
        outputs = {"endpoints": {"diabetes": DESCRIBED | described}, "kubeconfigs": {"main": kubeconfig}}
        self.command.outputs(outputs, KEYS)

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        found = self.command(*arguments, "--stack", "prod")
        assert TOKEN not in "".join(map(str, found))
        return found

    def fails(self, *arguments: str) -> str:
        said = self.command.fails(*arguments, "--stack", "prod")
        assert TOKEN not in said
        return said


@pytest.fixture
def prod(tidegate: Command, server: KubernetesServer, monkeypatch: pytest.MonkeyPatch) -> Prod:
    monkeypatch.setenv("PATH", f"{tidegate.root / 'engine'}:/usr/bin:/bin")
    monkeypatch.setattr(kubernetes, "PATIENCE_S", 0.0)
    prod = Prod(tidegate)
    prod.outputs(server.kubeconfig)
    return prod


# -- status


def test_status_shows_pods_and_what_is_wrong_with_them(prod: Prod, ridge: Cluster, forest: Cluster) -> None:
    last, before = terminated(137, "OOMKilled"), terminated(1)
    before["terminated"]["finishedAt"] = "2026-11-20T23:59:00Z"
    ridge.deploy(
        pod(ready=True, restarts=1, last=last, memory="1Gi"), pod(ready=True, restarts=1, last=before), wanted=2
    )
    forest.deploy(pod(state=CRASHED, last=terminated(3), restarts=4))
    code, out, err = prod("status")
    assert (code, err) == (0, "")
    assert [line.rstrip() for line in out.splitlines()] == [
        "diabetes  https://scoring.example.com/api/v1/service/diabetes/score  auth: key",
        "version  percent  role              replicas   restarts  image",
        "forest   10 %     treatment         0/1 ready  4         1f2e3d4c5b6a",
        "ridge    90 %     default, control  2/2 ready  2         1f2e3d4c5b6a",
        "forest: diabetes-forest-1-0: CrashLoopBackOff: init() raised, or the script could not be imported "
        "(exit code 3); started 5 times",
        "ridge: diabetes-ridge-1-0: 2026-11-21T09:01:00Z OOMKilled: it took more memory than its limit of 1Gi "
        "(containerResourceRequirements.memoryInGBLimit)",
    ]


def test_status_as_json(prod: Prod, ridge: Cluster) -> None:
    ridge.deploy(pod(ready=True))
    ridge.deploy(pod(unschedulable="0/3 nodes are available."))
    code, out, _ = prod("status", "--json")
    found = json.loads(out)
    assert code == 0
    assert "kubeconfigs" not in found
    endpoint = found["endpoints"]["diabetes"]
    assert endpoint["versions"].pop("forest") == {"percent": 10, "roles": ["treatment"]}
    assert endpoint["versions"].pop("ridge") == {
        "percent": 90,
        "roles": ["default", "control"],
        "replicas": 1,
        "ready": 1,
        "restarts": 0,
        "image": IMAGE,
        "digest": "1f2e3d4c5b6a",
        "problem": "diabetes-ridge-2-0: Unschedulable: no node takes it: 0/3 nodes are available.",
        "pods": [
            {
                "name": "diabetes-ridge-2-0",
                "ready": False,
                "state": "Unschedulable",
                "restarts": 0,
                "node": "",
                "problem": "Unschedulable: no node takes it: 0/3 nodes are available.",
                "last_end": "",
            },
            {
                "name": "diabetes-ridge-1-0",
                "ready": True,
                "state": "ready",
                "restarts": 0,
                "node": "",
                "problem": "",
                "last_end": "",
            },
        ],
    }
    assert endpoint == DESCRIBED | {"versions": {}}


def test_status_of_versions_that_are_not_in_the_cluster(prod: Prod, ridge: Cluster) -> None:
    ridge.deploy(wanted=1, conditions=[
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: team"}
    ])  # fmt: skip
    lines = [line.rstrip() for line in prod("status")[1].splitlines()]
    assert lines[2] == "forest   10 %     treatment         not in the cluster"
    assert lines[-1] == "ridge: no pod can be made: FailedCreate: exceeded quota: team"


@pytest.mark.parametrize("command", [("status",), ("logs", "diabetes", "ridge"), ("logs", "diabetes", "ridge", "-f")])
def test_what_is_missing_is_said(
    prod: Prod, server: KubernetesServer, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.token = "another"
    assert prod.fails(*command) == "cluster main: the API server answers 401: Unauthorized"
    with KubernetesServer().running() as ended:
        pass
    prod.outputs(ended.kubeconfig)
    assert prod.fails(*command).startswith("cluster main: the API server 127.0.0.1 cannot be reached: ")
    login = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "kubelogin", "args": ["get-token"]}
    prod.outputs(kubeconfig_of(server.url, {"exec": login}))
    monkeypatch.setenv("PATH", f"{prod.command.root / 'engine'}:/bin")
    assert prod.fails(*command) == "cluster main: kubelogin is not on PATH; az aks install-cli installs it"
    prod.outputs("")
    assert prod.fails(*command) == "the stack's outputs have no kubeconfig of cluster main; pulumi up writes it"


# -- logs


def test_the_log_of_the_only_pod(prod: Prod, server: KubernetesServer, ridge: Cluster) -> None:
    ridge.deploy(pod(state=RUNNING))
    server.logs["diabetes-ridge-1-0", False] = "loading\nready [red]\n"
    assert prod("logs", "diabetes", "ridge") == (0, "loading\nready [red]\n", "")
    assert prod("logs", "diabetes", "ridge", "--lines", "1")[1] == "ready [red]\n"
    assert prod("logs", "diabetes", "ridge", "--lines", "0") == (0, "", "")


def test_logs_of_several_pods_are_told_apart(prod: Prod, server: KubernetesServer, ridge: Cluster) -> None:
    ridge.deploy(pod(ready=True))
    ridge.deploy(pod(state=waiting("ContainerCreating")), pod())
    server.logs["diabetes-ridge-1-0", False] = "a\nb\n"
    server.logs["diabetes-ridge-2-1", False] = "c\n"
    assert prod("logs", "diabetes", "ridge")[1] == (
        "[diabetes-ridge-1-0] a\n[diabetes-ridge-1-0] b\n[diabetes-ridge-2-1] c\n"
    )
    assert prod("logs", "diabetes", "ridge", "--lines", "1", "--json")[1] == (
        '{"replica": "diabetes-ridge-1-0", "line": "b"}\n{"replica": "diabetes-ridge-2-1", "line": "c"}\n'
    )


def test_the_log_of_the_container_before(prod: Prod, server: KubernetesServer, ridge: Cluster) -> None:
    ridge.deploy(pod(state=RUNNING, last=terminated(3), restarts=1))
    server.logs["diabetes-ridge-1-0", False] = "starting again\n"
    assert prod.fails("logs", "diabetes", "ridge", "-p") == (
        "no container of version ridge of endpoint diabetes was started again"
    )
    server.logs["diabetes-ridge-1-0", True] = "no such column\n"
    assert prod("logs", "diabetes", "ridge", "-p")[1] == "no such column\n"


def test_no_log(prod: Prod, ridge: Cluster) -> None:
    assert prod.fails("logs", "diabetes", "ridge") == (
        "version ridge of endpoint diabetes is not in the cluster: no Deployment scoring/diabetes-ridge"
    )
    ridge.deploy(pod(state=waiting("ContainerCreating")))
    assert prod.fails("logs", "diabetes", "ridge") == (
        "version ridge of endpoint diabetes wrote nothing (pod diabetes-ridge-1-0: ContainerCreating)"
    )
    assert prod.fails("logs", "diabetes", "lasso") == "endpoint diabetes has no version 'lasso'; it has: forest, ridge"
    assert prod.fails("logs", "wine", "ridge") == "stack prod has no endpoint 'wine'; it has: diabetes"


def test_following_goes_on_with_containers_and_pods_that_are_new(
    prod: Prod, server: KubernetesServer, ridge: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes, "_POLL_S", 0.2)
    ridge.deploy(pod(state=RUNNING), pod(state=waiting("ContainerCreating")), wanted=2)
    server.logs["diabetes-ridge-1-0", False] = "old\nfirst\n"
    changes: Iterator[Callable[[], object]] = iter(
        [
            lambda: None,
            lambda: (
                server.logs.update({("diabetes-ridge-1-0", False): "again\nand again\n"}),
                ridge.revise(pod(restarts=1, last=terminated(1)), pod(state=waiting("ContainerCreating"))),
            ),
            lambda: (
                server.logs.update({("diabetes-ridge-1-1", False): "second\n"}),
                ridge.revise(pod(restarts=1, last=terminated(1)), pod(state=RUNNING)),
            ),
        ]
    )
    seen: list[str] = []

    def before(path: str) -> None:
        if path.endswith("/deployments/diabetes-ridge"):
            if (change := next(changes, None)) is None:
                server.token = "another"  # the login has ended, and with it the command
            else:
                change()

    server.before = before
    with pytest.raises(kubernetes.CliError, match="cluster main: the API server answers 401"):
        for entry in kubernetes.read_logs(
            Project(prod.command.root, "prod"), "diabetes", "ridge", lines=1, follow=True
        ):
            seen.append(entry.text)
    assert seen == [
        "[diabetes-ridge-1-0] first",
        "[diabetes-ridge-1-0] again",
        "[diabetes-ridge-1-0] and again",
        "[diabetes-ridge-1-1] second",
    ]


# -- score and keys


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[Endpoint]:
    """A scoring address over https, whose authority the machine trusts."""
    signed = issue("localhost", names=["localhost"])
    (tmp_path / "server.pem").write_text(signed.pem + signed.key_pem)
    (tmp_path / "authority.pem").write_text(signed.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with Endpoint() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        # Not in os.environ: what the machine trusts is OpenSSL's matter, and httpx looks for the variable by itself.
        os.putenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        yield server
        before = os.environ.get("SSL_CERT_FILE")
        os.unsetenv("SSL_CERT_FILE") if before is None else os.putenv("SSL_CERT_FILE", before)
        server.shutdown()
        thread.join()


def test_a_sample_goes_to_the_address_over_https(prod: Prod, server: KubernetesServer, over_tls: Endpoint) -> None:
    address = f"https://localhost:{over_tls.server_port}/api/v1/service/diabetes/score"
    prod.outputs(server.kubeconfig, address=address)
    code, out, _ = prod("score", "diabetes", "--data", "[1]", "--version", "forest")
    assert (code, out) == (0, '{"result": [1.5]}\n')
    assert over_tls.headers["authorization"] == "Bearer the primary key"
    assert over_tls.headers["x-tidegate-version"] == "forest"
    os.unsetenv("SSL_CERT_FILE")
    said = prod.fails("score", "diabetes", "--data", "[1]")
    assert "CERTIFICATE_VERIFY_FAILED" in said
    assert said.endswith("; tidegate status shows its pods")


def test_keys_are_shown_and_rotated_by_the_stack_s_own_file_and_login(prod: Prod) -> None:
    assert prod("keys", "show", "diabetes", "--name", "primary")[1] == "the primary key\n"
    root = prod.command.root
    (root / "one").mkdir()
    (root / "one" / "score.py").write_text("def init(): ...\ndef run(data): ...\n")
    (root / "Pulumi.prod.yaml").write_text(AZURE)
    code, _, err = prod("keys", "rotate", "diabetes", "secondary")
    assert (code, err) == (0, "")
    kept, _, rotation = (root / "Pulumi.prod.yaml").read_text().partition("      keyRotation:")
    assert kept == AZURE
    assert rotation.split() in (["secondary:", "2"], ["{secondary:", "2}"])
    assert prod.command.calls[-1] == "up --yes --skip-preview --stack prod"


AZURE = """\
config:
  tidegate:target: azure
  tidegate:location: westeurope
  tidegate:resourceGroup: scoring
  tidegate:clusters:
    main: {apiServer: {authorizedIPRanges: [203.0.113.0/24]}}
  tidegate:registry: {name: scoring7421}
  tidegate:endpoints:
    diabetes:
      auth: key
      versions: {one: {entryScript: score.py, sourceDirectory: one}}
"""
