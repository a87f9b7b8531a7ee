"""An endpoint of a local stack: which version gets how much, and whose requests are taken."""

from pathlib import Path
from typing import ClassVar

from providers.kind import (
    INTEGER,
    TEXT,
    TEXT_MAP,
    TEXTS,
    Call,
    Failure,
    Form,
    Kind,
    OperationError,
    Properties,
    optional,
)
from providers.local.deployment import log_tail, remove_retired
from providers.local.layout import Layout
from providers.local.probe import score_sample
from providers.local.xds import Xds
from tidegate.targets.envoy import RoutePlan, ShadowPlan
from tidegate.targets.local_tokens import mint

_TOKEN = Form(dict, required=False, fields={"audiences": TEXTS, "role": TEXT})
_VERSION = Form(
    dict,
    fields={
        "percent": INTEGER,
        "shadow": optional(INTEGER),
        "deployment": TEXT,
        "timeoutMs": INTEGER,
        "description": optional(TEXT),
        "tags": optional(TEXT_MAP),
    },
)

_SAMPLE_TOKEN_S = 300


class Route(Kind):
    """The endpoint's part of the gateway's routes.

    A deployment that is new behind it has to score the sample first, reached by header while the weights are the old
    ones; one that does not leaves everything as it was.
    """

    type = "tidegate-serving:local:Route"
    inputs: ClassVar = {
        "state": TEXT,
        "gateway": TEXT,
        "endpoint": TEXT,
        "auth": TEXT,
        "primaryKey": optional(TEXT),
        "secondaryKey": optional(TEXT),
        "token": _TOKEN,
        "attempts": optional(INTEGER),
        "maxRequestBytes": optional(INTEGER),
        "default": TEXT,
        "control": optional(TEXT),
        "versions": Form(dict, items=_VERSION),
        "sample": optional(TEXT),
        "description": optional(TEXT),
        "tags": optional(TEXT_MAP),
    }
    replace_on = frozenset({"state", "endpoint"})
    delete_before_replace = True
    secret_outputs = frozenset({"primaryKey", "secondaryKey"})
    refresh_before_update = True

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        """The percents sum to 100, the default exists, keys and tokens are there exactly where they are checked."""
        found: list[Failure] = []
        percents = {name: version["percent"] for name, version in new["versions"].items()}
        if sum(percents.values()) != 100 or min(percents.values(), default=0) < 0:
            found.append(Failure("versions", f"the percents {percents} do not sum to 100"))
        if new["default"] not in percents:
            found.append(Failure("default", f"{new['default']!r} is not one of the versions {sorted(percents)}"))
        if new["auth"] not in ("key", "token", "none"):
            found.append(Failure("auth", f"{new['auth']!r} is none of 'key', 'token' and 'none'"))
        for name, needed_by in (("primaryKey", "key"), ("secondaryKey", "key"), ("token", "token")):
            if (new["auth"] == needed_by) != (name in new):
                said = "missing" if new["auth"] == needed_by else "given"
                found.append(Failure(name, f"{said} although auth is {new['auth']!r}"))
        return found

    def notices(self, old: Properties, new: Properties) -> list[str]:
        """A default that moved because the one before it is gone is said, and that keys end with their check."""
        found: list[str] = []
        if old and old["default"] != new["default"] and old["default"] not in new["versions"]:
            found.append(f"version {old['default']} was the default and goes; {new['default']} is the default now")
        if old.get("auth") == "key" and new["auth"] != "key":
            instead = "for tokens instead of keys" if new["auth"] == "token" else "for no key any more"
            found.append(f"endpoint {new['endpoint']} asks {instead}; auth: key again will make new keys")
        return found

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Route to the versions, once each has scored the sample."""
        self._apply(call, new)
        return new["endpoint"], dict(new)

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where the gateway has no routes of this endpoint, or other ones."""
        return outputs if Xds(Layout(Path(outputs["state"]))).route(identity) == _plan(outputs) else None

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Change weights, versions, keys in one step, once each new deployment has scored the sample."""
        self._apply(call, new)
        return dict(new)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Take the endpoint's paths away; its deployments are ended after it."""
        layout = Layout(Path(outputs["state"]))
        xds = Xds(layout)
        old = xds.route(identity)
        xds.drop_route(identity)
        _let_go(call, layout, old, None)

    def _apply(self, call: Call, new: Properties) -> None:
        layout = Layout(Path(new["state"]))
        xds = Xds(layout)
        old, plan = xds.route(new["endpoint"]), _plan(new)
        fresh = [
            name for name, version in plan["versions"].items() if old is None or old["versions"].get(name) != version
        ]
        if "sample" in new and fresh:
            interim = _interim(old, plan)
            xds.put_route(interim)
            try:
                for name in fresh:
                    _require_score(call, layout, new, interim, name)
            except BaseException:
                xds.drop_route(new["endpoint"]) if old is None else xds.put_route(old)
                raise
        xds.put_route(plan)
        _let_go(call, layout, old, plan)


def _plan(new: Properties) -> RoutePlan:
    versions = {
        name: (version["deployment"], version["timeoutMs"], version["percent"])
        for name, version in new["versions"].items()
    }
    plan: RoutePlan = {
        "endpoint": new["endpoint"],
        "versions": {
            name: {"cluster": cluster, "timeout_ms": timeout} for name, (cluster, timeout, _) in versions.items()
        },
        "split": [
            {"version": name, "cluster": cluster, "timeout_ms": timeout, "percent": percent}
            for name, (cluster, timeout, percent) in sorted(versions.items())
            if percent
        ],
    }
    if new["auth"] == "key":
        plan["keys"] = {"primary": new["primaryKey"], "secondary": new["secondaryKey"]}
    if new["auth"] == "token":
        plan["token"] = {"audiences": new["token"]["audiences"], "role": new["token"]["role"]}
    shadows: list[ShadowPlan] = [
        {"cluster": version["deployment"], "percent": version["shadow"]}
        for _, version in sorted(new["versions"].items())
        if version.get("shadow")
    ]
    if shadows:
        plan["shadows"] = shadows
    if "attempts" in new:
        plan["attempts"] = new["attempts"]
    if "maxRequestBytes" in new:
        plan["max_request_bytes"] = new["maxRequestBytes"]
    return plan


def _interim(old: RoutePlan | None, plan: RoutePlan) -> RoutePlan:
    """The new versions by header beside the old ones, at the old weights and behind the old keys."""
    if old is None:
        return {**plan, "split": []}
    return {**old, "versions": {**old["versions"], **plan["versions"]}}


def _require_score(call: Call, layout: Layout, new: Properties, interim: RoutePlan, name: str) -> None:
    call.stop_if_cancelled()
    call.progress(f"scoring the sample on version {name}")
    version = interim["versions"][name]
    try:
        sample = Path(new["sample"]).read_bytes()
    except OSError as error:
        raise OperationError(f"the sample {new['sample']} cannot be read: {error.strerror}") from error
    timeout_s = version["timeout_ms"] / 1000 + 2
    bearer = _bearer(layout, interim)
    answer = score_sample(new["gateway"], new["endpoint"], name, bearer=bearer, sample=sample, timeout_s=timeout_s)
    if not answer.ok:
        raise OperationError(
            f"version {name} of endpoint {new['endpoint']} did not score the sample {new['sample']}: "
            f"status {answer.status}, {answer.text.strip()}\n"
            "weights and versions are as they were; the version's last log lines:\n"
            + log_tail(layout, version["cluster"])
        )


def _bearer(layout: Layout, plan: RoutePlan) -> str | None:
    """What the routes of `plan` take from the one who scores a sample."""
    if token := plan.get("token"):
        minted = mint(layout.state, token["audiences"][0], [token["role"]], lifetime_s=_SAMPLE_TOKEN_S)
        return minted.text if minted else None
    return plan.get("keys", {}).get("primary")


def _let_go(call: Call, layout: Layout, old: RoutePlan | None, plan: RoutePlan | None) -> None:
    """Remove the deployments that only this endpoint still needed."""
    kept = {version["cluster"] for version in plan["versions"].values()} if plan else set[str]()
    for version in (old or {"versions": {}})["versions"].values():
        if version["cluster"] not in kept:
            remove_retired(call, layout, version["cluster"], version["timeout_ms"] / 1000)
