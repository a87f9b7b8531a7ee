"""Tokens of the local issuer: how they are had, how keys and the way in change under load, and where keys stay."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.engine.harness import Stack, wait_until

pytestmark = pytest.mark.engine

APPLICATION = "66666666-7777-8888-9999-000000000000"
TOKEN = {"tenantId": "11111111-2222-3333-4444-555555555555", "applicationId": APPLICATION}
PATH = "/api/v1/service/echo/score"


@pytest.fixture
def endpoint(stack: Stack) -> Stack:
    """An endpoint that takes tokens, whose version has scored a sample."""
    (stack.root / "sample.json").write_text("1")
    stack.endpoints = {
        "echo": {"auth": {"token": TOKEN}, "sample": "sample.json", "versions": {"one": stack.version("one")}}
    }
    stack.up().require()
    return stack


def status(stack: Stack, bearer: str | None, client: httpx.Client | None = None) -> int:
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    return (client or httpx).post(stack.url + PATH, json=1, headers=headers, timeout=30).status_code


def token(stack: Stack, *options: str) -> str:
    return json.loads(stack.tidegate("token", "echo", "--json", *options).require().output)["token"]


def test_a_token_is_printed_and_used(endpoint):
    stack = endpoint
    printed = stack.tidegate("token", "echo").require().output
    assert status(stack, printed.strip()) == 200
    assert [status(stack, token(stack, *options)) for options in (
        ("--role", "Another"), ("--role", ""), ("--audience", "another"), ("--expires-in", "-600")
    )] == [403, 403, 403, 401]  # fmt: skip
    answer = json.loads(stack.tidegate("score", "echo", "--data", "5", "--json").require().output)
    assert (answer["status"], answer["body"]["data"]) == (200, 5)
    shown = stack.outputs()["endpoints"]["echo"]
    assert shown["auth"] == "token"
    assert shown["token"] == {"issuer": f"{stack.url}/tokens", "audience": APPLICATION, "role": "Score.Invoke"}
    assert stack.outputs()["keys"] == {"echo": {}}

    # what signs is the owner's alone, and in no state, no event and no output
    (file,) = stack.state.glob("tokens/*")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" in file.read_text()
    kept = [path for path in stack.root.rglob("*") if path.is_file() and not path.is_symlink() and path != file]
    assert not [path for path in kept if b"PRIVATE KEY" in path.read_bytes()]

    # a gateway that starts again knows the keys
    (pid,) = stack.pids("bootstrap.json")
    before = token(stack)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: stack.pids("bootstrap.json") not in ([], [pid]))
    wait_until(lambda: _answers(stack))
    assert (status(stack, before), status(stack, None)) == (200, 401)


def _answers(stack: Stack) -> bool:
    try:
        return status(stack, None) == 401
    except httpx.HTTPError:
        return False


@contextmanager
def asking(count: int, ask: Callable[[httpx.Client], Any]) -> Iterator[Counter[Any]]:
    """So many clients that ask without a pause on connections of their own; what they were answered."""
    seen: Counter[Any] = Counter()
    done = threading.Event()

    def work() -> None:
        with httpx.Client() as client:
            while not done.is_set():
                try:
                    seen[ask(client)] += 1
                except httpx.HTTPError as error:
                    seen[repr(error)] += 1
                time.sleep(0.002)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_another_key_of_the_issuer_ends_no_token(endpoint):
    stack = endpoint
    before = token(stack)
    with asking(2, lambda client: status(stack, before, client)) as seen:
        stack.extra = {"tidegate:gateway": {"port": stack.port, "tokenRotation": 2}}
        stack.up().require()
        after = token(stack)
        assert status(stack, after) == 200
    assert seen.keys() == {200}, seen
    assert before.split(".")[0] != after.split(".")[0], "another key id"
    again = stack.preview().require().output
    assert "to update" not in again
    assert "to replace" not in again


def test_no_request_is_let_in_unchecked_while_the_way_in_changes(endpoint):
    stack, versions = endpoint, endpoint.endpoints["echo"]["versions"]
    pids = stack.pids("tidegate_runtime")
    stranger = token(stack, "--audience", "another")
    other = TOKEN | {"applicationId": "99999999-7777-8888-9999-000000000000", "role": None}
    other = {name: value for name, value in other.items() if value}
    with (
        asking(2, lambda client: status(stack, None, client)) as nobody,
        asking(1, lambda client: status(stack, stranger, client)) as strangers,
    ):
        for auth, good in (
            ("key", lambda: stack.key("echo")),
            ({"token": TOKEN}, lambda: token(stack)),
            ({"token": other}, lambda: token(stack)),
            ({"token": other | {"role": "Another"}}, lambda: token(stack)),
        ):
            last = token(stack) if isinstance(stack.endpoints["echo"]["auth"], dict) else stack.key("echo")
            stack.endpoints["echo"] = {"auth": auth, "sample": "sample.json", "versions": versions}
            stack.up().require()
            assert (status(stack, good()), status(stack, last) in (401, 403)) == (200, True)
    assert nobody.keys() == {401}, nobody
    assert strangers.keys() <= {401, 403}, strangers
    assert stack.pids("tidegate_runtime") == pids, "who may call is the gateway's business alone"
