"""The ground that the other tests stand on: a control plane that works, and a kubelet that does as it is told."""

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.kubernetes.api import Api, ApiError, Manifest, until
from tests.kubernetes.kubelet import CHANNELS, Kubelet, crashing, hanging, image_pull_back_off, out_of_memory, ready

pytestmark = pytest.mark.kubernetes


def deployment(namespace: str, name: str = "diabetes-ridge", **container: object) -> Manifest:
    labels = {"tidegate.dev/endpoint": "diabetes", "tidegate.dev/version": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [
                        {
                            "name": "scoring",
                            "image": "registry.example.com/scoring:1",
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            **container,
                        }
                    ],
                },
            },
        },
    }


def pod_of(api: Api, made: Manifest) -> Manifest:
    """The one pod of a Deployment, when there is one."""
    namespace, labels = made["metadata"]["namespace"], made["spec"]["selector"]["matchLabels"]
    return until(lambda: api.list("v1", "Pod", namespace, **labels), "a pod")[0]


def container_of(api: Api, made: Manifest) -> Manifest:
    def status() -> Manifest | None:
        return (pod_of(api, made)["status"].get("containerStatuses") or [None])[0]

    return until(status, "a container's status")


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends one message back."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(connection.recv(100))

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()


def connect_to(api: Api, path: str) -> ClientConnection:
    return connect(
        api.address.server.replace("https", "wss") + path,
        ssl=ssl.create_default_context(cadata=api.address.authority),
        additional_headers={"Authorization": f"Bearer {api.address.token}"},
        subprotocols=[CHANNELS],
        proxy=None,
    )


def test_deployments_become_ready(api: Api, kubelet: Kubelet, namespace: str) -> None:
    made = api.apply(deployment(namespace))

    def done() -> bool:
        status = api.get("apps/v1", "Deployment", made["metadata"]["name"], namespace)["status"]
        return status.get("readyReplicas") == 1 and status["observedGeneration"] == made["metadata"]["generation"]

    until(done, "a ready Deployment")


def test_a_new_template_replaces_the_pod(api: Api, kubelet: Kubelet, namespace: str) -> None:
    made = api.apply(deployment(namespace))
    first = pod_of(api, made)["metadata"]["name"]
    api.apply(deployment(namespace, image="registry.example.com/scoring:2"))

    def replaced() -> bool:
        pods = api.list("v1", "Pod", namespace)
        return len(pods) == 1 and pods[0]["metadata"]["name"] != first

    until(replaced, "the new pod alone")


def test_nobody_makes_a_pod_for_which_there_is_no_room(api: Api, kubelet: Kubelet, namespace: str) -> None:
    made = api.apply(deployment(namespace, resources={"limits": {"nvidia.com/gpu": "1"}}))

    def message() -> str:
        conditions = {each["type"]: each for each in pod_of(api, made)["status"].get("conditions", [])}
        return conditions.get("PodScheduled", {}).get("message", "")

    assert "1 Insufficient nvidia.com/gpu" in until(message, "the scheduler's word")
    events = until(lambda: api.list("v1", "Event", namespace), "an event")
    assert "FailedScheduling" in {each["reason"] for each in events}


def test_pods_fail_as_told(api: Api, kubelet: Kubelet, namespace: str) -> None:
    kubelet.let(namespace, image_pull_back_off(), tidegate_dev_version="missing")
    kubelet.let(namespace, crashing("init() raised\n"), tidegate_dev_version="broken")
    kubelet.let(namespace, out_of_memory(), tidegate_dev_version="large")
    made = {name: api.apply(deployment(namespace, name)) for name in ("missing", "broken", "large")}
    missing, broken, large = (container_of(api, made[name]) for name in made)
    assert missing["state"]["waiting"]["reason"] == "ImagePullBackOff"
    assert not missing["lastState"]
    assert broken["lastState"]["terminated"]["exitCode"] == 3
    assert large["lastState"]["terminated"]["reason"] == "OOMKilled"


def test_a_hanging_pod_can_come_up_after_all(api: Api, kubelet: Kubelet, namespace: str) -> None:
    kubelet.let(namespace, hanging())
    made = api.apply(deployment(namespace))
    assert not container_of(api, made)["ready"]
    kubelet.let(namespace, ready())
    until(lambda: container_of(api, made)["ready"], "a ready container")


def test_logs_come_through_the_api_server(api: Api, kubelet: Kubelet, namespace: str) -> None:
    kubelet.let(namespace, crashing("one\ntwo\nthree\n"))
    made = api.apply(deployment(namespace))
    container_of(api, made)
    path = f"{api.path('v1', 'Pod', pod_of(api, made)['metadata']['name'], namespace)}/log"
    answer = api.http.get(path, params={"container": "scoring", "previous": "true", "tailLines": "2"})
    assert answer.text == "two\nthree\n"
    kubelet.let(namespace, ready("fine\n"))
    assert api.http.get(path).text == "fine\n"
    refused = api.http.get(path, params={"previous": "true"})
    assert refused.status_code == 400
    assert "previous terminated container" in refused.text


def test_port_forwards_go_through_the_api_server(
    api: Api, kubelet: Kubelet, namespace: str, echo: tuple[str, int]
) -> None:
    kubelet.let(namespace, ready(ports={5001: echo}))
    made = api.apply(deployment(namespace))
    container_of(api, made)
    path = f"{api.path('v1', 'Pod', pod_of(api, made)['metadata']['name'], namespace)}/portforward?ports="
    with connect_to(api, path + "5001") as tunnel:
        assert tunnel.recv() == b"\x00" + (5001).to_bytes(2, "little")
        assert tunnel.recv() == b"\x01" + (5001).to_bytes(2, "little")
        tunnel.send(b"\x00ping")
        assert tunnel.recv() == b"\x00ping"
    with connect_to(api, path + "5002") as tunnel:
        tunnel.recv()
        tunnel.recv()
        refused = tunnel.recv()
        assert isinstance(refused, bytes)
        assert refused.startswith(b"\x01error forwarding port 5002")


def test_a_deleted_namespace_goes_with_all_that_is_in_it(api: Api, kubelet: Kubelet, namespace: str) -> None:
    container_of(api, api.apply(deployment(namespace)))
    api.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    until(lambda: api.find("v1", "Namespace", namespace) is None, "the namespace's end", seconds=60)


def test_unknown_fields_and_broken_values_are_refused(api: Api, namespace: str) -> None:
    with pytest.raises(ApiError, match="field not declared in schema"):
        api.apply(deployment(namespace, imagePullPolice="Always"))
    with pytest.raises(ApiError) as refused:
        api.apply(deployment(namespace, imagePullPolicy="Sometimes"))
    assert refused.value.fields == ("spec.template.spec.containers[0].imagePullPolicy",)


def test_what_breaks_the_pod_standard_is_warned_of(api: Api, namespace: str) -> None:
    api.warnings.clear()
    api.apply(deployment(namespace, securityContext={"privileged": True}))
    assert "would violate PodSecurity" in api.warnings[0]


def test_the_pods_of_jobs_do_their_work_and_end(api: Api, kubelet: Kubelet, namespace: str) -> None:
    template = deployment(namespace)["spec"]["template"]
    template["spec"]["restartPolicy"] = "Never"
    metadata = {"name": "job", "namespace": namespace}
    api.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}})
    until(lambda: api.get("batch/v1", "Job", "job", namespace)["status"].get("succeeded"), "a Job that is done")
