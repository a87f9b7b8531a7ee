"""The stand-in for pulumi-kubernetes over the real API server, call by call as the engine makes them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pulumi.runtime.proto import provider_pb2

from providers.values import decode, encode, plain
from tests.kubernetes.api import Address, Api, Manifest
from tests.kubernetes.kubelet import Kubelet, image_pull_back_off
from tests.kubernetes.test_double import deployment
from tests.standins import server_side
from tests.standins.api_server import SERVER
from tests.standins.cloud import Cloud
from tests.standins.invokes import kubeconfig
from tests.standins.server_side import SKIP_AWAIT, ServerSide
from tests.unit.standins.conftest import CLUSTER, Azure

pytestmark = pytest.mark.kubernetes

CALLS = Path(server_side.__file__).parent / "server"


class RefusedError(Exception):
    """A call that the plugin ends."""


class Context:
    """The call's side of gRPC."""

    def abort(self, code: Any, details: str) -> NoReturn:
        raise RefusedError(details)


@dataclass
class Engine:
    """The calls of the engine for one object."""

    plugin: ServerSide
    cloud: Cloud
    kubeconfig: str

    def create(self, manifest: Manifest, *, preview: bool = False) -> Manifest:
        request = provider_pb2.CreateRequest(urn=_urn(manifest), properties=encode(manifest), preview=preview)
        return plain(decode(self.plugin.Create(request, Context()).properties))

    def diff(self, old: Manifest, new: Manifest) -> Any:
        request = provider_pb2.DiffRequest(urn=_urn(new), old_inputs=encode(old), news=encode(new))
        return self.plugin.Diff(request, Context())

    def update(self, manifest: Manifest) -> Manifest:
        request = provider_pb2.UpdateRequest(urn=_urn(manifest), news=encode(manifest))
        return plain(decode(self.plugin.Update(request, Context()).properties))

    def delete(self, manifest: Manifest) -> None:
        self.plugin.Delete(provider_pb2.DeleteRequest(properties=encode(manifest)), Context())


def _urn(manifest: Manifest) -> str:
    return f"urn:pulumi:dev::tidegate::kubernetes:{manifest['apiVersion']}:{manifest['kind']}::a"


@pytest.fixture
def engine(address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    for name, value in address.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{CALLS}:{os.environ['PATH']}")
    azure = Azure(tmp_path / "cloud")
    azure.cluster()
    login = kubeconfig(azure.arm.get(CLUSTER)).replace("devicecode", "azurecli")
    return Engine(configured(azure.cloud, login), azure.cloud, login)


def configured(cloud: Cloud, login: str) -> ServerSide:
    plugin = ServerSide(cloud)
    settings = {"kubeconfig": login, "enableSecretMutable": "true"}
    plugin.Configure(provider_pb2.ConfigureRequest(args=encode(settings)), Context())
    return plugin


def unawaited(manifest: Manifest) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": {SKIP_AWAIT: "true"}}}


def secret(namespace: str, **values: str) -> Manifest:
    metadata = {"name": "diabetes-keys", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": values}


def test_objects_are_made_changed_and_removed(engine: Engine, api: Api, namespace: str) -> None:
    made = engine.create(secret(namespace, primary="a"))
    again = engine.update(secret(namespace, primary="a"))
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    changed = engine.update(secret(namespace, primary="b"))
    assert changed["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    [manager] = api.get("v1", "Secret", "diabetes-keys", namespace)["metadata"]["managedFields"]
    assert manager["manager"].startswith("pulumi-kubernetes-")
    assert manager["operation"] == "Apply"
    engine.delete(changed)
    assert api.find("v1", "Secret", "diabetes-keys", namespace) is None


def test_what_is_there_is_not_taken(engine: Engine, namespace: str) -> None:
    engine.create(secret(namespace, primary="a"))
    with pytest.raises(RefusedError, match="already exists"):
        engine.create(secret(namespace, primary="b"))


def test_the_content_of_a_secret_comes_back_as_secret(engine: Engine, namespace: str) -> None:
    manifest = secret(namespace, primary="a")
    request = provider_pb2.CreateRequest(urn=_urn(manifest), properties=encode(manifest))
    outputs = decode(engine.plugin.Create(request, Context()).properties)
    assert repr(outputs["data"]) == "Secret(...)"


def test_a_preview_shows_what_the_server_would_refuse(engine: Engine, api: Api, namespace: str) -> None:
    broken = unawaited(deployment(namespace, imagePullPolicy="Sometimes"))
    with pytest.raises(RefusedError, match="imagePullPolicy"):
        engine.create(broken, preview=True)
    engine.create(unawaited(deployment(namespace)), preview=True)
    engine.create(unawaited(deployment("namespace-of-the-same-run")), preview=True)
    assert not api.list("apps/v1", "Deployment", namespace)


def test_immutable_fields_replace(engine: Engine, namespace: str) -> None:
    old = unawaited(deployment(namespace))
    engine.create(old)
    new = unawaited(deployment(namespace))
    new["spec"] = {**new["spec"], "replicas": 2}
    assert not engine.diff(old, new).replaces
    labels = {"tidegate.dev/version": "other"}
    new["spec"]["selector"] = {"matchLabels": labels}
    new["spec"]["template"] = {**new["spec"]["template"], "metadata": {"labels": labels}}
    assert engine.diff(old, new).deleteBeforeReplace


def test_the_servers_own_immutable_fields_replace(engine: Engine, namespace: str) -> None:
    metadata = {"name": "fast", "annotations": {SKIP_AWAIT: "true"}}
    name = f"fast-{namespace}"
    old = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {**metadata, "name": name}}
    engine.create({**old, "value": 10})
    answer = engine.diff({**old, "value": 10}, {**old, "value": 11})
    assert list(answer.replaces) == ["value"]
    engine.delete(old)


def test_a_deployment_is_waited_for_unless_it_says_otherwise(
    engine: Engine, kubelet: Kubelet, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = engine.create(deployment(namespace, "first"))
    assert made["status"]["availableReplicas"] == 1
    kubelet.let(namespace, image_pull_back_off())
    monkeypatch.setattr(server_side, "PATIENCE_S", 0.5)
    engine.create(unawaited(deployment(namespace, "second")))
    with pytest.raises(RefusedError, match="Timeout occurred"):
        engine.create(deployment(namespace, "third"))


def test_a_cluster_that_does_not_answer(engine: Engine, namespace: str) -> None:
    nowhere = "https://127.0.0.1:9"
    plugin = configured(engine.cloud, engine.kubeconfig.replace(os.environ[SERVER], nowhere))
    manifest = encode(secret(namespace, primary="a"))
    with pytest.raises(RefusedError, match="unreachable"):
        plugin.Read(provider_pb2.ReadRequest(id="a", properties=manifest, inputs=manifest), Context())
