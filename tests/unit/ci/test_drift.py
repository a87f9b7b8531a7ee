import pytest

from tests.standins.github_server import BOT
from tests.unit.ci.plans import plan, scaled
from tools.ci.comment import MOST, marker
from tools.ci.drift import report

MARK = marker("drift", "dev")


@pytest.fixture
def repository(server):
    server.rights = {"issues": "write"}
    return server


def test_drift_opens_one_issue_and_rewrites_it(repository, github, run):
    assert report(github, plan(scaled(3, before=2)), stack="dev", run=run) == "drift: opened #1"
    assert report(github, plan(scaled(3, before=9)), stack="dev", run=run) == "drift: #1 says so"
    (issue,) = repository.issues.values()
    assert issue["title"] == "Stack dev is not what main says"
    assert issue["body"].startswith(f"{MARK}\n")
    assert "| `count` | `9` | `3` |" in issue["body"]
    assert repository.comments == {}


def test_the_issue_is_closed_when_nothing_drifts_any_more(repository, github, run):
    report(github, plan(scaled()), stack="dev", run=run)
    assert report(github, plan(), stack="dev", run=run) == "no drift any more: closed #1"
    assert (repository.issues[1]["state"], repository.issues[1]["state_reason"]) == ("closed", "completed")
    assert repository.comments[1][0]["body"] == f"Gone in [this run]({run.link})."
    assert report(github, plan(), stack="dev", run=run) == "no drift"


def test_a_new_drift_after_a_closed_one_is_a_new_issue(repository, github, run):
    for each in (plan(scaled()), plan(), plan(scaled())):
        report(github, each, stack="dev", run=run)
    assert [issue["state"] for issue in repository.issues.values()] == ["closed", "open"]


def test_no_drift_says_nothing(repository, github, run):
    assert report(github, plan(), stack="dev", run=run) == "no drift"
    assert {method for method, _ in repository.requests} == {"GET"}


def test_each_stack_has_its_issue_and_what_others_wrote_is_left_alone(repository, github, run):
    repository.issues[1] = {"number": 1, "state": "open", "user": {"login": "mallory"}, "body": f"{MARK}\n"}
    repository.issues[2] = {"number": 2, "state": "open", "user": BOT, "body": f"{MARK}\n", "pull_request": {}}
    repository.issues[3] = {"number": 3, "state": "open", "user": BOT, "body": None}
    report(github, plan(scaled()), stack="prod", run=run)
    assert report(github, plan(scaled()), stack="dev", run=run) == "drift: opened #5"
    assert report(github, plan(), stack="dev", run=run).endswith("closed #5")
    assert [repository.issues[number]["state"] for number in (1, 2, 3, 4)] == ["open"] * 4


def test_a_long_drift_fits_into_an_issue(repository, github, run):
    many = plan(*({**scaled(), "urn": scaled()["urn"] + f"{number:04}" + "x" * 80} for number in range(600)))
    report(github, many, stack="dev", run=run)
    assert len(repository.issues[1]["body"]) <= MOST
    assert repository.issues[1]["body"].endswith(f"the rest is in [this run]({run.link}).")
