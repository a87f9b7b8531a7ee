"""Requests that no good client sends: no crash, no hang, no leak, and the next good request is answered."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scoring_servers import Server, start_server

SCRIPT = """
    import json
    def init(): pass
    def run(data, request_headers):
        return json.loads(data)
"""
REQUESTS = 100_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(SCRIPT, folder=tmp_path_factory.mktemp("s"), variables={"AZUREML_LOG_LEVEL": "WARNING"})
    yield server.wait_ready()
    workers = server.workers()
    assert server.stop() == 0
    assert workers


def exchange(server: Server, data: bytes, *, hang_up: bool = False, end: bool = False) -> bytes:
    """Send bytes and read what comes until the server closes; `hang_up` at once, or `end` our side first."""
    with server.connect() as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
            if hang_up:
                return b""
            if end:
                connection.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
        return received


def request(body: bytes, headers: bytes = b"", method: bytes = b"POST", path: bytes = b"/score") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + length + headers + b"\r\n" + body


fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.sampled_from(
    [
        "x-request-id",
        "x-ms-request-id",
        "x-ms-client-request-id",
        "TraceId",
        "Content-Type",
        "x-request-start",
        "Origin",
    ]
)
VALUES = st.binary(max_size=150).map(lambda each: each.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b""))


@fuzz
@given(st.binary(max_size=300))
def test_any_body(server: Server, body: bytes) -> None:
    assert exchange(server, request(body)).startswith((b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 500"))


@fuzz
@given(st.lists(st.tuples(NAMES, VALUES), max_size=5))
def test_any_header_values(server: Server, headers: list[tuple[str, bytes]]) -> None:
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers)
    status = exchange(server, request(b"{}", lines))[:12]
    assert status in (b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 431")


@fuzz
@given(st.binary(max_size=200))
def test_any_bytes_at_all(server: Server, data: bytes) -> None:
    exchange(server, data, end=True)
    assert server.healthy()


@fuzz
@given(st.text('/score.%?&=[]{}"\\ä', max_size=30), st.sampled_from(["GET", "PUT", "OPTIONS", "BREW"]))
def test_any_path_and_query(server: Server, path: str, method: str) -> None:
    answer = exchange(server, request(b"", method=method.encode(), path=b"/" + path.encode().replace(b" ", b"%20")))
    assert answer.startswith(b"HTTP/1.1 ")


def test_huge_headers(server: Server) -> None:
    answer = exchange(server, request(b"{}", b"X-Big: " + b"a" * 1_000_000 + b"\r\n"))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(500))
    assert exchange(server, request(b"{}", many)).startswith((b"HTTP/1.1 200", b"HTTP/1.1 431"))
    assert server.healthy()


def test_deeply_nested_json(server: Server) -> None:
    assert exchange(server, request(b"[" * 200_000)).startswith(b"HTTP/1.1 500")
    assert server.healthy()


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    bodies = [b"%d" % number for number in range(50)]
    data = b"".join(
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(b), b) for b in bodies[:-1]
    )
    received = exchange(server, data + request(bodies[-1]))
    assert [part.rsplit(b"\r\n\r\n", 1)[1] for part in received.split(b"HTTP/1.1 200 OK")[1:]] == bodies


def test_clients_that_go_away_early(server: Server) -> None:
    worker = server.workers()
    for cut in range(1, 90):
        exchange(server, request(b'{"a": 1}')[:cut], hang_up=True)
    for _ in range(200):
        exchange(server, request(b'{"a": 1}'), hang_up=True)
    assert server.healthy()
    assert server.workers() == worker


@pytest.mark.parametrize("value", ["two\\nlines", "\\u20ac", "\\x00", "x" * 100_000])
def test_any_header_of_a_script(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    script = f"""
        from azureml.contrib.services.aml_response import AMLResponse
        def init(): pass
        def run(data): return AMLResponse("x", 200, {{"X-Odd": "{value}"}})
    """
    server = start_server(script, folder=tmp_path_factory.mktemp("h")).wait_ready()
    try:
        answer = exchange(server, request(b""))
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 500"))
        assert server.healthy()
    finally:
        server.stop()


def test_no_leak_over_many_requests(server: Server) -> None:
    """Memory after the second half of the requests against memory after the first."""
    worker = server.workers()[0]
    batch = (b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}") * 100

    def send(batches: int) -> None:
        with server.connect() as connection:
            for _ in range(batches):
                connection.sendall(batch)
                answered = 0
                rest = b""
                while answered < 100:
                    rest += connection.recv(1 << 20)
                    answered += rest.count(b"HTTP/1.1 200 OK")
                    rest = rest[-14:] if not rest.endswith(b"{}") else b""

    def resident_kib() -> int:
        status = Path(f"/proc/{worker}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    send(REQUESTS // 200)
    before = resident_kib()
    send(REQUESTS // 200)
    assert resident_kib() - before < 2048
    assert server.workers() == [worker]
