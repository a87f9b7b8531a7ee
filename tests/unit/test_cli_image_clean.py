"""What counts as used when images are cleaned up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import image_clean
from cli.errors import CliError
from cli.project import Project
from providers.kubernetes import api
from providers.kubernetes.api import UnreachableError

ONE, TWO, THREE, FOUR = (f"sha256:{letter * 64}" for letter in "1234")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each stack has: its state, its kubeconfigs, and the pods behind those."""
    stacks: dict[str, Any] = {
        "dev": {"state": f"host/a@{ONE}", "kubeconfigs": {"main": "dev-config"}},
        "prod": {"state": "nothing", "kubeconfigs": {"main": {"a": "config"}}},
        "org/other/prod": {"state": f"host/b@{FOUR}"},
    }
    pods = {"dev-config": [TWO], json.dumps({"a": "config"}): [THREE]}

    def pulumi(project: Project, *arguments: str) -> str:
        if arguments[:2] == ("stack", "ls"):
            return json.dumps([{"name": name} for name in stacks if "/" not in name])
        stack = stacks[arguments[-1]]
        if arguments[1] == "export":
            return stack["state"]
        assert "--show-secrets" in arguments
        return json.dumps({name: value for name, value in stack.items() if name == "kubeconfigs"})

    class Api:
        def __init__(self, kubeconfig: str, *, patience_s: float) -> None:
            self._pods = pods[kubeconfig]

        def __enter__(self) -> "Api":
            return self

        def __exit__(self, *error: object) -> None: ...

        def each(self, path: str) -> list[dict[str, Any]]:
            assert path == "/api/v1/pods"
            if self._pods is None:
                raise UnreachableError("main does not answer")
            spec = {"containers": [{"image": f"host/c@{digest}"} for digest in self._pods]}
            return [{"spec": spec}, {"spec": {}, "status": {"containerStatuses": [{"imageID": "host/d:1"}]}}]

    monkeypatch.setattr(image_clean, "_pulumi", pulumi)
    monkeypatch.setattr(api, "Api", Api)
    return {"stacks": stacks, "pods": pods}


@pytest.fixture
def used(tmp_path: Path) -> Callable[..., image_clean.Use]:
    return lambda *further: image_clean.in_use(Project(tmp_path), further)


def test_states_of_all_stacks_and_pods_of_their_clusters_count(
    known: dict[str, Any], used: Callable[..., image_clean.Use]
) -> None:
    found = used()
    assert found.stacks == ("dev", "prod")
    assert found.names == {ONE, TWO, THREE}
    assert found.unread == ()


def test_a_further_stack_counts_too(known: dict[str, Any], used: Callable[..., image_clean.Use]) -> None:
    assert used("org/other/prod", "dev").names == {ONE, TWO, THREE, FOUR}


@pytest.mark.parametrize(
    "pod",
    [
        {"spec": {"initContainers": [{"image": f"host/c@{FOUR}"}]}},
        {"spec": {}, "status": {"initContainerStatuses": [{"imageID": f"host/c@{FOUR}"}]}},
        {"spec": {"ephemeralContainers": [{"image": f"host/c@{FOUR}"}]}},
        {"spec": {}, "status": {"ephemeralContainerStatuses": [{"imageID": f"host/c@{FOUR}"}]}},
    ],
)
def test_every_sort_of_container_counts(
    known: dict[str, Any],
    used: Callable[..., image_clean.Use],
    pod: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api.Api, "each", lambda *_: [pod])
    assert used().names == {ONE, FOUR}


def test_a_cluster_that_does_not_answer_is_named(known: dict[str, Any], used: Callable[..., image_clean.Use]) -> None:
    known["pods"]["dev-config"] = None
    found = used()
    assert found.names == {ONE, THREE}
    assert found.unread == ("dev, cluster main: main does not answer",)


def test_a_stack_that_cannot_be_read_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: Callable[..., image_clean.Use]
) -> None:
    (tmp_path / "pulumi").write_text("#!/bin/sh\necho 'error: no such stack' >&2\nexit 1\n")
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(CliError, match="may be in use: error: no such stack"):
        used()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CliError, match="pulumi is not on PATH"):
        used()
