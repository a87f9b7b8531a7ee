"""Every rule over an Azure environment by its id, with the fact behind it."""

from collections.abc import Mapping
from functools import cache
from types import ModuleType

from tidegate.cluster import (
    access,
    addresses,
    attach,
    capacity,
    certificate,
    delivery,
    front,
    lifecycle,
    naming,
    network,
    node_marks,
    outbound,
    placement,
    pool_sizes,
    pools,
    purpose,
    ranges,
    registry,
    resolve,
    service_tags,
    telemetry,
    tls,
    workspace,
)
from tidegate.cluster.rule import Rule

MODULES: tuple[ModuleType, ...] = (
    access, addresses, attach, capacity, certificate, delivery, front, lifecycle, naming, network, node_marks, outbound,
    placement, pool_sizes, pools, purpose, ranges, registry, resolve, service_tags, telemetry, tls, workspace,
)  # fmt: skip
"""The modules that have rules, each in its `RULES`."""


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by id."""
    return {rule.id: rule for module in MODULES for rule in module.RULES}
