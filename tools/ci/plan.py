"""What `pulumi preview` plans, read from its JSON: step by step, comparable with another run's, and without a secret.

`preview --json` has the steps and the diagnostics. What the policies say and what the stack will export is in the
engine's events alone, which `--event-log` writes.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from policy.checks import plain_credentials
from tidegate.report.diff import EndpointReport, report_from
from tidegate.report.preview import (
    SERVING,
    STACK,
    changing_steps,
    destroys,
    endpoint_reports,
    kept,
    type_and_name,
)

Json = dict[str, Any]
Severity = Literal["error", "warning", "note"]

FORMAT = 2
SECRET = "[secret]"  # noqa: S105 (what the engine writes in place of one)
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes in place of a value that is known only after the update (pkg/resource/stack/deployment.go)."""

_SEGMENT = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\.?([^.\[\]]+)')
_MISSING: Any = object()


@dataclass(frozen=True)
class Change:
    """One property of a step: `before` and `after` are its values as JSON, None where it is not there."""

    path: str
    before: str | None
    after: str | None
    replaces: bool = False
    """Whether this property is why the resource is replaced."""


@dataclass(frozen=True)
class Step:
    """What is done to one resource."""

    urn: str
    op: str
    changes: tuple[Change, ...] = ()
    kept: bool = False
    """Whether what is deleted is only forgotten: the resource itself stays (retainOnDelete)."""

    @property
    def type(self) -> str:
        """The resource's own type, e.g. `azure-native:containerservice:AgentPool`."""
        return type_and_name(self.urn)[0]

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return type_and_name(self.urn)[1]

    @property
    def destructive(self) -> bool:
        """Whether something that exists goes away, for good or to be made anew."""
        return destroys(self.op, self.kept)


@dataclass(frozen=True)
class Message:
    """Something that was said: by the program, a provider, a policy."""

    severity: Severity
    text: str


@dataclass(frozen=True)
class Plan:
    """All steps of a preview that change something, and what was said."""

    steps: tuple[Step, ...]
    messages: tuple[Message, ...] = ()
    credentials: tuple[str, ...] = ()
    """Outputs that show what looks like a credential."""
    failed: bool = False
    endpoints: tuple[EndpointReport, ...] = ()
    """What the steps do to endpoints, in the words of serving."""

    @property
    def destructive(self) -> tuple[Step, ...]:
        """The steps by which something that exists goes away."""
        return tuple(step for step in self.steps if step.destructive)

    @property
    def digest(self) -> str:
        """Equal for two plans that do the same to the same values, whatever else was said or timed."""
        text = json.dumps([_step_record(step) for step in self.steps], sort_keys=True, separators=(",", ":"))
        return "p1-" + hashlib.sha256(text.encode()).hexdigest()

    def record(self, *, stack: str, commit: str) -> Json:
        """What is kept of it, to be read by `from_record`."""
        return {
            "format": FORMAT,
            "stack": stack,
            "commit": commit,
            "digest": self.digest,
            "failed": self.failed,
            "steps": [_step_record(step) for step in self.steps],
            "messages": [{"severity": each.severity, "text": each.text} for each in self.messages],
            "credentials": list(self.credentials),
            "endpoints": [asdict(report) for report in self.endpoints],
        }


def from_preview(preview: Json, events: Iterable[Json] = (), *, failed: bool = False) -> Plan:
    """Read the answer of `preview --json` and the events of the same run."""
    events = list(events)
    planned = changing_steps(preview)
    steps = sorted(map(_step, planned), key=lambda step: (step.urn, step.op))
    said = [_diagnostic(each) for each in preview.get("diagnostics") or () if not _is_report(each)]
    messages = dict.fromkeys(message for message in (*said, *_policies(events)) if message.text)
    return Plan(tuple(steps), tuple(messages), tuple(_plain_outputs(events)), failed, endpoint_reports(planned))


def from_record(record: Json) -> Plan:
    """Read what `Plan.record` kept. Raises ValueError where it is of another form or was changed."""
    if record.get("format") != FORMAT:
        raise ValueError(f"the plan's format is {record.get('format')!r}; this is format {FORMAT}")
    steps = tuple(
        Step(
            each["urn"],
            each["op"],
            tuple(
                Change(change["path"], change.get("before"), change.get("after"), change.get("replaces", False))
                for change in each["changes"]
            ),
            each.get("kept", False),
        )
        for each in record["steps"]
    )
    messages = tuple(Message(each["severity"], each["text"]) for each in record["messages"])
    endpoints = tuple(map(report_from, record["endpoints"]))
    plan = Plan(steps, messages, tuple(record["credentials"]), record["failed"], endpoints)
    if plan.digest != record["digest"]:
        raise ValueError("the plan's steps do not give its digest")
    return plan


def differences(reviewed: Plan, now: Plan) -> list[str]:
    """What the second plan does otherwise, a line each."""
    before, after = ({step.urn: step for step in plan.steps} for plan in (reviewed, now))
    found: list[str] = []
    for urn in sorted(before.keys() | after.keys()):
        old, new = before.get(urn), after.get(urn)
        if old == new:
            continue
        step = new or old
        said = f"{step.type} {step.name}" if step else urn
        if new is None or old is None:
            found.append(f"{said}: {_planned_word(old)} when reviewed, {_planned_word(new)} now")
        elif old.op != new.op:
            found.append(f"{said}: {old.op} when reviewed, {new.op} now")
        else:
            found += [f"{said}: {line}" for line in _changed(old.changes, new.changes)] or [f"{said}: {new.op} differs"]
    if not found and reviewed.digest != now.digest:
        found.append("the same resources in other steps")
    return found


def _planned_word(step: Step | None) -> str:
    return step.op if step else "no change"


def _changed(reviewed: Sequence[Change], now: Sequence[Change]) -> Iterator[str]:
    before, after = ({change.path: change for change in changes} for changes in (reviewed, now))
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old != new:
            yield f"{path} was {_arrow(old)} when reviewed, is {_arrow(new)} now"


def _arrow(change: Change | None) -> str:
    if change is None:
        return "unchanged"
    return f"{change.before or 'not there'} -> {change.after or 'not there'}"


def _step(step: Json) -> Step:
    old, new = step.get("oldState") or {}, step.get("newState") or {}
    op = step["op"]
    if op == "delete":
        changes: Iterable[Change] = ()
    elif not old:
        changes = (Change(path, None, _text(value)) for path, value in _leaves(new.get("inputs") or {}, ""))
    else:
        changes = _diff(step, old, new)
    return Step(
        step["urn"],
        op,
        tuple(sorted(changes, key=lambda change: change.path)),
        kept=kept(step),
    )


def _diff(step: Json, old: Json, new: Json) -> Iterator[Change]:
    detailed: Mapping[str, Json] | None = step.get("detailedDiff")
    reasons = set(step.get("replaceReasons") or ())
    before, after = old.get("inputs") or {}, new.get("inputs") or {}
    if detailed is None:
        # A provider that gives no detail names the properties at best.
        names = step.get("diffReasons") or [
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        ]
        detailed = {name: {"kind": "update-replace" if name in reasons else "update"} for name in names}
    for path, how in detailed.items():
        was = _at(before if how.get("inputDiff", True) else {**before, **(old.get("outputs") or {})}, path)
        was, will = _veiled(was, _at(after, path))
        yield Change(path, _text(was), _text(will), replaces=str(how.get("kind", "")).endswith("-replace"))


def _veiled(was: Any, will: Any) -> tuple[Any, Any]:
    """Both, with each part secret that is secret in one: what was secret once may be the same value still."""
    if SECRET in (was, will):
        hidden = [value if value is _MISSING else SECRET for value in (was, will)]
        return hidden[0], hidden[1]
    if isinstance(was, Mapping) and isinstance(will, Mapping):
        pairs = {key: _veiled(was.get(key, _MISSING), will.get(key, _MISSING)) for key in {**was, **will}}
        parts = [{key: pair[i] for key, pair in pairs.items() if pair[i] is not _MISSING} for i in (0, 1)]
        return parts[0], parts[1]
    if isinstance(was, list) and isinstance(will, list):
        both = [_veiled(*pair) for pair in zip(was, will, strict=False)]
        return [pair[0] for pair in both] + was[len(both) :], [pair[1] for pair in both] + will[len(both) :]
    return was, will


def _at(value: Any, path: str) -> Any:
    """The value at a path of the engine's, e.g. `tags["a.b"]` or `ranges[0].from`; a secret's inside is the secret."""
    for name, index, plain in _SEGMENT.findall(path):
        if value == SECRET or value is _MISSING:
            return value
        if index:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else _MISSING
        else:
            key = json.loads(f'"{name}"') if name else plain
            value = value.get(key, _MISSING) if isinstance(value, Mapping) else _MISSING
    return value


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, child in value.items():
            step = key if re.fullmatch(r"[^.\[\]\"]+", key) else f"[{json.dumps(key)}]"
            yield from _leaves(child, f"{path}.{step}" if path and not step.startswith("[") else path + step)
    elif path:
        yield path, value


def _text(value: Any) -> str | None:
    if value is _MISSING:
        return None
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _step_record(step: Step) -> Json:
    changes = [
        {
            "path": change.path,
            **({"before": change.before} if change.before is not None else {}),
            **({"after": change.after} if change.after is not None else {}),
            **({"replaces": True} if change.replaces else {}),
        }
        for change in step.changes
    ]
    return {"urn": step.urn, "op": step.op, "changes": changes, **({"kept": True} if step.kept else {})}


def _is_report(each: Json) -> bool:
    """Whether it is said of an endpoint, which the plan has as its report."""
    return f"{SERVING}::" in each.get("urn", "") and each.get("severity") == "info"


def _diagnostic(each: Json) -> Message:
    severities: dict[str, Severity] = {"error": "error", "warning": "warning"}
    severity = severities.get(each.get("severity", ""), "note")
    text = str(each.get("message", "")).strip().removeprefix(f"{severity}: ")
    where = each.get("urn", "").split("::")[-1]
    return Message(severity, f"{where}: {text}" if where and text else text)


def _policies(events: Iterable[Json]) -> Iterator[Message]:
    waiting: set[str] = set()
    for event in events:
        said = event.get("policyEvent")
        if not said:
            continue
        if said["message"].startswith("can't run policy"):
            waiting.add(said["policyName"])
            continue
        severity: Severity = "error" if said.get("enforcementLevel") == "mandatory" else "warning"
        yield Message(severity, f"policy {said['policyName']}: {' '.join(said['message'].split())}")
    if waiting:
        yield Message("note", f"judged only once all values are known: policy {', '.join(sorted(waiting))}")


def _plain_outputs(events: Iterable[Json]) -> Iterator[str]:
    for event in events:
        metadata = (event.get("resOutputsEvent") or {}).get("metadata") or {}
        if metadata.get("type") == STACK and metadata.get("op") != "refresh":
            yield from plain_credentials((metadata.get("new") or {}).get("outputs") or {})
