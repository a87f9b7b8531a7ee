"""Who holds a port."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.local.ports import holder, refusal

ME = f"{Path('/proc/self/comm').read_text().strip()} (process {os.getpid()})"


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::1"])
def taken(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """An address and a port at which this process listens."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((request.param, 0))
        server.listen()
        yield request.param, server.getsockname()[1]


def test_a_taken_port_is_refused_with_its_holder(taken: tuple[str, int]) -> None:
    address, port = taken
    assert refusal(address, port) == f"port {port} is taken by {ME}"
    assert holder(port) == ME


def test_a_port_taken_at_another_address_that_covers_it_is_refused(taken: tuple[str, int]) -> None:
    address, port = taken
    other = {"127.0.0.1": "0.0.0.0", "0.0.0.0": "127.0.0.1", "::1": "::"}[address]
    assert refusal(other, port) == f"port {port} is taken by {ME}"


def test_a_free_port_is_not_refused_also_just_after_it_was_used() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            pass  # closed from our side first: the port is left in TIME_WAIT
    assert refusal("127.0.0.1", port) is None
    assert holder(port) is None


def test_a_port_that_a_process_only_uses_as_a_client_has_no_holder() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()) as client:
            assert holder(client.getsockname()[1]) is None


def test_an_address_that_is_not_this_machine_s_is_named() -> None:
    assert refusal("203.0.113.1", 8080) == "cannot listen at 203.0.113.1:8080: Cannot assign requested address"
