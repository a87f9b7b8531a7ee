"""The form of alert rules: what Prometheus and Azure take."""

import re
from pathlib import Path
from typing import Any

import pytest

from tidegate.endpoint.spec import DeploymentSpec, EndpointSpec, InferenceSpec, VersionSpec
from tidegate.observability.azure import plan_rule_groups
from tidegate.observability.queries import BOUNDS_S
from tidegate.observability.rules import plan_rules
from tidegate.observability.scrape import plan_scrape


def version(name: str, *, timeout_ms: int = 10_000, **changes: Any) -> VersionSpec:
    return VersionSpec(
        name=name,
        inference=InferenceSpec(entry_script="score.py", source=Path("/code")),
        deployment=DeploymentSpec(scoring_timeout_ms=timeout_ms),
        **changes,
    )


def endpoint(*versions: VersionSpec, name: str = "diabetes") -> EndpointSpec:
    return EndpointSpec(
        name=name,
        namespace="scoring",
        service_account=name,
        versions=versions or (version("forest"), version("ridge", default=True, control=True)),
    )


def rules(of: EndpointSpec) -> list[dict[str, Any]]:
    return [rule for group in plan_rules(of)["groups"] for rule in group["rules"]]


def one(of: EndpointSpec, alert: str, name: str = "ridge") -> dict[str, Any]:
    (found,) = [r for r in rules(of) if r["alert"] == alert and r["labels"].get("version", name) == name]
    return found


def test_an_endpoint_of_twenty_versions_fits_groups_of_twenty_rules() -> None:
    versions = tuple(version(f"v-{number:02}", default=number == 0, control=number == 1) for number in range(20))
    groups = plan_rules(endpoint(*versions))["groups"]
    assert max(len(group["rules"]) for group in groups) <= 20
    assert len({group["name"] for group in groups}) == len(groups)


def test_no_rule_stands_twice_and_each_says_what_to_do() -> None:
    found = rules(endpoint())
    assert len({(rule["alert"], rule["labels"].get("version")) for rule in found}) == len(found)
    for rule in found:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert len(rule["annotations"]["runbook"]) > 40
        assert "diabetes" in rule["annotations"]["summary"]


def test_a_version_with_traffic_is_critical_and_one_without_a_warning() -> None:
    severities = {r["labels"]["version"]: r["labels"]["severity"] for r in rules(endpoint()) if "NoReady" in r["alert"]}
    assert severities == {"forest": "warning", "ridge": "critical"}


@pytest.mark.parametrize(
    ("timeout_ms", "limit", "measured"),
    [
        (10_000, "8", "histogram_quantile(0.99,"),
        (500, "0.4", "histogram_quantile(0.99,"),
        (74_999, "59.9992", "histogram_quantile(0.99,"),
        (75_000, "60", "tidegate_run_seconds_sum"),
        (300_000, "240", "tidegate_run_seconds_sum"),
    ],
)
def test_a_timeout_beyond_the_histogram_is_watched_by_the_mean(timeout_ms: int, limit: str, measured: str) -> None:
    rule = one(endpoint(version("ridge", timeout_ms=timeout_ms)), "TidegateSlow")
    assert rule["expr"].endswith(f" > {limit}")
    assert measured in rule["expr"]
    assert ("histogram_quantile" in rule["expr"]) == (float(limit) < BOUNDS_S[-1])


def test_versions_are_compared_only_with_a_control() -> None:
    assert "TidegateWorseThanControl" in {rule["alert"] for rule in rules(endpoint())}
    for other in (endpoint(version("ridge", control=True)), endpoint(version("a", default=True), version("b"))):
        assert "TidegateWorseThanControl" not in {rule["alert"] for rule in rules(other)}


def test_a_shadow_does_not_count_for_the_endpoint() -> None:
    shadowed = endpoint(version("ridge", default=True), version("next", shadow=10), version("later", shadow=5))
    assert 'version!~"later|next"' in one(shadowed, "TidegateEndpointFails")["expr"]
    assert "version!~" not in one(endpoint(), "TidegateEndpointFails")["expr"]


def test_the_pods_of_another_version_with_a_name_alike_are_not_meant() -> None:
    expression = one(endpoint(version("b"), name="one"), "TidegatePodsRestart", "b")["expr"]
    (pods,) = re.findall(r'pod=~"([^"]+)"', expression)
    assert re.fullmatch(pods, "one-b-6c7d8f9b5-x2x4z")
    assert not re.fullmatch(pods, "one-b-c-6c7d8f9b5-x2x4z")


def test_the_same_rules_for_azure() -> None:
    workspace, group = "/subscriptions/0/x", "/subscriptions/0/y"
    place = {"workspace": workspace, "cluster": "aks", "resource_group": "scoring", "location": "westeurope"}
    planned = plan_rule_groups(endpoint(), **place, action_groups=[group])
    assert sorted(planned) == sorted(each["name"] for each in plan_rules(endpoint())["groups"])
    taken = [rule for each in planned.values() for rule in each["rules"]]
    assert [rule["expression"] for rule in taken] == [rule["expr"] for rule in rules(endpoint())]
    assert {rule["for"] for rule in taken} <= {"PT0M", "PT5M", "PT10M"}
    assert {rule["severity"] for rule in taken} == {1, 2}
    assert all(rule["actions"] == [{"actionGroupId": group}] for rule in taken)


def test_the_pod_monitor_keeps_the_servers_own_labels_and_selects_this_endpoint_alone() -> None:
    planned = plan_scrape(endpoint())
    assert (planned["apiVersion"], planned["kind"]) == ("azmonitoring.coreos.com/v1", "PodMonitor")
    assert planned["metadata"]["namespace"] == "scoring"
    assert planned["spec"]["selector"]["matchLabels"] == {"tidegate.dev/endpoint": "diabetes"}
    (target,) = planned["spec"]["podMetricsEndpoints"]
    assert (target["port"], target["honorLabels"]) == ("metrics", True)
