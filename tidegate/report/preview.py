"""What the answer of `pulumi preview --json` says: of endpoints in words, of all else by its number and its name."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from tidegate.report.diff import EndpointReport, compare

Json = dict[str, Any]

SERVING = "tidegate-serving:index:Serving"
STACK = "pulumi:pulumi:Stack"

WORDS = {
    "create": ("to create", "created"),
    "update": ("to update", "updated"),
    "replace": ("to replace", "replaced"),
    "delete": ("to delete", "deleted"),
    "import": ("to import", "imported"),
}
"""What is said of an operation before it is done, and after."""

_ORDER = ("replace", "create-replacement", "delete-replaced", "delete", "create", "import", "update")
_NOTHING = frozenset({"same", "read", "refresh"})
_DESTRUCTIVE = frozenset({"replace", "create-replacement", "delete-replaced", "delete"})


@dataclass(frozen=True)
class Gone:
    """Something that exists and would go away, for good or to be made anew."""

    op: str
    type: str
    name: str


@dataclass(frozen=True)
class Preview:
    """What a preview plans."""

    endpoints: tuple[EndpointReport, ...]
    """Those that change."""
    counts: Mapping[str, int]
    """How many resources each operation meets."""
    gone: tuple[Gone, ...]
    errors: tuple[str, ...] = ()


def read_preview(preview: Json) -> Preview:
    """Read the answer of `preview --json`; nothing that is secret to the engine is in it."""
    steps = changing_steps(preview)
    return Preview(
        endpoints=endpoint_reports(steps),
        counts=dict(Counter(step["op"] for step in steps)),
        gone=tuple(Gone(step["op"], *type_and_name(step["urn"])) for step in steps if destroys(step["op"], kept(step))),
        errors=tuple(
            str(each["message"]).strip().removeprefix("error: ")
            for each in preview.get("diagnostics") or ()
            if each.get("severity") == "error"
        ),
    )


def changing_steps(preview: Json) -> list[Json]:
    """The program's steps that do something to a resource of its own, in the engine's form.

    A refresh comes first, and what it finds changed in Azure looks like an update by the program; the root's own step
    stands between the two.
    """
    steps = cast("list[Json]", preview.get("steps") or [])
    roots = [at for at, step in enumerate(steps) if f"::{STACK}::" in step["urn"] and step["op"] != "refresh"]
    planned = steps[roots[0] + 1 :] if roots else []
    return [step for step in planned if step["op"] not in _NOTHING and _is_custom(step)]


def endpoint_reports(steps: Iterable[Json]) -> tuple[EndpointReport, ...]:
    """What the steps do to endpoints, by name."""
    found = (
        compare(_state(step, "oldState").get("inputs") or {}, _state(step, "newState").get("inputs") or {})
        for step in steps
        if type_and_name(step["urn"])[0] == SERVING
    )
    return tuple(sorted(filter(None, found), key=lambda report: report.endpoint))


def type_and_name(urn: str) -> tuple[str, str]:
    """A resource's own type, without its parents', and its name in the program."""
    parts = urn.split("::", maxsplit=3)
    return parts[2].rsplit("$", maxsplit=1)[-1], parts[3]


def destroys(op: str, kept: bool) -> bool:
    """Whether an operation makes something go away that exists and is not `kept`."""
    return op in _DESTRUCTIVE and not kept


def kept(step: Json) -> bool:
    """Whether what is deleted is only forgotten: the resource itself stays (retainOnDelete)."""
    return bool(_state(step, "oldState").get("retainOnDelete"))


def counted(ops: Mapping[str, int]) -> list[str]:
    """`1 to replace`, `2 to update`: what goes away first."""
    return [f"{ops[op]} {WORDS.get(op, (op,))[0]}" for op in sorted(ops, key=rank)]


def rank(op: str) -> int:
    """Where an operation stands in a list: what goes away first."""
    return _ORDER.index(op) if op in _ORDER else len(_ORDER)


def _is_custom(step: Json) -> bool:
    """Whether it is a resource of its own; a component is only a group of others."""
    return bool((_state(step, "newState") or _state(step, "oldState")).get("custom"))


def _state(step: Json, name: str) -> Json:
    return cast("Json", step.get(name) or {})
