"""Stacks with endpoints on the real engine, over a real API server in place of the pretended cluster's."""

import base64
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.engine.azure_harness import AzureStack, small_config
from tests.engine.harness import CHECKOUT
from tests.kubernetes.api import Api, until
from tests.kubernetes.definitions import install, of_aks
from tests.kubernetes.gateway import GatewayController
from tests.kubernetes.kubelet import Kubelet, crashing, image_pull_back_off, ready
from tests.kubernetes.server import control_plane, programs
from tests.kubernetes.test_rollout import Scorer
from tests.standins.arm_server import ArmServer
from tidegate.gateway.names import CONTROLLER_NAMESPACE, ENVOY_API, GATEWAY_API

pytestmark = pytest.mark.kubernetes

SERVER_SIDE = CHECKOUT / "tests" / "standins" / "server"
WRITTEN_BY_US = (
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    (GATEWAY_API, "HTTPRoute"),
    (ENVOY_API, "HTTPRouteFilter"),
    (ENVOY_API, "SecurityPolicy"),
    (ENVOY_API, "BackendTrafficPolicy"),
)
IMAGE = "scoring7421.azurecr.io/scoring@sha256:"


def version(number: int, **settings: Any) -> dict[str, Any]:
    """A version whose image is there: nothing is built."""
    return {"image": IMAGE + str(number) * 64, "numReplicas": 1, **settings}


class Served:
    """A stack, and the cluster that it fills."""

    def __init__(self, stack: AzureStack, api: Api, kubelet: Kubelet) -> None:
        self.stack, self.api, self.kubelet = stack, api, kubelet

        versions = stack.config["tidegate:endpoints"]["diabetes"]["versions"]
        self.versions, self.ridge, self.forest = versions, versions["ridge"], versions["forest"]

    def versions_of_objects(self) -> dict[str, str]:
        """The resource versions of the endpoint's objects, without what controllers write into."""
        found: dict[str, str] = {}
        for api_version, kind in WRITTEN_BY_US:
            for each in self.api.list(api_version, kind, "diabetes", **{"tidegate.dev/endpoint": "diabetes"}):
                found[f"{kind}/{each['metadata']['name']}"] = each["metadata"]["resourceVersion"]
        return found

    def weights(self) -> dict[str, int]:
        split = self.api.get(GATEWAY_API, "HTTPRoute", "diabetes-split", "diabetes")
        return {each["name"]: each["weight"] for each in split["spec"]["rules"][0]["backendRefs"]}


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer().running() as scorer:
        yield scorer


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, scorer: Scorer) -> Iterator[Served]:
    """A stack after its first `up`; the tests below go on from each other's state."""
    root = tmp_path_factory.mktemp("serving")
    engine = subprocess.run([CHECKOUT / "tools" / "engine"], check=True, stdout=subprocess.PIPE, text=True).stdout
    with ExitStack() as running:
        plane = root / "control plane"
        plane.mkdir()
        address = running.enter_context(control_plane(programs(), plane))
        api = Api(address)
        install(api, list(of_aks()))
        kubelet = running.enter_context(Kubelet(Api(address), plane).running())
        proxy = ready(ports={10080: scorer.place})
        kubelet.let(CONTROLLER_NAMESPACE, proxy, gateway_envoyproxy_io_owning_gateway_name="scoring")
        running.enter_context(GatewayController(Api(address)).running())
        project = root / "project"
        project.mkdir()
        stack = AzureStack(project, engine.strip())
        arm = running.enter_context(ArmServer(stack.cloud).running())
        path = f"{SERVER_SIDE}:{stack.environment['PATH']}"
        stack.variables = {**arm.variables, **address.variables, "PATH": path}
        stack.config = small_config(stack)
        del stack.main["tls"]  # the proxies' double has no certificate
        (project / "sample.json").write_text("[[1, 2]]")
        stack.config["tidegate:endpoints"] = {
            "diabetes": {
                "sample": "sample.json",
                "versions": {"ridge": version(1, traffic=80, default=True), "forest": version(2, traffic=20)},
            }
        }
        stack.make().up().require()
        yield Served(stack, api, kubelet)


def test_a_second_up_changes_nothing(served: Served, scorer: Scorer) -> None:
    assert {asked for _, asked, _ in scorer.seen} == {"ridge", "forest"}
    assert served.weights() == {"diabetes-forest": 20, "diabetes-ridge": 80}
    before = served.versions_of_objects()
    served.stack.up("--refresh", "--expect-no-changes").require()
    assert served.versions_of_objects() == before


def test_keys_and_the_token_are_nowhere_in_plain_text(served: Served) -> None:
    keys = served.stack.outputs()["keys"]["diabetes"]
    secrets = {*keys.values(), served.api.address.token}
    served.stack.config["tidegate:endpoints"]["diabetes"]["keyRotation"] = {"secondary": 2}
    shown = served.stack.preview().require().output
    del served.stack.config["tidegate:endpoints"]["diabetes"]["keyRotation"]
    state = served.stack.pulumi("stack", "export", "--stack", served.stack.name).require().output
    for text in (state, shown):
        assert not [each for each in secrets if each in text or base64.b64encode(each.encode()).decode() in text]


def test_a_weight_touches_the_split_alone(served: Served) -> None:
    before = served.versions_of_objects()
    served.ridge["traffic"], served.forest["traffic"] = 70, 30
    served.stack.up().require()
    assert served.weights() == {"diabetes-forest": 30, "diabetes-ridge": 70}
    after = served.versions_of_objects()
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == ["HTTPRoute/diabetes-split"]


def test_replicas_go_to_an_autoscaler_and_back(served: Served) -> None:
    name = ("apps/v1", "Deployment", "diabetes-ridge", "diabetes")

    def replicas() -> int:
        return served.api.get(*name)["spec"]["replicas"]

    served.ridge["numReplicas"] = 3
    served.stack.up().require()
    generation = served.api.get(*name)["metadata"]["generation"]
    del served.ridge["numReplicas"]
    served.ridge["autoScaler"] = {"minReplicas": 2, "maxReplicas": 8}
    served.stack.up().require()
    # Not even for a moment another number: whoever was let go would take requests along.
    assert (replicas(), served.api.get(*name)["metadata"]["generation"]) == (3, generation)
    served.api.merge(served.api.get(*name), {"spec": {"replicas": 4}}, part="scale")
    served.ridge["description"] = "The autoscaler has four of it."
    served.stack.up().require()
    assert replicas() == 4
    del served.ridge["autoScaler"], served.ridge["description"]
    served.ridge["numReplicas"] = 1
    served.stack.up().require()
    assert replicas() == 1


def test_a_version_that_fails_fails_the_update_and_gets_no_traffic(served: Served) -> None:
    served.kubelet.let("diabetes", crashing("ValueError: no such column\n"), tidegate_dev_version="deep")
    before = served.weights()
    served.versions["deep"] = version(3, traffic=20)
    served.ridge["traffic"], served.forest["traffic"] = 70, 10
    said = served.stack.up().require_failure().output
    assert "ValueError: no such column" in said
    assert served.weights() == before
    # Repaired, it comes up with the weights that were asked for.
    served.kubelet.let("diabetes", ready(), tidegate_dev_version="deep")
    served.stack.up().require()
    assert served.weights() == {"diabetes-deep": 20, "diabetes-forest": 10, "diabetes-ridge": 70}


def test_a_change_that_fails_leaves_the_old_pods_serving(served: Served) -> None:
    served.kubelet.let("diabetes", image_pull_back_off(), image="4" * 64)
    served.ridge["image"] = IMAGE + "4" * 64
    before = served.weights()
    said = served.stack.up().require_failure().output
    assert "ImagePullBackOff" in said
    assert served.weights() == before
    found = served.api.list("v1", "Pod", "diabetes", **{"tidegate.dev/version": "ridge"})
    ready_by_image = {
        each["spec"]["containers"][0]["image"][-1]: each["status"]["containerStatuses"][0]["ready"] for each in found
    }
    assert ready_by_image == {"1": True, "4": False}
    # The way back needs no new pods.
    served.ridge["image"] = IMAGE + "1" * 64
    served.stack.up().require()
    uids = {each["metadata"]["uid"] for each in found if each["spec"]["containers"][0]["image"].endswith("1")}

    def now() -> set[str]:
        pods = served.api.list("v1", "Pod", "diabetes", **{"tidegate.dev/version": "ridge"})
        return {each["metadata"]["uid"] for each in pods}

    until(lambda: now() == uids, "the old pods alone")


def test_an_endpoint_that_moves_serves_all_along_and_is_never_without_its_checks(served: Served) -> None:
    moved, missing = threading.Event(), set[str]()

    def watch() -> None:
        api = Api(served.api.address)
        while not moved.wait(0.05):
            # In this order: what is not in the first place has to be in the second by then.
            if not api.list(ENVOY_API, "SecurityPolicy", "diabetes") and api.list(GATEWAY_API, "HTTPRoute", "diabetes"):
                missing.add("check")
            if not any(
                api.find(GATEWAY_API, "HTTPRoute", "diabetes-split", each) for each in ("diabetes", "elsewhere")
            ):
                missing.add("split")
        api.close()

    watching = threading.Thread(target=watch)
    watching.start()
    served.stack.config["tidegate:endpoints"]["diabetes"]["namespace"] = "elsewhere"
    try:
        served.stack.up().require()
    finally:
        moved.set()
        watching.join()
    assert not missing
    assert not served.api.find("v1", "Namespace", "diabetes")
    assert served.api.find(ENVOY_API, "SecurityPolicy", "diabetes", "elsewhere")


def test_what_is_taken_out_of_the_config_goes(served: Served) -> None:
    served.stack.config["tidegate:endpoints"] = {}
    served.stack.up().require()
    assert not served.api.find("v1", "Namespace", "elsewhere")
    assert not served.api.find("v1", "Namespace", CONTROLLER_NAMESPACE)
