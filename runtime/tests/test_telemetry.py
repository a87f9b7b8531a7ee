"""Application Insights: what is sent, and that nothing about it costs a request anything."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from ingestion import KEY, Ingestion, connection_string, ingestion_at
from scoring_servers import GRANIAN, RUNTIME, Server, environment, free_port, wait_for

SCRIPT = """
    import json, logging, time

    log = logging.getLogger("mine")

    def init():
        print("starting up")
        logging.basicConfig(level="INFO", format="SHOWN %(message)s")
        log.info("from init")

    def run(data):
        asked = json.loads(data or "{}")
        print("printed", asked.get("a"))
        if "log" in asked:
            log.warning("logged %s", asked["log"])
        if "caught" in asked:
            try:
                1 / 0
            except ZeroDivisionError:
                log.exception("it went wrong")
        if "fail" in asked:
            raise ValueError("broken")
        if "swallow" in asked:
            try:
                while True:
                    pass
            except BaseException:
                pass
        if "lines" in asked:
            for number in range(asked["lines"]):
                print("line", number)
        print("no line end", end="")
        return asked
"""
NAMES = {"SERVICE_NAME": "diabetes", "SERVICE_VERSION": "ridge", "TIDEGATE_REPLICA": "r1"}
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

Serve = Callable[..., Server]


def extra() -> list[str]:
    """The packages of the extra `telemetry`."""
    project = tomllib.loads((RUNTIME / "pyproject.toml").read_text())["project"]
    return project["optional-dependencies"]["telemetry"]


@pytest.fixture(scope="session")
def python() -> Path:
    return environment(GRANIAN, *extra(), "opentelemetry-instrumentation-requests")


@pytest.fixture
def ingestion() -> Iterator[Ingestion]:
    with ingestion_at() as server:
        yield server


@pytest.fixture
def observed(serve: Serve, python: Path, ingestion: Ingestion, tmp_path: Path) -> Serve:
    """Start a server that sends to the stand-in."""

    def start(script: str = SCRIPT, *, variables: dict[str, str] | None = None, **options: object) -> Server:
        own = {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": connection_string(ingestion.server_port),
            "TMPDIR": str(tmp_path),
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BLRP_SCHEDULE_DELAY": "50",
        }
        return serve(script, python=python, variables={**NAMES, **own, **(variables or {})}, **options)

    return start


def post(server: Server, body: object, **headers: str) -> httpx.Response:
    with server.client() as client:
        return client.post("/score", json=body, headers=headers)


def arrived(ingestion: Ingestion, **counts: int) -> None:
    """Wait for so many records of each kind."""
    wait_for(lambda: all(len(ingestion.of(kind)) >= count for kind, count in counts.items()), str(counts), 60)


# Requests


def test_each_request_is_one_record(observed: Serve, ingestion: Ingestion) -> None:
    server = observed()
    with server.client() as client:
        ids = {"x-request-id": "good", "x-ms-client-request-id": "client"}
        client.post("/score?secret=1", json={}, headers=ids)
        client.post("/score", json={"fail": 1}, headers={"x-request-id": "bad"})
        client.put("/score", headers={"x-request-id": "refused"})
        client.get("/swagger.json")
    arrived(ingestion, RequestData=3)
    server.stop()
    good, bad, refused = ingestion.of("RequestData")
    assert [(each["responseCode"], each["success"]) for each in (good, bad, refused)] == [
        ("200", True),
        ("500", False),
        ("405", False),
    ]
    assert (good["name"], good["url"]) == ("POST /score", "http://score/score")
    assert good["tags"]["ai.cloud.role"] == "diabetes"
    assert good["tags"]["ai.cloud.roleInstance"] == "r1"
    assert good["tags"]["ai.application.ver"] == "ridge"
    run_ms = good["properties"].pop("tidegate.run_ms")
    assert 0 < float(run_ms) < 1000
    assert good["properties"] == {
        "Service Name": "diabetes",
        "Container Id": "r1",
        "Request Id": "good",
        "Client Request Id": "client",
        "tidegate.version": "ridge",
        "tidegate.queue_ms": "0.0",
    }
    assert [each["properties"]["Request Id"] for each in (bad, refused)] == ["bad", "refused"]


def test_bodies_are_sent_only_when_asked_for(observed: Serve, ingestion: Ingestion) -> None:
    quiet = observed("def init(): pass\ndef run(data): return 'private ' + data")
    post(quiet, "secret", Authorization="Bearer topsecret")
    arrived(ingestion, RequestData=1)
    quiet.stop()
    assert len(ingestion.of("RequestData")) == 1
    assert not any(word in ingestion.raw for word in (b"private", b"secret"))
    asked = {"APP_INSIGHTS_LOG_RESPONSE_ENABLED": "true", "WORKSPACE_NAME": "mine"}
    loud = observed("def init(): pass\ndef run(data): return 'private ' * 2000", variables=asked)
    post(loud, "secret")
    arrived(ingestion, RequestData=2)
    loud.stop()
    properties = ingestion.of("RequestData")[1]["properties"]
    assert properties["Response Value"] == ('"' + "private " * 2000)[:8192]
    assert properties["Workspace Name"] == "mine"
    assert b"secret" not in ingestion.raw


def test_a_request_belongs_to_its_callers_trace_and_what_the_script_does_to_the_request(
    observed: Serve, ingestion: Ingestion
) -> None:
    server = observed("""
        import logging, requests
        from opentelemetry.instrumentation.requests import RequestsInstrumentor

        def init():
            RequestsInstrumentor().instrument()

        def run(data):
            print("calling")
            logging.warning("calling")
            return requests.get(data).status_code
    """)
    with server.client() as client:
        # Its caller has not sampled the trace; the request is recorded all the same.
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-00", "x-request-id": "one"}
        assert client.post("/score", content=f"{ingestion.url}/dependency", headers=headers).text == "200"
        client.post("/score", content=f"{ingestion.url}/dependency", headers={"traceparent": "nonsense"})
    arrived(ingestion, RequestData=2, RemoteDependencyData=2, MessageData=4)
    server.stop()
    request, other = ingestion.of("RequestData")
    assert (request["tags"]["ai.operation.id"], request["tags"]["ai.operation.parentId"]) == (TRACE, CALLER)
    assert other["tags"]["ai.operation.id"] != TRACE
    below = {"ai.operation.id": TRACE, "ai.operation.parentId": request["id"]}
    dependency, _ = ingestion.of("RemoteDependencyData")  # and none for what the exporter itself sends
    assert (dependency["data"], dependency["resultCode"]) == (f"{ingestion.url}/dependency", "200")
    mine = [each for each in ingestion.of("MessageData") if each["properties"].get("Request Id") == "one"]
    assert [each["message"] for each in mine] == ["calling", "calling"]
    for record in (dependency, *mine):
        assert record["tags"].items() >= below.items()
    assert ingestion.calls[0]["traceparent"] == f"00-{TRACE}-{dependency['id']}-01"


def test_exceptions_of_the_script_are_recorded_with_their_request(observed: Serve, ingestion: Ingestion) -> None:
    server = observed(variables={"SCORING_TIMEOUT_MS": "300"})
    post(server, {"fail": 1}, **{"x-request-id": "failed"})
    post(server, {"swallow": 1}, **{"x-request-id": "late"})
    arrived(ingestion, RequestData=2, ExceptionData=2)
    server.stop()
    failed, late = ingestion.of("ExceptionData")
    (shown,) = failed["exceptions"]
    assert (shown["typeName"], shown["message"]) == ("ValueError", "broken")
    assert shown["stack"].startswith("Traceback (most recent call last):\n  File")
    assert "in run" in shown["stack"]
    assert "tidegate_runtime" not in shown["stack"]
    assert late["exceptions"][0]["message"] == "Scoring timeout after 300 ms"
    for record, request in zip((failed, late), ingestion.of("RequestData"), strict=True):
        assert record["tags"]["ai.operation.parentId"] == request["id"]
        assert record["properties"]["Request Id"] == request["properties"]["Request Id"]


def test_a_script_that_cannot_start_is_recorded(observed: Serve, ingestion: Ingestion) -> None:
    server = observed("def init(): raise ValueError('no model')\ndef run(data): return 1", wait=False)
    assert server.process.wait(30) == 3
    (record,) = ingestion.of("ExceptionData")
    assert record["exceptions"][0]["message"] == "init() failed: no model"
    assert record["severityLevel"] == 4


def test_a_script_that_has_its_own_telemetry_keeps_it(observed: Serve, ingestion: Ingestion) -> None:
    server = observed("""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider

        def init():
            trace.set_tracer_provider(TracerProvider())

        def run(data):
            with trace.get_tracer("mine").start_as_current_span("own") as span:
                return f"{span.parent.span_id:016x}"
    """)
    parent = post(server, {}).json()
    arrived(ingestion, RequestData=1)
    server.stop()
    assert [each["id"] for each in ingestion.of("RequestData")] == [parent]
    assert ingestion.of("RemoteDependencyData") == []
    assert "Overriding" not in server.text()


# Logs


def test_prints_and_log_records_are_sent_once_and_shown_as_before(observed: Serve, ingestion: Ingestion) -> None:
    server = observed()
    post(server, {"a": 5, "log": 7, "caught": 1}, **{"x-request-id": "one"})
    arrived(ingestion, RequestData=1, MessageData=5, ExceptionData=1)
    server.stop()
    sent = [(each["message"], each["severityLevel"]) for each in ingestion.of("MessageData")]
    assert sent == [("starting up", 1), ("from init", 1), ("printed 5", 1), ("logged 7", 2), ("no line end", 1)]
    properties = [each["properties"] for each in ingestion.of("MessageData")]
    assert [each["logger_name"] for each in properties[1:4:2]] == ["mine", "mine"]
    assert [each.get("Request Id") for each in properties] == [None, None, "one", "one", "one"]
    assert [each.get("log.iostream") for each in properties] == ["stdout", None, "stdout", None, "stdout"]
    assert {each["tidegate.version"] for each in properties} == {"ridge"}
    (caught,) = ingestion.of("ExceptionData")
    assert (caught["exceptions"][0]["typeName"], caught["exceptions"][0]["message"]) == (
        "ZeroDivisionError",
        "it went wrong",
    )
    request = ingestion.of("RequestData")[0]
    assert {each["tags"]["ai.operation.parentId"] for each in [*ingestion.of("MessageData")[2:], caught]} == {
        request["id"]
    }
    lines = server.text().splitlines()
    shown = {"starting up", "SHOWN from init", "[one] printed 5", "[one] SHOWN logged 7", "[one] no line end"}
    assert shown <= set(lines)


def test_warnings_of_a_script_without_handlers_still_reach_stderr(observed: Serve, ingestion: Ingestion) -> None:
    server = observed("import logging\ndef init(): logging.getLogger('x').warning('look')\ndef run(data): return 1")
    arrived(ingestion, MessageData=1)
    server.stop()
    assert server.text().splitlines().count("look") == 1
    assert [each["message"] for each in ingestion.of("MessageData")] == ["look"]


# What it costs


def test_an_endpoint_that_does_not_answer_costs_requests_nothing(observed: Serve, ingestion: Ingestion) -> None:
    ingestion.open.clear()
    server = observed()
    post(server, {})
    assert ingestion.waiting.wait(20)
    with server.client() as client:
        for number in range(100):
            assert client.post("/score", json={"a": number}).json() == {"a": number}
    assert ingestion.records == []
    ingestion.open.set()
    # By id: a batch that waits too long for its answer is sent again.
    wait_for(lambda: len({each["id"] for each in ingestion.of("RequestData")}) == 101, "all requests", 60)


def test_queues_are_bounded_and_keep_the_newest(observed: Serve, ingestion: Ingestion) -> None:
    ingestion.open.clear()
    server = observed()
    assert ingestion.waiting.wait(20)  # with the first batch, of what init() has printed
    assert post(server, {"lines": 20_000}).status_code == 200
    ingestion.open.set()
    wait_for(lambda: any(each["message"] == "line 19999" for each in ingestion.of("MessageData")), "the last line", 60)
    server.stop()
    lines = [each["message"] for each in ingestion.of("MessageData") if each["message"].startswith("line ")]
    assert 100 < len(lines) <= 5000


def test_a_dead_endpoint_costs_requests_nothing_and_gets_its_records_later(observed: Serve, tmp_path: Path) -> None:
    port = free_port()
    connection = {"APPLICATIONINSIGHTS_CONNECTION_STRING": connection_string(port)}
    server = observed(variables=connection)
    early = {f"early-{number}" for number in range(100)}
    assert {post(server, {}, **{"x-request-id": each}).status_code for each in early} == {200}
    wait_for(lambda: "telemetry: requests cannot be sent: " in server.text(), "the word of it")
    (kept,) = tmp_path.glob("tidegate-telemetry-*")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert KEY not in server.text() + str(kept)
    with ingestion_at(port) as revived:

        def all_early() -> bool:
            post(server, {})
            return early <= {each["properties"]["Request Id"] for each in revived.of("RequestData")}

        wait_for(all_early, "the early requests", 60)
        server.stop()


def test_the_stop_waits_a_bounded_time_for_an_endpoint_that_does_not_answer(
    observed: Serve, ingestion: Ingestion
) -> None:
    ingestion.open.clear()
    server = observed()
    post(server, {})
    assert server.stop() == 0
    assert "telemetry: what waited could not be sent within 2.5 s of the stop and is lost" in server.text()


def test_failures_are_said_once_without_what_was_to_be_sent(observed: Serve, ingestion: Ingestion) -> None:
    ingestion.refused = 400
    server = observed(variables={"AZUREML_LOG_LEVEL": "ERROR"})
    for _ in range(3):
        seen = len(ingestion.raw)
        post(server, {"a": "private"})
        wait_for(lambda seen=seen: len(ingestion.raw) > seen, "a batch")
    wait_for(lambda: "telemetry: requests cannot be sent" in server.text(), "the word of it")
    ingestion.refused = 0
    post(server, {})
    wait_for(lambda: "telemetry: requests are sent again" in server.text(), "the word of its end")
    server.stop()
    text = server.text()
    assert text.count("telemetry: requests cannot be sent: ") == 1
    assert '"Data drop 400: refused' in text
    assert KEY not in text
    assert "Microsoft" not in text


@pytest.mark.parametrize("connection", [f"InstrumentationKey={KEY}x", f"InstrumentationKey {KEY}"])
def test_a_wrong_connection_string_is_said_and_not_shown(serve: Serve, python: Path, connection: str) -> None:
    server = serve(SCRIPT, python=python, variables={"APPLICATIONINSIGHTS_CONNECTION_STRING": connection})
    assert post(server, {}).status_code == 200
    assert "telemetry is off: Invalid" in server.text()
    assert KEY not in server.text()


def test_nothing_is_imported_when_off_and_a_missing_package_is_named(serve: Serve) -> None:
    script = "import sys\ndef init(): pass\ndef run(data): return sorted(m for m in sys.modules if 'telemetry' in m)"
    assert post(serve(script), {}).json() == []
    key = {"AML_APP_INSIGHTS_KEY": KEY}
    assert post(serve(script, variables={**key, "AML_APP_INSIGHTS_ENABLED": "false"}), {}).json() == []
    server = serve(script, python=environment(GRANIAN), variables={**key, "AML_APP_INSIGHTS_ENABLED": "true"})
    assert post(server, {}).status_code == 200
    assert "telemetry is off: install tidegate-runtime[telemetry]: No module named" in server.text()
    assert KEY not in server.text()
