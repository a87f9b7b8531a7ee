"""What the gateway does with requests of odd forms."""

import socket

import httpx
import pytest

from tests.engine.harness import free_port, wait_until

pytestmark = pytest.mark.engine

HEADERS = """
    import json
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp
    from azureml.contrib.services.aml_response import AMLResponse
    def init():
        pass
    @rawhttp
    def run(request):
        return AMLResponse(json.dumps({name.lower(): value for name, value in request.headers.items()}), 200)
"""


@pytest.fixture
def endpoint(stack):
    """One endpoint with a key, one without, each of whose scripts returns the headers that it gets."""
    stack.endpoints = {
        "locked": {"versions": {"one": stack.version("one", HEADERS)}},
        "open": {"auth": "none", "versions": {"one": stack.version("one", HEADERS)}},
    }
    stack.up().require()
    return stack


def test_requests_of_odd_forms(endpoint):
    stack = endpoint
    key = stack.key("locked")
    bearer = {"authorization": f"Bearer {key}"}

    def post(path: str, **headers: str) -> httpx.Response:
        return httpx.post(stack.url + path, json=1, headers=headers)

    # no path but the endpoints' own, with or without a key
    for path in ("/", "/nope/score", "/locked", "/locked/score/", "/locked%2Fscore", "/locked/score/../../admin"):
        for headers in (bearer, {}):
            answer = post(path, **headers)
            assert (answer.status_code, answer.json()) == (404, {"message": "no endpoint has this path"}), path
    assert post("//locked//score", **bearer).status_code == 200

    # the key reaches no script, and nobody can name himself
    forged = {"x-tidegate-client": "primary", "x-request-start": "t=1"}
    seen = post("/locked/score?a=b", **bearer, **forged).json()
    assert "authorization" not in seen
    assert key not in str(seen)
    assert seen["x-tidegate-client"] == "primary"
    assert seen["x-request-start"] != "t=1"
    assert (
        post("/locked/score", authorization=f"Bearer {stack.key('locked', 'secondary')}").json()["x-tidegate-client"]
        == "secondary"
    )
    assert "x-tidegate-client" not in post("/open/score", **forged).json()

    # the scheme's name is taken as it is written; both version headers: the project's own wins
    assert post("/locked/score", authorization=f"bearer {key}").status_code == 401
    both = {"x-tidegate-version": "nope", "azureml-model-deployment": "one"}
    assert post("/locked/score", **bearer, **both).status_code == 404


def test_half_a_request_holds_no_version(endpoint):
    stack = endpoint
    head = f"POST /locked/score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stack.key('locked')}\r\n"
    held = [socket.create_connection(("127.0.0.1", stack.port)) for _ in range(4)]
    try:
        for connection in held:
            connection.sendall(f"{head}Content-Length: 1000\r\n\r\n[".encode())
        client = stack.client("locked")
        for _ in range(5):
            assert client.post("/locked/score", json=1).status_code == 200
    finally:
        for connection in held:
            connection.close()


def test_the_address_and_the_port_move_while_serving(endpoint):
    stack = endpoint
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
