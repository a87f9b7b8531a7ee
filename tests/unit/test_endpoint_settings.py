"""Where a version's settings come from, and what v1's two files mean together with the stack config."""

from typing import Any

import pytest


def test_the_stack_config_wins_key_by_key(project: Any) -> None:
    project.write_json(
        "forest/deployment.json", {"containerResourceRequirements": {"cpu": 1, "memoryInGB": 2}, "keys": None}
    )
    forest, _ = project.load().endpoints[0].versions
    assert (forest.deployment.cpu, forest.deployment.memory_gb) == (0.5, 2)


def test_a_finding_names_the_file_that_the_value_came_from(project: Any) -> None:
    project.write_json("forest/deployment.json", {"autoScaler": {"minReplicas": 12, "maxReplicas": 3}})
    assert (project.error().file, project.error().path) == ("forest/deployment.json", "autoScaler.minReplicas")
    project.forest["autoScaler"] = {"minReplicas": 5}
    error = project.error()
    assert (error.file, error.path) == ("", "tidegate:endpoints.diabetes.versions.forest.autoScaler.minReplicas")


def test_the_older_form_survives_an_environment_in_the_stack_config(project: Any) -> None:
    forest, _ = project.load().endpoints[0].versions
    assert forest.inference.python.requirements == ("joblib==1.5.1",)


def test_a_finding_in_the_older_form_names_the_older_key(project: Any) -> None:
    project.write_json("forest/inference.json", {"entryScript": "score.py", "condaFile": "no.yml"})
    assert (project.error().file, project.error().path) == ("forest/inference.json", "condaFile")


def test_the_older_form_is_left_aside_beside_an_environment(project: Any) -> None:
    project.write_json("ridge/inference.json", {"entryScript": "score.py", "environment": {}, "condaFile": "no.yml"})
    assert any("condaFile is left aside" in str(note) for note in project.notes("note"))


def test_conda_dependencies_in_place_take_the_file_s_place(project: Any) -> None:
    project.ridge["environment"] = {"python": {"condaDependencies": {"dependencies": [{"pip": ["numpy==2.4.0"]}]}}}
    _, ridge = project.load().endpoints[0].versions
    assert ridge.inference.python.requirements == ("numpy==2.4.0",)


def test_a_fixed_number_of_replicas_takes_the_file_s_autoscaler_s_place(project: Any) -> None:
    project.write_json("forest/deployment.json", {"autoScaler": {"autoscaleEnabled": True, "minReplicas": 2}})
    assert project.load().endpoints[0].versions[0].deployment.replicas == 2
    project.forest["numReplicas"] = 3
    deployment = project.load().endpoints[0].versions[0].deployment
    assert (deployment.autoscaler, deployment.replicas) == (None, 3)


@pytest.mark.parametrize(
    ("files", "auth"),
    [
        (({}, {}), "key"),
        (({"authEnabled": True}, {"tokenAuthEnabled": False}), "key"),
        (({"authEnabled": False, "tokenAuthEnabled": False},) * 2, "none"),
    ],
)
def test_the_files_settle_auth_where_the_endpoint_does_not(project: Any, files: Any, auth: str) -> None:
    del project.endpoint["auth"]
    project.write_json("ridge/deployment.json", files[0])
    project.write_json("forest/deployment.json", files[1])
    assert project.load().endpoints[0].auth == auth


@pytest.mark.parametrize(
    ("ridge", "path", "said"),
    [
        ({"tokenAuthEnabled": True}, "tokenAuthEnabled", "says tokens"),
        ({"authEnabled": True, "tokenAuthEnabled": True}, "tokenAuthEnabled", "both true"),
        ({"authEnabled": False}, "authEnabled", "alone does not open"),
        ({"authEnabled": False, "tokenAuthEnabled": False}, "authEnabled", "says auth: key"),
        ({"namespace": "other"}, "namespace", 'says "mine"'),
        ({"keys": {"primaryKey": "k" * 40}}, "keys.primaryKey", "not what forest/deployment.json says"),
        ({"sslEnabled": True}, "sslEnabled", "TLS cannot be had"),
    ],
)
def test_what_the_files_may_not_say(project: Any, ridge: object, path: str, said: str) -> None:
    del project.endpoint["auth"]
    del project.values["tidegate:keys"]
    project.write_json("forest/deployment.json", {"namespace": "mine", "keys": {"primaryKey": "f" * 40}})
    project.write_json("ridge/deployment.json", ridge)
    error = project.error()
    assert (error.file, error.path) == ("ridge/deployment.json", path)
    assert said in error.problem


def test_the_endpoint_s_own_word_wins_over_files_that_disagree(project: Any) -> None:
    project.write_json("ridge/deployment.json", {"tokenAuthEnabled": True, "namespace": "other"})
    project.endpoint["namespace"] = "mine"
    endpoint = project.load().endpoints[0]
    assert (endpoint.auth, endpoint.namespace) == ("key", "mine")


def test_keys_in_a_file_are_taken_with_a_warning(project: Any) -> None:
    del project.values["tidegate:keys"]
    project.write_json("ridge/deployment.json", {"keys": {"primaryKey": "k" * 40}})
    assert project.load().endpoints[0].keys.primary.get_secret_value() == "k" * 40
    (warning,) = project.notes("warning")
    assert (warning.file, warning.path) == ("ridge/deployment.json", "keys.primaryKey")


def test_an_open_endpoint_of_production_is_listed_by_name(project: Any) -> None:
    project.values["tidegate:production"] = True
    project.endpoint["auth"] = "none"
    assert project.error().path == "tidegate:endpoints.diabetes.auth"
    project.values["tidegate:allowAnonymous"] = ["diabetes"]
    assert project.load().endpoints[0].auth == "none"


def test_what_one_machine_does_not_apply_is_said_once_a_version(project: Any) -> None:
    project.ridge["appInsightsEnabled"] = True
    project.ridge["autoScaler"] = {"minReplicas": 2, "maxReplicas": 4}
    project.ridge["dataCollection"] = {"storageEnabled": False}
    notes = [note for note in project.notes("note") if note.path.endswith("versions.ridge")]
    assert [note.problem for note in notes] == [
        "not applied on the local target: autoScaler.maxReplicas, appInsightsEnabled"
    ]


@pytest.mark.parametrize("text", ["{", "[]", '{"scoringTimeoutMs": 1, "scoringTimeoutMs": 2}', "\x00"])
def test_a_file_that_is_no_json_object_is_one_finding(project: Any, text: str) -> None:
    project.write("ridge/deployment.json", text)
    assert project.error().file == "ridge/deployment.json"


def test_a_script_outside_the_source_directory_is_refused(project: Any) -> None:
    project.ridge["entryScript"] = "../forest/score.py"
    assert "outside the source directory" in project.error().problem


def test_more_than_sixteen_versions_with_traffic_and_more_than_twenty_are_refused(project: Any) -> None:
    for index in range(17):
        project.endpoint["versions"][f"more-{index}"] = {"traffic": 1, "entryScript": "ridge/score.py"}
    project.ridge["traffic"] = 0
    project.forest["traffic"] = 0
    assert "18 versions get traffic" in project.error().problem
    for index in range(17, 19):
        project.endpoint["versions"][f"more-{index}"] = {"entryScript": "ridge/score.py"}
    assert any("21 versions are too many" in error.problem for error in project.errors())


def test_the_sum_of_the_percents_is_shown_with_its_terms(project: Any) -> None:
    project.forest["traffic"] = 30
    assert project.error().problem == "the percents sum to 110: 30 (forest) + 80 (ridge)"
