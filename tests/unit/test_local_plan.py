"""What a local stack runs, for the example of the README."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tidegate.config import load
from tidegate.targets.local import LocalPlan, plan_local

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = "examples/diabetes"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the example, its models stood in for."""
    root = tmp_path_factory.mktemp("project")
    (root / "runtime").symlink_to(CHECKOUT / "runtime")
    shutil.copytree(CHECKOUT / EXAMPLE, root / EXAMPLE, ignore=shutil.ignore_patterns("models"))
    for name in ("ridge", "forest"):
        path = root / EXAMPLE / "models" / f"{name}.pkl"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"the {name}")
    return root


def config() -> dict[str, Any]:
    document = YAML(typ="safe").load((CHECKOUT / "Pulumi.local.yaml").read_text())
    return json.loads(json.dumps(document["config"]))


def plan(root: Path, values: dict[str, Any]) -> LocalPlan:
    return plan_local(load(values, root=root, stack="local"), root=root)


def test_the_example(root: Path) -> None:
    found = plan(root, config())
    assert found.host == {"state": str(root / ".tidegate" / "local")}
    assert found.gateway == {"address": "127.0.0.1", "port": 8080}
    assert sorted(found.models) == ["diabetes-forest:1", "diabetes-ridge:1"]
    assert found.models["diabetes-ridge:1"]["tags"] == {"data": "diabetes"}
    (endpoint,) = found.endpoints
    assert endpoint.name == "diabetes"
    assert endpoint.keys == {
        name: {"endpoint": "diabetes", "name": name, "rotation": 1} for name in ("primary", "secondary")
    }
    assert (endpoint.route["default"], endpoint.route["control"]) == ("ridge", "ridge")
    # 10 s for the script and 1 s in the queue: what a request may take in all.
    assert {name: (share["percent"], share["timeoutMs"]) for name, share in endpoint.route["versions"].items()} == {
        "ridge": (80, 11000),
        "forest": (20, 11000),
    }
    ridge = endpoint.deployments["ridge"]
    assert ridge.models == ("diabetes-ridge:1",)
    assert ridge.inputs["source"]["path"] == str(root / EXAMPLE / "ridge")
    assert ridge.inputs["maxConcurrentRequests"] == 2
    assert "arguments" not in ridge.inputs, "what is empty is left out"


def test_versions_with_the_same_packages_share_an_environment(root: Path) -> None:
    found = plan(root, config())
    (endpoint,) = found.endpoints
    (key,) = found.environments
    assert {deployment.environment for deployment in endpoint.deployments.values()} == {key}
    assert found.environments[key]["key"] == key

    conda = root / EXAMPLE / "forest" / "conda.yml"
    before = conda.read_text()
    conda.write_text(before.replace("joblib", "joblib>=1 # "))
    apart = plan(root, config())
    conda.write_text(before)
    assert len(apart.environments) == 2
    assert apart.endpoints[0].deployments["ridge"].environment == key


@settings(deadline=None, max_examples=10)
@given(st.randoms(use_true_random=False))
def test_the_order_in_which_the_config_is_written_changes_nothing(root: Path, random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    values = config() | {"tidegate:keys": {"diabetes": {"primary": "p" * 32, "secondary": "s" * 32}}}
    one, other = plan(root, values), plan(root, shuffled(values))
    assert one == other
    assert repr(one) == repr(other)


def test_a_plan_shows_no_given_key(root: Path) -> None:
    given = {"primary": "a-key-that-clients-hold-since-2021"}
    found = plan(root, config() | {"tidegate:keys": {"diabetes": given}})
    keys = found.endpoints[0].keys
    assert keys["primary"]["value"].get_secret_value() == given["primary"]
    assert "value" not in keys["secondary"]
    assert given["primary"] not in repr(found)


def test_an_open_endpoint_has_no_keys(root: Path) -> None:
    values = config()
    values["tidegate:endpoints"]["diabetes"]["auth"] = "none"
    (endpoint,) = plan(root, values).endpoints
    assert endpoint.keys == {}
    assert endpoint.route["auth"] == "none"


# -- what the gateway does beside the split


def with_endpoint(**changes: Any) -> dict[str, Any]:
    """The example's config with changes of its endpoint."""
    values = config()
    values["tidegate:endpoints"]["diabetes"] |= changes
    return values


def test_tokens_need_an_issuer_and_no_keys(root: Path) -> None:
    assert plan(root, config()).tokens is None
    application = "66666666-7777-8888-9999-000000000000"
    token = {"tenantId": "11111111-2222-3333-4444-555555555555", "applicationId": application}
    values = with_endpoint(auth={"token": token | {"applicationIdUri": "api://a"}})
    values["tidegate:gateway"] = {"tokenRotation": 3}
    found = plan(root, values)
    assert found.tokens == {"rotation": 3}
    (endpoint,) = found.endpoints
    assert endpoint.keys == {}
    assert endpoint.route["auth"] == "token"
    assert endpoint.route["token"] == {"audiences": [application, "api://a"], "role": "Score.Invoke"}


def test_what_is_not_written_is_not_planned(root: Path) -> None:
    (endpoint,) = plan(root, config()).endpoints
    assert not {"token", "attempts", "maxRequestBytes"} & endpoint.route.keys()
    assert not any("shadow" in share for share in endpoint.route["versions"].values())
    assert not any("maxRequestBytes" in each.inputs for each in endpoint.deployments.values())


def test_shadows_and_second_tries_are_the_route_s_alone(root: Path) -> None:
    values = with_endpoint(retry={"on": 503, "attempts": 2})
    versions = values["tidegate:endpoints"]["diabetes"]["versions"]
    versions["forest"] |= {"traffic": 0, "shadow": 30}
    (before,), (endpoint,) = plan(root, config()).endpoints, plan(root, values).endpoints
    assert endpoint.route["attempts"] == 2
    assert [endpoint.route["versions"][name].get("shadow") for name in ("ridge", "forest")] == [None, 30]
    assert endpoint.deployments == before.deployments


@pytest.mark.parametrize(
    ("size", "gateway", "server"), [(5, 5 << 20, None), (100, None, None), (500, 500 << 20, 500 << 20)]
)
def test_a_smaller_limit_is_the_gateway_s_alone(root: Path, size: int, gateway: int | None, server: int | None) -> None:
    (endpoint,) = plan(root, with_endpoint(maxRequestSizeInMB=size)).endpoints
    assert endpoint.route.get("maxRequestBytes") == gateway
    assert {each.inputs.get("maxRequestBytes") for each in endpoint.deployments.values()} == {server}
