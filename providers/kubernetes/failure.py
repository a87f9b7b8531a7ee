"""Why a version is not ready, in the words of its pods, its events and its script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from providers.kubernetes import pod_logs, pods
from providers.kubernetes.api import Api
from providers.kubernetes.kubeconfig import KubernetesError
from providers.kubernetes.pods import Trouble
from providers.kubernetes.workload import Workload

Json = dict[str, Any]

NOT_SCALED = "NotTriggerScaleUp"
"""The cluster autoscaler's event for a pod that no node pool can take."""
_TOLD = frozenset({"Killing", NOT_SCALED})
"""Events that are no warnings and tell why all the same."""
_MOST_EVENTS = 5
_MOST_PODS = 3
_MOST_TEXT = 400


@dataclass(frozen=True)
class Event:
    """One event of an object, and how often it came."""

    reason: str
    message: str
    count: int
    last: str

    @property
    def text(self) -> str:
        """The event on a line."""
        often = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.reason}{often}: {self.message}"


def events_of(api: Api, thing: Json) -> list[Event]:
    """What an object's events tell of failures, the last one last."""
    meta = thing["metadata"]
    found = api.each(
        f"/api/v1/namespaces/{meta['namespace']}/events", fieldSelector=f"involvedObject.uid={meta['uid']}"
    )
    told = [_event(each) for each in found if each.get("type") == "Warning" or each.get("reason") in _TOLD]
    return sorted(told, key=lambda event: event.last)


def explain(api: Api, workload: Workload, troubles: Sequence[Trouble]) -> list[str]:
    """The lines of an error: each trouble, then events and the last log lines of one pod that is not ready.

    Without the events or the log where the cluster does not give them: what is known is told in any case.
    """
    lines = [_pods_text(reason, text, troubles) for reason, text in dict.fromkeys((t.reason, t.text) for t in troubles)]
    unready = [pod for pod in workload.newest if not pods.ready(pod)]
    by_name = {pod["metadata"]["name"]: pod for pod in unready}
    shown = next((trouble for trouble in troubles if trouble.pod in by_name), None)
    pod = by_name[shown.pod] if shown else next(iter(unready), None)
    if pod is None:
        return lines
    container = shown.container if shown else pods.CONTAINER
    if not troubles:
        lines.append(f"pod {pod['metadata']['name']}: {pods.doing(pod)}")
    try:
        said = [event for event in events_of(api, pod) if event.message not in "".join(lines)]
        lines += [f"  {event.text}" for event in said[-_MOST_EVENTS:]]
        lines += ["its last log lines:", pod_logs.tail(pod_logs.crash_lines(api, pod, container=container))]
    except KubernetesError as error:
        lines.append(f"  (its events and log cannot be read: {error})")
    return lines


def _pods_text(reason: str, text: str, troubles: Sequence[Trouble]) -> str:
    names = [trouble.pod for trouble in troubles if (trouble.reason, trouble.text) == (reason, text) and trouble.pod]
    more = f" and {len(names) - _MOST_PODS} more" if len(names) > _MOST_PODS else ""
    who = f"pod {', '.join(names[:_MOST_PODS])}{more}" if names else "no pod can be made"
    return f"{who}: {reason}: {text}"


def _event(found: Json) -> Event:
    series = found.get("series") or {}
    last = series.get("lastObservedTime") or found.get("lastTimestamp") or found.get("eventTime")
    message = " ".join((found.get("message") or "").split())[:_MOST_TEXT]
    return Event(found.get("reason") or "", message, series.get("count") or found.get("count") or 1, last or "")
