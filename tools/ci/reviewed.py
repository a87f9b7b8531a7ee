"""The plan that was reviewed before a commit was merged."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from tools.ci.github import GitHub, Json
from tools.ci.plan import Plan, from_record

WORKFLOW = "preview.yml"
PLAN = "plan.json"
WAY_OUT = (
    "Run the workflow preview on main (Actions, preview, Run workflow), read what it plans, then re-run this job: it "
    "takes that plan for the reviewed one."
)

_JUDGED = frozenset({"success", "failure"})


class NotReviewedError(Exception):
    """There is no plan that anybody could have reviewed; the text says what there is and the way out."""


@dataclass(frozen=True)
class Reviewed:
    """A plan, and the run that showed it."""

    plan: Plan
    link: str


def artifact(stack: str) -> str:
    """What the preview's run keeps a stack's plan as."""
    return f"plan-{stack}"


def reviewed(github: GitHub, commit: str, stack: str) -> Reviewed:
    """The plan of the newest preview of `commit` itself, else of the pull request that it came in by.

    Only a run of the workflow preview counts, and only where it passed: an artifact of the same name can be made by any
    workflow. Raises NotReviewedError.
    """
    for head, what in _heads(github, commit):
        runs = [run for run in _runs(github, head) if run["conclusion"] in _JUDGED]
        if not runs:
            continue
        run = max(runs, key=lambda each: (each["run_number"], each.get("run_attempt", 1)))
        if run["conclusion"] != "success":
            raise NotReviewedError(f"the newest preview of {what} did not pass: {run['html_url']}. {WAY_OUT}")
        for each in github.pages(f"actions/runs/{run['id']}/artifacts", "artifacts", name=artifact(stack)):
            if each["name"] == artifact(stack) and not each["expired"]:
                return Reviewed(_read(github.download(f"actions/artifacts/{each['id']}/zip"), stack), run["html_url"])
        raise NotReviewedError(f"the preview {run['html_url']} has no plan of {stack} any more. {WAY_OUT}")
    raise NotReviewedError(f"nobody has seen a preview of {commit[:12]}. {WAY_OUT}")


def _heads(github: GitHub, commit: str) -> Iterator[tuple[str, str]]:
    yield commit, f"commit {commit[:12]}"
    for pull in github.get(f"commits/{commit}/pulls"):
        if pull.get("merged_at") and pull.get("merge_commit_sha") == commit:
            yield pull["head"]["sha"], f"pull request #{pull['number']}"


def _runs(github: GitHub, head: str) -> list[Json]:
    return list(github.pages(f"actions/workflows/{WORKFLOW}/runs", "workflow_runs", head_sha=head))


def _read(content: bytes, stack: str) -> Plan:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            record = json.loads(archive.read(PLAN))
        if record["stack"] != stack:
            raise ValueError(f"it is of {record['stack']}")
        return from_record(record)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise NotReviewedError(f"the reviewed plan cannot be read: {error}. {WAY_OUT}") from error
