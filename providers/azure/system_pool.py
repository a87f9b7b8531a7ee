"""The pool that a cluster was made with, as the config wants it now."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

from providers.azure.session import Session
from providers.kind import TEXT, Call, Form, Kind, OperationError, Properties, optional
from tidegate.azure.arm import Arm
from tidegate.azure.clusters import API_VERSION, cluster_id
from tidegate.azure.errors import AzureError

PATIENCE_S = 120.0

_ANSWERED_ONLY = frozenset({"currentOrchestratorVersion", "eTag", "nodeImageVersion", "provisioningState"})
"""Properties of a pool that are answered and never sent (bicep-types: Microsoft.ContainerService 2025-09-01)."""


class SystemPool(Kind):
    """What can change of a cluster's first pool. Its cluster is made with it and deleted with it.

    azure-native does not change a pool that stands inside its cluster, and sends with every change of the cluster the
    values that the pool was made with. So `pool` has what the config wants, by ARM's names, empty where there shall be
    none; and `clusterRevision` differs with every change of the cluster, after which the pool is looked at again.
    """

    type = "tidegate-serving:azure:SystemPool"
    inputs: ClassVar = {
        "subscriptionId": optional(TEXT),
        "resourceGroup": TEXT,
        "cluster": TEXT,
        "name": TEXT,
        "pool": Form(dict),
        "clusterRevision": TEXT,
    }
    replace_on = frozenset({"subscriptionId", "resourceGroup", "cluster", "name"})

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Nothing: the cluster has just been made with it."""
        return f"{new['resourceGroup']}/{new['cluster']}/{new['name']}", dict(new)

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """What the pool is like now; gone where its cluster is."""
        with self._told(), self._arm(threading.Event()) as arm:
            found = arm.find(self._path(outputs), API_VERSION)
        if found is None:
            return None
        there = found["properties"]
        now = {name: value if _is(there, name, value) else there.get(name) for name, value in outputs["pool"].items()}
        return outputs | {"pool": {name: "" if value is None else value for name, value in now.items()}}

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Set right what differs; Azure is not asked to change a pool that is as it should be."""
        with self._told(), self._arm(call.cancelled) as arm:
            path = self._path(new)
            there: dict[str, Any] = arm.get(path, API_VERSION)["properties"]
            wanted = {name: value for name, value in new["pool"].items() if not _is(there, name, value)}
            if wanted:
                call.progress(f"changing {', '.join(sorted(wanted))} of the pool {new['name']}")
                kept = {name: value for name, value in there.items() if name not in _ANSWERED_ONLY}
                merged = {name: value for name, value in (kept | wanted).items() if not _unset(value)}
                arm.put(path, API_VERSION, {"properties": merged})
        return dict(new)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Nothing: the pool goes with its cluster."""

    def _path(self, inputs: Properties) -> str:
        subscription = self._session.login.subscription(inputs.get("subscriptionId"))
        return f"{cluster_id(subscription, inputs['resourceGroup'], inputs['cluster'])}/agentPools/{inputs['name']}"

    def _arm(self, cancelled: threading.Event) -> AbstractContextManager[Arm]:
        return self._session.arm(cancelled, patience_s=PATIENCE_S)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell a user what Azure says, word for word."""
        try:
            yield
        except AzureError as error:
            raise OperationError(str(error)) from error


def _is(there: Mapping[str, Any], name: str, wanted: Any) -> bool:
    found = there.get(name)
    if name == "orchestratorVersion":
        # A minor stands for each of its patches.
        current = str(there.get("currentOrchestratorVersion") or found)
        return current == wanted or current.startswith(f"{wanted}.")
    if isinstance(wanted, dict) and isinstance(found, dict) and name == "upgradeSettings":
        return wanted.items() <= found.items()
    return (_unset(found) and _unset(wanted)) or found == wanted


def _unset(value: Any) -> bool:
    """Whether a value stands for none: Pulumi carries no null inside an object, so that emptiness has to say it."""
    return value in (None, "", {}, [])
