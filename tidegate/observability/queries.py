"""PromQL over the metrics of the scoring servers.

All of them carry `endpoint` and `version`; each is summed over the replicas of a version, or of all versions.
"""

from tidegate.endpoint.spec import EndpointSpec

REQUESTS = "tidegate_requests_total"
"""Answers by `status`."""
RUN_S = "tidegate_run_seconds"
"""A histogram of the time in `run()`."""
QUEUE_S = "tidegate_queue_seconds"
"""A histogram of the time from arrival to `run()`."""
IN_FLIGHT = "tidegate_requests_in_flight"
QUEUED = "tidegate_requests_queued"
READY = "tidegate_workers_ready"
REPLACED = "tidegate_workers_replaced_total"
"""Workers that ended unasked: a crash, or a call that a timeout could not interrupt."""
DROPPED = "tidegate_collection_dropped_total"
SHADOWED = "tidegate_shadow_requests_total"
"""Copies of requests that another version answered."""
RESTARTS = "kube_pod_container_status_restarts_total"
"""Of kube-state-metrics, by `namespace`, `pod` and `container`."""

BY_VERSION = ("endpoint", "version")
BY_ENDPOINT = ("endpoint",)
ERRORS = 'status=~"5..",status!="503"'
"""What the script, or the time that it took, is to blame for."""
QUEUE_FULL = 'status="503"'
FAILED = 'status=~"5.."'

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""The histograms' buckets: above the last one a quantile cannot be told."""


def selector(endpoint: str, *matchers: str) -> str:
    """`{endpoint="diabetes",version="ridge"}`: a name needs no escapes, by its rule."""
    return "{" + ",".join([f'endpoint="{endpoint}"', *matchers]) + "}"


def live(endpoint: EndpointSpec) -> tuple[str, ...]:
    """The matcher that leaves out the versions whose answers nobody reads; none where there are no such."""
    return (f'version!~"{"|".join(sorted(endpoint.shadows))}"',) if endpoint.shadows else ()


def version_is(version: str) -> str:
    """The matcher of one version."""
    return f'version="{version}"'


def rate(metric: str, selected: str, by: tuple[str, ...], window: str) -> str:
    """How often a second, over the last `window`."""
    return f"sum by ({', '.join(by)}) (rate({metric}{selected}[{window}]))"


def increase(metric: str, selected: str, by: tuple[str, ...], window: str) -> str:
    """How often in the last `window`."""
    return f"sum by ({', '.join(by)}) (increase({metric}{selected}[{window}]))"


def total(metric: str, selected: str, by: tuple[str, ...]) -> str:
    """The sum of a gauge over replicas."""
    return f"sum by ({', '.join(by)}) ({metric}{selected})"


def ratio(endpoint: str, status: str, by: tuple[str, ...], window: str, *matchers: str) -> str:
    """The part of all answers, 0 to 1, that has a status; nothing where there were no answers.

    A status that never occurred has no series; the second half gives those their zero.
    """
    every = rate(REQUESTS, selector(endpoint, *matchers), by, window)
    some = rate(REQUESTS, selector(endpoint, *matchers, status), by, window)
    return f"({some} or 0 * {every}) / ({every} > 0)"


def quantile(share: float, metric: str, selected: str, by: tuple[str, ...], window: str) -> str:
    """The time within which `share` of all runs end."""
    return f"histogram_quantile({share:g}, {rate(f'{metric}_bucket', selected, (*by, 'le'), window)})"


def mean(metric: str, selected: str, by: tuple[str, ...], window: str) -> str:
    """The mean time."""
    return f"{rate(f'{metric}_sum', selected, by, window)} / ({rate(f'{metric}_count', selected, by, window)} > 0)"
