"""What the program registers for the README's example: names, types, parents, inputs and options."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pulumi
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.proto import resource_pb2
from pydantic import SecretStr

from providers.values import Secret, decode, encode
from stacks.local import deploy
from tests.golden.conftest import Golden
from tidegate.config import from_file
from tidegate.endpoint.spec import GivenKeys

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = "examples/diabetes"


OUTPUTS: dict[str, dict[str, Any]] = {
    "ApiKey": {"value": Secret("a key")},
    "Gateway": {"url": "http://127.0.0.1:8080"},
    "Model": {"copy": "the model's copy"},
    "Environment": {"interpreter": "the environment's python"},
    "Deployment": {"deployment": "the deployment's id"},
}
"""What each type gives beyond its inputs."""


class Nothing(Mocks):
    """The recorder answers by itself; a program that reads or calls anything else fails."""

    def new_resource(self, args: MockResourceArgs) -> NoReturn:
        raise AssertionError(f"{args.name} is read")

    def call(self, args: MockCallArgs) -> NoReturn:
        raise AssertionError(f"{args.token} is called")


class Recorder(MockMonitor):
    """Keeps each request as it comes, options included, and answers as the plugin would."""

    def __init__(self) -> None:
        super().__init__(Nothing())
        self.registered: dict[str, dict[str, Any]] = {}
        self.outputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        assert _short(urn) not in self.registered, f"{urn} is registered twice"
        from_inputs = {each for urns in request.propertyDependencies.values() for each in urns.urns}
        options = {
            "parent": _short(request.parent),
            "dependsOn": sorted(_short(each) for each in set(request.dependencies) - from_inputs),
            "additionalSecretOutputs": list(request.additionalSecretOutputs),
            "protect": request.protect,
            "ignoreChanges": list(request.ignoreChanges),
            "deleteBeforeReplace": request.deleteBeforeReplace,
            "retainOnDelete": request.retainOnDelete,
            "aliases": [str(alias) for alias in request.aliases],
        }
        inputs = {name: value for name, value in decode(request.object).items() if value is not None}
        self.registered[_short(urn)] = {
            "inputs": inputs,
            "inputsFrom": {
                name: sorted(map(_short, urns.urns)) for name, urns in request.propertyDependencies.items() if urns.urns
            },
            "options": {name: value for name, value in options.items() if value},
        }
        given = OUTPUTS.get(request.type.rpartition(":")[2], {})
        return resource_pb2.RegisterResourceResponse(urn=urn, id=request.name, object=encode(given | inputs))

    def RegisterResourceOutputs(self, request: Any) -> Any:
        self.outputs[_short(request.urn)] = decode(request.outputs)
        return empty_pb2.Empty()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The project with the example, its models stood in for."""
    for name in ("runtime", "Pulumi.local.yaml"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    shutil.copytree(CHECKOUT / EXAMPLE, tmp_path / EXAMPLE, ignore=shutil.ignore_patterns("models"))
    (tmp_path / EXAMPLE / "models").mkdir()
    for name in ("ridge.pkl", "forest.pkl"):
        (tmp_path / EXAMPLE / "models" / name).write_text(name)
    return tmp_path


def register(root: Path, **changes: Any) -> Recorder:
    """Everything that the program says to the engine."""
    recorder = Recorder()
    set_mocks(recorder.mocks, "tidegate", "local", monitor=recorder)
    environment = from_file(root / "Pulumi.local.yaml", root=root)
    endpoints = tuple(endpoint.model_copy(update=changes) for endpoint in environment.endpoints)

    @pulumi.runtime.test
    def program() -> None:
        deploy(replace(environment, endpoints=endpoints), root)
        stack: Any = pulumi.runtime.get_root_resource()
        stack.register_outputs(stack.outputs)  # as the runtime does at a program's end

    program()
    return recorder


def test_the_example(root: Path, golden: Golden) -> None:
    recorder = register(root)
    golden("program", _normal({"resources": recorder.registered, "outputs": recorder.outputs}, root))


def test_every_child_has_the_name_of_its_component_and_the_component_as_its_parent(root: Path) -> None:
    registered = register(root).registered
    components = {urn.rpartition("::")[2]: urn for urn in registered if "tidegate:local:" in urn.rpartition("$")[2]}
    assert sorted(components) == ["diabetes", "local"]
    for urn, each in registered.items():
        name = urn.rpartition("::")[2]
        if name not in components and not urn.startswith("pulumi:pulumi:Stack"):
            assert each["options"]["parent"] == components[name.partition(".")[0]], urn


def test_keys_enter_and_leave_as_secrets(root: Path) -> None:
    registered = register(root).registered
    (route,) = [each["inputs"] for urn, each in registered.items() if urn.endswith("::diabetes.route")]
    assert (route["primaryKey"], route["secondaryKey"]) == (Secret("a key"), Secret("a key"))

    given = "a-key-that-clients-hold-since-2021"
    registered = register(root, keys=GivenKeys(primary=SecretStr(given))).registered
    key = "tidegate:local:Endpoint$tidegate-serving:index:ApiKey::diabetes."
    assert registered[key + "primary"]["inputs"]["value"] == Secret(given)
    assert "value" not in registered[key + "secondary"]["inputs"]


def test_an_open_endpoint_registers_no_keys(root: Path) -> None:
    recorder = register(root, auth="none")
    assert not any("ApiKey" in urn for urn in recorder.registered)
    (route,) = [each["inputs"] for urn, each in recorder.registered.items() if urn.endswith("::diabetes.route")]
    assert "primaryKey" not in route


def _short(urn: str) -> str:
    """A URN without the stack and the project."""
    return "::".join(urn.split("::")[2:])


def _normal(value: Any, root: Path) -> Any:
    """Without what differs from machine to machine or with every edit of a script."""
    if isinstance(value, Secret):
        return {"secret": _normal(value.value, root)}
    text = json.dumps(value, default=lambda secret: {"secret": secret.value})
    text = text.replace(str(root), "PROJECT")
    text = re.sub(r"\be1-[0-9a-f]{64}", "ENVIRONMENT", text)
    text = re.sub(r"\be1-[0-9a-f]{8}", "ENVIRONMENT", text)
    return json.loads(re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text))
