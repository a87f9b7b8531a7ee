"""Rules and queries before Prometheus' own parser, and alerts on traffic that deserves them."""

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.observability.conftest import Promtool
from tests.unit.observability.test_dashboard import ENDPOINTS
from tests.unit.observability.test_rules import endpoint, version
from tidegate.endpoint.spec import EndpointSpec
from tidegate.observability.dashboard import WINDOW, plan_dashboard
from tidegate.observability.rules import plan_rules

pytestmark = pytest.mark.kubernetes

Series = dict[str, str]
MINUTES = 30


@pytest.mark.parametrize("spec", ENDPOINTS.values(), ids=ENDPOINTS)
def test_the_rules_are_sound(spec: EndpointSpec, promtool: Promtool) -> None:
    promtool.require("check", "rules", promtool.write("rules.yaml", plan_rules(spec)))


@pytest.mark.parametrize("spec", ENDPOINTS.values(), ids=ENDPOINTS)
def test_every_query_of_the_dashboard_is_promql(spec: EndpointSpec, promtool: Promtool) -> None:
    exprs = [target["expr"] for panel in plan_dashboard(spec)["panels"] for target in panel.get("targets", ())]
    said = [each.replace(WINDOW, "5m").replace("$treatment", "a") for each in exprs]
    recorded = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(said)]
    file = promtool.write("rules.yaml", {"groups": [{"name": "dashboard", "rules": recorded}]})
    promtool.require("check", "rules", file)


def test_the_command_prints_a_file_that_prometheus_takes(promtool: Promtool) -> None:
    printed = CliRunner().invoke(app, ["alerts", "diabetes", "--stack", "local"])
    assert printed.exit_code == 0, printed.output
    said = promtool.require("check", "rules", promtool.write("rules.yaml", printed.stdout))
    assert f"SUCCESS: {printed.stdout.count('- alert:')} rules found" in said


def named(metric: str, of: str = "ridge", **labels: str) -> str:
    pairs = {"endpoint": "diabetes", "version": of, "pod": "a", **labels}
    return f"{metric}{{{','.join(f'{name}={value!r}' for name, value in pairs.items())}}}".replace("'", '"')


def counted(rate: float) -> str:
    """A counter that grows by so much a minute."""
    return f"0+{rate:g}x{MINUTES}"


def healthy(*versions: str) -> Series:
    """Versions that answer, each in two replicas."""
    found: Series = {}
    for name in versions:
        for pod in ("a", "b"):
            found[named("tidegate_requests_total", name, status="200", pod=pod)] = counted(60)
            found[named("tidegate_workers_ready", name, pod=pod)] = f"1x{MINUTES}"
            found[named("tidegate_workers_replaced_total", name, pod=pod)] = f"0x{MINUTES}"
            for bound in ("0.1", "10.0", "+Inf"):
                found[named("tidegate_run_seconds_bucket", name, pod=pod, le=bound)] = counted(60)
    return found


def restarted(pod: str) -> Series:
    name = f'kube_pod_container_status_restarts_total{{namespace="scoring",container="scoring",pod="{pod}"}}'
    return {name: counted(1)}


ALL_FOREST = {
    named("tidegate_requests_total", "forest", status="200"): counted(0),
    named("tidegate_requests_total", "forest", status="200", pod="b"): counted(0),
}
SLOW = {
    named("tidegate_run_seconds_bucket", pod=pod, le=bound): counted(rate)
    for pod in ("a", "b")
    for bound, rate in (("0.1", 30), ("10.0", 60), ("+Inf", 60))
}
CASES: dict[str, tuple[Series, set[tuple[str, str]]]] = {
    "all is well": ({}, set()),
    "one version fails": (
        {named("tidegate_requests_total", "forest", status="500"): counted(30)},
        {("TidegateVersionFails", "forest"), ("TidegateEndpointFails", ""), ("TidegateWorseThanControl", "forest")},
    ),
    "one in two hundred fails": ({named("tidegate_requests_total", "forest", status="500"): counted(0.6)}, set()),
    "a version that answers nothing but errors": (
        {**ALL_FOREST, named("tidegate_requests_total", "forest", status="500"): counted(60)},
        {("TidegateVersionFails", "forest"), ("TidegateEndpointFails", ""), ("TidegateWorseThanControl", "forest")},
    ),
    "too few requests to tell": (
        {**ALL_FOREST, named("tidegate_requests_total", "forest", status="500"): counted(0.5)},
        set(),
    ),
    "the control fails, the treatment does not": (
        {named("tidegate_requests_total", "ridge", status="500"): counted(30)},
        {("TidegateVersionFails", "ridge"), ("TidegateEndpointFails", "")},
    ),
    "a full queue": (
        {named("tidegate_requests_total", "ridge", status="503"): counted(30)},
        {("TidegateQueueFull", "ridge"), ("TidegateEndpointFails", "")},
    ),
    "slow runs": (SLOW, {("TidegateSlow", "ridge")}),
    "workers that end": (
        {named("tidegate_workers_replaced_total"): counted(1)},
        {("TidegateWorkersReplaced", "ridge")},
    ),
    "no worker that is ready": (
        {named("tidegate_workers_ready", pod=pod): f"0x{MINUTES}" for pod in ("a", "b")},
        {("TidegateNoReadyReplica", "ridge")},
    ),
    "one of two workers that is ready": ({named("tidegate_workers_ready"): f"0x{MINUTES}"}, set()),
    "metrics that nobody gives": (
        {named("tidegate_workers_ready", pod=pod): f"_x{MINUTES}" for pod in ("a", "b")},
        {("TidegateNoReadyReplica", "ridge")},
    ),
    "pods that restart": (restarted("diabetes-ridge-6c7d8f9b5-x2x4z"), {("TidegatePodsRestart", "ridge")}),
    "pods of another endpoint that restart": (restarted("diabetes-ridge-two-6c7d8f9b5-x2x4z"), set()),
}


@pytest.mark.parametrize(("traffic", "expected"), CASES.values(), ids=CASES)
def test_alerts_fire_on_what_deserves_them_and_on_nothing_else(
    traffic: Series, expected: set[tuple[str, str]], promtool: Promtool
) -> None:
    spec = endpoint(version("forest", traffic=50), version("ridge", default=True, control=True))
    series = healthy("forest", "ridge") | traffic
    firing = 'count by (alertname, version) (ALERTS{alertstate="firing"})'
    samples = [{"labels": _labels(alert, name), "value": 1} for alert, name in sorted(expected)]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": f"{MINUTES}m", "exp_samples": samples}],
    }
    rules = promtool.write("rules.yaml", plan_rules(spec))
    tests = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test]}
    promtool.require("test", "rules", promtool.write("tests.yaml", tests))


def _labels(alert: str, name: str) -> str:
    return f'{{alertname="{alert}", version="{name}"}}' if name else f'{{alertname="{alert}"}}'
