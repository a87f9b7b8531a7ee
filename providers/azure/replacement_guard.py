"""What stands between a careless edit and the replacement of a whole cluster."""

import json
from contextlib import suppress
from typing import Any, ClassVar

from providers.azure.session import Session
from providers.kind import BOOLEAN, TEXT, Call, Failure, Form, Kind, Properties, optional
from providers.values import UNKNOWN, has_unknown, property_path

LOOK_S = 20.0
"""How long a preview waits for Azure, without which it knows only what was asked for before."""
LONGEST_VALUE = 120
SYSTEM_POOL = "system"
CURRENT_VERSION = "currentKubernetesVersion"


class ReplacementGuard(Kind):
    """Holds what Azure cannot change of a cluster; the cluster depends on it.

    `immutable` has the values by path (`networkProfile.serviceCidr`), as `tidegate.cluster.replacement.guarded` gives
    them. A change of one is refused, in the preview already, unless `allowed`; so is a `kubernetesVersion` that skips a
    minor version or goes back. What has been changed on Azure itself, by a path that Azure documents, is no change.
    """

    type = "tidegate-serving:azure:ReplacementGuard"
    inputs: ClassVar = {
        "cluster": TEXT,
        "subscriptionId": optional(TEXT),
        "immutable": Form(dict),
        "kubernetesVersion": optional(TEXT),
        "allowed": BOOLEAN,
    }

    def __init__(self, session: Session) -> None:
        self._session = session

    def inspect(self, call: Call, old: Properties, new: Properties) -> list[Failure]:
        """Refuse what would replace the cluster, each path with its reason and the ways out."""
        if not old:
            self._say_where_taken(call, new)
            return []
        if UNKNOWN in (new["allowed"], new["cluster"]):
            return []
        changes = _changes(old, new)
        if changes and new["allowed"]:
            return []  # a new cluster: also of any version
        version = old.get("kubernetesVersion")
        reason = _version_refusal(version, new)
        if not changes and not reason:
            return []
        there = self._on_azure(call, old, new)
        for path in [path for path, (_, after) in changes.items() if path in there and _same(there[path], after)]:
            call.info(f"{path} is {_shown(changes.pop(path)[1])} on Azure already")
        if reason:
            reason = _version_refusal(there.get(CURRENT_VERSION) or version, new)
        found = [
            Failure(property_path("immutable", path), _refusal(new["cluster"], path, before, after))
            for path, (before, after) in changes.items()
        ]
        return found + ([Failure("kubernetesVersion", reason)] if reason else [])

    def notices(self, old: Properties, new: Properties) -> list[str]:
        """Say loudly what an allowed replacement will do."""
        changes = _changes(old, new)
        if not changes or new["allowed"] is not True:
            return []
        return [
            f"the cluster {new['cluster']} will be REPLACED, and everything on it goes down, for "
            f"{', '.join(changes)}; tidegate:allowReplacement lists it, take it out afterwards"
        ]

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Begin to hold the values."""
        return new["cluster"], dict(new)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Nothing: the guard lives in the state alone."""

    def _say_where_taken(self, call: Call, new: Properties) -> None:
        """Say where a new cluster's name is taken in its region; nothing where no login is there to ask."""
        location = None if new["immutable"] is UNKNOWN else new["immutable"].get("location")
        if has_unknown([location, new["cluster"]]) or not isinstance(location, str):
            return
        from tidegate.azure.clusters import clusters_named  # noqa: PLC0415 (0.1 s that an unchanged cluster saves)
        from tidegate.azure.errors import AzureError  # noqa: PLC0415

        with suppress(AzureError), self._session.arm(call.cancelled, patience_s=LOOK_S) as arm:
            subscription = self._session.login.subscription(new.get("subscriptionId"))
            taken = clusters_named(arm, subscription, new["cluster"], location)
            if taken:
                call.info(f"warning: the name {new['cluster']} is taken in {location}: {', '.join(taken)}")

    def _on_azure(self, call: Call, old: Properties, new: Properties) -> Properties:
        """What is so on Azure now, by path; {} where nobody can say for sure."""
        group, given = old["immutable"].get("resourceGroupName"), new.get("subscriptionId")
        if not isinstance(group, str) or has_unknown(given):
            return {}
        from tidegate.azure.clusters import cluster_id, find_cluster  # noqa: PLC0415 (as above)
        from tidegate.azure.errors import AzureError  # noqa: PLC0415
        from tidegate.cluster.replacement import guarded  # noqa: PLC0415

        found = None
        with suppress(AzureError), self._session.arm(call.cancelled, patience_s=LOOK_S) as arm:
            found = find_cluster(arm, cluster_id(self._session.login.subscription(given), group, old["cluster"]))
        if not found:
            return {}
        properties = found["properties"]
        # The plan has one pool, and Azure lists all of them in any order.
        pools = sorted(properties.get("agentPoolProfiles") or [], key=lambda pool: pool["name"] != SYSTEM_POOL)
        lifted = properties | {"location": found["location"], "resourceGroupName": group, "agentPoolProfiles": pools}
        return guarded(lifted) | {CURRENT_VERSION: properties.get(CURRENT_VERSION)}


def _changes(old: Properties, new: Properties) -> dict[str, tuple[Any, Any]]:
    """What differs, by path. A path that only one side has was not watched before, or no longer is."""
    before, after = old.get("immutable", {}), new["immutable"]
    if UNKNOWN in (before, after):
        return {}
    return {
        path: (before[path], after[path])
        for path in sorted(before.keys() & after.keys())
        if before[path] != after[path] and not has_unknown([before[path], after[path]])
    }


def _refusal(cluster: str, path: str, before: Any, after: Any) -> str:
    from tidegate.cluster.replacement import immutable  # noqa: PLC0415 (only told where something is refused)

    fact = immutable(path)
    why = f" ({fact.why})" if fact and fact.why else ""
    in_place = f"in place: {fact.in_place}" if fact and fact.in_place else "Azure has no way to change it in place"
    return (
        f"{_shown(before)} -> {_shown(after)} would make Azure replace the cluster {cluster} and take everything on it "
        f"down{why}; {in_place}; to replace it all the same, list it: tidegate:allowReplacement: [{cluster}]"
    )


def _version_refusal(before: Any, new: Properties) -> str | None:
    after = new.get("kubernetesVersion")
    if before == after or has_unknown([before, after]):
        return None
    from tidegate.cluster.lifecycle import check_upgrade  # noqa: PLC0415 (only where the version changes)

    return check_upgrade(before, after)


def _same(there: Any, wanted: Any) -> bool:
    """Whether Azure has what is wanted; it writes names and ids in cases of letters of its own."""
    if isinstance(there, str) and isinstance(wanted, str):
        return there.lower() == wanted.lower()
    return there == wanted


def _shown(value: Any) -> str:
    text = "nothing" if value in ("", None) else json.dumps(value, sort_keys=True)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
