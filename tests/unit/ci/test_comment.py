import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.standins.github_server import BOT
from tests.unit.ci.plans import POOL, plan, state, step
from tools.ci.comment import MOST, body_of, marker, upsert
from tools.ci.github import GitHubError
from tools.ci.summary import summary

NOTE = "**Too long.**"
MARK = marker("preview", "dev")


def test_the_first_run_comments_and_the_next_ones_edit(server, github):
    server.rights = {"pull-requests": "write"}
    server.add_pull_request(12, head="b" * 40)
    first = upsert(github, 12, MARK, f"{MARK}\none")
    second = upsert(github, 12, MARK, f"{MARK}\ntwo")
    assert first == second
    assert [comment["body"] for comment in server.comments[12]] == [f"{MARK}\ntwo"]


def test_an_equal_text_is_not_written_again(server, github):
    server.rights = {"pull-requests": "write"}
    server.add_pull_request(12, head="b" * 40)
    upsert(github, 12, MARK, f"{MARK}\none")
    server.requests.clear()
    upsert(github, 12, MARK, f"{MARK}\none")
    assert [method for method, _ in server.requests] == ["GET"]


def test_each_stack_has_a_comment_of_its_own(server, github):
    server.rights = {"pull-requests": "write"}
    server.add_pull_request(12, head="b" * 40)
    for stack in ("dev", "prod", "dev"):
        upsert(github, 12, marker("preview", stack), f"{marker('preview', stack)}\ntext")
    assert len(server.comments[12]) == 2


def test_a_marker_in_another_ones_comment_counts_for_nothing(server, github):
    server.rights = {"pull-requests": "write"}
    server.add_pull_request(12, head="b" * 40)
    server.add_comment(12, f"{MARK}\nnothing changes, merge it", login="mallory")
    server.add_comment(12, f"> {MARK}\nquoted", login=BOT["login"])
    upsert(github, 12, MARK, f"{MARK}\nours")
    assert [comment["user"]["login"] for comment in server.comments[12]] == ["mallory", BOT["login"], BOT["login"]]


def test_a_comment_is_found_on_any_page(server, github):
    server.rights = {"pull-requests": "write"}
    server.add_pull_request(12, head="b" * 40)
    for number in range(200):
        server.add_comment(12, f"talk {number}")
    ours = server.add_comment(12, f"{MARK}\nold", login=BOT["login"])
    upsert(github, 12, MARK, f"{MARK}\nnew")
    assert ours["body"] == f"{MARK}\nnew"
    assert len(server.comments[12]) == 201


def test_a_missing_right_is_named(server, github):
    server.rights = {"contents": "read"}
    server.add_pull_request(12, head="b" * 40)
    with pytest.raises(GitHubError, match=r"403: Resource not accessible.*permissions"):
        upsert(github, 12, MARK, MARK)


def test_a_short_text_stays_whole():
    assert body_of(MARK, "text\n", note=NOTE) == f"{MARK}\ntext"


def test_github_takes_the_longest_text_and_it_ends_at_a_row(server, github):
    server.rights = {"pull-requests": "write"}
    server.add_pull_request(12, head="b" * 40)
    made = [
        step("create", POOL, f"pool{n:04}", new=state({f"property{k}": "v" * 60 for k in range(20)})) for n in range(99)
    ]
    text = summary(plan(*made), title="x")
    assert len(text) > MOST
    body = body_of(MARK, text, note=NOTE)
    upsert(github, 12, MARK, body)
    assert len(body) <= MOST
    assert MOST - len(body) < 1000
    assert body.endswith(f"</details>\n\n{NOTE}")
    last = [line for line in body.splitlines() if line.startswith("|")][-1]
    assert last in text.splitlines()
    assert body.count("<details>") == body.count("</details>")


@given(
    st.lists(
        st.sampled_from(["| a | b |", "<details><summary>x</summary>", "</details>", "```text", "```", "", "w" * 700])
    )
)
def test_a_cut_text_is_never_too_long_and_closes_its_code(lines):
    body = body_of(MARK, "\n".join([*lines, "x" * 60, *["| row | row |"] * 6000]), note=NOTE)
    assert len(body) <= MOST
    assert body.startswith(MARK)
    assert body.endswith(NOTE)
    assert len(re.findall(r"^```", body.removesuffix(NOTE), re.MULTILINE)) % 2 == 0 or "```" not in lines
