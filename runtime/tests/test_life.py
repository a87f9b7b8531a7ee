"""Starting, serving, dying, stopping: with real processes."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from scoring_servers import Server, free_port, start_server, wait_for

Serve = Callable[..., Server]

ECHO = """
    import ctypes, json, os, sys, time

    def init():
        print("arguments", sys.argv[1:], os.environ.get("AZUREML_MODEL_DIR"), os.getcwd())

    def run(data):
        asked = json.loads(data)
        if "sleep" in asked:
            time.sleep(asked["sleep"])
        if "crash" in asked:
            ctypes.string_at(0)
        return {"pid": os.getpid()}
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("def init():\n    raise ValueError('no model')\ndef run(data): return 1", "ValueError: no model"),
        ("import nowhere_to_be_found\ndef init(): pass\ndef run(data): return 1", "No module named 'nowhere_to_be"),
        ("def init(): pass", "has no run() function"),
        ("def run(data): return 1", "has no init() function"),
        ("def init(): pass\ndef run(): return 1", "run() needs a parameter"),
        ("def init(): pass\ndef run(*data): return 1", "cannot have positional-only parameters"),
        ("import sys\ndef init(): sys.exit(0)\ndef run(data): return 1", "SystemExit: 0"),
        ("def init(: pass", "SyntaxError"),
        ("import ctypes\ndef init(): ctypes.string_at(0)\ndef run(data): return 1", "SIGSEGV"),
    ],
)
def test_a_script_that_cannot_start_ends_with_code_3(serve: Serve, script: str, said: str) -> None:
    server = serve(script, wait=False)
    assert server.process.wait(20) == 3
    assert said in server.text()
    assert not server.socket.exists()


def test_the_log_of_a_failing_init_shows_only_the_scripts_lines(serve: Serve) -> None:
    server = serve("def init():\n    boom()\ndef boom():\n    1 / 0\ndef run(data): return 1", wait=False)
    server.process.wait(20)
    assert "in boom" in server.text()
    assert "tidegate_runtime/" not in server.text()


def test_a_failing_init_lists_the_model_folder(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model.pkl").touch()
    script = "def init():\n    open('nowhere')\ndef run(data): return 1"
    server = serve(script, wait=False, options=["--model-dir", tmp_path])
    server.process.wait(20)
    assert "sub/model.pkl" in server.text()


def test_arguments_model_folder_and_working_directory(serve: Serve, tmp_path: Path) -> None:
    server = serve(ECHO, options=["--model-dir", tmp_path], arguments=["--alpha", "1"])
    assert f"arguments ['--alpha', '1'] {tmp_path} {server.folder}" in server.text()


def test_the_socket_is_the_owners_alone_and_goes_at_the_end(serve: Serve) -> None:
    server = serve(ECHO)
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600
    assert server.stop() == 0
    assert not server.socket.exists()


def test_a_stale_socket_is_taken_over(serve: Serve, short_path: Path) -> None:
    folder = short_path / "0"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "s"))
    assert serve(ECHO).healthy()


def test_a_file_in_the_sockets_place_is_left_alone(serve: Serve, short_path: Path) -> None:
    (short_path / "0").mkdir()
    (short_path / "0" / "s").write_text("precious")
    server = serve(ECHO, wait=False)
    assert server.process.wait(20) == 1
    assert "cannot listen on" in server.text()
    assert (short_path / "0" / "s").read_text() == "precious"


def test_a_taken_port_is_named(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        server = serve(ECHO, wait=False, port=port)
        assert server.process.wait(20) == 1
    assert f"cannot listen on http://127.0.0.1:{port}: Address already in use" in server.text()


def test_ready_only_when_every_worker_is(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    script = f"""
        import pathlib, time
        first = pathlib.Path({str(tmp_path / "first")!r})
        def init():
            try:
                first.touch(exist_ok=False)
            except FileExistsError:
                while not pathlib.Path({str(gate)!r}).exists():
                    time.sleep(0.01)
        def run(data): return 1
    """
    server = serve(script, wait=False, options=["--workers", "2"])
    wait_for((tmp_path / "first").exists, "the first worker's init()")
    for _ in range(20):
        assert not server.healthy()
        time.sleep(0.02)
    gate.touch()
    server.wait_ready()


def test_nothing_is_accepted_before_init_has_returned(serve: Serve) -> None:
    server = serve("import time\ndef init(): time.sleep(60)\ndef run(data): return 1", wait=False)
    wait_for(server.socket.exists, "the socket")
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    assert server.stop() == 0


def test_a_stop_at_any_moment_of_the_start_is_obeyed(serve: Serve) -> None:
    for moment in range(12):
        server = serve("import time\ndef init(): time.sleep(60)\ndef run(data): return 1", wait=False)
        wait_for(lambda server=server: server.socket.exists(), "the socket")
        time.sleep(moment / 1000)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_finishes_what_runs(serve: Serve, number: int) -> None:
    server = serve(ECHO)
    with server.client() as client, ThreadPoolExecutor() as pool:
        answer = pool.submit(client.post, "/score", json={"sleep": 1})
        wait_for(server.workers, "workers")
        time.sleep(0.3)
        assert server.stop(number) == 0
        assert answer.result().status_code == 200


def test_a_stop_waits_for_no_idle_or_half_open_connection(serve: Serve) -> None:
    server = serve(ECHO)
    with server.client() as client, server.connect() as half:
        client.get("/")
        half.sendall(b"POST /score HTTP/1.1\r\nHos")
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 6


def test_a_crash_costs_one_request_and_the_worker_is_replaced(serve: Serve) -> None:
    server = serve(ECHO)
    with server.client() as client:
        before = client.post("/score", json={}).json()["pid"]
        with pytest.raises(httpx.RemoteProtocolError):
            client.post("/score", json={"crash": 1})
    wait_for(server.healthy, "the next worker")
    with server.client() as client:
        assert client.post("/score", json={}).json()["pid"] != before
    assert "Segmentation fault" in server.text()
    assert "SIGSEGV" in server.text()


def test_crashes_in_a_row_do_not_end_the_server(serve: Serve) -> None:
    server = serve(ECHO)
    for _ in range(4):
        with server.client() as client, pytest.raises(httpx.TransportError):
            client.post("/score", json={"crash": 1})
        wait_for(server.healthy, "the next worker")
    assert server.process.poll() is None


def test_other_workers_go_on_when_one_dies(serve: Serve) -> None:
    server = serve(ECHO, options=["--workers", "2"])
    victim, other = server.workers()
    os.kill(victim, signal.SIGKILL)
    for _ in range(50):
        with server.client() as client:
            assert client.post("/score", json={}).status_code == 200
    wait_for(lambda: len(server.workers()) == 2 and victim not in server.workers(), "the next worker")
    assert other in server.workers()


def test_connections_are_refused_at_once_while_no_worker_serves(serve: Serve, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    script = f"""
        import os, pathlib, time
        def init():
            if pathlib.Path({str(slow)!r}).exists():
                time.sleep(60)
        def run(data): return os.getpid()
    """
    server = serve(script)
    slow.touch()
    os.kill(server.workers()[0], signal.SIGKILL)

    def refused() -> bool:
        try:
            server.connect().close()
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        return False

    wait_for(refused, "a refused connection", 5)


def test_the_server_ends_when_its_only_worker_cannot_be_started_again(serve: Serve, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = f"""
        import pathlib
        def init():
            assert not pathlib.Path({str(gone)!r}).exists()
        def run(data): return 1
    """
    server = serve(script)
    gone.touch()
    os.kill(server.workers()[0], signal.SIGKILL)
    assert server.process.wait(20) == 3


def test_workers_do_not_outlive_their_main_process(serve: Serve) -> None:
    server = serve(ECHO, options=["--workers", "2"])
    workers = server.workers()
    server.process.kill()
    server.process.wait()
    wait_for(lambda: not any(alive(pid) for pid in workers), "the workers' end")


def test_a_killed_main_process_lets_what_runs_finish(serve: Serve) -> None:
    server = serve(ECHO)
    with server.client() as client, ThreadPoolExecutor() as pool:
        answer = pool.submit(client.post, "/score", json={"sleep": 1})
        time.sleep(0.3)
        server.process.kill()
        assert answer.result().status_code == 200


def test_reload_follows_edits_and_survives_a_broken_one(serve: Serve) -> None:
    server = serve("def init(): pass\ndef run(data): return 1", options=["--reload"])
    script = server.folder / "score.py"

    def answers(expected: str) -> bool:
        try:
            with server.client() as client:
                return client.post("/score").text == expected
        except httpx.TransportError:
            return False

    wait_for(lambda: answers("1"), "the first version")
    script.write_text("def init(): pass\ndef run(data: return 2")
    wait_for(lambda: "SyntaxError" in server.text(), "the broken version")
    script.write_text("def init(): pass\ndef run(data): return 3333")
    wait_for(lambda: answers("3333"), "the mended version")


def test_sighup_starts_the_workers_anew(serve: Serve) -> None:
    server = serve(ECHO)
    before = server.workers()
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: server.workers() and server.workers() != before and server.healthy(), "new workers")


def test_a_port_and_a_health_port(serve: Serve) -> None:
    port, health = free_port(), free_port()
    variables = {"SEPERATE_HEALTH_ENDPOINT": "true", "HEALTH_PORT": str(health)}
    serve(ECHO, port=port, variables=variables)
    assert httpx.get(f"http://127.0.0.1:{health}/").text == "Healthy"
    assert httpx.get(f"http://127.0.0.1:{health}/score").status_code == 404
    assert httpx.post(f"http://127.0.0.1:{port}/score", json={}).status_code == 200


def test_the_reference_servers_options_and_variables(tmp_path: Path) -> None:
    (tmp_path / "main_score.py").write_text("def init(): pass\ndef run(data): return 'azure'")
    port = free_port()
    variables = {"AZUREML_ENTRY_SCRIPT": "main_score.py", "AML_APP_ROOT": str(tmp_path), "WORKER_COUNT": "2"}
    server = start_server(None, folder=tmp_path, port=port, variables=variables)
    try:
        server.wait_ready()
        assert len(server.workers()) == 2
        assert httpx.post(f"http://127.0.0.1:{port}/score").text == '"azure"'
    finally:
        server.stop()


def test_forks_of_the_script_do_not_hold_the_server(serve: Serve) -> None:
    server = serve("""
        import subprocess
        def init():
            global child
            child = subprocess.Popen(["sleep", "60"])
        def run(data):
            return child.pid
    """)
    with server.client() as client:
        child = int(client.post("/score").text)
    try:
        assert server.stop() == 0
    finally:
        os.kill(child, signal.SIGKILL)
