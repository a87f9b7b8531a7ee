"""A Deployment as it stands in the cluster: how far it is, and the pods of its newest generation."""

from dataclasses import dataclass
from typing import Any

from providers.kubernetes import pods
from providers.kubernetes.api import Api, RefusedError
from providers.kubernetes.pods import Trouble

Json = dict[str, Any]

_REVISION = "deployment.kubernetes.io/revision"
_SETTLES_S = 60.0


@dataclass(frozen=True)
class Workload:
    """One look at a Deployment, its autoscaler's least replicas (None where it has none), and its pods.

    `newest` are the pods of the newest generation, `older` those of the generations before it; `asked` is how many
    replicas there have to be while no autoscaler has come to say so.
    """

    deployment: Json
    least: int | None
    newest: tuple[Json, ...]
    older: tuple[Json, ...]
    asked: int = 0

    @property
    def wanted(self) -> int:
        """How many replicas have to be ready; an autoscaler may be adding more at this moment."""
        if self.least is not None:
            return self.least
        return max(self.deployment["spec"].get("replicas", 1), self.asked)

    @property
    def ready(self) -> int:
        """How many replicas of the newest generation are ready."""
        return sum(map(pods.ready, self.newest))

    @property
    def serving(self) -> Json | None:
        """A pod of the newest generation that is ready, None where there is none."""
        return next(filter(pods.ready, self.newest), None)

    @property
    def observed(self) -> bool:
        """Whether Kubernetes has taken note of the Deployment as it is now."""
        return self._status.get("observedGeneration", 0) >= self.deployment["metadata"]["generation"]

    @property
    def done(self) -> bool:
        """Whether the newest generation alone runs, as many as wanted: the rule of `kubectl rollout status`."""
        status = self._status
        updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
        enough = min(updated, available) >= self.wanted
        settled = available >= updated or self.least is not None
        return self.observed and enough and settled and status.get("replicas", 0) == updated

    @property
    def failed_create(self) -> Trouble | None:
        """Why no pod can be made: a quota, an admission webhook."""
        for each in self._status.get("conditions") or ():
            if each["type"] == "ReplicaFailure" and each["status"] == "True":
                return Trouble("", each.get("reason") or "FailedCreate", each.get("message") or "", _SETTLES_S)
        return None

    @property
    def _status(self) -> Json:
        return self.deployment.get("status") or {}


def look(api: Api, namespace: str, name: str, *, asked: int = 0) -> Workload | None:
    """The Deployment as it is now, None where there is none; `asked` as in `Workload`. Raises what `Api` raises."""
    deployment = api.find(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    if deployment is None:
        return None
    labels = deployment["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    sets = api.each(f"/apis/apps/v1/namespaces/{namespace}/replicasets", labelSelector=selector)
    owned = [each for each in sets if _owner(each) == deployment["metadata"]["uid"]]
    newest = max(owned, key=_revision, default=None)
    known = {each["metadata"]["uid"] for each in owned}
    found = api.each(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)
    running = [pod for pod in found if _owner(pod) in known and not pods.going(pod)]
    current = newest["metadata"]["uid"] if newest else ""
    return Workload(
        deployment,
        _least(api, namespace, name),
        newest=tuple(pod for pod in running if _owner(pod) == current),
        older=tuple(pod for pod in running if _owner(pod) != current),
        asked=asked,
    )


def _least(api: Api, namespace: str, name: str) -> int | None:
    try:
        scalers = api.each(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers")
    except RefusedError as error:
        if error.status == 403:  # who may see pods need not see autoscalers
            return None
        raise
    for each in scalers:
        target = each["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == ("Deployment", name):
            return each["spec"].get("minReplicas", 1)
    return None


def _owner(thing: Json) -> str:
    owners = thing["metadata"].get("ownerReferences") or ()
    return next((each["uid"] for each in owners if each.get("controller")), "")


def _revision(replica_set: Json) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(_REVISION, 0))
