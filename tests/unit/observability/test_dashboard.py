"""The form of the dashboard: what Grafana takes, and that no panel hides another."""

import json
from itertools import combinations
from typing import Any

import pytest

from tests.unit.observability.test_rules import endpoint, version
from tidegate.endpoint.spec import EndpointSpec
from tidegate.observability.dashboard import plan_dashboard

ENDPOINTS = {
    "one version": endpoint(version("ridge")),
    "control and treatments": endpoint(version("a"), version("b"), version("ridge", default=True, control=True)),
    "a shadow": endpoint(version("next", shadow=10), version("ridge", default=True)),
    "the longest name": endpoint(version("ridge"), name="e" * 32),
}


@pytest.mark.parametrize("spec", ENDPOINTS.values(), ids=ENDPOINTS)
def test_panels_lie_beside_and_below_each_other(spec: EndpointSpec) -> None:
    panels = plan_dashboard(spec)["panels"]
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, (a, b)
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))


@pytest.mark.parametrize("spec", ENDPOINTS.values(), ids=ENDPOINTS)
def test_every_variable_that_a_panel_names_is_there(spec: EndpointSpec) -> None:
    planned = plan_dashboard(spec)
    variables = {each["name"] for each in planned["templating"]["list"]}
    text = json.dumps(planned["panels"])
    assert ("$treatment" in text) == ("treatment" in variables)
    assert "${datasource}" in text
    assert "datasource" in variables
    assert len(planned["uid"]) <= 40


def row(planned: dict[str, Any], title: str) -> dict[str, Any]:
    (found,) = [panel for panel in planned["panels"] if panel["type"] == "row" and title in panel["title"]]
    return found


def test_the_control_stands_beside_each_treatment() -> None:
    planned = plan_dashboard(ENDPOINTS["control and treatments"])
    assert row(planned, "Control ridge beside")["repeat"] == "treatment"
    (treatments,) = [each["query"] for each in planned["templating"]["list"] if each["name"] == "treatment"]
    assert treatments == "a,b"
    compared = planned["panels"][planned["panels"].index(row(planned, "Control ridge beside")) + 1 :]
    assert len(compared) == 6
    for panel in compared:
        assert [target["legendFormat"] for target in panel["targets"]] == ["ridge (control)", "$treatment"]
        assert ['version="ridge"' in target["expr"] for target in panel["targets"]] == [True, False]


def test_without_a_control_nothing_is_compared_and_without_a_shadow_no_copies_are_shown() -> None:
    plain, shadow = plan_dashboard(ENDPOINTS["one version"]), plan_dashboard(ENDPOINTS["a shadow"])
    assert not any("beside" in panel["title"] for panel in plain["panels"])
    copies = [any("Copies" in panel["title"] for panel in planned["panels"]) for planned in (plain, shadow)]
    assert copies == [False, True]
    first = next(panel for panel in shadow["panels"] if panel["type"] == "stat")
    assert 'version!~"next"' in first["targets"][0]["expr"]
