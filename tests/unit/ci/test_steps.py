"""The steps as a job runs them, with a `pulumi` that answers what a test put there and notes how it was called."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.standins.github_server import TOKEN
from tests.unit.ci.plans import deleted, preview, scaled
from tools.ci import deploy, drift
from tools.ci import preview as previewing
from tools.ci.plan import from_preview
from tools.ci.reviewed import PLAN

PULUMI = r"""#!/bin/sh
printf '%s\n' "$*" >>"$FAKE/calls"
env >"$FAKE/environment"
previous=
for word in "$@"; do
    [ "$previous" != --event-log ] || [ ! -f "$FAKE/events" ] || cat "$FAKE/events" >"$word"
    previous=$word
done
[ ! -f "$FAKE/stderr" ] || cat "$FAKE/stderr" >&2
[ "$1" != preview ] || [ ! -f "$FAKE/answer" ] || cat "$FAKE/answer"
exit "$(cat "$FAKE/code-$1" 2>/dev/null || echo 0)"
"""


class FakePulumi:
    """What it answers, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pulumi").write_text(PULUMI)
        (folder / "pulumi").chmod(0o755)

    def answers(self, *steps: object, code: int = 0) -> None:
        self.put("answer", json.dumps(preview(*steps)))  # pyright: ignore[reportArgumentType] (steps are dictionaries)
        self.put("code-preview", str(code))

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def pulumi(server, tmp_path, monkeypatch) -> FakePulumi:
    """Also the project's folder, in which the step runs."""
    fake = FakePulumi(tmp_path)
    monkeypatch.setenv("FAKE", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    for name in ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return fake


@pytest.fixture
def step(monkeypatch) -> Callable[..., object]:
    """Runs a step; what it ends with."""

    def run(module: ModuleType, *arguments: str) -> object:
        monkeypatch.setattr(sys, "argv", ["step", "dev", *arguments])
        try:
            module.main()
        except SystemExit as ended:
            return ended.code
        return 0

    return run


def test_a_preview_runs_the_policies_and_keeps_the_plan(pulumi, step, tmp_path):
    pulumi.answers(scaled())
    pulumi.put("events", '{"policyEvent": {"policyName": "p", "enforcementLevel": "advisory", "message": "m"}}\n')
    assert step(previewing, "--plan", "kept/plan.json") == 0
    (call,) = pulumi.calls
    words = call.split()
    assert words[:3] == ["preview", "--json", "--event-log"]
    assert words[4:] == ["--non-interactive", "--stack", "dev", "--policy-pack", "policy"]
    record = json.loads((tmp_path / "kept" / "plan.json").read_text())
    assert record["digest"] == from_preview(preview(scaled())).digest
    assert (record["stack"], record["commit"]) == ("dev", "a" * 40)
    assert record["messages"] == [{"severity": "warning", "text": "policy p: m"}]
    assert "### Preview of dev: 1 to update" in (tmp_path / "summary.md").read_text()


def test_pulumi_gets_no_token_and_finds_the_projects_tools(pulumi, step, tmp_path):
    pulumi.answers()
    (tmp_path / ".tidegate").mkdir()
    (tmp_path / ".tidegate" / "engine").write_text("/the/engine\n")
    step(previewing, "--plan", "plan.json")
    environment = (tmp_path / "environment").read_text()
    assert TOKEN not in environment
    assert f"PATH=/the/engine:{tmp_path}/.venv/bin:{tmp_path}:" in environment
    assert "PULUMI_DEBUG_COMMANDS=true" in environment


def test_a_preview_without_a_plan_keeps_the_clis_words(pulumi, step, tmp_path, capfd):
    pulumi.put("stderr", "error: no stack named 'dev' found\n")
    pulumi.put("code-preview", "255")
    assert step(previewing, "--plan", "plan.json") == 1
    record = json.loads((tmp_path / "plan.json").read_text())
    assert record["failed"]
    assert record["messages"] == [{"severity": "error", "text": "no stack named 'dev' found"}]
    assert "no stack named 'dev' found" in capfd.readouterr().err


def test_a_preview_that_cannot_log_in_keeps_why(pulumi, step, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert step(previewing, "--plan", "plan.json") == 1
    assert "id-token: write" in json.loads((tmp_path / "plan.json").read_text())["messages"][0]["text"]
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("refresh", ["", "true"])
def test_a_deployment_updates_what_was_reviewed(server, pulumi, step, monkeypatch, refresh):
    monkeypatch.setenv("REFRESH", refresh)
    server.rights = {"actions": "read", "pull-requests": "read"}
    record = from_preview(preview(scaled())).record(stack="dev", commit="a" * 40)
    server.add_artifact(server.add_run("a" * 40), "plan-dev", {PLAN: json.dumps(record)})
    pulumi.answers(scaled())
    assert step(deploy) == 0
    assert [call.split()[0] for call in pulumi.calls] == ["preview", "up"]
    assert all(("--refresh" in call) == bool(refresh) for call in pulumi.calls)
    assert pulumi.calls[1].startswith("up --yes --skip-preview")


def test_a_deployment_that_was_not_reviewed_updates_nothing(server, pulumi, step, tmp_path):
    server.rights = {"actions": "read", "pull-requests": "read"}
    pulumi.answers(deleted())
    assert str(step(deploy)).startswith("::error::dev is not deployed: nobody has seen a preview")
    assert len(pulumi.calls) == 1
    assert "**Stopped.** nobody has seen" in (tmp_path / "summary.md").read_text()


def test_an_update_that_fails_fails_the_job(pulumi, step):
    pulumi.answers()
    pulumi.put("code-up", "3")
    assert step(deploy) == 3


def test_a_missing_right_fails_the_deployment_before_the_update(pulumi, step):
    pulumi.answers(scaled())
    assert "403" in str(step(deploy))
    assert len(pulumi.calls) == 1


def test_drift_is_looked_for_in_what_is_there(server, pulumi, step):
    server.rights = {"issues": "write"}
    pulumi.answers(scaled())
    assert step(drift) == 0
    assert "--refresh" in pulumi.calls[0]
    assert len(server.issues) == 1


def test_a_preview_that_fails_tells_of_no_drift(server, pulumi, step):
    server.rights = {"issues": "write"}
    pulumi.answers(scaled(), code=1)
    assert "whether dev has drifted cannot be told" in str(step(drift))
    assert server.issues == {}
