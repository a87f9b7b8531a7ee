"""What the rules over names say."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.unit.cluster.test_naming import check, identity
from tidegate.findings import Finding


def of(clusters: dict[str, Any], *, workspace: bool = False) -> Callable[[], Sequence[Finding]]:
    return lambda: check(clusters, workspace=workspace)


BY_ID = {"attach": {"resourceId": identity("x")}}
BY_NAME = {"attach": {"resourceGroup": "scoring", "name": "x"}}

CASES = [
    ("cluster-name", "A name too short", of({"ab": {}})),
    ("cluster-name", "A name with a dot", of({"scoring.main": {}})),
    ("cluster-name-end", "A hyphen at the end", of({"main-": {}})),
    ("compute-name", "A number at the end", of({"main-1": {}}, workspace=True)),
    ("cluster-name-unique", "Two spellings", of({"main": {}, "Main": {}})),
    ("cluster-one-name", "The same id twice", of({"one": BY_ID, "two": BY_ID})),
    ("cluster-one-name", "An id and perhaps the same cluster", of({"one": BY_ID, "two": BY_NAME})),
    ("cluster-one-name", "Made and attached", of({"one": BY_NAME, "x": {"resourceGroup": "scoring"}})),
    ("resource-group-name", "A dot at the end", of({"main": {"nodeResourceGroup": "nodes."}})),
    ("node-resource-group", "A name too long", of({"main": {"nodeResourceGroup": "n" * 81}})),
    (
        "node-resource-group",
        "The cluster's own",
        of({"main": {"resourceGroup": "scoring", "nodeResourceGroup": "scoring"}}),
    ),
    ("dns-prefix", "A dot", of({"main": {"dnsPrefix": "scoring.main"}})),
]
