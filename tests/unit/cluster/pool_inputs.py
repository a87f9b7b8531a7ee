"""A cluster's pools as a stack file has them, resolved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tidegate.cluster.input import AzureInput
from tidegate.cluster.pools import resolve_pools
from tidegate.cluster.spec import PoolSpec
from tidegate.findings import Finding
from tidegate.parse import parse

TODAY = date(2026, 11, 21)
PATH = "tidegate:clusters.main"


@dataclass(frozen=True)
class Resolved:
    """What `resolve_pools` made of a cluster, after what the parser refused."""

    system: PoolSpec | None
    pools: tuple[PoolSpec, ...]
    findings: Sequence[Finding]
    refused: Sequence[Finding]

    @property
    def first(self) -> PoolSpec:
        assert self.system is not None
        return self.system

    def of(self, rule: str) -> list[tuple[str, str]]:
        """The findings of a rule: severity and the key path under the cluster."""
        return [
            (finding.severity, finding.path.removeprefix(PATH).removeprefix("."))
            for finding in sorted(self.findings)
            if finding.rule == rule
        ]


def resolve(cluster: dict[str, Any], *, production: bool = False, today: date = TODAY) -> Resolved:
    """Resolve the pools of a cluster named main."""
    parsed = parse(AzureInput, {"tidegate:clusters": {"main": cluster}})
    entry = (parsed.value.clusters or {})["main"]
    purpose = entry.purpose or "FastProd"
    system, pools, findings = resolve_pools(
        ("tidegate:clusters", "main"), entry, purpose, production, parsed.broken, today=today
    )
    return Resolved(system, pools, findings, parsed.findings)


def pool(**keys: Any) -> dict[str, Any]:
    """A cluster that breaks nothing, with one further pool, x, of these keys."""
    return {"systemPool": {"availabilityZones": ["1", "2", "3"]}, "pools": {"x": keys}}
