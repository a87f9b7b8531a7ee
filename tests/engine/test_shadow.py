"""A shadow: whatever becomes of it, no live answer changes; what it does is told apart; it comes and goes lightly."""

import json
import time

import httpx
import pytest

from tests.engine.harness import ECHO, wait_until

pytestmark = pytest.mark.engine

FICKLE = """
    import json, os, time
    def init():
        pass
    def run(raw_data):
        order = json.loads(raw_data)
        if os.environ["SERVICE_VERSION"] == "copy":
            if order == "die":
                os._exit(1)
            if order == "fail":
                raise ValueError("no")
            if order == "sleep":
                time.sleep(20)
        return {"version": os.environ["SERVICE_VERSION"]}
"""


@pytest.fixture
def endpoint(stack):
    """An open endpoint with a shadow that gets a copy of every request."""
    live = stack.version("live", FICKLE, default=True)
    copy = stack.version("copy", FICKLE, shadow=100, scoringTimeoutMs=30000)
    stack.endpoints = {"echo": {"auth": "none", "versions": {"live": live, "copy": copy}}}
    stack.up().require()
    return stack


def ask(stack, body: object, **headers: str) -> tuple[int, str]:
    answer = httpx.post(f"{stack.url}/echo/score", json=body, headers=headers, timeout=30)
    return answer.status_code, answer.json()["version"]


def lines(stack, version: str) -> list[dict[str, object]]:
    """What a version's server has written of its requests."""
    entries = stack.tidegate("logs", "echo", version, "--json").require().output.splitlines()
    texts = [json.loads(entry)["line"] for entry in entries]
    return [json.loads(text) for text in texts if text.startswith('{"time"')]


def test_no_fate_of_a_shadow_changes_a_live_answer(endpoint):
    stack = endpoint
    for order in ("fine", "fail", "die", "sleep"):
        for _ in range(10):
            began = time.monotonic()
            assert ask(stack, order) == (200, "live"), order
            assert time.monotonic() - began < 10, "nobody waits for a shadow's 20 s"

    wait_until(lambda: any(line["status"] == 500 for line in lines(stack, "copy")))
    assert all(line["shadow"] for line in lines(stack, "copy"))
    assert not any("shadow" in line for line in lines(stack, "live"))
    assert all(line["status"] == 200 for line in lines(stack, "live"))


def test_a_shadow_comes_and_goes_and_restarts_nothing(endpoint):
    stack = endpoint
    copy = stack.endpoints["echo"]["versions"]["copy"]
    pids = stack.pids("tidegate_runtime")
    assert stack.outputs()["endpoints"]["echo"]["shadows"] == {"copy": 100}

    del copy["shadow"]
    stack.up().require()
    before = len(lines(stack, "copy"))
    assert [ask(stack, "fine") for _ in range(10)] == [(200, "live")] * 10
    assert ask(stack, "fine", **{"x-tidegate-version": "copy"}) == (200, "copy")
    wait_until(lambda: len(lines(stack, "copy")) > before)
    assert [line.get("shadow", False) for line in lines(stack, "copy")[before:]] == [False]

    copy["traffic"] = 100  # promoted, from the one who watched
    stack.up().require()
    assert ask(stack, "fine") == (200, "copy")
    assert stack.pids("tidegate_runtime") == pids


def test_a_shadow_that_is_removed_is_missed_by_nobody(endpoint):
    stack = endpoint
    stack.endpoints["echo"]["versions"]["copy"] = stack.version("copy", ECHO, shadow=50)
    stack.up().require()
    assert ask(stack, "fine") == (200, "live")
    del stack.endpoints["echo"]["versions"]["copy"]
    stack.up().require()
    assert ask(stack, "fine") == (200, "live")
