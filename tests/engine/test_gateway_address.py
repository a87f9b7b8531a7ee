"""The local gateway's address."""

import socket

import httpx
import pytest

from tests.engine.harness import free_port, wait_until

pytestmark = pytest.mark.engine


def test_the_address_and_the_port_move_while_serving(stack):
    stack.endpoints = {"open": {"auth": "none", "versions": {"one": stack.version("one")}}}
    stack.up().require()
    stack.extra = {"tidegate:gateway": {"port": stack.port, "address": "0.0.0.0"}}
    stack.up().require()
    assert httpx.post(f"{stack.url}/open/score", json=1).status_code == 200
    stack.extra = {}
    old, stack.port = stack.port, free_port()
    stack.up().require()
    assert httpx.post(f"{stack.url}/open/score", json=1).status_code == 200

    def closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", old)) != 0

    wait_until(closed)
