import json

import pytest

from tests.unit.ci.plans import deleted, plan, scaled
from tools.ci.deploy import refusal
from tools.ci.plan import Plan
from tools.ci.reviewed import PLAN, WAY_OUT, NotReviewedError, artifact, reviewed

MERGED, HEAD = "d" * 40, "b" * 40
SEEN = plan(scaled())


@pytest.fixture
def repository(server):
    """Pull request 12 was merged."""
    server.rights = {"actions": "read", "pull-requests": "read"}
    server.add_pull_request(12, head=HEAD, merged_as=MERGED)
    return server


def preview_of(server, head, plan=SEEN, *, stack="dev", expired=False, **run):
    identity = server.add_run(head, **run)
    record = json.dumps(plan.record(stack=stack, commit=head))
    server.add_artifact(identity, artifact("dev"), {PLAN: record}, expired=expired)
    return identity


def test_the_plan_of_the_merged_pull_request_is_found(repository, github):
    identity = preview_of(repository, HEAD)
    found = reviewed(github, MERGED, "dev")
    assert found.plan == SEEN
    assert found.link.endswith(f"/runs/{identity}")


def test_the_newest_preview_counts(repository, github):
    preview_of(repository, HEAD, plan(deleted("old")))
    preview_of(repository, HEAD)
    assert reviewed(github, MERGED, "dev").plan == SEEN


def test_a_run_that_was_cancelled_or_goes_on_does_not_count(repository, github):
    preview_of(repository, HEAD)
    repository.add_run(HEAD, conclusion="cancelled")
    repository.add_run(HEAD, conclusion=None)
    assert reviewed(github, MERGED, "dev").plan == SEEN


def test_a_preview_of_the_commit_itself_comes_before_the_pull_requests(repository, github):
    preview_of(repository, HEAD, plan(deleted("old")))
    preview_of(repository, MERGED)
    assert reviewed(github, MERGED, "dev").plan == SEEN


def refused(github, words):
    with pytest.raises(NotReviewedError) as caught:
        reviewed(github, MERGED, "dev")
    assert words in str(caught.value)
    assert str(caught.value).endswith(WAY_OUT)


def test_a_commit_without_a_pull_request_was_seen_by_nobody(server, github):
    server.rights = {"actions": "read", "pull-requests": "read"}
    refused(github, "nobody has seen a preview of dddddddddddd")


def test_a_pull_request_that_came_in_as_another_commit_does_not_count(repository, github):
    preview_of(repository, HEAD)
    repository.pulls[MERGED][0]["merge_commit_sha"] = "e" * 40
    refused(github, "nobody has seen")


def test_an_artifact_of_another_workflow_does_not_count(repository, github):
    preview_of(repository, HEAD, path=".github/workflows/mine.yml")
    refused(github, "nobody has seen")


def test_a_preview_that_did_not_pass_does_not_count_though_an_older_one_did(repository, github):
    preview_of(repository, HEAD)
    preview_of(repository, HEAD, conclusion="failure")
    refused(github, "the newest preview of pull request #12 did not pass")


def test_a_plan_that_is_gone_is_said(repository, github):
    preview_of(repository, HEAD, expired=True)
    refused(github, "has no plan of dev any more")


@pytest.mark.parametrize("content", ['{"stack": "prod"}', "{}", "no JSON", '{"stack": "dev", "format": 0}'])
def test_a_plan_that_is_none_is_refused(repository, github, content):
    identity = repository.add_run(HEAD)
    repository.add_artifact(identity, artifact("dev"), {PLAN: content})
    refused(github, "the reviewed plan cannot be read")


# -- what the deployment makes of it


def decide(github, now):
    return refusal(github, now, commit=MERGED, stack="dev")


def test_the_reviewed_plan_may_be_carried_out(repository, github):
    preview_of(repository, HEAD)
    assert decide(github, plan(scaled())) == ""


def test_a_plan_that_moved_is_refused_with_the_difference_and_the_way_out(repository, github):
    preview_of(repository, HEAD)
    said = decide(github, plan(scaled(3, before=9)))
    assert "main.cpu: count was 2 -> 3 when reviewed, is 9 -> 3 now`" in said
    assert said.endswith(WAY_OUT)


def test_nothing_to_do_needs_no_review(server, github):
    assert decide(github, plan()) == ""
    assert server.requests == []


def test_a_plan_that_nobody_saw_is_refused(server, github):
    server.rights = {"actions": "read", "pull-requests": "read"}
    assert decide(github, SEEN).startswith("nobody has seen")


def test_a_failed_preview_is_never_carried_out(repository, github):
    failed = Plan(SEEN.steps, failed=True)
    preview_of(repository, HEAD, failed)
    assert decide(github, failed) == "The preview failed."
    assert decide(github, Plan((), credentials=("x",))) == "An output would show a credential."
