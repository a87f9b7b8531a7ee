"""The pull-request workflows' steps, on the real engine, a pretended Azure and a strict GitHub."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.engine.azure_harness import CLUSTER, AzureStack
from tests.engine.harness import CHECKOUT, Result
from tests.standins.github_server import GitHubServer

pytestmark = pytest.mark.engine

HEAD, MERGED = "b" * 40, "d" * 40
IDENTITY = {"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant", "AZURE_SUBSCRIPTION_ID": "subscription"}


@dataclass
class Repository:
    """Pull request 12 of a repository, and the jobs that run for it."""

    azure: AzureStack
    server: GitHubServer
    folder: Path
    said: list[str] = field(default_factory=list)
    """All that the jobs have printed or shown."""

    def run(self, step: str, *arguments: str, job: str, **variables: str) -> Result:
        """A step as its workflow runs it, with the permissions of its `job`, e.g. `preview.yml/preview`."""
        self.azure.write()
        workflow, name = job.split("/")
        written = YAML(typ="safe").load(CHECKOUT / ".github" / "workflows" / workflow)
        self.server.rights = written["jobs"][name]["permissions"]
        summary = self.folder / "summary.md"
        summary.write_text("")
        # What the harness has of a login stays: the pretended Azure takes no federated one.
        environment = {**IDENTITY, **self.azure.environment, **self.server.variables, **variables}
        done = subprocess.run(
            [sys.executable, "-m", f"tools.ci.{step}", self.azure.name, *arguments],
            check=False, cwd=self.azure.root, env=environment | {"GITHUB_STEP_SUMMARY": str(summary)},
            text=True, timeout=300, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.said += [done.stdout, summary.read_text()]
        return Result(done.returncode, done.stdout)

    @property
    def file(self) -> Path:
        return self.folder / "plan.json"

    def pull_request(self) -> tuple[Result, Result]:
        """The workflow preview for the pull request; its two steps."""
        event = self.folder / "event.json"
        event.write_text('{"pull_request": {"number": 12}}')
        return self._preview(HEAD, GITHUB_EVENT_PATH=str(event))

    def by_hand(self, **inputs: str) -> tuple[Result, Result]:
        """The workflow preview on main."""
        return self._preview(MERGED, **inputs)

    def _preview(self, head: str, **variables: str) -> tuple[Result, Result]:
        seen = self.run("preview", "--plan", str(self.file), job="preview.yml/preview", **variables)
        judged = self.run("review", "--plan", str(self.file), job="preview.yml/preview", **variables)
        identity = self.server.add_run(head, conclusion="success" if seen.ok and judged.ok else "failure")
        self.server.add_artifact(identity, f"plan-{self.azure.name}", {"plan.json": self.file.read_text()})
        return seen, judged

    def deploy(self, **inputs: str) -> Result:
        return self.run("deploy", job="deploy.yml/dev", GITHUB_SHA=MERGED, **inputs)

    def drift(self) -> Result:
        return self.run("drift", job="drift.yml/drift")

    @property
    def comment(self) -> str:
        (comment,) = self.server.comments[12]
        return comment["body"]

    @property
    def issue(self) -> dict[str, Any]:
        (issue,) = [issue for issue in self.server.issues.values() if "pull_request" not in issue]
        return issue


@pytest.fixture
def repository(azure: AzureStack, tmp_path: Path) -> Iterator[Repository]:
    with GitHubServer().running() as server:
        server.add_pull_request(12, head=HEAD, merged_as=MERGED)
        folder = tmp_path / "runner"
        folder.mkdir()
        yield Repository(azure, server, folder)


def pool(azure: AzureStack, name: str) -> str:
    """The ARM path of a pool by its name without the hash."""
    (found,) = [each["name"] for each in azure.azure()["properties"]["agentPoolProfiles"] if each["name"][:-4] == name]
    return f"{CLUSTER}/agentPools/{found}"


def test_a_change_is_shown_then_allowed_then_deployed_as_it_was_shown(repository: Repository) -> None:
    azure = repository.azure
    azure.main["pools"]["cpu"] = {"count": 3, "vmSize": "Standard_D8s_v5"}
    seen, judged = repository.pull_request()
    seen.require()
    assert "would be replaced or deleted: add the label allow-replacement" in judged.require_failure().output
    assert "That needs the label `allow-replacement` here." in repository.comment
    assert "| **delete** | `main.cpu" in repository.comment
    assert '| `vmSize` |  | `"Standard_D8s_v5"` |' in repository.comment
    assert "policy protected-advice" in repository.comment

    repository.server.labels[12] = ["allow-replacement"]
    for step in repository.pull_request():
        step.require()
    assert "The label `allow-replacement` is there." in repository.comment  # the same comment, edited

    repository.deploy().require()
    assert azure.pools()["cpu"]["vmSize"] == "Standard_D8s_v5"


def test_the_comment_begins_with_what_happens_to_endpoints(repository: Repository) -> None:
    azure = repository.azure
    version = {"image": f"registry.example.com/echo@sha256:{'5' * 64}"}
    azure.config["tidegate:endpoints"] = {"echo": {"versions": {"one": version}}}
    for step in repository.pull_request():
        step.require()
    lines = repository.comment.splitlines()
    title = next(number for number, line in enumerate(lines) if line.startswith("### Preview of dev"))
    assert lines[title + 2 :][:5] == [
        "#### Endpoint echo: new",
        "",
        "| version | weight | image | replicas | pods |",
        "| --- | --- | --- | --- | --- |",
        "| one | 100 % | new | 1-10 | new |",
    ]
    assert "- **keys**: primary made; secondary made" in lines


def test_a_state_that_moved_stops_the_deployment_until_it_was_seen_again(repository: Repository) -> None:
    azure = repository.azure
    azure.main["pools"]["cpu"]["count"] = 4
    for step in repository.pull_request():
        step.require()
    azure.main["pools"]["cpu"]["count"] = 3  # somebody else's merge
    azure.up().require()

    azure.main["pools"]["cpu"]["count"] = 4
    stopped = repository.deploy().require_failure()
    assert "count was 2 -> 4 when reviewed, is 3 -> 4 now" in stopped.output
    assert "Run the workflow preview on main" in stopped.output
    assert azure.pools()["cpu"]["count"] == 3

    for step in repository.by_hand():
        step.require()
    repository.deploy().require()
    assert azure.pools()["cpu"]["count"] == 4


def test_what_nobody_reviewed_is_not_deployed(repository: Repository) -> None:
    repository.azure.main["pools"]["cpu"]["count"] = 4
    assert "nobody has seen a preview of dddddddddddd" in repository.deploy().require_failure().output
    assert repository.azure.pools()["cpu"]["count"] == 2


def test_drift_is_told_once_leaves_the_autoscalers_part_out_and_can_be_undone(repository: Repository) -> None:
    azure = repository.azure
    azure.edit(pool(azure, "burst"), count=4)
    assert "no drift" in repository.drift().require().output

    azure.edit(pool(azure, "cpu"), count=7)
    repository.drift().require()
    assert "| `count` | `7` | `2` |" in repository.issue["body"]
    assert "burst" not in repository.issue["body"]

    for step in repository.by_hand(REFRESH="true"):
        step.require()
    repository.deploy(REFRESH="true").require()
    assert (azure.pools()["cpu"]["count"], azure.pools()["burst"]["count"]) == (2, 4)
    assert "closed #13" in repository.drift().require().output
    assert repository.issue["state"] == "closed"


def test_a_mistake_in_the_config_is_in_the_comment_and_deploys_nothing(repository: Repository) -> None:
    repository.azure.main["pools"]["cpu"]["count"] = -1
    seen, judged = repository.pull_request()
    assert not seen.ok
    assert not judged.ok
    assert "### Preview of dev: failed" in repository.comment
    assert "tidegate:clusters.main.pools.cpu.count" in repository.comment
    assert "The preview failed" in repository.deploy().require_failure().output


def test_nothing_that_is_shown_or_kept_holds_a_secret(repository: Repository) -> None:
    azure = repository.azure
    azure.main["tls"] = azure.certificate("second")
    repository.server.labels[12] = ["allow-replacement"]
    repository.pull_request()
    repository.deploy().require()
    keys = [(azure.root / f"{name}.key").read_text().splitlines()[1] for name in ("first", "second")]
    shown = "\n".join([*repository.said, repository.comment, repository.file.read_text()])
    assert "[secret]" in repository.comment
    for key in keys:
        assert key not in shown
    for secret in azure.outputs()["kubeconfigs"].values():
        assert secret not in shown


def test_the_program_does_not_see_githubs_token_and_logs_in_by_a_fresh_one(
    repository: Repository, tmp_path: Path
) -> None:
    """With a `pulumi` that writes down how it was called."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "pulumi").write_text('#!/bin/sh\nenv >"$SEEN"; cat "$AZURE_FEDERATED_TOKEN_FILE" >>"$SEEN"; echo "{}"\n')
    (bin_ / "pulumi").chmod(0o755)
    seen = tmp_path / "seen"
    variables = {**repository.server.oidc, "PATH": f"{bin_}:{os.environ['PATH']}", "SEEN": str(seen)}
    repository.run("deploy", job="deploy.yml/dev", **variables).require()
    text = seen.read_text()
    assert repository.server.variables["GITHUB_TOKEN"] not in text
    assert "ARM_USE_OIDC=true" in text
    assert text.endswith("token-1")
