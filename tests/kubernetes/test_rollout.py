"""`Rollout` on a real API server, with real controllers and a real scheduler above a kubelet's double."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from providers.kind import Call, OperationError
from providers.kubernetes import drain, readiness, sample
from providers.kubernetes.rollout import Rollout
from tests.kubernetes.api import Api, Manifest, until
from tests.kubernetes.kubelet import Kubelet, crashing, hanging, image_pull_back_off, out_of_memory, ready
from tests.unit.conftest import Project
from tidegate.endpoint.spec import AutoScalerSpec, EndpointSpec
from tidegate.targets.kubernetes import ClusterFacts, EndpointPlan, plan_endpoint
from tidegate.targets.kubernetes.rollout import plan_rollout

pytestmark = pytest.mark.kubernetes

IMAGE = "registry.example.com/scoring@sha256:" + 64 * "0"
OTHER = "registry.example.com/scoring@sha256:" + 64 * "1"
KEY = "the-primary-key-of-the-endpoint"
GATEWAY = "envoy-gateway-system"
PROXY_LABELS = {
    "gateway.envoyproxy.io/owning-gateway-name": "scoring",
    "gateway.envoyproxy.io/owning-gateway-namespace": "tidegate-gateway",
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (readiness, drain):
        monkeypatch.setattr(module, "POLL_S", 0.1)
    monkeypatch.setattr(sample, "EFFECT_S", 2.0)
    monkeypatch.setattr(drain, "SETTLE_S", 0.3)


class Stage:
    """An endpoint of the config in a namespace of its own, of which one version is deployed."""

    def __init__(self, api: Api, kubelet: Kubelet, namespace: str, folder: Path) -> None:
        project = Project(folder)
        project.endpoint["namespace"] = namespace
        (self.endpoint,) = project.load().endpoints
        self.api, self.kubelet, self.namespace = api, kubelet, namespace
        self.cluster = ClusterFacts("main")
        self.told: list[str] = []
        self.call = Call(progress=self.told.append, info=self.told.append, cancelled=threading.Event())
        api.apply(self.plan().service_account(client_id=None))

    def plan(self, endpoint: EndpointSpec | None = None) -> EndpointPlan:
        return plan_endpoint(endpoint or self.endpoint, self.cluster)

    def deploy(self, image: str = IMAGE, change: Manifest | None = None) -> None:
        made = self.plan().versions["ridge"].deployment(image=image)
        made["spec"]["template"]["spec"] |= change or {}
        self.api.apply(made)

    def inputs(self, *, with_sample: bool = False, **more: Any) -> dict[str, Any]:
        version = self.plan().versions["ridge"]
        inputs = plan_rollout(self.endpoint, version, self.cluster)
        if with_sample:
            inputs["sample"] |= {"key": KEY}
        else:
            inputs.pop("sample")
        return inputs | {"kubeconfig": self.api.address.kubeconfig, "image": IMAGE, **more}

    def create(self, **more: Any) -> dict[str, Any]:
        return Rollout().create(self.call, self.inputs(**more))[1]

    def fails(self, **more: Any) -> list[str]:
        with pytest.raises(OperationError) as caught:
            self.create(**more)
        text = str(caught.value)
        assert self.api.address.token not in text
        assert KEY not in text
        return text.splitlines()

    def pods(self) -> list[Manifest]:
        return self.api.list("v1", "Pod", self.namespace)


@pytest.fixture
def stage(api: Api, kubelet: Kubelet, namespace: str, tmp_path: Path) -> Stage:
    return Stage(api, kubelet, namespace, tmp_path)


class Scorer(ThreadingHTTPServer):
    """A pod's HTTP: scores with `status`, gives `metrics`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status, self.body, self.metrics = 200, "[1.5]", [0]
        self.seen: list[tuple[str, str | None, str | None]] = []

    @property
    def place(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server_port)

    @contextmanager
    def running(self) -> Iterator["Scorer"]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Scorer)
        self.rfile.read(int(self.headers["content-length"]))
        asked = self.headers["x-tidegate-version"]
        self.server.seen.append((self.path, asked, self.headers["authorization"]))
        self.send_response(self.server.status)
        self.send_header("x-tidegate-version", asked)
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def do_GET(self) -> None:
        assert isinstance(self.server, Scorer)
        metrics = self.server.metrics
        waiting = metrics.pop(0) if len(metrics) > 1 else metrics[0]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'tidegate_requests_in_flight{{endpoint="diabetes"}} {waiting}\n'.encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@pytest.fixture
def scorer() -> Iterator[Scorer]:
    with Scorer().running() as scorer:
        yield scorer


@pytest.fixture
def gateway(api: Api, kubelet: Kubelet, scorer: Scorer) -> Iterator[None]:
    """A proxy pod and its Service, as Envoy Gateway makes them; its listener is `scorer`."""
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": GATEWAY}})
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": GATEWAY}})
    proxy = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "proxy", "namespace": GATEWAY, "labels": PROXY_LABELS},
        "spec": {"containers": [{"name": "envoy", "image": "envoy", "ports": [{"containerPort": 10080}]}]},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "proxy", "namespace": GATEWAY, "labels": PROXY_LABELS},
        "spec": {"ports": [{"name": "http-80", "port": 80, "targetPort": 10080}], "selector": PROXY_LABELS},
    }
    kubelet.let(GATEWAY, ready(ports={10080: scorer.place}))
    for each in (proxy, service):
        api.apply(each)
    until(lambda: api.get("v1", "Pod", "proxy", GATEWAY)["status"].get("containerStatuses"), "the proxy pod")
    yield
    for each in (proxy, service):
        api.delete(each, grace=0)
    until(lambda: api.find("v1", "Pod", "proxy", GATEWAY) is None, "the end of the proxy pod")


def test_a_version_is_ready_and_scores_through_the_gateway(stage: Stage, scorer: Scorer, gateway: None) -> None:
    stage.deploy()
    outputs = stage.create(with_sample=True)
    assert outputs["ready"] == len(stage.pods()) > 0
    assert scorer.seen == [("/api/v1/service/diabetes/score", "ridge", f"Bearer {KEY}")]
    assert stage.told[-1] == "scoring the sample"
    assert Rollout().read("", outputs) == outputs


def test_a_sample_that_is_refused_fails_with_the_pod_s_log(stage: Stage, scorer: Scorer, gateway: None) -> None:
    scorer.status, scorer.body = 500, "run() raised"
    stage.kubelet.let(stage.namespace, ready("KeyError: 'age'\n"))
    stage.deploy()
    said = stage.fails(with_sample=True)
    assert said[0].endswith("did not score the sample sample.json: status 500, run() raised")
    assert said[-1] == "  KeyError: 'age'"


def test_the_sample_straight_to_a_pod(stage: Stage, scorer: Scorer) -> None:
    stage.kubelet.let(stage.namespace, ready(ports={5001: scorer.place}))
    stage.deploy()
    stage.create(sample={"body": "[]", "path": "sample.json", "through": "pod"})
    assert scorer.seen == [("/score", "ridge", None)]


@pytest.mark.parametrize(
    ("life", "said", "log"),
    [
        (crashing("loading\nno such column\n"), "init() raised, or the script could not be imported", "no such column"),
        (out_of_memory("loading\n"), "OOMKilled: it took more memory than its limit of ", "loading"),
        (image_pull_back_off(IMAGE), "cannot be pulled: Back-off pulling image", "(it wrote nothing)"),
    ],
)
def test_a_version_that_cannot_start_fails_early(stage: Stage, life: Any, said: str, log: str) -> None:
    stage.kubelet.let(stage.namespace, life)
    stage.deploy()
    lines = stage.fails()
    pod = stage.pods()[0]["metadata"]["name"]
    replicas = len(stage.pods())
    assert lines[0] == f"version ridge of endpoint diabetes is not ready (0 of {replicas} replicas)"
    assert lines[1].startswith(f"pod {pod}: ")
    assert said in lines[1]
    assert lines[-2:] == [f"  {log}", "it gets no traffic, and no weight has changed"]
    assert any(line.startswith(("  BackOff: ", "  Failed: ")) for line in lines)


def test_no_node_has_room(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PULL_S", 2.0 - stage.inputs()["startupSeconds"])
    stage.deploy(change={"nodeSelector": {"kubernetes.azure.com/agentpool": "gpu"}})
    lines = stage.fails()
    assert "Unschedulable: no node takes it: 0/1 nodes are available: 1 node(s) didn't match" in lines[1]


def test_no_pod_may_be_made(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.kubernetes.workload._SETTLES_S", 0.0)
    stage.deploy(change={"hostNetwork": True})
    assert 'no pod can be made: FailedCreate: pods "diabetes-ridge-' in stage.fails()[1]
    assert 'violates PodSecurity "restricted:latest"' in stage.fails()[1]


def test_init_that_does_not_return_in_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PULL_S", 2.0 - stage.inputs()["startupSeconds"])
    stage.kubelet.let(stage.namespace, hanging("loading a large model\n"))
    stage.deploy()
    lines = stage.fails()
    assert lines[0].startswith("version ridge of endpoint diabetes is not ready: nothing has moved on for 2 s")
    assert lines[1].endswith(": init() is running")
    assert any(line.startswith("  Unhealthy: Startup probe failed: ") for line in lines)
    assert "  loading a large model" in lines


def test_what_ran_before_keeps_its_traffic(stage: Stage) -> None:
    stage.deploy()
    before = stage.create()
    hashes = {pod["metadata"]["labels"]["pod-template-hash"] for pod in stage.pods()}
    stage.kubelet.let(stage.namespace, crashing("no such column\n"))
    stage.kubelet.let(stage.namespace, ready(), pod_template_hash=hashes.pop())
    stage.deploy(OTHER)
    with pytest.raises(OperationError) as caught:
        Rollout().update(stage.call, "", before, stage.inputs(image=OTHER))
    assert str(caught.value).splitlines()[-1].startswith("what ran before keeps its traffic (")


def test_an_update_ends_when_the_pods_before_are_gone(stage: Stage) -> None:
    stage.deploy()
    before = stage.create()
    held = stage.kubelet.hold_deletions(stage.namespace)
    old = {pod["metadata"]["name"] for pod in stage.pods()}
    stage.deploy(OTHER)
    after = Rollout().update(stage.call, "", before, stage.inputs(image=OTHER))
    assert after["ready"] == before["ready"]
    serving = {pod["metadata"]["name"] for pod in stage.pods() if "deletionTimestamp" not in pod["metadata"]}
    assert not serving & old
    held.set()


def test_an_autoscaled_version_waits_for_its_least_replicas(stage: Stage) -> None:
    scaled = replace_autoscaler(stage.endpoint, least=2)
    stage.endpoint = scaled
    version = stage.plan().versions["ridge"]
    for each in version.scaler(query_endpoint=None):
        stage.api.apply(each)
    stage.deploy()
    with ThreadPoolExecutor() as pool:
        created = pool.submit(stage.create)
        until(lambda: any("1/2 ready" in line for line in stage.told), "one replica of two")
        assert not created.done()
        made = version.deployment(image=IMAGE)
        stage.api.merge(made, {"spec": {"replicas": 2}}, part="scale")
        assert created.result(timeout=30)["ready"] == 2


def replace_autoscaler(endpoint: EndpointSpec, *, least: int) -> EndpointSpec:
    """The endpoint with a first version that is scaled."""
    versions = tuple(
        version.model_copy(
            update={
                "deployment": version.deployment.model_copy(
                    update={"autoscaler": AutoScalerSpec(min_replicas=least, max_replicas=5)}
                )
            }
        )
        if version.name == "ridge"
        else version
        for version in endpoint.versions
    )
    return endpoint.model_copy(update={"versions": versions})


def test_a_deletion_waits_for_requests_in_flight(stage: Stage, scorer: Scorer) -> None:
    scorer.metrics = [3, 1, 0]
    stage.kubelet.let(stage.namespace, ready(ports={5002: scorer.place}))
    stage.endpoint = one_replica(stage.endpoint)
    stage.deploy()
    outputs = stage.create()
    stage.told.clear()
    Rollout().delete(stage.call, "", outputs)
    assert stage.told == ["finishing 3 requests in flight", "finishing 1 request in flight"]
    stage.api.delete(stage.plan().versions["ridge"].deployment(image=IMAGE))
    until(lambda: Rollout().read("", outputs) is None, "the end of the Deployment")
    Rollout().delete(stage.call, "", outputs)


def one_replica(endpoint: EndpointSpec) -> EndpointSpec:
    """The endpoint with single replicas."""
    versions = tuple(
        version.model_copy(update={"deployment": version.deployment.model_copy(update={"replicas": 1})})
        for version in endpoint.versions
    )
    return endpoint.model_copy(update={"versions": versions})


def test_a_login_that_is_refused(stage: Stage) -> None:
    wrong = replace(stage.api.address, token="another").kubeconfig
    assert stage.fails(kubeconfig=wrong) == [
        "version ridge of endpoint diabetes: the API server answers 401: Unauthorized"
    ]
