"""A version that does not come up fails its own resource with the reason; what served before goes on."""

import threading
import time

import pytest

pytestmark = pytest.mark.engine

BROKEN = {
    "init raises": (
        "def init():\n    raise ValueError('no such column: age')\ndef run(data):\n    return 1\n",
        "no such column: age",
    ),
    "init hangs": (
        "import time\ndef init():\n    print('loading', flush=True)\n    time.sleep(600)\n"
        "def run(data):\n    return 1\n",
        "within 2 s",
    ),
    "missing module": (
        "import nowhere_to_be_found\ndef init():\n    pass\ndef run(data):\n    return 1\n",
        "nowhere_to_be_found",
    ),
    "no run": ("def init():\n    pass\n", "run"),
}


@pytest.fixture
def serving(stack):
    """An endpoint with one version that works."""
    stack.endpoints = {"echo": {"versions": {"one": stack.version("one", traffic=50, default=True)}}}
    stack.up().require()
    return stack


def test_a_version_that_does_not_start_fails_with_the_reason_and_the_old_one_serves(serving):
    stack = serving
    client = stack.client("echo")
    before = stack.pids("tidegate_runtime")
    for case, (text, reason) in BROKEN.items():
        broken = stack.version("broken", text, traffic=20)
        broken["livenessProbeRequirements"] = {"initialDelaySeconds": 2}
        stack.endpoints["echo"]["versions"]["broken"] = broken
        failed = stack.up().require_failure()
        assert "echo.broken" in failed.output, case
        assert reason in failed.output, case
        assert client.post("/echo/score", json=1).json()["version"] == "one", case
        assert stack.pids("tidegate_runtime") == before, case
        log = stack.tidegate("logs", "echo", "broken").require().output
        assert (reason if case != "init hangs" else "loading") in log, case

    # mended, the next up finishes the job
    stack.endpoints["echo"]["versions"]["broken"] = stack.version("broken", traffic=20)
    stack.up().require()
    assert client.post("/echo/score", json=1, headers={"x-tidegate-version": "broken"}).json()["version"] == "broken"


def test_a_version_that_fails_the_sample_gets_no_traffic_now_or_at_the_next_up(serving):
    stack = serving
    (stack.root / "sample.json").write_text('{"data": [1]}')
    stack.endpoints["echo"]["sample"] = "sample.json"
    stack.up().require()
    client = stack.client("echo")

    raises = "def init():\n    pass\ndef run(data):\n    raise KeyError('weights')\n"
    stack.version("one", raises)
    failed = stack.up().require_failure().output
    assert "did not score the sample" in failed
    assert "status 500" in failed
    assert "KeyError" in failed
    assert client.post("/echo/score", json=7).json()["data"] == 7
    named = client.post("/echo/score", json=7, headers={"x-tidegate-version": "one"})
    assert named.json()["data"] == 7

    # the engine removes what is left over before it looks at the program: the old version still has to serve
    stack.up().require_failure()
    assert client.post("/echo/score", json=8).json()["data"] == 8

    stack.version("one", "def init():\n    pass\ndef run(data):\n    return 'mended'\n")
    stack.up().require()
    assert client.post("/echo/score", json=9).json() == "mended"
    assert len(stack.pids("tidegate_runtime.sock")) == 0
    assert len(list((stack.state / "deployments").iterdir())) == 1


def test_a_removed_version_finishes_its_requests_first(stack):
    slow = """
        import time
        def init():
            pass
        def run(raw_data):
            time.sleep(float(raw_data))
            return "finished"
    """
    stack.endpoints = {
        "echo": {
            "versions": {
                "one": stack.version("one", traffic=100, default=True),
                "slow": stack.version("slow", slow, traffic=0),
            }
        }
    }
    stack.up().require()
    client = stack.client("echo")
    answers = []
    request = threading.Thread(
        target=lambda: answers.append(client.post("/echo/score", content="6", headers={"x-tidegate-version": "slow"}))
    )
    request.start()
    time.sleep(0.5)
    del stack.endpoints["echo"]["versions"]["slow"]
    up = stack.up().require()
    assert "in flight" in up.output
    request.join()
    assert (answers[0].status_code, answers[0].json()) == (200, "finished")
    assert stack.pids("slow") == []


def test_one_broken_endpoint_blocks_no_other(serving):
    stack = serving
    text, _ = BROKEN["init raises"]
    stack.endpoints["bad"] = {"versions": {"one": stack.version("bad", text)}}
    stack.endpoints["echo"]["versions"]["two"] = stack.version("two", traffic=0)
    stack.up().require_failure()
    stack.up().require_failure()
    answer = stack.client("echo").post("/echo/score", json=1, headers={"x-tidegate-version": "two"})
    assert answer.json()["version"] == "two"
