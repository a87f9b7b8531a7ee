"""Whether the clusters of a config have room for its endpoints (rule G3)."""

from pathlib import Path
from typing import Any

import pytest

from tidegate.config import load
from tidegate.findings import ConfigError, Finding

ATTACHED = {"attach": {"resourceGroup": "platform", "name": "aks-1", "purpose": "DevTest"}}


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    """A node of 4 vCPU and 16 GiB, and an endpoint on it with what v1's defaults ask for."""
    (tmp_path / "score.py").write_text("def init(): ...\ndef run(data): ...\n")
    version = {"entryScript": "score.py", "sourceDirectory": ".", "environment": {"name": "plain"}}
    return {
        "tidegate:target": "azure",
        "tidegate:location": "westeurope",
        "tidegate:resourceGroup": "scoring",
        "tidegate:registry": {"name": "scoring7421"},
        "tidegate:clusters": {"main": {"purpose": "DevTest"}},
        "tidegate:endpoints": {"prices": {"versions": {"one": version}}},
    }


def errors(root: Path, values: dict[str, Any]) -> list[Finding]:
    try:
        load(values, root=root, stack="dev")
    except ConfigError as error:
        return [each for each in error.findings if each.severity == "error"]
    return []


def test_the_sum_of_all_endpoints_counts(tmp_path: Path, values: dict[str, Any]) -> None:
    assert errors(tmp_path, values) == []
    endpoints = values["tidegate:endpoints"]
    endpoints["other"] = endpoints["prices"]
    found = errors(tmp_path, values)
    assert [error.path for error in found] == ["tidegate:clusters.main"] * 2
    for error, asked in zip(found, ("0.5", "0.1"), strict=True):  # GiB, vCPU
        assert f"other/one (10 + 3) x {asked} + prices/one (10 + 3) x {asked} = " in error.problem
    values["tidegate:clusters"]["main"]["systemPool"] = {"minCount": 1, "maxCount": 2}
    assert errors(tmp_path, values) == []


def test_an_endpoint_counts_on_its_own_cluster(tmp_path: Path, values: dict[str, Any]) -> None:
    endpoints = values["tidegate:endpoints"]
    endpoints["prices"]["cluster"] = "main"
    endpoints["other"] = {**endpoints["prices"], "cluster": "theirs"}
    values["tidegate:clusters"]["theirs"] = ATTACHED
    assert errors(tmp_path, values) == []


def test_nothing_is_added_up_while_something_is_wrong(tmp_path: Path, values: dict[str, Any]) -> None:
    endpoints = values["tidegate:endpoints"]
    endpoints["other"] = {**endpoints["prices"], "auth": "magic"}
    (error,) = errors(tmp_path, values)
    assert error.path == "tidegate:endpoints.other.auth"
