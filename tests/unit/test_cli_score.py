"""`tidegate score`: the forms of `--data`, what is sent, what comes back."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.errors import CliError
from cli.score import read_data
from tests.unit.conftest import Command


class Endpoint(ThreadingHTTPServer):
    """Answers with `status` and `body`; keeps the last request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.body = 200, b'{"result": [1.5]}'
        self.sent: bytes = b""
        self.headers: dict[str, str] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/v1/service/echo/score"


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Endpoint)
        self.server.headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.sent = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.server.status)
        self.send_header("x-tidegate-version", "ridge")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@pytest.fixture
def endpoint(tidegate: Command) -> Iterator[Endpoint]:
    with Endpoint() as server:
        described = {"address": server.address, "auth": "key"}
        keys = {"primary": "the primary key", "secondary": "the secondary key"}
        tidegate.outputs({"endpoints": {"echo": described, "open": described | {"auth": "none"}}}, {"echo": keys})
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_data_is_text_a_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a sample.json"
    file.write_bytes(b"\x00\xff")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"from a pipe\n")))
    assert read_data('{"data": "é"}') == '{"data": "é"}'.encode()
    assert read_data(f"@{file}") == b"\x00\xff"
    assert read_data("@-") == b"from a pipe\n"
    assert read_data("") == b""
    with pytest.raises(CliError, match=r"--data @nowhere\.json: No such file or directory"):
        read_data("@nowhere.json")
    with pytest.raises(CliError, match="Is a directory"):
        read_data(f"@{tmp_path}")


def test_a_sample_goes_with_the_primary_key(tidegate: Command, endpoint: Endpoint) -> None:
    code, out, err = tidegate("score", "echo", "--data", "[1]")
    assert (code, out) == (0, '{"result": [1.5]}\n')
    assert err.startswith("200 from version ridge in ")
    assert endpoint.sent == b"[1]"
    assert endpoint.headers["authorization"] == "Bearer the primary key"
    assert endpoint.headers["content-type"] == "application/json"
    assert "x-tidegate-version" not in endpoint.headers


def test_a_version_is_named_and_an_open_endpoint_gets_no_key(tidegate: Command, endpoint: Endpoint) -> None:
    assert tidegate("score", "open", "--data", "[1]", "--version", "forest")[0] == 0
    assert endpoint.headers["x-tidegate-version"] == "forest"
    assert "authorization" not in endpoint.headers


def test_an_answer_as_json(tidegate: Command, endpoint: Endpoint) -> None:
    code, out, err = tidegate("score", "echo", "--data", "[1]", "--json")
    answer = json.loads(out)
    assert answer.pop("ms") > 0
    assert (code, err) == (0, "")
    assert answer == {"status": 200, "version": "ridge", "body": {"result": [1.5]}}


@pytest.mark.parametrize("body", [b"not [red]JSON[/red]", b"\xff\xfe", b""])
def test_an_answer_that_is_no_json_is_shown_as_it_is(tidegate: Command, endpoint: Endpoint, body: bytes) -> None:
    endpoint.body = body
    code, out, _ = tidegate("score", "echo", "--data", "[1]")
    assert (code, out) == (0, body.decode(errors="replace") + "\n")


def test_an_error_s_answer_is_shown_and_the_command_fails(tidegate: Command, endpoint: Endpoint) -> None:
    endpoint.status, endpoint.body = 503, b'{"message": "busy"}'
    code, out, err = tidegate("score", "echo", "--data", "[1]")
    assert (code, out) == (1, '{"message": "busy"}\n')
    assert err.startswith("503 ")


def test_an_endpoint_that_does_not_answer(tidegate: Command) -> None:
    with Endpoint() as closed:
        address = closed.address
    tidegate.outputs({"endpoints": {"echo": {"address": address, "auth": "none"}}})
    said = tidegate.fails("score", "echo", "--data", "1")
    assert said.startswith(f"{address} does not answer: ")
    assert said.endswith("is it running? pulumi up starts it")
