"""What the program registers for the README's example: names, types, parents, inputs and options."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from providers.values import Secret
from stacks.local import deploy
from tests.golden.conftest import Golden
from tests.standins.mocks import Recorded, record
from tidegate.config import from_file
from tidegate.endpoint.spec import GivenKeys

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = "examples/diabetes"


OUTPUTS: dict[str, dict[str, Any]] = {
    "tidegate-serving:index:ApiKey": {"value": Secret("a key")},
    "tidegate-serving:index:Serving": {},
    "tidegate-serving:local:Gateway": {"url": "http://127.0.0.1:8080"},
    "tidegate-serving:local:Model": {"copy": "the model's copy"},
    "tidegate-serving:local:Environment": {"interpreter": "the environment's python"},
    "tidegate-serving:local:Deployment": {"deployment": "the deployment's id"},
}
"""What each type gives beyond its inputs."""

Registered = dict[str, Recorded]
"""Resources by URN."""


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


def register(root: Path, **changes: Any) -> Registered:
    """Everything that the program says to the engine."""
    environment = from_file(root / "Pulumi.local.yaml", root=root)
    endpoints = tuple(endpoint.model_copy(update=changes) for endpoint in environment.endpoints)
    recorded = record(
        lambda: deploy(replace(environment, endpoints=endpoints), root),
        cloud=root / "no cloud", stack="local", given=OUTPUTS,
    )  # fmt: skip
    return {each["urn"]: each for each in recorded}


def test_the_example(root: Path, golden: Golden) -> None:
    registered = register(root)
    said = ("inputs", "inputsFrom", "options")
    resources = {urn: {key: each[key] for key in said} for urn, each in registered.items()}
    outputs = {urn: each["outputs"] for urn, each in registered.items() if "outputs" in each}
    golden("program", _normal({"resources": resources, "outputs": outputs}, root))


def test_every_child_has_the_name_of_its_component_and_the_component_as_its_parent(root: Path) -> None:
    registered = register(root)
    components = {urn.rpartition("::")[2]: urn for urn in registered if "tidegate:local:" in urn.rpartition("$")[2]}
    assert sorted(components) == ["diabetes", "local"]
    for urn, each in registered.items():
        name = urn.rpartition("::")[2]
        if name not in components and not urn.startswith("pulumi:pulumi:Stack"):
            assert each["options"]["parent"] == components[name.partition(".")[0]], urn


def test_keys_enter_and_leave_as_secrets(root: Path) -> None:
    registered = register(root)
    (route,) = [each["inputs"] for urn, each in registered.items() if urn.endswith("::diabetes.route")]
    assert (route["primaryKey"], route["secondaryKey"]) == (Secret("a key"), Secret("a key"))

    given = "a-key-that-clients-hold-since-2021"
    registered = register(root, keys=GivenKeys(primary=SecretStr(given)))
    key = "tidegate:local:Endpoint$tidegate-serving:index:ApiKey::diabetes."
    assert registered[key + "primary"]["inputs"]["value"] == Secret(given)
    assert "value" not in registered[key + "secondary"]["inputs"]


def test_an_open_endpoint_registers_no_keys(root: Path) -> None:
    registered = register(root, auth="none")
    assert not any("ApiKey" in urn for urn in registered)
    (route,) = [each["inputs"] for urn, each in registered.items() if urn.endswith("::diabetes.route")]
    assert "primaryKey" not in route


def _normal(value: Any, root: Path) -> Any:
    """Without what differs from machine to machine or with every edit of a script."""
    if isinstance(value, Secret):
        return {"secret": _normal(value.value, root)}
    text = json.dumps(value, default=lambda secret: {"secret": secret.value})
    text = text.replace(str(root), "PROJECT")
    text = re.sub(r"\be1-[0-9a-f]{64}", "ENVIRONMENT", text)
    text = re.sub(r"\be1-[0-9a-f]{8}", "ENVIRONMENT", text)
    text = re.sub(r"\d+\.\d+\.\d+\+[0-9a-f]{12}\b", "SERVER", text)
    return json.loads(re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text))
