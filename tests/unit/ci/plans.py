"""Previews as the engine writes them, by hand."""

from typing import Any

from tools.ci.plan import Json, Plan, from_preview

CLUSTER = "azure-native:containerservice:ManagedCluster"
POOL = "azure-native:containerservice:AgentPool"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:dev::tidegate::tidegate:azure:Cluster${kind}::{name}"


def state(inputs: Json | None, **more: Any) -> Json:
    return {"custom": True, "inputs": inputs or {}, **more}


def step(op: str, kind: str, name: str, *, old: Json | None = None, new: Json | None = None, **more: Any) -> Json:
    states = {key: value for key, value in (("oldState", old), ("newState", new)) if value is not None}
    return {"op": op, "urn": urn(kind, name), "detailedDiff": None, **states, **more}


def root(op: str = "same") -> Json:
    return {"op": op, "urn": "urn:pulumi:dev::tidegate::pulumi:pulumi:Stack::tidegate-dev", "detailedDiff": None}


def preview(*steps: Json, diagnostics: tuple[Json, ...] = ()) -> Json:
    return {"config": {}, "steps": [root(), *steps], "diagnostics": list(diagnostics), "changeSummary": {}}


def scaled(count: int = 3, before: int = 2) -> Json:
    return step(
        "update",
        POOL,
        "main.cpu",
        old=state({"count": before, "vmSize": "a"}),
        new=state({"count": count, "vmSize": "a"}),
        detailedDiff={"count": {"kind": "update", "inputDiff": True}},
    )


def deleted(name: str = "main.cpu") -> Json:
    return step("delete", POOL, name, old=state({"count": 2}))


def plan(*steps: Json) -> Plan:
    return from_preview(preview(*steps))
