"""What a record says of an endpoint."""

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from providers.kind import object_failures
from providers.serving_record import Serving
from tests.unit.report.records import CONTENTS
from tidegate.endpoint.spec import (
    DeploymentSpec,
    EndpointSpec,
    GivenKeys,
    InferenceSpec,
    KeyRotation,
    RetrySpec,
    TokenSpec,
    VersionSpec,
)
from tidegate.report.diff import compare
from tidegate.report.record import serving_record

GIVEN = "a-key-that-clients-hold-since-2021"
VALUE = "postgres://somewhere"


def version(name: str = "one", **changes: Any) -> VersionSpec:
    inference = InferenceSpec(
        entry_script="score.py", source=Path("/code"), environment_variables={"DATABASE": VALUE, "LEVEL": "info"}
    )
    return VersionSpec.model_validate({"name": name, "inference": inference, **changes})


def endpoint(**changes: Any) -> EndpointSpec:
    given: dict[str, Any] = {
        "name": "diabetes",
        "namespace": "scoring",
        "service_account": "diabetes",
        "sample": Path("/code/sample.json"),
        "versions": (version(),),
    }
    return EndpointSpec.model_validate(given | changes)


def test_it_has_the_form_that_the_plugin_takes_and_json_keeps_it() -> None:
    for target in ("kubernetes", "local"):
        record = serving_record(endpoint(), {"one": CONTENTS}, target=target)
        assert object_failures(Serving.inputs, json.loads(json.dumps(record))) == []
    assert object_failures(Serving.inputs, serving_record(endpoint(), {})) == []


def test_the_default_gets_what_is_not_given_away() -> None:
    versions = (version("one", default=True, traffic=20), version("two", traffic=10, control=True))
    record = serving_record(endpoint(versions=versions), {})
    assert {name: each["percent"] for name, each in record["versions"].items()} == {"one": 90, "two": 10}
    assert (record["default"], record["control"]) == ("one", "two")


def test_neither_a_key_nor_a_variables_value_is_in_it() -> None:
    keys = {"keys": GivenKeys(primary=SecretStr(GIVEN)), "key_rotation": KeyRotation(secondary=3)}
    record = serving_record(endpoint(**keys), {})
    text = json.dumps(record)
    assert record["keys"] == {"primary": "given", "secondary": "3"}
    assert GIVEN not in text
    assert VALUE not in text
    assert serving_record(endpoint(auth="none", **keys), {})["keys"] == {}


def test_another_value_of_a_variable_is_told_without_it() -> None:
    inference = InferenceSpec(
        entry_script="score.py", source=Path("/code"), environment_variables={"DATABASE": "other"}
    )
    before = serving_record(endpoint(), {})
    after = serving_record(endpoint(versions=(version(inference=inference),)), {})
    (said,) = [each.text for each in compare(before, after).sentences if each.subject == "one"]
    assert said.startswith("restarts: environmentVariables.DATABASE #")
    assert "environmentVariables.LEVEL #" in said
    assert "other" not in said


def test_what_a_target_does_not_apply_is_no_change_there() -> None:
    bigger = endpoint(versions=(version(deployment=DeploymentSpec(cpu=2, gpu_cores=1), node_pool="gpu"),))
    assert not compare(serving_record(endpoint(), {}, target="local"), serving_record(bigger, {}, target="local"))
    report = compare(serving_record(endpoint(), {}), serving_record(bigger, {}))
    (said,) = [each.text for each in report.sentences if each.subject == "one"]
    assert "containerResourceRequirements.cpu 0.1 -> 2; gpuCores (none) -> 1; nodePool (none) -> gpu" in said


def test_replicas_restart_local_processes_and_scale_pods_in_place() -> None:
    scaled = endpoint(versions=(version(deployment=DeploymentSpec(num_replicas=3, autoscaler=None)),))
    local = compare(serving_record(endpoint(), {}, target="local"), serving_record(scaled, {}, target="local"))
    pods = compare(serving_record(endpoint(), {}), serving_record(scaled, {}))
    assert [(each.replicas, each.fate) for each in (*local.rows, *pods.rows)] == [
        ("1 -> 3", "restarts"),
        ("1-10 -> 3", "in place"),
    ]


def test_settings_of_access_and_of_the_gateway_change_in_place() -> None:
    token = TokenSpec(tenant_id="11111111-0000-0000-0000-000000000000", application_id="2222")
    before = serving_record(endpoint(auth="token", token=token), {})
    other = token.model_copy(update={"role": "Score.Other"})
    changed = endpoint(auth="token", token=other, retry=RetrySpec(), max_request_mb=5)
    report = compare(before, serving_record(changed, {}))
    assert {each.fate for each in report.rows} == {"unchanged"}
    assert [(each.subject, each.text) for each in report.sentences] == [
        (
            "in place",
            "auth.token.role Score.Invoke -> Score.Other; maxRequestSizeInMB 100 -> 5; "
            "retry.attempts (none) -> 1; retry.on (none) -> 503",
        )
    ]


def test_a_shadow_and_a_service_account() -> None:
    before = serving_record(endpoint(), {})
    shadow = compare(before, serving_record(endpoint(versions=(version(shadow=10),)), {}))
    account = compare(before, serving_record(endpoint(service_account="reader"), {}))
    assert [each.fate for each in (*shadow.rows, *account.rows)] == ["in place", "restarts"]
    assert "in place: shadow (none) -> 10 %" in [each.text for each in shadow.sentences]


def test_how_pods_are_replaced_is_taken_from_the_plan() -> None:
    record = serving_record(endpoint(), {}, strategies={"one": "Recreate: no room"})
    assert record["versions"]["one"]["strategy"] == "Recreate: no room"
