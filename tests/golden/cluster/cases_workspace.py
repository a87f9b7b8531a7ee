"""What the rules over the workspace say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.unit.cluster.test_workspace import ATTACHED, resolve
from tidegate.findings import Finding


def of(
    workspace: Mapping[str, Any], clusters: Mapping[str, Any] | None = None, **settings: Any
) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(workspace, clusters, **settings)[1]


NAMED = {"name": "mlw"}

CASES = [
    ("workspace-name", "No name", of({})),
    ("workspace-name", "A dot", of({"name": "ml.w"})),
    ("workspace-location", "A region misspelt", of(NAMED | {"location": "westeurop"})),
    ("workspace-location", "No region at all", of(NAMED | {"location": "the moon"})),
    ("workspace-place", "Nothing says where", of(NAMED, {"main": ATTACHED}, location="", resource_group="")),
    ("workspace-region", "A cluster elsewhere", of(NAMED, {"main": {"location": "northeurope"}})),
    ("workspace-service-tags", "No such file", of(NAMED | {"serviceTags": "tags.json"})),
]
