import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.config import from_engine, from_file, load
from tidegate.findings import ConfigError

Break = Callable[[Any], Any]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["target", "gateway", "models", "endpoints", "keys", "allowAnonymous", "production", "other"]


def test_a_valid_config_is_completed(project: Any) -> None:
    environment = project.load()
    (endpoint,) = environment.endpoints
    assert [(model.name, model.number) for model in environment.models] == [("forest", 1), ("forest", 2), ("ridge", 1)]
    assert endpoint.percents == {"forest": 20, "ridge": 80}
    assert (endpoint.default, endpoint.control, endpoint.namespace) == ("ridge", "ridge", "diabetes")
    assert endpoint.sample == project.root / "sample.json"
    forest, ridge = endpoint.versions
    assert ridge.inference.source == project.root / "ridge"
    assert ridge.inference.python.requirements == ("joblib==1.5.1",)
    assert forest.inference.source == project.root / "forest/score.py"
    assert forest.inference.entry_script == "score.py"
    assert forest.inference.python == ridge.inference.python
    assert forest.inference.environment_variables == {"A": "b"}
    assert (forest.deployment.cpu, forest.deployment.scoring_timeout_ms) == (0.5, 10000)
    assert environment.gateway.port == 8081


def test_engine_and_file_give_the_same(project: Any) -> None:
    as_engine = {key: value if isinstance(value, str) else json.dumps(value) for key, value in project.values.items()}
    path = project.root / "Pulumi.test.yaml"
    path.write_text(json.dumps({"encryptionsalt": "v1:x", "config": project.values | {"other:key": 1}}))
    loaded = project.load()
    assert from_engine(json.dumps(as_engine), root=project.root, stack="test", secret_keys=["tidegate:keys"]) == loaded
    assert from_file(path, root=project.root) == loaded


def test_encrypted_keys_are_as_if_not_given_and_encrypted_elsewhere_is_refused(project: Any) -> None:
    path = project.root / "Pulumi.test.yaml"
    project.values["tidegate:keys"] = {"secure": "v1:abc"}
    path.write_text(json.dumps({"config": project.values}))
    assert from_file(path, root=project.root).endpoints[0].keys.primary is None
    project.values["tidegate:keys"] = {"diabetes": {"primary": {"secure": "v1:abc"}}}
    path.write_text(json.dumps({"config": project.values}))
    assert from_file(path, root=project.root).endpoints[0].keys.primary is None
    project.endpoint["description"] = {"secure": "v1:abc"}
    path.write_text(json.dumps({"config": project.values}))
    with pytest.raises(ConfigError) as caught:
        from_file(path, root=project.root)
    assert [finding.path for finding in caught.value.findings] == ["tidegate:endpoints.diabetes.description"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("config:\n  tidegate:keys: {a: {primary: 'hush, b: 1}}\n", None),
        ("config:\n  tidegate:keys:\n    hush: 1\n    hush: 2\n", 4),
        ("config:\n  a: *hush\n", 2),
        ("config: hush", 0),
        ("config:\n  - hush", 0),
    ],
)
def test_a_broken_file_is_one_finding_that_shows_nothing_of_it(tmp_path: Path, text: str, line: int | None) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        from_file(path, root=tmp_path)
    (finding,) = caught.value.findings
    assert finding.file == "Pulumi.test.yaml"
    assert line is None or finding.line == line
    assert "hush" not in str(finding)


def test_an_unreadable_file_and_a_broken_engine_config_are_findings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        from_file(tmp_path / "Pulumi.none.yaml", root=tmp_path)
    with pytest.raises(ConfigError, match="no JSON object"):
        from_engine("[", root=tmp_path, stack="x")


def test_booleans_that_pulumi_config_set_wrote_as_text_count(project: Any) -> None:
    project.values["tidegate:production"] = "true"
    as_engine = {key: value if isinstance(value, str) else json.dumps(value) for key, value in project.values.items()}
    assert from_engine(json.dumps(as_engine), root=project.root, stack="test").production is True


def _at(*way: str) -> Break:
    def find(project: Any) -> Any:
        at = project.values
        for part in way:
            at = at[part]
        return at

    return find


def _set(way: list[str], key: str, value: object) -> Break:
    return lambda project: _at(*way)(project).__setitem__(key, value)


ENDPOINT = ["tidegate:endpoints", "diabetes"]
RIDGE = [*ENDPOINT, "versions", "ridge"]
FOREST = [*ENDPOINT, "versions", "forest"]
FOREST_PATH = "tidegate:endpoints.diabetes.versions.forest"

MISTAKES: list[tuple[Break, str, str]] = [
    (lambda p: p.values.pop("tidegate:target"), "tidegate:target", ""),
    (_set([], "tidegate:target", "gcp"), "tidegate:target", ""),
    (_set([], "tidegate:targt", "x"), "tidegate:targt", ""),
    (_set([], "tidegate:endpoints", 5), "tidegate:endpoints", ""),
    (_set([], "tidegate:models", None), "tidegate:models", ""),
    (_set(["tidegate:gateway"], "port", 70000), "tidegate:gateway.port", ""),
    (_set(["tidegate:models", "ridge"], "path", "nothing.pkl"), "tidegate:models.ridge.path", ""),
    (_set(["tidegate:models", "ridge"], "path", "\0"), "tidegate:models.ridge.path", ""),
    (_set(["tidegate:models", "ridge"], "path", 5), "tidegate:models.ridge.path", ""),
    (_set(["tidegate:models"], "ridge", "x"), "tidegate:models.ridge", ""),
    (_set(["tidegate:models", "forest"], "0", {"path": "models/a.pkl"}), "tidegate:models.forest.0", ""),
    (_set(["tidegate:models", "forest"], "2", {}), "tidegate:models.forest.2.path", ""),
    (_set(ENDPOINT, "auth", "token"), "tidegate:endpoints.diabetes.auth", ""),
    (_set(ENDPOINT, "sample", "no.json"), "tidegate:endpoints.diabetes.sample", ""),
    (_set(ENDPOINT, "namespace", "A"), "tidegate:endpoints.diabetes.namespace", ""),
    (_set(ENDPOINT, "keyRotation", {"primary": 0}), "tidegate:endpoints.diabetes.keyRotation.primary", ""),
    (_set(ENDPOINT, "versions", {}), "tidegate:endpoints.diabetes.versions", ""),
    (lambda p: p.endpoint.pop("versions"), "tidegate:endpoints.diabetes.versions", ""),
    (
        _set(["tidegate:endpoints"], "A", {"versions": {"v-1": {"entryScript": "ridge/score.py"}}}),
        "tidegate:endpoints.A",
        "",
    ),
    (_set(FOREST, "traffic", "20"), f"{FOREST_PATH}.traffic", ""),
    (_set(FOREST, "traffic", 21), "tidegate:endpoints.diabetes.versions", ""),
    (_set(FOREST, "default", True), "tidegate:endpoints.diabetes.versions", ""),
    (_set(FOREST, "control", True), "tidegate:endpoints.diabetes.versions", ""),
    (lambda p: p.ridge.pop("default"), "tidegate:endpoints.diabetes.versions", ""),
    (_set(RIDGE, "default", "yes"), "tidegate:endpoints.diabetes.versions.ridge.default", ""),
    (
        lambda p: p.ridge.update({"defalt": p.ridge.pop("default")}),
        "tidegate:endpoints.diabetes.versions.ridge.defalt",
        "",
    ),
    (_set([*ENDPOINT, "versions"], "ridge", 5), "tidegate:endpoints.diabetes.versions.ridge", ""),
    (_set(FOREST, "models", ["nope"]), f"{FOREST_PATH}.models[0]", ""),
    (_set(FOREST, "models", ["forest:3"]), f"{FOREST_PATH}.models[0]", ""),
    (_set(FOREST, "models", ["forest:1", 5, "forest:1"]), f"{FOREST_PATH}.models[1]", "also [2]"),
    (_set(FOREST, "models", ["./ridge.pkl"]), f"{FOREST_PATH}.models[0]", ""),
    (_set(FOREST, "models", ["forest:1"] * 1001), f"{FOREST_PATH}.models", ""),
    (_set(FOREST, "inference", "no.json"), f"{FOREST_PATH}.inference", ""),
    (_set(FOREST, "deployment", 1), f"{FOREST_PATH}.deployment", ""),
    (_set(FOREST, "authEnabled", True), f"{FOREST_PATH}.authEnabled", ""),
    (_set(FOREST, "gpuCores", 1), f"{FOREST_PATH}.gpuCores", ""),
    (_set(FOREST, "entryScript", "other.py"), f"{FOREST_PATH}.entryScript", ""),
    (_set(FOREST, "autoScaler", {"minReplicas": 12}), f"{FOREST_PATH}.autoScaler.minReplicas", ""),
    (_set(FOREST, "numReplicas", True), f"{FOREST_PATH}.numReplicas", ""),
    (
        _set([*FOREST, "containerResourceRequirements"], "cpuLimit", 0.1),
        f"{FOREST_PATH}.containerResourceRequirements.cpuLimit",
        "",
    ),
    (
        _set([*FOREST, "environment", "environmentVariables"], "A", 1),
        f"{FOREST_PATH}.environment.environmentVariables.A",
        "",
    ),
    (
        _set([*FOREST, "environment", "environmentVariables"], "ä", "b"),
        f'{FOREST_PATH}.environment.environmentVariables["\\u00e4"]',
        "",
    ),
    (_set(["tidegate:keys", "diabetes"], "primary", ""), "tidegate:keys.diabetes.primary", ""),
    (_set(["tidegate:keys", "diabetes"], "primary", "s" * 32), "tidegate:keys.diabetes.secondary", ""),
    (_set(["tidegate:keys"], "other", {}), "tidegate:keys.other", ""),
    (_set([], "tidegate:allowAnonymous", ["other"]), "tidegate:allowAnonymous[0]", ""),
]


@pytest.mark.parametrize(("spoil", "path", "also"), MISTAKES, ids=lambda value: value if isinstance(value, str) else "")
def test_each_single_mistake_is_one_error_at_its_place(project: Any, spoil: Break, path: str, also: str) -> None:
    spoil(project)
    paths = [finding.path for finding in project.errors()]
    assert paths == [path, f"{FOREST_PATH}.models[2]"] if also else paths == [path]


def test_ten_mistakes_are_ten_errors(project: Any) -> None:
    project.values["tidegate:gatway"] = {}
    project.values["tidegate:gateway"]["port"] = "8080"
    project.values["tidegate:models"]["forest"]["1"]["path"] = "none"
    project.values["tidegate:keys"]["diabetes"]["primary"] = "with space"
    project.endpoint["sample"] = "none"
    project.ridge["control"] = "x"
    project.ridge["models"] = ["none:1"]
    project.forest["traffic"] = 120
    project.forest["trafic"] = 1
    project.write_json("ridge/deployment.json", {"autoScaler": {"minReplicas": 0}})
    errors = project.errors()
    assert [(error.file, error.path) for error in errors] == [
        ("ridge/deployment.json", "autoScaler.minReplicas"),
        ("", "tidegate:endpoints.diabetes.sample"),
        ("", "tidegate:endpoints.diabetes.versions.forest.traffic"),
        ("", "tidegate:endpoints.diabetes.versions.forest.trafic"),
        ("", "tidegate:endpoints.diabetes.versions.ridge.control"),
        ("", "tidegate:endpoints.diabetes.versions.ridge.models[0]"),
        ("", "tidegate:gateway.port"),
        ("", "tidegate:gatway"),
        ("", "tidegate:keys.diabetes.primary"),
        ("", "tidegate:models.forest.1.path"),
    ]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([f"tidegate:{key}" for key in KEYS]), JSON))
def test_any_values_give_an_environment_or_findings(values: dict[str, object]) -> None:
    try:
        load(values, root=Path("nowhere"), stack="x")
    except ConfigError as error:
        assert error.findings


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place_of_a_valid_config_gives_an_environment_or_findings(
    new_project: Callable[[], Any], data: st.DataObject
) -> None:
    project = new_project()
    project.values = copy.deepcopy(project.values)
    at: Any = project.values
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else list(range(len(at)))))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(JSON)
    try:
        project.load()
    except ConfigError as error:
        assert any(finding.severity == "error" for finding in error.findings)


@pytest.mark.parametrize("secret", ["hunter2hunter2", "a b c hunter2"])
def test_no_key_is_shown_wherever_it_is_misplaced(project: Any, secret: str) -> None:
    project.values["tidegate:keys"] = {
        "diabetes": {"primary": secret, "secondary": secret, f"primary:{secret}": None},
        f"x:{secret}": 1,
    }
    project.endpoint["keys"] = {"primary": secret}
    project.write_json("ridge/deployment.json", {"keys": {"primaryKey": secret, "secondaryKey": [secret]}, "sslKey": 5})
    try:
        project.load()
    except ConfigError as error:
        assert secret not in str(error)
        assert secret not in repr(error.findings)
    else:
        pytest.fail("the config is broken")


def test_given_keys_that_are_not_encrypted_are_warned_of(project: Any) -> None:
    project.values["tidegate:keys"] = {"diabetes": {"primary": "p" * 40}}
    as_engine = {name: value if isinstance(value, str) else json.dumps(value) for name, value in project.values.items()}

    def warned(*secret_keys: str) -> list[str]:
        text = json.dumps(as_engine)
        environment = from_engine(text, root=project.root, stack="test", secret_keys=secret_keys)
        return [note.path for note in environment.notes if note.severity == "warning" and "plain text" in note.problem]

    assert warned() == ["tidegate:keys"]
    assert warned("tidegate:keys") == []


def test_a_secret_elsewhere_than_in_the_keys_is_refused(project: Any) -> None:
    as_engine = {name: value if isinstance(value, str) else json.dumps(value) for name, value in project.values.items()}
    with pytest.raises(ConfigError) as refused:
        from_engine(
            json.dumps(as_engine), root=project.root, stack="test", secret_keys=["tidegate:endpoints", "aws:key"]
        )
    assert [finding.path for finding in refused.value.findings] == ["tidegate:endpoints"]
