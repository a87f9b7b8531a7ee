import pytest

from tests.standins.github_server import TOKEN, RefusedError
from tools.ci.github import MOST_WAIT_S, TRIES, GitHub, GitHubError, Run


def test_a_passing_failure_is_asked_again_as_long_as_github_says(server, github, pauses):
    server.rights = {"issues": "read"}
    server.failures = [RefusedError(429, "slow down", {"retry-after": "7"}), RefusedError(502, "oops")]
    assert list(github.pages("issues")) == []
    assert pauses == [7.0, 4.0]


def test_a_second_limit_that_answers_403_is_asked_again(server, github, pauses):
    server.rights = {"issues": "read"}
    server.failures = [RefusedError(403, "secondary rate limit", {"retry-after": "9999"})]
    assert list(github.pages("issues")) == []
    assert pauses == [MOST_WAIT_S]


def test_it_gives_up_with_githubs_words(server, github, pauses):
    server.failures = [RefusedError(503, "unicorn")] * TRIES
    with pytest.raises(GitHubError, match="GET issues: GitHub answered 503: unicorn"):
        github.get("issues")
    assert len(pauses) == TRIES - 1


def test_what_github_may_have_made_is_not_made_twice(server, github, pauses):
    server.failures = [RefusedError(502, "oops")]
    with pytest.raises(GitHubError, match="502"):
        github.post("issues", {"title": "a", "body": "b"})
    assert pauses == []
    assert server.issues == {}


def test_a_refusal_is_final(server, github, pauses):
    with pytest.raises(GitHubError, match="404: Not Found"):
        github.get("nonsense")
    assert pauses == []


def test_no_error_holds_the_token(server, run, pauses):
    with GitHub(run, "ghs_wrong", wait=pauses.append) as github, pytest.raises(GitHubError) as caught:
        github.get("issues")
    assert "401: Bad credentials" in str(caught.value)
    assert "ghs_wrong" not in str(caught.value)


def test_a_github_out_of_reach_is_said(pauses):
    run = Run("a/b", "https://g", "http://127.0.0.1:9", "1", "1", "c" * 40)
    with (
        GitHub(run, TOKEN, wait=pauses.append) as github,
        pytest.raises(GitHubError, match="cannot be reached: ConnectError"),
    ):
        github.get("issues")
    assert len(pauses) == TRIES - 1


def test_a_list_is_read_to_its_end(server, github):
    server.rights = {"issues": "read"}
    for number in range(1, 251):
        server.add_pull_request(number, head="b" * 40)
    assert [issue["number"] for issue in github.pages("issues")] == list(range(1, 251))


def test_a_file_is_fetched_without_the_token(server, github):
    server.rights = {"actions": "read"}
    run = server.add_run("b" * 40)
    server.add_artifact(run, "plan-dev", {"plan.json": "{}"})
    (artifact,) = github.pages(f"actions/runs/{run}/artifacts", "artifacts")
    assert github.download(f"actions/artifacts/{artifact['id']}/zip")[:2] == b"PK"
