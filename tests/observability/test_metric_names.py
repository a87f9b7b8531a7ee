"""Every metric and label that the dashboard and the rules ask for is one that a scoring server gives."""

import re
from collections.abc import Iterator

import pytest

from tests.unit.observability.test_dashboard import ENDPOINTS
from tests.unit.observability.test_rules import rules
from tidegate.observability.dashboard import plan_dashboard
from tidegate.observability.queries import BOUNDS_S

OTHERS = {"kube_pod_container_status_restarts_total": {"namespace", "pod", "container"}}
"""Metrics of kube-state-metrics (its docs/metrics/workload/pod-metrics.md)."""

Labels = dict[str, set[str]]


def given(text: str) -> Labels:
    """The labels of each metric in Prometheus' text."""
    found: Labels = {}
    for name, labels in re.findall(r"^(\w+)\{(.*)\} \S+$", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def asked(query: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics of a query, each with the labels of its selector and those that it is grouped by."""
    for groups, name, labels in re.findall(r"by \(([^)]*)\) \((?:\w+\()?(\w+)\{([^}]*)\}", query):
        yield name, {*re.findall(r"(\w+)[=!]", labels), *re.split(r",\s*", groups)}
    for name, labels in re.findall(r"(\w+)\{([^}]*)\}", query):
        yield name, set(re.findall(r'(\w+)(?:=|!=|=~|!~)"', labels))


def queries() -> list[str]:
    found = [rule["expr"] for spec in ENDPOINTS.values() for rule in rules(spec)]
    for spec in ENDPOINTS.values():
        found += [target["expr"] for panel in plan_dashboard(spec)["panels"] for target in panel.get("targets", ())]
    return sorted(set(found))


@pytest.mark.parametrize("query", queries())
def test_a_server_gives_what_a_query_asks_for(query: str, metrics: str) -> None:
    known = given(metrics) | OTHERS
    wanted = list(asked(query))
    assert wanted
    for name, labels in wanted:
        assert name in known, f"{name} is not among {sorted(known)}"
        assert labels <= known[name], f"{name} has {sorted(known[name])}"


def test_the_histograms_have_the_bounds_that_rules_reckon_with(metrics: str) -> None:
    bounds = re.findall(r'^tidegate_run_seconds_bucket\{.*le="([^"]+)"\}', metrics, re.MULTILINE)
    assert [float(bound) for bound in bounds] == [*BOUNDS_S, float("inf")]
