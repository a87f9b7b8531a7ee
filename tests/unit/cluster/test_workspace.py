"""The Azure ML workspace (rule C17)."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.input import AzureInput
from tidegate.cluster.spec import WorkspaceSpec
from tidegate.cluster.workspace import resolve_workspace
from tidegate.findings import Finding
from tidegate.parse import parse

ATTACHED = {"attach": {"resourceGroup": "a", "name": "b"}}


def resolve(
    workspace: Any,
    clusters: Any = None,
    *,
    location: str = "westeurope",
    resource_group: str = "scoring",
    root: Path = Path("/nowhere"),
    **more: Any,
) -> tuple[WorkspaceSpec | None, list[Finding]]:
    parsed = parse(AzureInput, {"tidegate:workspace": workspace, "tidegate:clusters": clusters or {}} | more)
    assert parsed.value.workspace is not None
    return resolve_workspace(
        parsed.value.workspace,
        location=location,
        resource_group=resource_group,
        root=root,
        clusters=parsed.value.clusters or {},
        broken=parsed.broken,
    )


def found(*arguments: Any, **settings: Any) -> list[tuple[str, str, str]]:
    return [
        (finding.severity, finding.rule, finding.path.removeprefix("tidegate:"))
        for finding in sorted(resolve(*arguments, **settings)[1])
    ]


def test_the_environment_gives_region_and_resource_group() -> None:
    spec = WorkspaceSpec(name="mlw", resource_group="scoring", location="westeurope")
    assert resolve({"name": "mlw"}, {"main": {}}) == (spec, [])


def test_its_own_words_win(tmp_path: Path) -> None:
    tags = tmp_path / "tags.json"
    tags.write_text("{}")
    given_ = {"name": "mlw", "resourceGroup": "ml", "location": "North Europe", "serviceTags": "tags.json"}
    spec = WorkspaceSpec(name="mlw", resource_group="ml", location="northeurope", service_tags=tags)
    assert resolve(given_, root=tmp_path) == (spec, [])


@pytest.mark.parametrize("name", ["abc", "1bc", "a-_", "a" * 33])
def test_names_at_the_bounds(name: str) -> None:
    assert found({"name": name}) == []


@pytest.mark.parametrize("name", ["", "ab", "-bc", "_bc", "a.c", "a" * 34])
def test_names_past_the_bounds(name: str) -> None:
    assert found({"name": name}) == [("error", "workspace-name", "workspace.name")]


def test_a_workspace_has_a_name() -> None:
    assert found({}) == [("error", "workspace-name", "workspace")]
    assert resolve({"name": 5}) == (None, [])


def test_an_unknown_region_is_told_once() -> None:
    clusters = {"main": ATTACHED}
    assert found({"name": "mlw", "location": "westeurop"}, clusters) == [
        ("error", "workspace-location", "workspace.location")
    ]
    assert "westeurope" in resolve({"name": "mlw", "location": "westeurop"})[1][0].remedy


def test_clusters_of_other_regions_are_told() -> None:
    clusters = {"here": {}, "there": {"location": "northeurope"}, "attached": ATTACHED}
    assert found({"name": "mlw"}, clusters) == [("warning", "workspace-region", "clusters.there")]
    assert found({"name": "mlw", "location": "northeurope"}, clusters) == [
        ("warning", "workspace-region", "clusters.here")
    ]


def test_regions_are_the_same_however_they_are_spelt() -> None:
    assert found({"name": "mlw", "location": "West Europe"}, {"main": {"location": "WestEurope"}}) == []


def test_a_region_that_is_wrong_elsewhere_is_not_told_here() -> None:
    assert found({"name": "mlw"}, {"main": {"location": "nowhere"}}) == []
    assert found({"name": "mlw"}, {"main": {"location": 5}}) == []


def test_a_warning_does_not_stop_it() -> None:
    spec, _ = resolve({"name": "mlw"}, {"main": {"location": "northeurope"}})
    assert spec is not None


def test_the_service_tag_file_must_be_there(tmp_path: Path) -> None:
    assert found({"name": "mlw", "serviceTags": "tags.json"}, root=tmp_path) == [
        ("error", "workspace-service-tags", "workspace.serviceTags")
    ]


def test_its_place_must_be_known_where_nothing_is_made() -> None:
    clusters = {"main": ATTACHED}
    nowhere: dict[str, Any] = {"location": "", "resource_group": ""}
    assert found({"name": "mlw"}, clusters, **nowhere) == [("error", "workspace-place", "workspace")]
    _, (finding,) = resolve({"name": "mlw"}, clusters, **nowhere)
    assert finding.problem == "location and resourceGroup of the workspace are not known"
    _, (finding,) = resolve({"name": "mlw", "resourceGroup": "ml"}, clusters, **nowhere)
    assert finding.problem == "location of the workspace is not known"
    assert resolve({"name": "mlw"}, {"main": {}}, **nowhere) == (None, [])


def test_a_place_that_was_refused_is_not_missing() -> None:
    nowhere: dict[str, Any] = {"location": "", "resource_group": ""}
    more: dict[str, Any] = {"tidegate:location": 5, "tidegate:resourceGroup": 6}
    assert resolve({"name": "mlw"}, {"main": ATTACHED}, **nowhere, **more) == (None, [])


TEXT = st.text(max_size=10) | st.sampled_from(["mlw", "westeurope", "tags.json"])


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("name", "resourceGroup", "location", "serviceTags"), TEXT)),
    st.sampled_from([{}, {"main": {}}, {"main": ATTACHED}, {"main": {"location": "northeurope"}}]),
)
def test_whatever_is_written_gives_a_spec_or_a_finding(workspace: dict[str, Any], clusters: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tags.json").write_text("{}")
        spec, findings = resolve(workspace, clusters, root=Path(folder))
    assert (spec is None) == any(finding.severity == "error" for finding in findings)
