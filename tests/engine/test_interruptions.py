"""What is killed, interrupted or already there: nothing is lost, nothing stays behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import httpx
import pytest

from providers.local.deployment import remove_unknown
from providers.local.layout import Layout
from tests.engine.harness import wait_until

pytestmark = pytest.mark.engine

SLOW_START = "import time\ndef init():\n    time.sleep(4)\ndef run(data):\n    return 'slow'\n"


@pytest.fixture
def serving(stack):
    """An endpoint with two versions that work."""
    one, two = stack.version("one", traffic=50, default=True), stack.version("two", traffic=50)
    stack.endpoints = {"echo": {"versions": {"one": one, "two": two}}}
    stack.up().require()
    return stack


def test_a_taken_port_is_named_with_its_holder(stack):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", stack.port))
        taken.listen()
        stack.endpoints = {"echo": {"versions": {"one": stack.version("one")}}}
        failed = stack.up().require_failure().output
    assert f"port {stack.port} is taken by" in failed
    assert f"(process {os.getpid()})" in failed
    assert "tidegate:gateway.port" in failed
    stack.up().require()


def test_a_killed_scoring_process_comes_back_and_disturbs_no_other(serving):
    stack, client = serving, serving.client("echo")
    victims = [pid for pid in stack.pids("tidegate_runtime") if "echo.one-" in stack.processes()[pid]]
    seen: Counter[tuple[str, int]] = Counter()
    stop = threading.Event()

    def ask(version: str) -> None:
        while not stop.is_set():
            began = time.monotonic()
            answer = client.post("/echo/score", json=1, headers={"x-tidegate-version": version})
            assert time.monotonic() - began < 5
            seen[version, answer.status_code] += 1
            time.sleep(0.01)

    threads = [threading.Thread(target=ask, args=(version,)) for version in ("one", "two")]
    for thread in threads:
        thread.start()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: seen["one", 503] > 0 or seen["one", 200] > 50)
    wait_until(lambda: client.post("/echo/score", json=1, headers={"x-tidegate-version": "one"}).status_code == 200)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(seen) <= {("one", 200), ("one", 503), ("two", 200)}
    status = stack.tidegate("status", "--json").require().output
    assert '"restarts": 1' in status


def test_a_killed_envoy_comes_back_with_the_same_configuration(serving):
    stack, client = serving, serving.client("echo")
    for pid in stack.pids("bin/envoy "):
        os.kill(pid, signal.SIGKILL)

    def serves() -> bool:
        try:
            return client.post("/echo/score", json=1, headers={"x-tidegate-version": "two"}).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(serves)
    assert httpx.post(f"{stack.url}/echo/score", json=1).status_code == 401
    stack.up("--expect-no-changes").require()


def test_after_a_reboot_refresh_sees_it_and_up_heals_it_with_the_same_keys(serving):
    stack = serving
    keys = stack.outputs()["keys"]
    (supervisord,) = stack.pids("supervisor.supervisord")
    os.kill(supervisord, signal.SIGKILL)
    wait_until(lambda: not stack.processes())
    drift = stack.pulumi("preview", "--refresh", "--non-interactive", "--expect-no-changes")
    drift.require_failure()
    stack.up().require()
    assert stack.outputs()["keys"] == keys
    assert stack.client("echo").post("/echo/score", json=1).status_code == 200


@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing_half_made_and_the_next_one_finishes(serving, interruption):
    stack = serving
    before = stack.pids("tidegate_runtime")
    stack.endpoints["echo"]["versions"]["slow"] = stack.version("slow", SLOW_START, traffic=0)
    stack.write()
    up = stack.start("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local")
    wait_until(lambda: len(stack.pids("tidegate_runtime")) > len(before))
    up.send_signal(interruption)
    output, _ = up.communicate(timeout=60)
    assert up.returncode != 0, output
    wait_until(lambda: stack.pids("tidegate_runtime") == before)
    stack.up().require()
    answer = stack.client("echo").post("/echo/score", json=1, headers={"x-tidegate-version": "slow"})
    assert answer.json() == "slow"


def test_make_up_heals_what_a_killed_engine_leaves(serving):
    stack = serving
    before = stack.pids("tidegate_runtime")
    stack.endpoints["echo"]["versions"]["slow"] = stack.version("slow", SLOW_START, traffic=0)
    stack.write()
    up = stack.start("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local")
    wait_until(lambda: len(stack.pids("tidegate_runtime")) > len(before))
    up.kill()
    up.communicate()
    # the plugin sees that its engine is gone, and takes back what it had begun
    wait_until(lambda: stack.pids("tidegate_runtime") == before)
    assert "lock" in stack.up().require_failure().output
    healed = stack.run(sys.executable, "-m", "tools.up").require().output
    assert "releasing its lock" in healed
    answer = stack.client("echo").post("/echo/score", json=1, headers={"x-tidegate-version": "slow"})
    assert answer.json() == "slow"


def test_a_second_up_is_told_of_the_first(serving):
    stack = serving
    stack.endpoints["echo"]["versions"]["slow"] = stack.version("slow", SLOW_START, traffic=0)
    before = stack.pids("tidegate_runtime")
    stack.write()
    first = stack.start("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local")
    wait_until(lambda: len(stack.pids("tidegate_runtime")) > len(before))
    second = stack.up().require_failure().output
    assert "locked" in second
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 0, output


def test_destroy_leaves_no_process_socket_or_file(serving):
    stack = serving
    assert stack.processes()
    stack.destroy().require()
    assert not stack.processes()
    assert not stack.state.exists()


def test_deployments_that_no_state_knows_are_ended(serving):
    stack = serving
    known = [folder.name for folder in (stack.state / "deployments").iterdir() if ".one-" in folder.name]
    stack.up().require()
    (unknown,) = remove_unknown(Layout(stack.state), known)
    assert unknown.startswith("echo.two-")
    assert not [command for command in stack.processes().values() if unknown in command]
    assert stack.client("echo").post("/echo/score", json=1, headers={"x-tidegate-version": "one"}).status_code == 200


def test_destroy_works_after_a_reboot(serving):
    stack = serving
    (supervisord,) = stack.pids("supervisor.supervisord")
    os.kill(supervisord, signal.SIGKILL)
    wait_until(lambda: not stack.processes())
    stack.destroy().require()
    assert not stack.state.exists()


def test_a_version_that_can_no_longer_start_is_seen_and_healed(serving):
    stack = serving
    (folder,) = (stack.state / "deployments").glob("echo.one-*")
    shutil.rmtree(folder / "source")
    for pid in stack.pids("tidegate_runtime"):
        if folder.name in stack.processes().get(pid, ""):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "0/1" in stack.tidegate("status").output)
    stack.up().require()
    answer = stack.client("echo").post("/echo/score", json=1, headers={"x-tidegate-version": "one"})
    assert answer.status_code == 200


@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGTERM])
def test_make_up_interrupted_as_by_ctrl_c_ends_in_order(serving, interruption):
    stack = serving
    before = stack.pids("tidegate_runtime")
    stack.endpoints["echo"]["versions"]["slow"] = stack.version("slow", SLOW_START, traffic=0)
    stack.write()
    command = [sys.executable, "-m", "tools.up"]
    up = subprocess.Popen(
        command, cwd=stack.root, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    wait_until(lambda: len(stack.pids("tidegate_runtime")) > len(before))
    os.killpg(up.pid, interruption)
    output, _ = up.communicate(timeout=60)
    assert up.returncode != 0, output
    assert "Traceback" not in output
    wait_until(lambda: stack.pids("tidegate_runtime") == before)
    stack.up().require()


def test_two_environments_are_built_at_once(stack):
    versions = {}
    for name, package in (("one", "six"), ("two", "iniconfig")):
        dependencies = {"dependencies": [{"pip": [package]}]}
        versions[name] = stack.version(name, traffic=50, environment={"python": {"condaDependencies": dependencies}})
    versions["one"]["default"] = True
    stack.endpoints = {"echo": {"versions": versions}}
    stack.up().require()
