"""Using a cluster that exists: looked over, marked as this stack's, let go of again."""

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from providers.azure.session import Session
from providers.kind import TEXT, TEXTS, Call, Failure, Kind, OperationError, Properties, optional
from providers.values import UNKNOWN, has_unknown
from tidegate.azure.arm import Arm
from tidegate.azure.clusters import cluster_id, find_cluster, merge_tags, remove_tags, tags_of
from tidegate.azure.deployer import deployer_address
from tidegate.azure.errors import ArmError, AzureError, LoginError, UnreachableError
from tidegate.cluster.attach import OWNER_TAG, check_attached
from tidegate.cluster.spec import AttachedClusterSpec

ATTACHMENT_TAG = "tidegate-attachment"
"""Tells two attachments of one stack apart, so that the older one's end leaves the mark of the newer one."""

Cluster = dict[str, Any]
"""What Azure answers of one."""

PATIENCE_S = 120.0
LOOK_S = 20.0
"""How long a preview waits for a busy Azure."""
VISIBLE_S = 30.0
"""How long a mark may take to show; Azure is free to answer with what it had a moment ago."""

_FACTS = {
    "location": ("location",),
    "kubernetesVersion": ("properties", "currentKubernetesVersion"),
    "nodeResourceGroup": ("properties", "nodeResourceGroup"),
    "oidcIssuer": ("properties", "oidcIssuerProfile", "issuerURL"),
    "kubeletObjectId": ("properties", "identityProfile", "kubeletidentity", "objectId"),
}


class ClusterAttachment(Kind):
    """A cluster made by somebody else, with the mark that one stack uses it. Destroying it leaves the cluster.

    A preview looks the cluster over where a login is there, and says where it cannot; `pulumi up` needs one.
    """

    type = "tidegate-serving:azure:ClusterAttachment"
    inputs: ClassVar = {
        "name": TEXT,
        "subscriptionId": optional(TEXT),
        "resourceGroup": TEXT,
        "clusterName": TEXT,
        "purpose": TEXT,
        "owner": TEXT,
        "neededRanges": optional(TEXTS),
    }
    replace_on = frozenset({"subscriptionId", "resourceGroup", "clusterName"})

    def __init__(self, session: Session) -> None:
        self._session = session

    def inspect(self, call: Call, old: Properties, new: Properties) -> list[Failure]:
        """Look over a cluster that is attached anew or otherwise; one that stays as it is costs a preview no login."""
        if old == new or has_unknown(new):
            return []
        try:
            with _told(), self._arm(call.cancelled, LOOK_S) as arm:
                refusals = self._look(arm, call, self._resource_id(new), new, former=old.get("owner"))[1]
        except OperationError as error:
            match error.__cause__:
                case LoginError() | UnreachableError():
                    call.info(f"the cluster {new['clusterName']} is only looked over when it is attached: {error}")
                    return []
                case ArmError():
                    return [Failure("clusterName", f"the cluster {new['clusterName']} cannot be read: {error}")]
                case _:
                    raise
        return [Failure("clusterName", refusal) for refusal in refusals]

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """What Azure says of the cluster is known once it is attached, and stays known."""
        names = ("resourceId", *_FACTS, "apiServerAddress", "attachment")
        return {name: old_outputs.get(name, UNKNOWN) for name in names} | new

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Look the cluster over, mark it, and read again: of two stacks that mark it at once, the later mark stays."""
        marks = {OWNER_TAG: new["owner"], ATTACHMENT_TAG: secrets.token_hex(8)}
        with _told(), self._arm(call.cancelled, PATIENCE_S) as arm:
            resource_id = self._resource_id(new)
            self._admit(arm, call, resource_id, new, former=None)
            try:
                cluster = _mark(arm, call, resource_id, marks)
            except BaseException:
                # Not stopped by an interruption; and a mark that stays after all is taken up by the next try.
                with suppress(AzureError), self._arm(threading.Event(), LOOK_S) as last:
                    remove_tags(last, resource_id, marks)
                raise
        return resource_id, _outputs(new, resource_id, cluster, marks[ATTACHMENT_TAG])

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where the cluster is; an owner that has changed shows as a difference of `owner`."""
        with _told(), self._arm(threading.Event(), PATIENCE_S) as arm:
            cluster = find_cluster(arm, identity)
        if cluster is None:
            return None
        owner, marked = outputs.get("owner"), tags_of(cluster).get(OWNER_TAG, "")
        # Never the bare name of another owner: it would look like a former name of this stack.
        shown = marked if marked in (owner, "") else f"no longer this stack, but {marked}"
        return outputs | _facts(cluster) | {"resourceId": identity, "owner": shown}

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Look the cluster over by the new inputs; a mark that is gone, or names a renamed stack, is set again."""
        attachment = old_outputs.get("attachment") or secrets.token_hex(8)
        marks = {OWNER_TAG: new["owner"], ATTACHMENT_TAG: attachment}
        with _told(), self._arm(call.cancelled, PATIENCE_S) as arm:
            cluster = self._admit(arm, call, identity, new, former=old_outputs.get("owner"))
            if not marks.items() <= tags_of(cluster).items():
                cluster = _mark(arm, call, identity, marks)
        return _outputs(new, identity, cluster, attachment)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Take the mark away where it is still this attachment's; the cluster stays."""
        with _told(), self._arm(call.cancelled, PATIENCE_S) as arm:
            cluster = find_cluster(arm, identity)
            there = tags_of(cluster) if cluster else {}
            ours = {OWNER_TAG: outputs["owner"], ATTACHMENT_TAG: outputs.get("attachment")}
            marks = {name: tag for name, tag in there.items() if name in ours}
            if OWNER_TAG in marks and marks.items() <= ours.items():
                remove_tags(arm, identity, marks)

    def _admit(self, arm: Arm, call: Call, resource_id: str, new: Properties, former: str | None) -> Cluster:
        """The cluster, where nothing stands against attaching it."""
        call.progress(f"looking over the cluster {new['clusterName']}")
        cluster, refusals = self._look(arm, call, resource_id, new, former)
        if refusals:
            raise OperationError("\n".join(refusals))
        return cluster

    def _look(
        self, arm: Arm, call: Call, resource_id: str, new: Properties, former: str | None
    ) -> tuple[Cluster, list[str]]:
        """The cluster, and all that stands against attaching it; the rest is said. `former`: this stack's last mark."""
        cluster = find_cluster(arm, resource_id)
        if cluster is None:
            return {}, [f"there is no cluster {resource_id}; name one that exists, or leave out attach to make one"]
        spec = AttachedClusterSpec(
            name=new["name"],
            purpose=new["purpose"],
            subscription_id=new.get("subscriptionId"),
            resource_group=new["resourceGroup"],
            cluster_name=new["clusterName"],
        )
        others = {name: tag for name, tag in tags_of(cluster).items() if (name, tag) != (OWNER_TAG, former)}
        findings = check_attached(
            cluster | {"tags": others},
            spec,
            owner=new["owner"],
            deployer_address=_deployer_address(call, cluster),
            needed_ranges=new.get("neededRanges", []),
        )
        for finding in findings:
            if finding.severity != "error":
                call.info(f"{finding.severity}: {finding}")
        return cluster, [str(finding) for finding in findings if finding.severity == "error"]

    def _resource_id(self, new: Properties) -> str:
        subscription = self._session.login.subscription(new.get("subscriptionId"))
        return cluster_id(subscription, new["resourceGroup"], new["clusterName"])

    def _arm(self, cancelled: threading.Event, patience_s: float) -> Any:
        return self._session.arm(cancelled, patience_s=patience_s)


def _mark(arm: Arm, call: Call, resource_id: str, marks: Mapping[str, str]) -> Cluster:
    """Mark the cluster; returns it once it shows the marks, and fails where it shows another owner's."""
    call.progress(f"marking the cluster as used by {marks[OWNER_TAG]}")
    merge_tags(arm, resource_id, marks)
    until = time.monotonic() + VISIBLE_S
    while True:
        cluster = find_cluster(arm, resource_id) or {}
        there = tags_of(cluster)
        if marks.items() <= there.items():
            return cluster
        owner = there.get(OWNER_TAG, marks[OWNER_TAG])
        if owner != marks[OWNER_TAG]:
            raise OperationError(f"{owner} attached the cluster at the same moment, and its mark stays: {resource_id}")
        if time.monotonic() > until:
            raise OperationError(f"the tags of the cluster do not show after {VISIBLE_S:.0f} s: {resource_id}")
        call.cancelled.wait(0.5)
        call.stop_if_cancelled()


def _deployer_address(call: Call, cluster: Cluster) -> str | None:
    """This machine's address where the cluster lets in only certain ones; None where that cannot be found out."""
    if not _at(cluster, ("properties", "apiServerAccessProfile", "authorizedIPRanges")):
        return None
    try:
        return deployer_address()
    except UnreachableError as error:
        call.info(f"whether this machine may reach the API server is not checked: {error}")
        return None


def _outputs(new: Properties, resource_id: str, cluster: Cluster, attachment: str) -> Properties:
    return new | _facts(cluster) | {"resourceId": resource_id, "attachment": attachment}


def _facts(cluster: Cluster) -> Properties:
    """What the program needs to know of the cluster; None where it has no such thing."""
    address = _at(cluster, ("properties", "privateFQDN")) or _at(cluster, ("properties", "fqdn"))
    return {name: _at(cluster, path) for name, path in _FACTS.items()} | {"apiServerAddress": address}


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


@contextmanager
def _told() -> Iterator[None]:
    """Tell a user what Azure says, word for word."""
    try:
        yield
    except AzureError as error:
        raise OperationError(str(error)) from error
