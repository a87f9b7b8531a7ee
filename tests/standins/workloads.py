"""Deployments, ReplicaSets, pods and events as the Kubernetes API gives them, as far as the project reads them."""

from typing import Any

from tests.standins.kubernetes_server import KubernetesServer

Json = dict[str, Any]

NAMESPACE = "scoring"
NAME = "diabetes-ridge"
LABELS = {"tidegate.dev/endpoint": "diabetes", "tidegate.dev/version": "ridge"}
IMAGE = "mine.azurecr.io/tidegate/ridge@sha256:1f2e3d4c5b6a79880706050403020100ffeeddccbbaa99887766554433221100"
APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
CORE = f"/api/v1/namespaces/{NAMESPACE}"

RUNNING: Json = {"running": {"startedAt": "2026-11-21T09:00:00Z"}}


def terminated(code: int, reason: str = "Error", **more: Any) -> Json:
    """A container's state once it has ended."""
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": "2026-11-21T09:01:00Z", **more}}


def waiting(reason: str, message: str = "") -> Json:
    """A container's state before it runs."""
    return {"waiting": {"reason": reason, "message": message}}


def pod(
    *,
    ready: bool = False,
    state: Json = RUNNING,
    last: Json | None = None,
    restarts: int = 0,
    unschedulable: str = "",
    memory: str = "",
) -> Json:
    """A pod of a version; `state` and `last` are those of its scoring container."""
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unschedulable}
    status: Json = {"phase": "Running" if ready else "Pending", "conditions": [scheduled] if unschedulable else []}
    if not unschedulable:
        status["conditions"] = [{"type": "Ready", "status": "True" if ready else "False"}]
        status["containerStatuses"] = [
            {
                "name": "scoring",
                "image": IMAGE,
                "ready": ready,
                "restartCount": restarts,
                "state": state,
                "lastState": last or {},
            }
        ]
        status["phase"] = "Running" if state == RUNNING or restarts else "Pending"
    container: Json = {"name": "scoring", "image": IMAGE}
    if memory:
        container["resources"] = {"limits": {"memory": memory}}
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}, "status": status}


class Cluster:
    """One version's Deployment in a server, changed step by step."""

    def __init__(self, server: KubernetesServer, name: str = NAME, labels: Json | None = None) -> None:
        self.server, self.name, self.labels = server, name, labels or LABELS
        self.generation = 0

    def deploy(self, *pods: Json, wanted: int | None = None, observed: bool = True, **status: Any) -> None:
        """A new generation with these pods; those of the generations before it stay."""
        self.generation += 1
        self.revise(*pods, wanted=wanted, observed=observed, **status)

    def revise(self, *pods: Json, wanted: int | None = None, observed: bool = True, **status: Any) -> None:
        """The same generation with other pods."""
        newest = f"{self.name}-{self.generation}"
        self.server.put(
            f"{APPS}/replicasets/{newest}",
            {
                "metadata": {
                    "labels": self.labels,
                    "annotations": {"deployment.kubernetes.io/revision": str(self.generation)},
                    "ownerReferences": [{"uid": f"{APPS}/deployments/{self.name}", "controller": True}],
                }
            },
        )
        self.remove(self.generation)
        for number, each in enumerate(pods):
            owner = {"uid": f"{APPS}/replicasets/{newest}", "controller": True}
            each["metadata"] |= {"ownerReferences": [owner], "labels": self.labels}
            for key in ("name", "namespace", "uid"):
                each["metadata"].pop(key, None)
            self.server.put(f"{CORE}/pods/{newest}-{number}", each)
        every = [each for path, each in self.server.objects.items() if path.startswith(f"{CORE}/pods/{self.name}-")]
        able = sum(_ready(each) for each in every)
        self.server.put(
            f"{APPS}/deployments/{self.name}",
            {
                "metadata": {"generation": self.generation},
                "spec": {
                    "replicas": len(pods) if wanted is None else wanted,
                    "selector": {"matchLabels": self.labels},
                    "template": {"spec": {"containers": [{"name": "scoring", "image": IMAGE}]}},
                },
                "status": {
                    "observedGeneration": self.generation - (0 if observed else 1),
                    "replicas": len(every),
                    "updatedReplicas": len(pods),
                    "availableReplicas": able,
                    **status,
                },
            },
        )

    def remove(self, generation: int) -> None:
        """Remove a generation's pods."""
        for path in [path for path in self.server.objects if path.startswith(f"{CORE}/pods/{self.name}-{generation}-")]:
            del self.server.objects[path]

    def event(self, reason: str, message: str, *, number: int = 0, kind: str = "Warning", count: int = 1) -> None:
        """An event of one of the newest generation's pods."""
        about = f"{CORE}/pods/{self.name}-{self.generation}-{number}"
        event = {"involvedObject": {"uid": about}, "type": kind, "reason": reason, "message": message, "count": count}
        self.server.put(f"{CORE}/events/{len(self.server.objects)}", event)

    def scale(self, least: int) -> None:
        """An autoscaler over the Deployment."""
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name}
        path = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/{self.name}"
        self.server.put(path, {"spec": {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": 9}})


def _ready(thing: Json) -> bool:
    return any(each.get("ready") for each in thing["status"].get("containerStatuses", ()))
