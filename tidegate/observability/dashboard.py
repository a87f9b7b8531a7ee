"""A Grafana dashboard of an endpoint: all of it, each version, and the control beside every treatment."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tidegate.endpoint.spec import EndpointSpec
from tidegate.observability.queries import (
    BY_ENDPOINT,
    BY_VERSION,
    ERRORS,
    FAILED,
    IN_FLIGHT,
    QUEUE_FULL,
    QUEUE_S,
    QUEUED,
    READY,
    REPLACED,
    REQUESTS,
    RUN_S,
    SHADOWED,
    increase,
    live,
    quantile,
    rate,
    ratio,
    selector,
    total,
    version_is,
)

Json = dict[str, Any]

WINDOW = "$__rate_interval"
"""Grafana's own: wide enough for the scrape interval, whatever part of time is shown."""
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

_COLUMNS = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class _Panel:
    title: str
    unit: str
    queries: dict[str, str]
    """PromQL by its legend."""
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    stacked: bool = False


def plan_dashboard(endpoint: EndpointSpec) -> Json:
    """The dashboard as Grafana imports it; it asks for the Prometheus data source when it is shown."""
    rows = [("Endpoint", _endpoint_panels(endpoint)), ("Versions", _version_panels(endpoint))]
    panels = list(_placed(rows))
    treatments = [version.name for version in endpoint.versions if version.name != endpoint.control]
    variables = [_datasource()]
    if endpoint.control and treatments:
        below = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
        panels += _comparison(endpoint.name, endpoint.control, below, first=len(panels) + 1)
        variables.append(_treatment(treatments))
    return {
        "uid": f"scoring-{endpoint.name}",
        "title": f"Scoring endpoint {endpoint.name}",
        "description": endpoint.description,
        "tags": ["tidegate"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": variables},
        "panels": panels,
    }


def _endpoint_panels(endpoint: EndpointSpec) -> list[_Panel]:
    name, every = endpoint.name, selector(endpoint.name, *live(endpoint))
    stats = {
        "Requests": ("reqps", rate(REQUESTS, every, BY_ENDPOINT, WINDOW)),
        "Errors": ("percentunit", ratio(name, FAILED, BY_ENDPOINT, WINDOW, *live(endpoint))),
        "p99 of run()": ("s", quantile(0.99, RUN_S, every, BY_ENDPOINT, WINDOW)),
        "In flight": ("short", total(IN_FLIGHT, every, BY_ENDPOINT)),
        "Queued": ("short", total(QUEUED, every, BY_ENDPOINT)),
        "Workers ready": ("short", total(READY, every, BY_ENDPOINT)),
    }
    latency = {legend: quantile(share, RUN_S, every, BY_ENDPOINT, WINDOW) for legend, share in QUANTILES.items()}
    waiting = {legend: quantile(share, QUEUE_S, every, BY_ENDPOINT, WINDOW) for legend, share in QUANTILES.items()}
    by_status = {"{{status}}": rate(REQUESTS, every, ("endpoint", "status"), WINDOW)}
    return [
        *(_Panel(title, unit, {"": query}, "stat", width=4, height=4) for title, (unit, query) in stats.items()),
        _Panel("Requests by status", "reqps", by_status, stacked=True),
        _Panel("Time in run()", "s", latency),
        _Panel("Time in the queue", "s", waiting),
    ]


def _version_panels(endpoint: EndpointSpec) -> list[_Panel]:
    name, every, legend = endpoint.name, selector(endpoint.name), "{{version}}"
    panels = [
        _Panel("Requests", "reqps", {legend: rate(REQUESTS, every, BY_VERSION, WINDOW)}, stacked=True),
        _Panel("Errors without 503", "percentunit", {legend: ratio(name, ERRORS, BY_VERSION, WINDOW)}),
        _Panel("503: the queue was full", "percentunit", {legend: ratio(name, QUEUE_FULL, BY_VERSION, WINDOW)}),
        *(
            _Panel(f"{title} of run()", "s", {legend: quantile(share, RUN_S, every, BY_VERSION, WINDOW)})
            for title, share in QUANTILES.items()
        ),
        _Panel("In flight", "short", {legend: total(IN_FLIGHT, every, BY_VERSION)}),
        _Panel("Queued", "short", {legend: total(QUEUED, every, BY_VERSION)}),
        _Panel("p99 of the queue", "s", {legend: quantile(0.99, QUEUE_S, every, BY_VERSION, WINDOW)}),
        _Panel("Workers ready", "short", {legend: total(READY, every, BY_VERSION)}, width=12),
        _Panel("Workers replaced", "short", {legend: increase(REPLACED, every, BY_VERSION, WINDOW)}, width=12),
    ]
    if endpoint.shadows:
        copies = {legend: rate(SHADOWED, every, BY_VERSION, WINDOW)}
        panels.append(_Panel("Copies of requests, for shadows", "reqps", copies, width=_COLUMNS))
    return panels


def _comparison(name: str, control: str, top: int, *, first: int) -> list[Json]:
    """A row that Grafana repeats for each treatment: the control and that treatment in every panel."""
    queries: dict[str, tuple[str, Callable[[str], str]]] = {
        "Requests": ("reqps", lambda one: rate(REQUESTS, selector(name, one), BY_VERSION, WINDOW)),
        "Errors without 503": ("percentunit", lambda one: ratio(name, ERRORS, BY_VERSION, WINDOW, one)),
        "In flight": ("short", lambda one: total(IN_FLIGHT, selector(name, one), BY_VERSION)),
        "p50 of run()": ("s", lambda one: quantile(0.5, RUN_S, selector(name, one), BY_VERSION, WINDOW)),
        "p95 of run()": ("s", lambda one: quantile(0.95, RUN_S, selector(name, one), BY_VERSION, WINDOW)),
        "p99 of run()": ("s", lambda one: quantile(0.99, RUN_S, selector(name, one), BY_VERSION, WINDOW)),
    }
    both = {f"{control} (control)": version_is(control), "$treatment": version_is("$treatment")}
    panels = [
        _Panel(title, unit, {who: query(one) for who, one in both.items()}) for title, (unit, query) in queries.items()
    ]
    placed = list(_placed([(f"Control {control} beside $treatment", panels)], top=top, first=first))
    placed[0]["repeat"] = "treatment"
    return placed


def _placed(rows: list[tuple[str, list[_Panel]]], *, top: int = 0, first: int = 1) -> Iterator[Json]:
    """The panels from left to right, each row below the one before."""
    y, identity = top, first
    for title, panels in rows:
        yield {
            "id": identity,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": _COLUMNS, "h": 1},
        }
        y, x, identity = y + 1, 0, identity + 1
        height = 0
        for panel in panels:
            if x + panel.width > _COLUMNS:
                x, y = 0, y + height
            yield {**_panel(panel), "id": identity, "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height}}
            x, height, identity = x + panel.width, panel.height, identity + 1
        y += height


def _panel(panel: _Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "min": 0}
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "fillOpacity": 20 if panel.stacked else 0,
            "stacking": {"mode": "normal" if panel.stacked else "none"},
        }
    return {
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {} if panel.kind == "stat" else {"tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": query, "legendFormat": legend or "__auto"}
            for at, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _datasource() -> Json:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _treatment(names: list[str]) -> Json:
    return {
        "name": "treatment",
        "label": "Treatment",
        "type": "custom",
        "query": ",".join(names),
        "options": [{"text": name, "value": name, "selected": False} for name in names],
        "current": {"text": ["All"], "value": ["$__all"], "selected": True},
        "multi": True,
        "includeAll": True,
    }
