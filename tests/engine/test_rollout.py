"""What a user does with an endpoint day by day: weights, default, versions, keys."""

import json
from collections import Counter

import httpx
import pytest
from scipy.stats import chisquare

pytestmark = pytest.mark.engine

V1 = "/api/v1/service/echo/score"


def answered(client: httpx.Client, count: int) -> Counter[str]:
    return Counter(client.post("/echo/score", json=1).raise_for_status().json()["version"] for _ in range(count))


def p_value(seen: Counter[str], percents: dict[str, int]) -> float:
    total = sum(seen.values())
    return float(
        chisquare([seen[name] for name in percents], [total * share / 100 for share in percents.values()]).pvalue
    )


def test_an_endpoint_from_nothing_to_three_versions_and_back(stack):
    stack.endpoints = {
        "echo": {
            "versions": {"one": stack.version("one", traffic=80, default=True), "two": stack.version("two", traffic=20)}
        }
    }
    stack.up().require()
    client = stack.client("echo")

    # two versions, 80/20, both paths, by header whatever the weight
    assert p_value(answered(client, 1000), {"one": 80, "two": 20}) > 1e-6
    assert client.post(V1, json=[1, "é"]).json()["data"] == [1, "é"]
    for header in ("x-tidegate-version", "azureml-model-deployment"):
        answer = client.post(V1, json=1, headers={header: "two"})
        assert answer.json()["version"] == "two"
        assert (answer.headers["x-tidegate-version"], answer.headers["azureml-model-deployment"]) == ("two", "two")
    unknown = client.post(V1, json=1, headers={"x-tidegate-version": "three"})
    assert unknown.status_code == 404
    assert "one, two" in unknown.json()["message"]

    # a weight: the preview shows just that, nothing is restarted
    before = stack.pids("tidegate_runtime")
    stack.endpoints["echo"]["versions"]["one"]["traffic"] = 50
    stack.endpoints["echo"]["versions"]["two"]["traffic"] = 50
    preview = stack.preview().require().output
    assert "percent: 80 => 50" in preview
    assert "percent: 20 => 50" in preview
    assert "~ 2 to update" in preview
    stack.up().require()
    assert p_value(answered(client, 1000), {"one": 50, "two": 50}) > 1e-6
    assert stack.pids("tidegate_runtime") == before

    # the default: it gets the rest
    del stack.endpoints["echo"]["versions"]["one"]["default"]
    stack.endpoints["echo"]["versions"]["two"] |= {"default": True, "traffic": 0}
    stack.endpoints["echo"]["versions"]["one"]["traffic"] = 10
    stack.up().require()
    assert stack.outputs()["endpoints"]["echo"]["versions"] == {"one": 10, "two": 90}
    assert stack.outputs()["endpoints"]["echo"]["default"] == "two"
    assert p_value(answered(client, 500), {"one": 10, "two": 90}) > 1e-6

    # a third version at 0 %: no traffic, reached by header
    stack.endpoints["echo"]["versions"]["three"] = stack.version("three")
    stack.up().require()
    assert answered(client, 100)["three"] == 0
    assert client.post(V1, json=1, headers={"x-tidegate-version": "three"}).json()["version"] == "three"
    assert set(before) <= set(stack.pids("tidegate_runtime"))

    # two versions fewer, the default among them: the last one is the default and the preview says so
    del stack.endpoints["echo"]["versions"]["two"], stack.endpoints["echo"]["versions"]["three"]
    assert "version two was the default and goes; one is the default now" in stack.preview().require().output
    stack.up().require()
    assert answered(client, 50) == {"one": 50}
    assert client.post(V1, json=1, headers={"x-tidegate-version": "two"}).status_code == 404
    assert len(stack.pids("tidegate_runtime")) < len(before)


def test_keys_are_kept_rotated_alone_and_never_shown(stack):
    stack.endpoints = {"echo": {"versions": {"one": stack.version("one")}}}
    stack.up().require()
    first = stack.outputs()["keys"]["echo"]
    assert first["primary"] != first["secondary"]
    assert all(len(key) >= 43 for key in first.values())  # 256 bits in base64

    stack.endpoints["echo"]["keyRotation"] = {"secondary": 2}
    preview = stack.preview().require().output
    assert "rotation: 1 => 2" in preview
    assert not any(key in preview for key in first.values())
    stack.up().require()
    second = stack.outputs()["keys"]["echo"]
    assert second["primary"] == first["primary"]
    assert second["secondary"] != first["secondary"]

    def status(key: str | None) -> int:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return httpx.post(stack.url + V1, json=1, headers=headers).status_code

    assert [status(second["primary"]), status(second["secondary"])] == [200, 200]
    assert [status(first["secondary"]), status("wrong"), status(None)] == [401, 401, 401]
    refused = httpx.post(stack.url + V1, json=1)
    assert refused.json() == {"message": "Client authentication failed."}
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "x-tidegate-version" not in refused.headers

    # a new version keeps the keys
    stack.endpoints["echo"]["versions"] = {"two": stack.version("two")}
    stack.up().require()
    assert stack.outputs()["keys"]["echo"] == second


def test_given_keys_and_no_keys(stack):
    given = {"primary": "a-key-that-clients-hold-since-2021", "secondary": "another-key-that-clients-hold-0001"}
    stack.endpoints = {
        "echo": {"versions": {"one": stack.version("one")}},
        "open": {"auth": "none", "versions": {"one": stack.version("one")}},
    }
    stack.extra = {"tidegate:keys": {"echo": given}}
    up = stack.up().require()
    assert stack.outputs()["keys"] == {"echo": given, "open": {}}
    assert not any(key in up.output for key in given.values())
    for key in given.values():
        assert httpx.post(stack.url + V1, json=1, headers={"authorization": f"Bearer {key}"}).status_code == 200
    assert httpx.post(stack.url + "/open/score", json=1).status_code == 200

    # back to keys: closed at once, for the open one too
    stack.endpoints["open"]["auth"] = "key"
    stack.up().require()
    assert httpx.post(stack.url + "/open/score", json=1).status_code == 401


def test_the_second_up_changes_nothing(stack):
    stack.endpoints = {"echo": {"versions": {"one": stack.version("one")}}}
    stack.up().require()
    stack.up("--expect-no-changes").require()
    stack.pulumi("refresh", "--yes", "--expect-no-changes", "--non-interactive").require()


def test_a_treatment_is_promoted_in_one_change(stack):
    stack.endpoints = {
        "echo": {
            "versions": {
                "one": stack.version("one", traffic=90, default=True, control=True),
                "two": stack.version("two", traffic=10),
            }
        }
    }
    stack.up().require()
    client = stack.client("echo")
    for _ in range(3):
        client.post(V1, json=1, headers={"x-tidegate-version": "two"}).raise_for_status()
    status = json.loads(stack.tidegate("status", "--json").require().output)["endpoints"]["echo"]["versions"]
    assert {name: version["roles"] for name, version in status.items()} == {
        "one": ["default", "control"],
        "two": ["treatment"],
    }
    assert (status["two"]["requests"], status["two"]["server_errors"], status["two"]["ready"]) == (3, 0, 1)

    before = stack.pids("tidegate_runtime")
    assert json.loads(stack.tidegate("promote", "echo", "two", "--json").require().output) == {
        "endpoint": "echo",
        "version": "two",
    }
    outputs = stack.outputs()["endpoints"]["echo"]
    assert (outputs["default"], outputs["control"], outputs["versions"]) == ("two", "two", {"one": 0, "two": 100})
    assert answered(client, 50) == {"two": 50}
    assert client.post(V1, json=1, headers={"x-tidegate-version": "one"}).json()["version"] == "one"
    assert stack.pids("tidegate_runtime") == before
    assert "no version 'three'" in stack.tidegate("promote", "echo", "three").require_failure().output
