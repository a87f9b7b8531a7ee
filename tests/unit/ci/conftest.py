"""A pull-request job without GitHub and without an engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.github_server import TOKEN, GitHubServer
from tools.ci.github import GitHub, Run


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    """A repository; the environment is that of a job in it."""
    with GitHubServer().running() as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        for name in ("GITHUB_STEP_SUMMARY", "GITHUB_EVENT_PATH", "GITHUB_ACTIONS", "ALLOW_REPLACEMENT", "REFRESH"):
            monkeypatch.delenv(name, raising=False)
        yield server


@pytest.fixture
def run(server: GitHubServer) -> Run:
    return Run.here()


@pytest.fixture
def pauses() -> list[float]:
    """The pauses that were taken."""
    return []


@pytest.fixture
def github(run: Run, pauses: list[float]) -> Iterator[GitHub]:
    with GitHub(run, TOKEN, wait=pauses.append) as github:
        yield github


@pytest.fixture
def event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The event of pull request 12."""
    file = tmp_path / "event.json"
    file.write_text('{"pull_request": {"number": 12}}')
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(file))
    return file
