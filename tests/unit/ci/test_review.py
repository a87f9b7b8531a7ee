import json
import sys

import pytest

from tests.unit.ci.plans import deleted, plan, scaled
from tools.ci import review as module
from tools.ci.plan import Message, Plan
from tools.ci.review import LABEL, review


@pytest.fixture
def pull_request(server):
    server.rights = {"pull-requests": "write"}
    server.add_pull_request(12, head="b" * 40)
    return server


def judge(github, run, plan, *, number: int | None = 12, allowed=False):
    return review(github, plan, stack="dev", run=run, number=number, allowed=allowed)


def test_a_harmless_plan_is_shown_and_passes(pull_request, github, run):
    assert judge(github, run, plan(scaled())) == []
    (comment,) = pull_request.comments[12]
    assert comment["body"].startswith("<!-- tidegate-preview: dev -->\n### Preview of dev: 1 to update")
    assert f"[this run]({run.link})" in comment["body"]
    assert "aaaaaaaaaaaa" in comment["body"]


def test_what_goes_away_needs_the_label(pull_request, github, run):
    assert judge(github, run, plan(deleted("main.cpu"))) == [
        "main.cpu would be replaced or deleted: add the label allow-replacement if that is meant"
    ]
    assert "That needs the label `allow-replacement` here." in pull_request.comments[12][0]["body"]
    pull_request.labels[12] = ["other", LABEL]
    assert judge(github, run, plan(deleted("main.cpu"))) == []
    assert "The label `allow-replacement` is there." in pull_request.comments[12][0]["body"]


def test_a_pull_request_cannot_allow_itself(pull_request, github, run):
    assert judge(github, run, plan(deleted("main.cpu")), allowed=True)


def test_a_run_by_hand_comments_nowhere_and_is_allowed_by_its_switch(server, github, run):
    assert judge(github, run, plan(deleted("a")), number=None) == [
        "a would be replaced or deleted: run it again with allow-replacement if that is meant"
    ]
    assert judge(github, run, plan(deleted("a")), number=None, allowed=True) == []
    assert server.requests == []


def test_a_failed_preview_is_shown_with_its_errors_and_fails(pull_request, github, run):
    failed = Plan((), (Message("error", "too large"),), failed=True)
    assert judge(github, run, failed) == ["the preview failed"]
    assert "### Preview of dev: failed\n\n```text\ntoo large\n```" in pull_request.comments[12][0]["body"]


def test_a_credential_in_an_output_fails(pull_request, github, run):
    assert judge(github, run, Plan((), credentials=("the output a looks like a credential",))) == [
        "the output a looks like a credential"
    ]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (plan(deleted("a")).record(stack="dev", commit="c"), "::error::a would be replaced or deleted"),
        ({**plan(scaled()).record(stack="dev", commit="c"), "digest": "p1-0"}, "::error::the plan's steps do not give"),
        (None, "::error::there is no plan of dev; the step before says why"),
        (plan(scaled()).record(stack="dev", commit="c"), ""),
    ],
    ids=["destructive", "tampered", "missing", "fine"],
)
def test_the_step_ends_as_the_review_does(pull_request, event, tmp_path, monkeypatch, record, said):
    file = tmp_path / "plan.json"
    if record:
        file.write_text(json.dumps(record))
    monkeypatch.setattr(sys, "argv", ["review", "dev", "--plan", str(file)])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert str(ended.value.code or "").startswith(said)
    assert bool(ended.value.code) == bool(said)
