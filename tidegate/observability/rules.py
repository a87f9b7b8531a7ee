"""The alert rules of an endpoint, as Prometheus reads them from a rule file."""

from collections.abc import Iterator
from typing import Any, Literal

from tidegate.endpoint.spec import EndpointSpec, VersionSpec
from tidegate.observability.queries import (
    BOUNDS_S,
    BY_ENDPOINT,
    BY_VERSION,
    DROPPED,
    ERRORS,
    FAILED,
    QUEUE_FULL,
    READY,
    REPLACED,
    REQUESTS,
    RESTARTS,
    RUN_S,
    increase,
    live,
    mean,
    quantile,
    ratio,
    selector,
    version_is,
)
from tidegate.targets.kubernetes.names import object_name

Rule = dict[str, Any]
Severity = Literal["critical", "warning"]

ENDPOINT_FAILED = 0.01
"""Part of all requests that an endpoint may answer by 5xx."""
VERSION_ERRORS = 0.05
"""Part of its requests that a version may answer by 5xx other than 503."""
VERSION_QUEUE_FULL = 0.05
"""Part of its requests that a version may answer by 503, because its queue was full for too long."""
ABOVE_CONTROL = 0.02
"""By how much the part of errors of a version may be above the control's."""
TIMEOUT_SHARE = 0.8
"""Part of its scoring timeout within which 99 of 100 runs of a version should end."""
LEAST_REQUESTS = 20
"""Requests in the window below which a ratio says nothing."""
LEAST_COMPARED = 100
"""The same where two versions are compared."""
REPLACED_WORKERS = 3
RESTARTED_PODS = 2

_WINDOW = "5m"
_LONG = "15m"


def plan_rules(endpoint: EndpointSpec) -> dict[str, list[dict[str, Any]]]:
    """The rule file: groups of at most twenty rules, which is what Azure takes in one.

    Every alert has the labels `endpoint` and, where it is about one, `version`, and `severity`; its annotation
    `runbook` says what to do.
    """
    name = f"tidegate-{endpoint.name}"
    groups = {
        name: list(_of_all(endpoint)),
        f"{name}-latency": [_slow(endpoint, version) for version in endpoint.versions],
        f"{name}-ready": [_not_ready(endpoint, version) for version in endpoint.versions],
        f"{name}-restarts": [_restarts(endpoint, version) for version in endpoint.versions],
    }
    return {"groups": [{"name": group, "rules": rules} for group, rules in groups.items()]}


def _of_all(endpoint: EndpointSpec) -> Iterator[Rule]:
    name = endpoint.name
    every = selector(name)
    enough = f"{increase(REQUESTS, every, BY_VERSION, _WINDOW)} >= {LEAST_REQUESTS}"
    yield _rule(
        "TidegateEndpointFails",
        f"{ratio(name, FAILED, BY_ENDPOINT, _WINDOW, *live(endpoint))} > {ENDPOINT_FAILED}\n"
        f"and {increase(REQUESTS, selector(name, *live(endpoint)), BY_ENDPOINT, _WINDOW)} >= {LEAST_REQUESTS}",
        wait="10m",
        severity="critical",
        summary=f"endpoint {name} answers {{{{ $value | humanizePercentage }}}} of its requests by 5xx",
        runbook=f"Which version, and whether 500 or 503: tidegate status, and what tidegate dashboard {name} makes."
        " Where one version is to blame, move its weight to another and run pulumi up; no process restarts for that.",
    )
    yield _rule(
        "TidegateVersionFails",
        f"{ratio(name, ERRORS, BY_VERSION, _WINDOW)} > {VERSION_ERRORS}\nand {enough}",
        wait="5m",
        severity="warning",
        summary=f"version {{{{ $labels.version }}}} of {name} answers {{{{ $value | humanizePercentage }}}} by 5xx",
        runbook=f"What the script says: tidegate logs {name} VERSION. Set the version's traffic to 0 and run pulumi up;"
        " it stays reachable by the header x-tidegate-version.",
    )
    yield _rule(
        "TidegateQueueFull",
        f"{ratio(name, QUEUE_FULL, BY_VERSION, _WINDOW)} > {VERSION_QUEUE_FULL}\nand {enough}",
        wait="5m",
        severity="warning",
        summary=f"version {{{{ $labels.version }}}} of {name} turns {{{{ $value | humanizePercentage }}}} away by 503",
        runbook="Requests wait longer than maxQueueWaitMs for a replica: raise autoScaler.maxReplicas or numReplicas,"
        " maxConcurrentRequestsPerContainer where the script can take it, or maxQueueWaitMs. A script that sets 503"
        " itself counts here too.",
    )
    yield _rule(
        "TidegateWorkersReplaced",
        f"{increase(REPLACED, every, BY_VERSION, _LONG)} > {REPLACED_WORKERS}",
        severity="warning",
        summary=f"workers of version {{{{ $labels.version }}}} of {name} end unasked",
        runbook=f"A crash, too little memory, or a call that a timeout cannot interrupt: tidegate logs {name} VERSION"
        " names it. Raise containerResourceRequirements.memoryInGBLimit or scoringTimeoutMs.",
    )
    if endpoint.control and len(endpoint.versions) > 1:
        yield _above_control(endpoint, endpoint.control)
    if any(version.deployment.data_collection for version in endpoint.versions):
        yield _rule(
            "TidegateCollectionDrops",
            f"{increase(DROPPED, every, BY_VERSION, _LONG)} > 0",
            severity="warning",
            summary=f"version {{{{ $labels.version }}}} of {name} loses records of its data collection",
            runbook="Records come faster than the storage takes them; requests are not held up. Look at the storage"
            f" account's throttling, and at tidegate logs {name} VERSION.",
        )


def _above_control(endpoint: EndpointSpec, control: str) -> Rule:
    name = endpoint.name
    treatments = f'version!="{control}"'
    of_control = ratio(name, ERRORS, BY_ENDPOINT, _LONG, version_is(control))
    return _rule(
        "TidegateWorseThanControl",
        f"{ratio(name, ERRORS, BY_VERSION, _LONG, treatments)}\n"
        f"- on (endpoint) group_left () ({of_control}) > {ABOVE_CONTROL}\n"
        f"and {increase(REQUESTS, selector(name, treatments), BY_VERSION, _LONG)} >= {LEAST_COMPARED}",
        severity="warning",
        summary=f"version {{{{ $labels.version }}}} of {name} fails more often than the control {control}",
        runbook=f"The dashboard has both side by side (tidegate dashboard {name}). Set the version's traffic to 0 and"
        " run pulumi up, or compare the answers of both by the header x-tidegate-version.",
    )


def _slow(endpoint: EndpointSpec, version: VersionSpec) -> Rule:
    limit_s = TIMEOUT_SHARE * version.deployment.scoring_timeout_ms / 1000
    selected = selector(endpoint.name, version_is(version.name))
    if limit_s < BOUNDS_S[-1]:
        what, measured = "the slowest of 100 runs", quantile(0.99, RUN_S, selected, BY_VERSION, _WINDOW)
    else:
        what, measured = "the mean run", mean(RUN_S, selected, BY_VERSION, _WINDOW)
    return _rule(
        "TidegateSlow",
        f"{measured} > {limit_s:g}",
        wait="10m",
        severity="warning",
        labels={"endpoint": endpoint.name, "version": version.name},
        summary=f"{what} of version {version.name} of {endpoint.name} takes {{{{ $value | humanizeDuration }}}},"
        f" its scoring timeout is {version.deployment.scoring_timeout_ms} ms",
        runbook="Requests will soon end by the timeout. Compare the queue's times with those of run(): where run() is"
        " slow, give it more CPU or raise scoringTimeoutMs; where the queue is, add replicas.",
    )


def _not_ready(endpoint: EndpointSpec, version: VersionSpec) -> Rule:
    # Without labels on either side the sum takes the place of the zero, which stands for a version nobody hears of.
    ready = f"sum({READY}{selector(endpoint.name, version_is(version.name))})"
    percent = endpoint.percents[version.name]
    return _rule(
        "TidegateNoReadyReplica",
        f"({ready} or vector(0)) < 1",
        wait="5m",
        severity="critical" if percent else "warning",
        labels={"endpoint": endpoint.name, "version": version.name},
        summary=f"version {version.name} of {endpoint.name} ({percent} % of the traffic) has no replica that is ready",
        runbook=f"Why it does not start: tidegate status, then tidegate logs {endpoint.name} {version.name} (--previous"
        " after a crash). Move its weight to another version and run pulumi up. No replica at all may also mean that"
        " nothing collects metrics.",
    )


def _restarts(endpoint: EndpointSpec, version: VersionSpec) -> Rule:
    # A pod's name is the Deployment's, its ReplicaSet's hash and five characters; another version's may begin alike.
    pods = f"{object_name(endpoint.name, version.name)}-[a-z0-9]+-[a-z0-9]{{5}}"
    selected = f'{{namespace="{endpoint.namespace}",container="scoring",pod=~"{pods}"}}'
    return _rule(
        "TidegatePodsRestart",
        f"{increase(RESTARTS, selected, ('namespace',), _LONG)} > {RESTARTED_PODS}",
        severity="warning",
        labels={"endpoint": endpoint.name, "version": version.name},
        summary=f"pods of version {version.name} of {endpoint.name} restart",
        runbook=f"The reason and the last lines: tidegate status, tidegate logs {endpoint.name} {version.name}"
        " --previous. OOMKilled: raise containerResourceRequirements.memoryInGBLimit; a failed probe: raise"
        " livenessProbeRequirements.",
    )


def _rule(
    alert: str,
    expression: str,
    *,
    severity: Severity,
    summary: str,
    runbook: str,
    wait: str = "0m",
    labels: dict[str, str] | None = None,
) -> Rule:
    return {
        "alert": alert,
        "expr": expression,
        "for": wait,
        "labels": {**(labels or {}), "severity": severity},
        "annotations": {"summary": summary, "runbook": runbook},
    }
