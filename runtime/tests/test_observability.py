"""Logs, metrics, data collection and outputs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from scoring_servers import Server, free_port, wait_for

Serve = Callable[..., Server]

SCRIPT = """
    import json, sys, time
    from azureml.monitoring import ModelDataCollector

    def init():
        global inputs
        print("starting up")
        inputs = ModelDataCollector("model", designation="inputs", feature_names=["a"])

    def run(data):
        asked = json.loads(data)
        print("printed", asked.get("a"))
        print("no line end", end="", file=sys.stderr)
        if "sleep" in asked:
            time.sleep(asked["sleep"])
        if "fail" in asked:
            raise ValueError("broken")
        if "collect" in asked:
            inputs.collect([[1.0]], "correlated")
        return asked
"""
NAMES = {"SERVICE_NAME": "diabetes", "SERVICE_VERSION": "ridge", "TIDEGATE_REPLICA": "r1"}


def post(server: Server, body: object, **headers: str) -> httpx.Response:
    with server.client() as client:
        return client.post("/score", json=body, headers=headers)


def request_lines(server: Server) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.text().splitlines() if line.startswith('{"time"')]


# Logs


def test_one_json_line_for_each_request(serve: Serve) -> None:
    server = serve(SCRIPT, variables=NAMES)
    post(server, {"a": 1}, **{"x-request-id": 'i"d\\'})
    post(server, {"fail": 1})
    server.stop()
    good, bad = request_lines(server)
    assert good | {"time": "", "run_ms": 0} == {
        "time": "",
        "level": "info",
        "event": "request",
        "endpoint": "diabetes",
        "version": "ridge",
        "id": 'i"d\\',
        "method": "POST",
        "path": "/score",
        "status": 200,
        "queue_ms": 0.0,
        "run_ms": 0,
        "request_bytes": 7,
        "response_bytes": 8,
    }
    assert bad["status"] == 500


def test_a_copy_of_a_request_that_another_version_answers_is_marked(serve: Serve) -> None:
    port = free_port()
    server = serve(SCRIPT, options=["--metrics-port", str(port)], variables=NAMES)
    for version in ("ridge", "forest", "forest"):
        assert post(server, {"a": 1}, **{"x-tidegate-version": version}).status_code == 200
    post(server, {"a": 1})
    counted = 'tidegate_shadow_requests_total{endpoint="diabetes",version="ridge"} 2'
    wait_for(lambda: counted in httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines(), "the copies")
    server.stop()
    assert [line.get("shadow", False) for line in request_lines(server)] == [False, True, True, False]


def test_prints_and_tracebacks_carry_the_request_id(serve: Serve) -> None:
    server = serve(SCRIPT)
    post(server, {"a": 5, "fail": 1}, **{"x-request-id": "abc"})
    server.stop()
    lines = server.text().splitlines()
    assert "starting up" in lines
    assert {"[abc] printed 5", "[abc] no line end", "[abc] ValueError: broken"} <= set(lines)


def test_a_log_handler_made_by_init_carries_the_request_id(serve: Serve) -> None:
    server = serve("""
        import logging
        def init(): logging.basicConfig(level="INFO", format="%(message)s")
        def run(data): logging.info("logged"); return 1
    """)
    post(server, {}, **{"x-request-id": "abc"})
    server.stop()
    assert "[abc] logged" in server.text().splitlines()


def test_the_level_switches_request_lines_off(serve: Serve) -> None:
    server = serve(SCRIPT, variables={"AZUREML_LOG_LEVEL": "warning"})
    post(server, {"a": 1})
    server.stop()
    assert request_lines(server) == []


def test_bodies_and_credentials_are_not_logged_unless_bodies_are_asked_for(serve: Serve) -> None:
    quiet, loud = serve(SCRIPT), serve(SCRIPT, variables={"TIDEGATE_LOG_BODIES": "true"})
    for server in (quiet, loud):
        post(server, {"b": "private"}, Authorization="Bearer topsecret")
        server.stop()
        assert "topsecret" not in server.text()
    assert "private" not in quiet.text()
    assert request_lines(loud)[0]["request"] == '{"b":"private"}'


def test_a_logging_config_is_used(serve: Serve, short_path: Path) -> None:
    (short_path / "0").mkdir()
    config = {
        "version": 1,
        "formatters": {"mine": {"format": "MINE %(message)s"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "mine"}},
        "root": {"level": "INFO", "handlers": ["out"]},
    }
    (short_path / "0" / "logging.json").write_text(json.dumps(config))
    server = serve("import logging\ndef init(): logging.info('hello')\ndef run(data): return 1")
    assert "MINE hello" in server.text()


# Metrics


def test_metrics(serve: Serve) -> None:
    port = free_port()
    server = serve(SCRIPT, options=["--metrics-port", str(port), "--workers", "2"], variables=NAMES)
    for _ in range(10):
        post(server, {"a": 1})
    post(server, {"fail": 1})
    labels = 'endpoint="diabetes",version="ridge"'

    def sample(name: str, more: str = "") -> float:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        found = [line for line in text.splitlines() if line.startswith(f"{name}{{{labels}{more}}} ")]
        return float(found[0].rsplit(" ", 1)[1]) if found else 0.0

    with ThreadPoolExecutor() as pool:
        long = pool.submit(post, server, {"sleep": 1})
        wait_for(lambda: sample("tidegate_requests_in_flight") == 1, "the run")
        long.result()
    assert sample("tidegate_requests_total", ',status="500"') == 1
    assert sample("tidegate_run_seconds_count") == 12
    assert sample("tidegate_run_seconds_bucket", ',le="+Inf"') == 12
    assert sample("tidegate_run_seconds_bucket", ',le="0.5"') == 11
    assert 1.0 <= sample("tidegate_run_seconds_sum") < 2.0
    assert sample("tidegate_workers_ready") == 2
    assert sample("tidegate_requests_in_flight") == 0
    assert httpx.get(f"http://127.0.0.1:{port}/").text == "Healthy"


def test_queued_requests_are_seen(serve: Serve) -> None:
    port = free_port()
    server = serve(SCRIPT, options=["--metrics-port", str(port)], variables={"TIDEGATE_MAX_QUEUE_WAIT_MS": "3000"})

    def queued() -> bool:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        return any(line.startswith("tidegate_requests_queued{") and line.endswith(" 1") for line in text.splitlines())

    with ThreadPoolExecutor() as pool:
        pool.submit(post, server, {"sleep": 1})
        time.sleep(0.2)
        pool.submit(post, server, {})
        wait_for(queued, "a queued request", 3)


# Data collection


@pytest.mark.parametrize("switch", ["AML_MODEL_DC_STORAGE_ENABLED", "AML_MDC_STORAGE_ENABLED"])
def test_inputs_and_outputs_are_collected_by_hour(serve: Serve, tmp_path: Path, switch: str) -> None:
    variables = {**NAMES, switch: "true", "TIDEGATE_COLLECTION_DESTINATION": str(tmp_path)}
    server = serve(SCRIPT, variables=variables)
    post(server, {"a": 1}, **{"x-request-id": "one"})
    post(server, {"fail": 1})
    post(server, {"collect": 1})
    server.stop()
    files = list(tmp_path.rglob("*.jsonl"))
    hours = {time.strftime("diabetes/ridge/%Y/%m/%d/%H.jsonl", time.gmtime(time.time() - ago)) for ago in (0, 60)}
    assert {path.relative_to(tmp_path).as_posix() for path in files} <= hours
    records = [json.loads(line) for path in sorted(files) for line in path.read_text().splitlines()]
    exchanges = [each for each in records if each["designation"] == "exchange"]
    assert [(each["input"], each["output"]) for each in exchanges] == [({"a": 1},) * 2, ({"collect": 1},) * 2]
    assert (exchanges[0]["id"], exchanges[0]["replica"]) == ("one", "r1")
    (own,) = [each for each in records if each["designation"] == "inputs"]
    assert (own["model"], own["features"], own["data"], own["id"]) == ("model", ["a"], [[1.0]], "correlated")


def test_nothing_is_collected_when_off_or_not_sampled(serve: Serve, tmp_path: Path) -> None:
    off = {"TIDEGATE_COLLECTION_DESTINATION": str(tmp_path)}
    none = {**off, "AML_MODEL_DC_STORAGE_ENABLED": "true", "TIDEGATE_COLLECTION_RATE": "0"}
    for variables in (off, none):
        server = serve(SCRIPT, variables=variables)
        assert post(server, {"a": 1}).status_code == 200
        server.stop()
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_place_that_cannot_be_written_costs_no_request_and_is_counted(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    port = free_port()
    variables = {
        "AML_MODEL_DC_STORAGE_ENABLED": "true",
        "TIDEGATE_COLLECTION_DESTINATION": str(tmp_path / "file" / "below"),
    }
    server = serve(SCRIPT, variables=variables, options=["--metrics-port", str(port)])
    assert post(server, {"a": 1}).status_code == 200

    def dropped() -> bool:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        return any(
            line.startswith("tidegate_collection_dropped_total{") and line.endswith(" 1") for line in text.split("\n")
        )

    wait_for(dropped, "the count")
    assert "data collection: cannot write" in server.text()


class Azure(ThreadingHTTPServer):
    """A double of Entra's token endpoint and blob storage."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _AzureHandler)
        self.blobs: dict[str, bytes] = {}
        self.tokens: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _AzureHandler(BaseHTTPRequestHandler):
    server: Azure

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name, _, query = self.path.partition("?")
        if self.headers["Authorization"] != "Bearer blob-token":
            return self._answer(401)
        if query == "comp=appendblock":
            self.server.blobs[name] += body
        elif self.headers["x-ms-blob-type"] == "AppendBlob" and name in self.server.blobs:
            return self._answer(409)
        else:
            self.server.blobs[name] = body
        return self._answer(201)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.path.endswith("/oauth2/v2.0/token"):
            return self._answer(404)
        self.server.tokens.append(dict(httpx.QueryParams(body.decode())))
        return self._answer(200, {"access_token": "blob-token", "expires_in": 3600})

    def _answer(self, status: int, content: object = None) -> None:
        body = json.dumps(content).encode() if content is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def azure() -> Iterator[Azure]:
    with Azure() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def identity(azure: Azure, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "federated").write_text("federated-token")
    return {
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
        "AZURE_AUTHORITY_HOST": azure.url,
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "federated"),
    }


def test_collection_to_blob_storage_with_workload_identity(
    serve: Serve, azure: Azure, identity: dict[str, str]
) -> None:
    variables = {
        **NAMES,
        **identity,
        "AML_MODEL_DC_STORAGE_ENABLED": "true",
        "TIDEGATE_COLLECTION_DESTINATION": f"{azure.url}/data/collected",
    }
    server = serve(SCRIPT, variables=variables, options=["--workers", "2"])
    for number in range(20):
        post(server, {"a": number})
    server.stop()
    records = [json.loads(line) for blob in azure.blobs.values() for line in blob.splitlines()]
    assert sorted(record["input"]["a"] for record in records) == list(range(20))
    assert all(name.startswith("/data/collected/diabetes/ridge/20") for name in azure.blobs)
    assert azure.tokens[0]["client_assertion"] == "federated-token"
    assert azure.tokens[0]["scope"] == "https://storage.azure.com/.default"


# Outputs

WRITER = """
    import pathlib
    def init(): pass
    def run(data):
        path = pathlib.Path("outputs/deep")
        path.mkdir(parents=True, exist_ok=True)
        (path / "file.txt").write_text(data)
        return 1
"""


def test_outputs_are_kept_now_and_then_and_at_the_stop(serve: Serve, tmp_path: Path) -> None:
    variables = {**NAMES, "TIDEGATE_OUTPUTS_DESTINATION": str(tmp_path), "TIDEGATE_OUTPUTS_INTERVAL_S": "1"}
    server = serve(WRITER, variables=variables)
    kept = tmp_path / "diabetes" / "ridge" / "r1" / "deep" / "file.txt"
    post(server, "first")
    wait_for(kept.exists, "the first copy")
    assert kept.read_text() == '"first"'
    post(server, "last words")
    assert server.stop() == 0
    assert kept.read_text() == '"last words"'


def test_outputs_to_blob_storage(serve: Serve, azure: Azure, identity: dict[str, str]) -> None:
    variables = {**NAMES, **identity, "TIDEGATE_OUTPUTS_DESTINATION": f"{azure.url}/data"}
    server = serve(WRITER, variables=variables)
    post(server, "x")
    server.stop()
    assert azure.blobs == {"/data/diabetes/ridge/r1/deep/file.txt": b'"x"'}
