"""The stand-in of docker-build: what it refuses, and what counts as a difference."""

from pathlib import Path
from typing import Any

import pytest

from tests.standins.docker_build import TYPE, context_hash, differences, problems

TAG = "127.0.0.1:5000/tidegate/environment:e1-0"


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Sound inputs, in a project with their context."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "file").write_text("content")
    return {
        "push": True,
        "buildOnPreview": False,
        "tags": [TAG],
        "context": {"location": "context"},
        "dockerfile": {"inline": "FROM scratch"},
        "platforms": ["linux/amd64"],
        "cacheTo": [{"registry": {"ref": "127.0.0.1:5000/tidegate/environment:cache", "ignoreError": True}}],
    }


def test_sound_inputs_have_no_fault(inputs: dict[str, Any]) -> None:
    assert list(problems(TYPE, inputs)) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"dokerfile": {}}, "dokerfile"),
        ({"push": "yes"}, "push"),
        ({"push": False}, "push"),
        ({"buildOnPreview": None}, "buildOnPreview"),
        ({"context": {}}, "context.location"),
        ({"context": {"location": "nowhere"}}, "context.location"),
        ({"context": {"location": "/tmp"}}, "context.location"),
        ({"dockerfile": {"inline": "FROM scratch", "location": "Dockerfile"}}, "dockerfile"),
        ({"tags": []}, "tags"),
        ({"tags": ["environment:latest"]}, "tags[0]"),
        ({"tags": [TAG.removesuffix(":e1-0")]}, "tags[0]"),
        ({"platforms": None}, "platforms"),
        ({"platforms": ["linux/s391"]}, "platforms[0]"),
        ({"platforms": ["windows/amd64"]}, "platforms"),
        ({"cacheTo": [{"registry": {"ref": TAG}}]}, "cacheTo[0].registry.ignoreError"),
        ({"registries": [{"username": "somebody"}]}, "registries[0].address"),
        ({"exec": True}, "exec"),
    ],
)
def test_what_the_plugin_would_refuse_is_a_fault(inputs: dict[str, Any], change: dict[str, Any], path: str) -> None:
    assert [each.path for each in problems(TYPE, inputs | change)] == [path]


def test_only_what_counts_is_a_difference(inputs: dict[str, Any]) -> None:
    login = {"address": "127.0.0.1:5000", "username": "reader", "password": "first"}
    new = inputs | {"registries": [login]}
    old = new | {"contextHash": context_hash(Path("context")), "registries": [login | {"password": "second"}]}
    assert list(differences(old, new)) == []
    assert list(differences(old, new | {"tags": [f"{TAG}1"]})) == ["tags"]
    assert list(differences(old, new | {"registries": [login | {"username": "writer"}]})) == ["registries"]


def test_a_mode_alone_is_another_context(inputs: dict[str, Any]) -> None:
    old = inputs | {"contextHash": context_hash(Path("context"))}
    Path("context/file").chmod(0o755)
    assert list(differences(old, inputs)) == ["contextHash"]
