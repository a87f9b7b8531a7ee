"""A rollout against an API server's JSON: when it is done, how it fails, the sample, the drain."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from providers.kind import Call, OperationError, object_failures
from providers.kubernetes import drain, pod_logs, readiness, sample
from providers.kubernetes.rollout import Rollout
from providers.values import UNKNOWN
from tests.standins.kubernetes_server import TOKEN, KubernetesServer, kubeconfig
from tests.standins.workloads import APPS, IMAGE, NAME, NAMESPACE, RUNNING, Cluster, pod, terminated, waiting
from tests.unit.cluster.pki import issue

Json = dict[str, Any]

KEY = "the primary key of the endpoint"
CREATING = waiting("ContainerCreating")
CRASHED = waiting("CrashLoopBackOff", "back-off 10s")
GATEWAY = "/api/v1/namespaces/envoy-gateway-system"
PROXY_LABELS = {
    "gateway.envoyproxy.io/owning-gateway-name": "scoring",
    "gateway.envoyproxy.io/owning-gateway-namespace": "tidegate-gateway",
}


class Told(list[str]):
    """The lines of progress and of information of a call that a test may interrupt."""

    def __init__(self) -> None:
        super().__init__()
        self.call = Call(progress=self.append, info=self.append, cancelled=threading.Event())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((readiness, "POLL_S"), (sample, "PAUSE_S"), (drain, "POLL_S")):
        monkeypatch.setattr(module, name, 0.01)
    monkeypatch.setattr(readiness, "PULL_S", 60.0)
    monkeypatch.setattr(sample, "EFFECT_S", 0.3)
    monkeypatch.setattr(drain, "SETTLE_S", 0.03)


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    with KubernetesServer().running() as server:
        yield server


@pytest.fixture
def cluster(server: KubernetesServer) -> Cluster:
    return Cluster(server)


@pytest.fixture
def told() -> Told:
    return Told()


def inputs(server: KubernetesServer, **more: Any) -> Json:
    return {
        "kubeconfig": server.kubeconfig,
        "namespace": NAMESPACE,
        "deployment": NAME,
        "endpoint": "diabetes",
        "version": "ridge",
        "generation": "1",
        "image": IMAGE,
        "replicas": 1,
        "startupSeconds": 30,
        "drainSeconds": 30,
        **more,
    }


def create(server: KubernetesServer, told: Told, **more: Any) -> Json:
    return Rollout().create(told.call, inputs(server, **more))[1]


def fails(server: KubernetesServer, told: Told, **more: Any) -> str:
    with pytest.raises(OperationError) as caught:
        create(server, told, **more)
    text = str(caught.value)
    assert TOKEN not in text
    assert KEY not in text
    return text


def steps(server: KubernetesServer, *changes: Callable[[], object], at: str = f"/deployments/{NAME}") -> None:
    """One change before each look at the Deployment."""
    left = iter(changes)

    def before(path: str) -> None:
        if path.endswith(at) and (change := next(left, None)):
            change()

    server.before = before


# -- ready


def test_a_rollout_is_done_when_the_newest_generation_alone_is_available(
    server: KubernetesServer, cluster: Cluster, told: Told
) -> None:
    cluster.deploy(pod(ready=True))
    cluster.deploy(wanted=2, observed=False)
    steps(
        server,
        lambda: None,
        lambda: cluster.revise(wanted=2),
        lambda: cluster.revise(pod(state=CREATING), pod(state=CREATING), wanted=2),
        lambda: cluster.revise(pod(ready=True), pod(), wanted=2),
        lambda: cluster.revise(pod(ready=True), pod(ready=True), wanted=2),
        lambda: (cluster.remove(1), cluster.revise(pod(ready=True), pod(ready=True))),
    )
    assert create(server, told) == inputs(server) | {"ready": 2}
    assert told == [
        "0/2 ready, 1 of before still to go",
        "0/2 ready, waiting for diabetes-ridge-2-0: ContainerCreating",
        "1/2 ready, waiting for diabetes-ridge-2-1: init() is running",
        "2/2 ready, 1 of before still to go",
    ]


def test_ready_replicas_of_a_generation_that_kubernetes_has_not_seen_do_not_count(
    server: KubernetesServer, cluster: Cluster, told: Told
) -> None:
    cluster.deploy(pod(ready=True), observed=False)
    steps(server, lambda: None, lambda: cluster.revise(pod(ready=True), pod(), observed=False), told.call.cancelled.set)
    assert "interrupted while version ridge of endpoint diabetes starts" in fails(server, told)


def test_an_autoscaler_s_least_is_enough_while_it_adds_more(
    server: KubernetesServer, cluster: Cluster, told: Told
) -> None:
    cluster.scale(2)
    cluster.deploy(pod(ready=True))
    steps(
        server,
        lambda: None,
        lambda: cluster.revise(pod(ready=True), pod(ready=True), pod(state=CREATING), wanted=4),
    )
    assert create(server, told)["ready"] == 2
    assert told == ["1/2 ready, waiting for Deployment scoring/diabetes-ridge"]


def test_an_autoscaler_that_has_not_come_yet_is_waited_for(
    server: KubernetesServer, cluster: Cluster, told: Told
) -> None:
    cluster.deploy(pod(ready=True))
    steps(
        server,
        lambda: None,
        lambda: cluster.scale(2),
        lambda: cluster.revise(pod(ready=True), pod(ready=True)),
    )
    assert create(server, told, replicas=2)["ready"] == 2
    assert told == ["1/2 ready, waiting for Deployment scoring/diabetes-ridge"]


def test_an_autoscaler_that_may_not_be_seen_is_none(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    server.refused["/horizontalpodautoscalers"] = 403
    cluster.deploy(pod(ready=True))
    assert create(server, told)["ready"] == 1


def test_a_list_is_read_to_its_end(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    server.page = 2
    cluster.deploy(*(pod(ready=True) for _ in range(5)))
    assert create(server, told)["ready"] == 5


def test_a_login_that_ends_meanwhile_is_made_again(
    server: KubernetesServer, cluster: Cluster, told: Told, tmp_path: Path
) -> None:
    logins = tmp_path / "logins"
    script = f'echo >>{logins}; printf \'{{"status": {{"token": "token-%s"}}}}\' "$(wc -l <{logins})"'
    login = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "sh", "args": ["-c", script]}
    server.token = "token-1"
    cluster.deploy(pod())
    steps(server, lambda: None, lambda: setattr(server, "token", "token-2"), lambda: cluster.revise(pod(ready=True)))
    assert create(server, told, kubeconfig=kubeconfig(server.url, {"exec": login}))["ready"] == 1
    assert len(logins.read_text().splitlines()) == 2


def test_a_server_that_stumbles_is_asked_again(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    cluster.deploy(pod(ready=True))
    server.broken = 1
    assert create(server, told)["ready"] == 1


# -- not ready


def test_a_script_that_does_not_start_fails_the_version_with_its_log(
    server: KubernetesServer, cluster: Cluster, told: Told
) -> None:
    cluster.deploy(pod(ready=True))
    crashed = pod(state=RUNNING, last=terminated(3), restarts=2)
    cluster.deploy(crashed, wanted=1)
    cluster.event("BackOff", "Back-off restarting failed container scoring", count=4)
    cluster.event("Pulled", "Container image already present", kind="Normal")
    server.logs["diabetes-ridge-2-0", True] = "".join(f"line {number}\n" for number in range(2000))
    server.logs["diabetes-ridge-2-0", False] = "starting again\n"
    assert fails(server, told).splitlines() == [
        "version ridge of endpoint diabetes is not ready (0 of 1 replicas)",
        "pod diabetes-ridge-2-0: Error: init() raised, or the script could not be imported (exit code 3); "
        "started 3 times",
        "  BackOff (4 times): Back-off restarting failed container scoring",
        "its last log lines:",
        *(f"  line {number}" for number in range(2000 - pod_logs.SHOWN, 2000)),
        "what ran before keeps its traffic (1 replica ready)",
    ]
    (asked,) = [path for path in server.requests if "/log?" in path]
    assert f"tailLines={pod_logs.LINES}" in asked


def test_a_new_version_without_its_image_fails_at_once(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    cluster.deploy(*(pod(state=waiting("ImagePullBackOff", f'"{IMAGE}": not found')) for _ in range(5)))
    cluster.event("FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (acr)")
    assert fails(server, told).splitlines() == [
        "version ridge of endpoint diabetes is not ready (0 of 5 replicas)",
        "pod diabetes-ridge-1-0, diabetes-ridge-1-1, diabetes-ridge-1-2 and 2 more: ImagePullBackOff: "
        f'the image {IMAGE} cannot be pulled: "{IMAGE}": not found',
        "  FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (acr)",
        "its last log lines:",
        "  (it wrote nothing)",
        "it gets no traffic, and no weight has changed",
    ]


def test_what_failed_before_is_no_reason_until_kubernetes_has_seen_the_new_generation(
    server: KubernetesServer, cluster: Cluster, told: Told
) -> None:
    cluster.deploy(pod(state=CRASHED, last=terminated(3), restarts=3), observed=False)
    steps(server, lambda: None, lambda: None, lambda: (cluster.remove(1), cluster.deploy(pod(ready=True))))
    assert create(server, told)["ready"] == 1


def test_an_update_that_leaves_nothing_running_says_so(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    cluster.deploy(pod(state=CREATING))
    cluster.deploy(pod(state=CRASHED, last=terminated(3), restarts=3))
    with pytest.raises(
        OperationError, match="none of its replicas is ready: its share of the requests is answered 503"
    ):
        Rollout().update(told.call, "scoring/diabetes-ridge", inputs(server), inputs(server, generation="2"))


def test_what_may_mend_itself_is_waited_for(
    server: KubernetesServer, cluster: Cluster, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = pod(state=waiting("ImagePullBackOff", "unexpected status: 401 Unauthorized"))
    cluster.deploy(denied)
    steps(server, lambda: None, lambda: cluster.revise(pod(state=RUNNING, last=terminated(3), restarts=1)),
          lambda: cluster.revise(pod(ready=True, restarts=1)))  # fmt: skip
    assert create(server, told)["ready"] == 1
    cluster.deploy(denied)
    cluster.remove(1)
    monkeypatch.setattr(readiness, "PULL_S", -29.9)
    assert "is not ready: nothing has moved on for 0 s (0 of 1 replicas)\npod diabetes-ridge-2-0: ImagePullB" in fails(
        server, told
    )


def test_a_start_that_takes_too_long(
    server: KubernetesServer, cluster: Cluster, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "PULL_S", -29.9)
    cluster.deploy(pod())
    server.logs["diabetes-ridge-1-0", False] = "loading\n"
    text = fails(server, told)
    assert "pod diabetes-ridge-1-0: init() is running\nits last log lines:\n  loading\nit gets no traffic" in text
    cluster.event("Killing", "Container scoring failed startup probe, will be restarted", kind="Normal")
    assert "init() did not return within 30 s (livenessProbeRequirements.initialDelaySeconds)" in fails(server, told)


def test_each_step_forward_gives_time_for_the_next(
    server: KubernetesServer, cluster: Cluster, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(readiness.time, "monotonic", lambda: now[0])

    def later(*pods: Json) -> Callable[[], object]:
        def change() -> None:
            now[0] += 80  # of the 90 s that a start and a pull may take here
            cluster.revise(*pods, wanted=2)

        return change

    cluster.deploy(wanted=2)
    steps(
        server,
        lambda: None,
        later(pod(), pod()),
        later(pod(ready=True), pod()),
        later(pod(ready=True), pod(ready=True)),
    )
    assert create(server, told)["ready"] == 2
    cluster.revise(pod(), pod())
    steps(server, lambda: None, later(pod(state=CREATING), pod()), later(pod(), pod(state=CREATING)))
    assert "nothing has moved on for 90 s (0 of 2 replicas)" in fails(server, told)


def test_no_node_for_a_pod(
    server: KubernetesServer, cluster: Cluster, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "NOT_SCALED_S", 0.0)
    cluster.deploy(pod(unschedulable="0/3 nodes are available: 3 Insufficient nvidia.com/gpu."))
    cluster.event("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")
    steps(server, lambda: None, lambda: cluster.revise(pod(state=CREATING)), lambda: cluster.revise(pod(ready=True)))
    assert create(server, told)["ready"] == 1

    cluster.deploy(pod(unschedulable="0/3 nodes are available: 3 Insufficient nvidia.com/gpu."))
    cluster.event("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")
    cluster.event("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", kind="Normal")
    lines = fails(server, told).splitlines()
    assert lines[1] == (
        "pod diabetes-ridge-2-0: Unschedulable: no node takes it: "
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    )
    assert lines[2] == "  NotTriggerScaleUp: pod didn't trigger scale-up: 1 max node group size reached"


def test_no_pod_can_be_made(
    server: KubernetesServer, cluster: Cluster, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.kubernetes.workload._SETTLES_S", 0.0)
    why = (
        'pods "diabetes-ridge-1-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=9, limited: pods=9'
    )
    failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": why}
    cluster.deploy(wanted=1, conditions=[failed])
    assert fails(server, told).splitlines()[1] == f"no pod can be made: FailedCreate: {why}"


def test_a_deployment_that_is_not_there(server: KubernetesServer, told: Told) -> None:
    assert fails(server, told) == (
        "version ridge of endpoint diabetes: Deployment scoring/diabetes-ridge is not in the cluster"
    )


def test_a_cluster_that_refuses(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    cluster.deploy(pod(ready=True))
    server.refused["/replicasets"] = 403
    assert fails(server, told) == (
        "version ridge of endpoint diabetes: the API server answers 403: "
        '"/replicasets" is forbidden: User "u" cannot get it'
    )
    server.token = "another"
    assert fails(server, told).endswith("the API server answers 401: Unauthorized")


# -- the sample


class Scorer(ThreadingHTTPServer):
    """Answers as the gateway does, each time with the next of `answers`; the last one stays."""

    def __init__(self, *answers: tuple[int, str, str], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers = list(answers)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    @property
    def place(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server_port)

    @contextmanager
    def running(self) -> Iterator["Scorer"]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"])))

    def do_GET(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        assert isinstance(self.server, Scorer)
        self.server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        status, version, text = self.server.answers[0]
        if len(self.server.answers) > 1:
            del self.server.answers[0]
        self.send_response(status)
        if version:
            self.send_header("x-tidegate-version", version)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


def gateway(server: KubernetesServer, scorer: Scorer, *, port: int = 80, target: int | str = 10080) -> None:
    """A proxy pod of the gateway, beside one that is not ready, whose listener is `scorer`."""
    for name, ready in (("proxy-a", False), ("proxy-b", True)):
        proxy = pod(ready=ready)
        proxy["metadata"]["labels"] = PROXY_LABELS
        proxy["spec"]["containers"] = [{"name": "envoy", "ports": [{"name": "https-443", "containerPort": 10443}]}]
        server.put(f"{GATEWAY}/pods/{name}", proxy)
    ports = [{"port": 19001, "targetPort": 19001}, {"port": port, "targetPort": target}]
    server.put(f"{GATEWAY}/services/gateway", {"metadata": {"labels": PROXY_LABELS}, "spec": {"ports": ports}})
    server.ports["proxy-b", 10443 if target == "https-443" else int(target)] = scorer.place


def sampled(through: str = "gateway", **more: Any) -> Json:
    return {"sample": {"body": '{"data": [1]}', "path": "sample.json", "through": through, **more}}


def test_the_sample_goes_through_a_proxy_pod_by_header(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    cluster.deploy(pod(ready=True))
    with Scorer(
        (404, "", "unknown version"), (503, "ridge", "no healthy upstream"), (200, "ridge", "[1.5]")
    ).running() as it:
        gateway(server, it)
        assert create(server, told, **sampled(host="scoring.example.com", key=KEY))["ready"] == 1
    assert len(it.seen) == 3
    path, headers, body = it.seen[-1]
    assert (path, body) == ("/api/v1/service/diabetes/score", b'{"data": [1]}')
    assert headers["x-tidegate-version"] == "ridge"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["host"] == "scoring.example.com"
    assert headers["content-type"] == "application/json"
    assert told == ["scoring the sample"]


def test_the_sample_over_tls_names_the_host(
    server: KubernetesServer, cluster: Cluster, told: Told, tmp_path: Path
) -> None:
    signed = issue("scoring.example.com", names=["scoring.example.com"])
    (tmp_path / "pem").write_text(signed.pem + signed.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    cluster.deploy(pod(ready=True))
    with Scorer((200, "ridge", "[1.5]"), tls=context).running() as it:
        gateway(server, it, port=443, target="https-443")
        create(server, told, **sampled(host="scoring.example.com", tls=True, key=KEY))
    assert asked == ["scoring.example.com"]
    assert it.seen[0][1]["host"] == "scoring.example.com"


def test_the_sample_goes_straight_to_a_ready_pod_of_the_newest_generation(
    server: KubernetesServer, cluster: Cluster, told: Told
) -> None:
    cluster.scale(1)
    cluster.deploy(pod(state=CREATING), pod(ready=True))
    with Scorer((200, "", "[1.5]")).running() as it:
        server.ports["diabetes-ridge-1-1", 5001] = it.place
        create(server, told, **sampled("pod"))
    path, headers, body = it.seen[0]
    assert (path, body) == ("/score", b'{"data": [1]}')
    assert "authorization" not in headers


def test_a_sample_that_is_not_scored_fails_with_answer_and_log(
    server: KubernetesServer, cluster: Cluster, told: Told
) -> None:
    cluster.deploy(pod(ready=True))
    server.logs["diabetes-ridge-1-0", False] = "Traceback\nKeyError: 'age'\n"
    with Scorer((500, "ridge", "run() raised: 'age'" + 3000 * "x")).running() as it:
        gateway(server, it)
        text = fails(server, told, **sampled(key=KEY))
    assert len(it.seen) == 1
    first, *rest = text.splitlines()
    assert first.startswith(
        "version ridge of endpoint diabetes did not score the sample sample.json: status 500, run() raised: 'age'xxx"
    )
    assert len(first) < 2200
    assert rest == [
        "it gets no traffic, and no weight has changed; the version's last log lines:",
        "  Traceback",
        "  KeyError: 'age'",
    ]


def test_a_gateway_that_never_routes_to_the_version(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    cluster.deploy(pod(ready=True))
    with Scorer((404, "", "unknown version")).running() as it:
        gateway(server, it)
        assert "status 404, unknown version" in fails(server, told, **sampled())
    assert len(it.seen) > 1
    assert "status 0, no answer: error forwarding port 10080 to pod proxy-b: connection refused" in fails(
        server, told, **sampled()
    )
    del server.objects[f"{GATEWAY}/pods/proxy-b"]
    assert "no proxy pod of the gateway is ready in namespace envoy-gateway-system" in fails(server, told, **sampled())


def test_port_forward_that_is_refused(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    cluster.deploy(pod(ready=True))
    server.refused["/portforward"] = 403
    text = fails(server, told, **sampled("pod"))
    assert text.startswith("version ridge of endpoint diabetes: the API server answers 403: ")


# -- read and delete


def test_a_rollout_is_gone_with_its_deployment(server: KubernetesServer, cluster: Cluster) -> None:
    cluster.deploy(pod())
    outputs = inputs(server, ready=1)
    assert Rollout().read("scoring/diabetes-ridge", outputs) == outputs
    del server.objects[f"{APPS}/deployments/{NAME}"]
    assert Rollout().read("scoring/diabetes-ridge", outputs) is None
    server.refused["/diabetes-ridge"] = 403
    with pytest.raises(OperationError, match="the API server answers 403"):
        Rollout().read("scoring/diabetes-ridge", outputs)


def metrics(in_flight: int, queued: int) -> tuple[int, str, str]:
    labels = 'endpoint="diabetes",version="ridge"'
    return 200, "", (
        f"# TYPE tidegate_requests_in_flight gauge\ntidegate_requests_in_flight{{{labels}}} {in_flight}\n"
        f'tidegate_requests_total{{{labels},status="200"}} 7\ntidegate_requests_queued{{{labels}}} {queued}\n'
    )  # fmt: skip


def test_a_deletion_waits_until_nothing_is_in_flight_or_queued(
    server: KubernetesServer, cluster: Cluster, told: Told
) -> None:
    cluster.deploy(pod(ready=True))
    cluster.deploy(pod(ready=True), pod(state=CREATING))
    with (
        Scorer(metrics(2, 1), metrics(0, 0), metrics(0, 1), metrics(0, 0)).running() as newest,
        Scorer(metrics(1, 0), metrics(0, 0)).running() as older,
    ):
        server.ports["diabetes-ridge-2-0", 5002] = newest.place
        server.ports["diabetes-ridge-1-0", 5002] = older.place
        Rollout().delete(told.call, "", inputs(server))
    assert told == ["finishing 4 requests in flight", "finishing 1 request in flight"]
    assert newest.seen[0][0] == "/metrics"
    assert len(newest.seen) > 4


def test_a_deletion_waits_at_most_its_drain(server: KubernetesServer, cluster: Cluster, told: Told) -> None:
    cluster.deploy(pod(ready=True))
    with Scorer(metrics(1, 0)).running() as it:
        server.ports["diabetes-ridge-1-0", 5002] = it.place
        Rollout().delete(told.call, "", inputs(server, drainSeconds=1))
        assert set(told) == {"finishing 1 request in flight"}
        told.call.cancelled.set()
        with pytest.raises(OperationError, match="interrupted with 1 requests in flight"):
            Rollout().delete(told.call, "", inputs(server, drainSeconds=1))


def test_a_deletion_of_what_is_gone_or_cannot_be_reached(
    server: KubernetesServer, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.kubernetes.rollout._GONE_S", 0.0)
    Rollout().delete(told.call, "", inputs(server))
    assert told == []
    with KubernetesServer().running() as ended:
        pass
    Rollout().delete(told.call, "", inputs(ended))
    Rollout().delete(told.call, "", inputs(server, kubeconfig=kubeconfig("https://c", {})))
    assert told[0].startswith("not waited for requests in flight: the API server 127.0.0.1 cannot be reached: ")
    assert told[1].startswith("not waited for requests in flight: the kubeconfig's user has no token")


# -- before an update


def test_the_forms_and_rules_of_its_inputs(server: KubernetesServer) -> None:
    good = inputs(server, **sampled(key=KEY, host="h", tls=True))
    kind = Rollout()
    assert object_failures(kind.inputs, good) == []
    assert kind.check({}, good) == []
    unknown = good | {"kubeconfig": UNKNOWN, "image": UNKNOWN, "content": UNKNOWN, "generation": UNKNOWN}
    assert object_failures(kind.inputs, unknown) == []
    assert kind.check({}, good | {"sample": UNKNOWN, "startupSeconds": UNKNOWN}) == []
    assert kind.check({}, unknown) == []
    bad = good | {"replicas": 0, "startupSeconds": 0, "drainSeconds": -1, **sampled("ingress")}
    assert [failure.path for failure in kind.check({}, bad)] == [
        *("replicas", "startupSeconds", "drainSeconds"),
        "sample.through",
    ]
    assert [failure.path for failure in object_failures(kind.inputs, good | {"sample": {"body": 1}})] == [
        "sample.body",
        "sample.path",
        "sample.through",
    ]
    assert kind.planned({}, good)["ready"] is UNKNOWN


def test_a_preview_says_that_a_cluster_cannot_be_asked_once(
    server: KubernetesServer, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.kubernetes.rollout._PREVIEW_S", 0.0)
    with KubernetesServer().running() as ended:
        pass
    kind = Rollout()
    old, new = inputs(ended), inputs(ended, generation="2")
    assert kind.inspect(told.call, old, old) == []
    assert kind.inspect(told.call, old, new | {"kubeconfig": UNKNOWN}) == []
    assert kind.inspect(told.call, {}, inputs(server)) == []
    assert kind.inspect(told.call, {}, inputs(server, version="forest")) == []
    assert server.requests == ["/version"]
    assert told == []
    assert kind.inspect(told.call, old, new) == []
    assert kind.inspect(told.call, {}, new | {"version": "forest"}) == []
    assert len(told) == 2
    assert told[0].startswith("the cluster of endpoint diabetes cannot be asked from here: the API server 127.0.0.1 ")
    assert json.dumps(told).count(TOKEN) == 0
