"""Waits until the pods of a version have nothing in flight."""

import re
import time
from typing import Any

from providers.kind import Call, OperationError
from providers.kubernetes.api import Api
from providers.kubernetes.kubeconfig import KubernetesError
from providers.kubernetes.pod_http import ask
from providers.kubernetes.workload import look

Json = dict[str, Any]

POLL_S = 1.0
SETTLE_S = 3.0
"""How long nothing must have been in flight: the gateway takes a moment to stop sending."""
METRICS_PORT = 5002
_COUNTS = re.compile(r"^tidegate_requests_(?:in_flight|queued)(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)
_MOST = 1 << 20


def wait_quiet(api: Api, call: Call, namespace: str, deployment: str, limit_s: float) -> None:
    """Wait until the Deployment's pods run and queue no request, at most `limit_s`; at once where it is gone.

    Raises what `Api` raises, and `OperationError` where the update is interrupted meanwhile.
    """
    until = time.monotonic() + limit_s
    quiet_since: float | None = None
    while time.monotonic() < until:
        workload = look(api, namespace, deployment)
        running = [pod for pod in (*workload.newest, *workload.older) if _has_address(pod)] if workload else []
        if not running:
            return
        waiting = sum(_waiting(api, pod) for pod in running)
        now = time.monotonic()
        if waiting:
            quiet_since = None
            call.progress(f"finishing {waiting} request{'s' * (waiting > 1)} in flight")
        else:
            quiet_since = now if quiet_since is None else quiet_since
            if now - quiet_since >= SETTLE_S:
                return
        if call.cancelled.wait(POLL_S):
            raise OperationError(f"interrupted with {waiting} requests in flight; the next update removes it")


def _waiting(api: Api, pod: Json) -> int:
    """What the pod's metrics count; 0 where it has none: one that has crashed answers nobody."""
    try:
        answer = ask(api, pod, METRICS_PORT, "GET", "/metrics", timeout_s=5, most=_MOST)
    except KubernetesError:
        return 0
    return round(sum(float(count) for count in _COUNTS.findall(answer.text))) if answer.ok else 0


def _has_address(pod: Json) -> bool:
    return pod.get("status", {}).get("phase") == "Running"
