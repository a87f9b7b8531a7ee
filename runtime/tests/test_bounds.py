"""Concurrency, waiting, timeouts and sizes, under load and with real processes."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_servers import Server, free_port, wait_for
from tidegate_runtime.bounds import QueueFullError, ScoringTimeout, Slot, Slots

Serve = Callable[..., Server]

SCRIPT = """
    import ctypes, json, os, threading, time

    def init():
        global running, most, lock, numbers
        running = most = 0
        numbers = []
        lock = threading.Lock()

    def run(data):
        global running, most
        asked = json.loads(data)
        with lock:
            running += 1
            most = max(most, running)
        try:
            if "number" in asked:
                numbers.append(asked["number"])
            while "wait_for" in asked and not os.path.exists(asked["wait_for"]):
                time.sleep(0.01)
            if "sleep" in asked:
                time.sleep(asked["sleep"])
            if "spin" in asked:
                while True:
                    pass
            if "swallow" in asked:
                try:
                    while True:
                        pass
                except BaseException:
                    return "swallowed"
            if "hold" in asked:  # native code that keeps the interpreter's lock
                ctypes.PyDLL(None).sleep(60)
            return {"most": most, "numbers": numbers}
        finally:
            with lock:
                running -= 1
"""


def post(server: Server, body: object, **headers: str) -> httpx.Response:
    with server.client() as client:
        return client.post("/score", json=body, headers=headers)


def stamp(ago_s: float = 0.0) -> dict[str, str]:
    return {"x-request-start": f"t={time.time() - ago_s:.6f}"}


class Queue:
    """A server whose requests wait for long, how many do, and a file that a run waits for."""

    def __init__(self, serve: Serve, folder: Path) -> None:
        self.gate = folder / "gate"
        self._port = free_port()
        variables = {"TIDEGATE_MAX_QUEUE_WAIT_MS": "60000"}
        self.server = serve(SCRIPT, variables=variables, options=["--metrics-port", str(self._port)])

    def running(self) -> int:
        return self._gauge("tidegate_requests_in_flight")

    def waiting(self) -> int:
        return self._gauge("tidegate_requests_queued")

    def _gauge(self, name: str) -> int:
        lines = httpx.get(f"http://127.0.0.1:{self._port}/metrics").text.splitlines()
        return int(next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{name}{{")))


@pytest.mark.parametrize("concurrency", [1, 3])
def test_never_more_runs_than_allowed(serve: Serve, concurrency: int) -> None:
    variables = {"TIDEGATE_MAX_CONCURRENT_REQUESTS": str(concurrency), "TIDEGATE_MAX_QUEUE_WAIT_MS": "10000"}
    server = serve(SCRIPT, variables=variables)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(server, {"sleep": 0.02}), range(60)))
    assert {answer.status_code for answer in answers} == {200}
    assert max(answer.json()["most"] for answer in answers) == concurrency


def test_a_full_queue_answers_503_when_the_wait_is_over(serve: Serve) -> None:
    server = serve(SCRIPT)
    with ThreadPoolExecutor(25) as pool:
        long = pool.submit(post, server, {"sleep": 3})
        time.sleep(0.3)

        def timed(_: int) -> tuple[int, float, str]:
            started = time.monotonic()
            answer = post(server, {}, **stamp())
            return answer.status_code, time.monotonic() - started, answer.headers.get("retry-after", "")

        waits = list(pool.map(timed, range(24)))
        assert long.result().status_code == 200
    assert {(status, retry) for status, _, retry in waits} == {(503, "1")}
    assert min(wait for _, wait, _ in waits) > 0.4


def test_the_gateways_stamp_counts_from_arrival(serve: Serve) -> None:
    server = serve(SCRIPT)
    with ThreadPoolExecutor() as pool:
        pool.submit(post, server, {"sleep": 2})
        time.sleep(0.3)
        started = time.monotonic()
        assert post(server, {}, **stamp(ago_s=10)).status_code == 503
        assert time.monotonic() - started < 0.4
        assert post(server, {}, **{"x-request-start": "t=nonsense"}).status_code == 503


def test_a_request_from_the_future_waits_no_longer(serve: Serve) -> None:
    server = serve(SCRIPT)
    with ThreadPoolExecutor() as pool:
        pool.submit(post, server, {"sleep": 2})
        time.sleep(0.3)
        assert post(server, {}, **stamp(ago_s=-3600)).status_code == 503


def test_a_waiting_request_gets_the_slot_when_it_is_free(serve: Serve) -> None:
    server = serve(SCRIPT, variables={"TIDEGATE_MAX_QUEUE_WAIT_MS": "5000"})
    with ThreadPoolExecutor() as pool:
        pool.submit(post, server, {"sleep": 0.5})
        time.sleep(0.2)
        assert post(server, {}).status_code == 200


def test_requests_run_in_the_order_in_which_they_came(serve: Serve, tmp_path: Path) -> None:
    queue = Queue(serve, tmp_path)
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(post, queue.server, {"wait_for": str(queue.gate)})]
        wait_for(lambda: queue.running() == 1, "the first run")
        for number in range(1, 9):
            wait_for(lambda waiting=number - 1: queue.waiting() == waiting, "the request before")
            answers.append(pool.submit(post, queue.server, {"number": number}))
        wait_for(lambda: queue.waiting() == 8, "the last request")
        queue.gate.touch()
        assert {each.result().status_code for each in answers} == {200}
    assert post(queue.server, {"number": 9}).json()["numbers"] == list(range(1, 10))
    assert queue.waiting() == 0


def test_without_a_gateways_stamp_many_wait_no_longer_than_one(serve: Serve, tmp_path: Path) -> None:
    server = serve(SCRIPT)
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(25) as pool:
        pool.submit(post, server, {"wait_for": str(gate)})
        time.sleep(0.3)

        def timed(_: int) -> tuple[int, float]:
            started = time.monotonic()
            return post(server, {}).status_code, time.monotonic() - started

        waits = list(pool.map(timed, range(24)))
        gate.touch()
    assert {status for status, _ in waits} == {503}
    assert max(wait for _, wait in waits) < 24 * 0.5 / 2


def test_large_bodies_that_wait_keep_threads_from_fetching_more_of_them(serve: Serve, tmp_path: Path) -> None:
    queue = Queue(serve, tmp_path)
    with ThreadPoolExecutor(16) as pool:
        first = pool.submit(post, queue.server, {"wait_for": str(queue.gate)})
        wait_for(lambda: queue.running() == 1, "the first run")
        large = [pool.submit(post, queue.server, {"x": "a" * 1_000_000}) for _ in range(4)]
        wait_for(lambda: queue.waiting() == 1, "a large request in the queue")
        time.sleep(0.3)
        assert queue.waiting() == 1
        queue.gate.touch()
        assert {each.result().status_code for each in (first, *large)} == {200}
    assert queue.waiting() == 0


def test_health_is_answered_while_the_script_is_busy(serve: Serve) -> None:
    server = serve(SCRIPT)
    with ThreadPoolExecutor(8) as pool:
        busy = [pool.submit(post, server, {"sleep": 2}, **stamp()) for _ in range(6)]
        time.sleep(0.2)
        started = time.monotonic()
        assert server.healthy()
        assert time.monotonic() - started < 1.0
        assert sorted(each.result().status_code for each in busy)[0] == 200


def test_a_timeout_interrupts_python_code_in_the_same_worker(serve: Serve) -> None:
    server = serve(SCRIPT, variables={"SCORING_TIMEOUT_MS": "300"})
    workers = server.workers()
    answer = post(server, {"spin": 1})
    assert (answer.status_code, answer.json()) == (500, {"message": "Scoring timeout after 300 ms"})
    assert post(server, {}).status_code == 200
    assert server.workers() == workers


def test_a_script_cannot_swallow_its_timeout(serve: Serve) -> None:
    server = serve(SCRIPT, variables={"SCORING_TIMEOUT_MS": "300"})
    workers = server.workers()
    assert post(server, {"swallow": 1}).json() == {"message": "Scoring timeout after 300 ms"}
    assert post(server, {}).status_code == 200
    assert server.workers() == workers


def test_a_timeout_of_code_that_does_not_return_ends_the_worker(serve: Serve) -> None:
    server = serve(SCRIPT, variables={"SCORING_TIMEOUT_MS": "300"})
    workers = server.workers()
    answer = post(server, {"sleep": 30})
    assert (answer.status_code, answer.json()) == (500, {"message": "Scoring timeout after 300 ms"})
    wait_for(lambda: server.healthy() and server.workers() != workers, "the next worker")
    assert post(server, {}).status_code == 200


def test_native_code_that_holds_the_lock_is_ended_by_the_main_process(serve: Serve) -> None:
    server = serve(SCRIPT, variables={"SCORING_TIMEOUT_MS": "300"})
    workers = server.workers()
    started = time.monotonic()
    with pytest.raises(httpx.TransportError):
        post(server, {"hold": 1})
    assert time.monotonic() - started < 5
    wait_for(lambda: server.healthy() and server.workers() != workers, "the next worker")


def test_strict_status_of_a_timeout(serve: Serve) -> None:
    server = serve(SCRIPT, variables={"SCORING_TIMEOUT_MS": "200", "TIDEGATE_STRICT_STATUS": "1"})
    assert post(server, {"spin": 1}).status_code == 504


def test_requests_over_the_size_are_refused(serve: Serve) -> None:
    server = serve(SCRIPT, variables={"TIDEGATE_MAX_REQUEST_BYTES": "1000"})
    fits = json.dumps({"x": "a" * 900}).encode()
    with server.client() as client:
        assert client.post("/score", content=fits).status_code == 200
        for content in (b"a" * 1001, iter([b"a" * 600, b"b" * 600])):
            answer = client.post("/score", content=content)
            assert (answer.status_code, answer.json()) == (413, {"message": "The request is larger than 1000 bytes."})
    assert post(server, {}).status_code == 200


def test_large_and_chunked_bodies_arrive_whole(serve: Serve) -> None:
    server = serve("def init(): pass\ndef run(data): return len(data)")
    with server.client() as client:
        assert client.post("/score", content=b"x" * 20_000_000).text == "20000000"
        assert client.post("/score", content=iter([b"x" * 10] * 100)).text == "1000"


def test_slow_uploads_hold_a_thread_each_and_more_threads_can_be_had(serve: Serve) -> None:
    server = serve("def init(): pass\ndef run(data): return len(data)", options=["--queue-threads", "4"])
    uploads = [server.connect() for _ in range(3)]
    for upload in uploads:
        upload.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc")
    time.sleep(0.2)
    assert post(server, 1).text == "1"
    for upload in uploads:
        upload.close()
    assert server.stop() == 0


def test_a_request_that_ends_early_does_not_reach_the_script(serve: Serve) -> None:
    server = serve("def init(): pass\ndef run(data): print('ran'); return 1")
    with server.connect() as connection:
        connection.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        time.sleep(0.1)
    assert server.healthy()
    assert "ran" not in server.text()


# The watchdog by itself


class Worker:
    """Slots with a watchdog, and threads that use them as the application does."""

    def __init__(self, timeout_s: float, slots: int = 1) -> None:
        self.hanging: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.ended = threading.Event()
        self.refused: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.waiting = 0
        self.slots = Slots(
            memoryview(bytearray(8 * slots)).cast("d"),
            timeout_s,
            tell_waiting=self._count,
            refuse=self.refused.put,
            answer_hanging=self.hanging.put,
            end_worker=self._end,
        )
        threading.Thread(target=self.slots.watch, daemon=True).start()

    def _count(self, waiting: int) -> None:
        self.waiting = waiting

    def _end(self) -> None:
        self.ended.set()
        threading.Event().wait()

    def run(self, function: Callable[[], object]) -> object:
        slot = self.slots.try_take()
        slot.begin(self.slots.timeout_s, "request")
        try:
            result = function()
            slot.end()
        except ScoringTimeout:
            result = "timeout"
        finally:
            slot.clear()
            assert self.slots.pass_on(slot) is None
        return result


def spin(seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass
    return "done"


def test_runs_around_the_deadline_are_either_done_or_interrupted_and_nothing_strikes_later() -> None:
    worker = Worker(timeout_s=0.02)
    seen = {str(worker.run(lambda each=each: spin(each / 1000))) for each in (0, *range(15, 25), 200) for _ in range(3)}
    assert seen == {"done", "timeout"}
    assert spin(0.1) == "done"
    assert not worker.ended.is_set()


def test_a_hanging_run_is_answered_then_its_worker_ended() -> None:
    worker = Worker(timeout_s=0.05)
    threading.Thread(target=worker.run, args=(lambda: time.sleep(1),), daemon=True).start()
    assert worker.ended.wait(5)
    assert worker.hanging.get_nowait() == "request"


@given(st.integers(min_value=1, max_value=8), st.lists(st.booleans(), max_size=50))
def test_requests_run_first_in_first_out_and_never_more_than_there_are_slots(count: int, arrivals: list[bool]) -> None:
    told: list[int] = []
    slots = Slots(
        memoryview(bytearray(8 * count)).cast("d"),
        1.0,
        tell_waiting=told.append,
        refuse=lambda _: None,
        answer_hanging=lambda _: None,
        end_worker=lambda: None,
    )
    running: list[Slot] = []
    waiting: list[int] = []
    for number, arrives in enumerate(arrivals):
        if arrives:
            slot = slots.take(number, 10.0)
            assert (slot is None) == (len(running) == count)
            if slot is None:
                waiting.append(number)
            else:
                running.append(slot)
        elif running:
            following = slots.pass_on(running[0])
            assert following == (waiting.pop(0) if waiting else None)
            if following is None:
                running.pop(0)
        assert len(set(map(id, running))) == len(running) <= count
        assert (told or [0])[-1] == len(waiting)


def test_a_request_whose_wait_is_over_is_refused_and_the_others_are_not() -> None:
    worker = Worker(timeout_s=60)
    slot = worker.slots.try_take()
    assert worker.slots.take("long", 30.0) is None
    assert worker.slots.take("short", 0.05) is None
    assert worker.refused.get(timeout=5) == "short"
    assert worker.waiting == 1
    with pytest.raises(QueueFullError):
        worker.slots.take("late", 0.0)
    assert worker.slots.pass_on(slot) == "long"
    assert worker.slots.pass_on(slot) is None
    assert worker.refused.empty()


def test_no_descriptor_is_left_behind(serve: Serve) -> None:
    server = serve(SCRIPT)
    worker = server.workers()[0]
    for _ in range(20):
        post(server, {})
    before = len(list(Path(f"/proc/{worker}/fd").iterdir()))
    for _ in range(200):
        post(server, {})
    wait_for(lambda: len(list(Path(f"/proc/{worker}/fd").iterdir())) <= before + 2, "closed connections")
