"""The HTTP contract, asked of both servers: what differs is either listed here as a deviation, or a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from scoring_servers import Server, start_azure_server, start_server, wait_for

TEXT = """
    import json, os, time
    from datetime import datetime

    def init():
        global state
        state = []

    def run(data):
        if not data:
            return data
        asked = json.loads(data)
        if isinstance(asked, dict):
            if "fail" in asked:
                raise RuntimeError("secret detail")
            if "none" in asked:
                return None
            if "object" in asked:
                return datetime(2020, 1, 1)
            if "exit" in asked:
                raise SystemExit(1)
            if "nan" in asked:
                return {"value": [float("nan"), 1.0, float("inf")]}
            if "worker" in asked:
                return {"pid": os.getpid(), "asked": state}
            state.append(data)
            if "late" in asked:
                deadline = time.monotonic() + 5
                while time.monotonic() < deadline:
                    pass
            if "sleep" in asked:
                time.sleep(asked["sleep"])
            if "text" in asked:
                return json.dumps({"r": 1})
        return asked
"""
HEADERS = """
    def init():
        pass

    def run(data, request_headers):
        return {name: value for name, value in request_headers.items() if name in ("X-Custom", "Content-Type")}
"""
RAW = """
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp
    from azureml.contrib.services.aml_response import AMLResponse

    def init():
        pass

    @rawhttp
    def run(request):
        what = request.args.get("what", "")
        if what == "multi":
            return AMLResponse(b"bytes", 200, {"X-Many": "a, b", "Content-Type": "image/png"})
        if what == "teapot":
            return AMLResponse("short and stout", 418)
        if what == "broken":
            return AMLResponse({"message": "mine"}, 503, json_str=True)
        if what == "file":
            file = request.files["image"]
            return {"name": file.filename, "size": len(file.read()), "note": request.form["note"]}
        if what == "path":
            return {"path": request.full_path, "method": request.method, "type": request.headers.get("content-type")}
        if what == "json":
            return request.get_json()
        return AMLResponse(request.get_data(False), 200)
"""
SCHEMA = """
    import numpy as np
    import pandas as pd
    from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
    from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
    from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
    from inference_schema.schema_decorators import input_schema, output_schema

    def init():
        pass

    @input_schema("data", NumpyParameterType(np.array([[1.0, 2.0]])))
    @input_schema("frame", PandasParameterType(pd.DataFrame({"a": [1], "b": ["x"]})))
    @input_schema("scale", StandardPythonParameterType(1.5))
    @output_schema(StandardPythonParameterType({"sum": 3.0}))
    def run(data, frame, scale=2.0):
        return {"sum": float(data.sum()) * scale, "rows": len(frame), "kind": type(data).__name__}
"""

Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module", params=["tidegate", "azure"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def servers(
    kind: str, tmp_path_factory: pytest.TempPathFactory, azure_python: Path, schema_python: Path
) -> Iterator[Callable[..., Server]]:
    """Start a script on the server under test, once for each script and set of variables."""
    running: dict[str, Server] = {}

    def get(script: str, **variables: str) -> Server:
        key = json.dumps([script, variables])
        if key not in running:
            folder = tmp_path_factory.mktemp("s")
            if kind == "azure":
                server = start_azure_server(script, folder=folder, python=azure_python, variables=variables)
            else:
                python = schema_python if "inference_schema" in script else None
                chosen = {"python": python} if python else {}
                server = start_server(script, folder=folder, variables=variables, **chosen)
            running[key] = server.wait_ready()
        return running[key]

    yield get
    for server in running.values():
        server.stop()


@pytest.fixture
def ask(servers: Callable[..., Server]) -> Ask:
    def send(script: str, method: str, path: str, variables: dict[str, str] | None = None, **options: object):
        with servers(script, **(variables or {})).client() as client:
            return client.request(method, path, **options)

    return send


def post(ask: Ask, body: object, **options: object) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **options.pop("headers", {})}
    return ask(options.pop("script", TEXT), "POST", "/score", content=content, headers=headers, **options)


# Routes and methods


def test_health(ask: Ask) -> None:
    answer = ask(TEXT, "GET", "/")
    assert (answer.status_code, answer.text) == (200, "Healthy")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/swagger.json"])
def test_head_and_options_of_pages(ask: Ask, path: str) -> None:
    assert ask(TEXT, "HEAD", path).status_code == 200
    assert ask(TEXT, "HEAD", path).text == ""
    answer = ask(TEXT, "OPTIONS", path)
    assert answer.status_code == 200
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("PUT", "/swagger.json"), ("DELETE", "/")])
def test_method_not_allowed_on_pages(ask: Ask, method: str, path: str) -> None:
    answer = ask(TEXT, method, path)
    assert answer.status_code == 405
    assert answer.json() == {"message": "The method is not allowed for the requested URL."}
    assert "x-request-id" not in answer.headers


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
def test_method_not_allowed_on_score(ask: Ask, method: str) -> None:
    assert ask(TEXT, method, "/score").status_code == 405


def test_options_on_score(ask: Ask) -> None:
    answer = ask(TEXT, "OPTIONS", "/score")
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["x-ms-run-function-failed"] == "False"


def test_unknown_path(ask: Ask) -> None:
    answer = ask(TEXT, "GET", "/nowhere")
    assert answer.status_code == 404
    assert answer.json()["message"].startswith("The requested URL was not found on the server.")
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert "x-request-id" not in answer.headers


# Bodies and results


@pytest.mark.parametrize(
    "value", [{"a": 1}, [1, 2.5, "x"], "text", 3, True, {"ü": "é", "nested": {"list": [None]}}, [], 0]
)
def test_a_result_is_dumped_as_json(ask: Ask, value: object) -> None:
    answer = post(ask, value)
    assert answer.status_code == 200
    assert answer.text == json.dumps(value)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert re.fullmatch(r"\d+\.\d{3}", answer.headers["x-ms-run-fn-exec-ms"])


def test_a_result_that_is_json_text_stays_text(ask: Ask) -> None:
    assert post(ask, {"text": 1}).text == '"{\\"r\\": 1}"'


def test_none_is_an_empty_object(ask: Ask) -> None:
    assert post(ask, {"none": 1}).text == "{}"


def test_an_empty_body_reaches_the_script_as_empty_text(ask: Ask) -> None:
    assert post(ask, b"").text == '""'


def test_a_failing_script_tells_nothing(ask: Ask) -> None:
    answer = post(ask, {"fail": 1})
    assert answer.status_code == 500
    assert answer.json() == {"message": "An unexpected error occurred in scoring script. Check the logs for more info."}
    assert answer.headers["x-ms-run-function-failed"] == "True"
    assert "x-ms-run-fn-exec-ms" not in answer.headers


def test_body_that_is_not_utf8(ask: Ask) -> None:
    answer = post(ask, b"\xff\xfe")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Input cannot be decoded as UTF-8: ")
    assert answer.headers["x-ms-run-function-failed"] == "False"


def test_get_parameters_arrive_as_json_text(ask: Ask) -> None:
    answer = ask(TEXT, "GET", "/score?a=1&b=[1,2]&c=a&d=null&e=x&e=2&f=")
    assert answer.json() == {"a": 1, "b": [1, 2], "c": "a", "d": None, "e": ["x", 2], "f": ""}


def test_request_headers(ask: Ask) -> None:
    answer = post(ask, {}, script=HEADERS, headers={"X-Custom": "1"})
    assert answer.json() == {"X-Custom": "1", "Content-Type": "application/json"}


# Ids


def test_an_id_is_made_where_none_is_given(ask: Ask) -> None:
    headers = post(ask, {}).headers
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", headers["x-request-id"])
    assert headers["x-ms-request-id"] == headers["x-request-id"]
    assert "x-ms-client-request-id" not in headers


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"x-request-id": "r"}, {"x-request-id": "r", "x-ms-request-id": "r"}),
        ({"x-ms-client-request-id": "c"}, {"x-ms-client-request-id": "c", "x-ms-request-id": "c"}),
        ({"x-ms-request-id": "l"}, {"x-ms-client-request-id": "l", "x-ms-request-id": "l"}),
        (
            {"x-ms-request-id": "l", "x-ms-client-request-id": "c", "x-request-id": "r"},
            {"x-ms-client-request-id": "c", "x-ms-request-id": "l", "x-request-id": "r"},
        ),
        ({"TraceId": "t"}, {"traceid": "t"}),
        ({"x-request-id": "r" * 100}, {"x-request-id": "r" * 100}),
    ],
)
def test_ids_are_echoed(ask: Ask, given: dict[str, str], expected: dict[str, str]) -> None:
    answer = post(ask, {}, headers=given)
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert post(ask, {"fail": 1}, headers=given).headers.get(next(iter(expected))) == next(iter(expected.values()))


@pytest.mark.parametrize("name", ["x-request-id", "x-ms-request-id", "x-ms-client-request-id"])
def test_a_long_id_is_refused(ask: Ask, name: str) -> None:
    answer = post(ask, {}, headers={name: "i" * 101})
    assert answer.status_code == 431
    assert "must not exceed 100 characters" in answer.json()["message"]
    assert ("x-request-id" in answer.headers) == (name != "x-request-id")


def test_server_version(ask: Ask, kind: str) -> None:
    expected = {"tidegate": r"tidegate/\d+\.\d+\.\d+", "azure": r"azmlinfsrv/1\.5\.1"}[kind]
    assert re.fullmatch(expected, post(ask, {}).headers["x-ms-server-version"])
    off = {"SERVER_VERSION_LOG_RESPONSE_ENABLED": "false"}
    assert "x-ms-server-version" not in post(ask, {}, variables=off).headers


# @rawhttp


def test_raw_body_comes_back(ask: Ask) -> None:
    answer = ask(RAW, "POST", "/score", content=bytes(range(256)))
    assert (answer.status_code, answer.content) == (200, bytes(range(256)))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "x-ms-run-fn-exec-ms" in answer.headers


def test_raw_response_headers(ask: Ask) -> None:
    answer = ask(RAW, "GET", "/score?what=multi")
    assert answer.headers.get_list("x-many") == ["a", "b"]
    assert answer.headers.get_list("content-type") == ["image/png"]


@pytest.mark.parametrize(
    ("what", "status", "failed", "text"),
    [("teapot", 418, "False", "short and stout"), ("broken", 503, "True", '{"message": "mine"}')],
)
def test_raw_status(ask: Ask, what: str, status: int, failed: str, text: str) -> None:
    answer = ask(RAW, "POST", f"/score?what={what}")
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers.get_list("x-ms-run-function-failed") == [failed]


def test_raw_upload(ask: Ask) -> None:
    files = {"image": ("cat.png", b"\x00\r\n--x\n" * 10, "image/png")}
    answer = ask(RAW, "POST", "/score?what=file", files=files, data={"note": "häh"})
    assert answer.json() == {"name": "cat.png", "size": 70, "note": "häh"}


def test_raw_request_attributes(ask: Ask) -> None:
    answer = ask(RAW, "POST", "/score?what=path", content=b"{}", headers={"Content-Type": "application/json"})
    assert answer.json() == {"path": "/score?what=path", "method": "POST", "type": "application/json"}
    assert ask(RAW, "POST", "/score?what=json", json={"a": [1]}).json() == {"a": [1]}


def test_raw_scripts_get_options(ask: Ask) -> None:
    assert ask(RAW, "OPTIONS", "/score?what=path").json()["method"] == "OPTIONS"


# inference-schema

FRAME = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_schema_arguments_and_defaults(ask: Ask) -> None:
    full = {"data": [[1, 2], [3, 4]], "frame": FRAME, "scale": 10.0}
    assert post(ask, full, script=SCHEMA).json() == {"sum": 100.0, "rows": 2, "kind": "ndarray"}
    del full["scale"]
    assert post(ask, full, script=SCHEMA).json()["sum"] == 20.0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "POST body is empty. Expecting a JSON dictionary."),
        (b"{", "POST body could not be decoded as JSON: "),
        (b"[1]", "POST body should be a JSON dictionary."),
        (b'{"data": [[1, 2]]}', "A value is not provided for the 'frame' parameter."),
    ],
)
def test_schema_bad_bodies(ask: Ask, body: bytes, message: str) -> None:
    answer = post(ask, body, script=SCHEMA)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)
    assert answer.headers["x-ms-run-function-failed"] == "False"


def test_schema_wants_json(ask: Ask) -> None:
    answer = post(ask, {}, script=SCHEMA, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json() == {"message": "Expects Content-Type to be application/json"}


def test_schema_value_of_a_wrong_type_is_the_scripts_failure(ask: Ask) -> None:
    answer = post(ask, {"data": "x", "frame": FRAME}, script=SCHEMA)
    assert answer.status_code == 500
    assert answer.headers["x-ms-run-function-failed"] == "True"


def test_schema_by_get(ask: Ask) -> None:
    answer = ask(SCHEMA, "GET", "/score", params={"data": "[[1,2]]", "frame": json.dumps(FRAME), "scale": "1.0"})
    assert answer.json()["sum"] == 3.0


# Swagger


@pytest.mark.parametrize(("version", "key", "value"), [
    ("", "swagger", "2.0"), ("2", "swagger", "2.0"), ("2.0", "swagger", "2.0"),
    ("3", "openapi", "3.0.3"), ("3.0", "openapi", "3.0.3"), ("3.1", "openapi", "3.1.0"),
])  # fmt: skip
def test_swagger_versions(ask: Ask, version: str, key: str, value: str) -> None:
    answer = ask(TEXT, "GET", "/swagger.json", params={"version": version} if version else None)
    document = answer.json()
    assert document[key] == value
    assert document["info"] == {
        "title": "ML service",
        "version": "1.0",
        "description": "API specification for the Azure Machine Learning service ML service",
    }
    assert {path: set(item) for path, item in document["paths"].items()} == {
        "/": {"get"},
        "/score": {"post"},
        "/swagger.json": {"get"},
    }


def test_swagger_of_an_unknown_version(ask: Ask) -> None:
    answer = ask(TEXT, "GET", "/swagger.json?version=7")
    assert answer.status_code == 404
    assert answer.json()["message"] == "Swagger version [7] is not valid. Supported versions: [2, 3, 3.1]."


def test_swagger_says_the_schema(ask: Ask) -> None:
    schemas = ask(SCHEMA, "GET", "/swagger.json?version=3").json()["components"]["schemas"]
    assert schemas["ServiceInput"]["properties"]["data"]["items"]["items"]["type"] == "number"
    assert schemas["ServiceInput"]["example"]["frame"] == [{"a": 1, "b": "x"}]
    assert schemas["ServiceOutput"]["properties"]["sum"]["type"] == "number"


def test_swagger_names_service_and_prefix(ask: Ask) -> None:
    variables = {"SERVICE_NAME": "diabetes", "SERVICE_VERSION": "ridge", "SERVICE_PATH_PREFIX": "/api/v1/"}
    document = ask(TEXT, "GET", "/swagger.json", variables=variables).json()
    assert (document["info"]["title"], document["info"]["version"]) == ("diabetes", "ridge")
    assert "/api/v1/score" in document["paths"]


# CORS


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ("https://a.example", "https://a.example", "https://a.example"),
        ("https://a.example", None, "https://a.example"),
        ("https://a.example", "https://b.example", None),
        ("https://a.example, https://b.example", "https://b.example", "https://b.example"),
        ("https://b.example, https://a.example", None, "https://a.example"),
        ("*", None, "*"),
        ("*", "https://a.example", "https://a.example"),
    ],
)
def test_cors(ask: Ask, kind: str, origins: str, origin: str | None, allowed: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = post(ask, {}, variables={"AML_CORS_ORIGINS": origins}, headers=headers)
    assert answer.headers.get("access-control-allow-origin") == allowed


def test_cors_preflight(ask: Ask) -> None:
    headers = {
        "Origin": "https://a.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = ask(TEXT, "OPTIONS", "/score", {"AML_CORS_ORIGINS": "https://a.example"}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    assert answer.headers["access-control-allow-headers"] == "content-type"


def test_without_cors_no_header(ask: Ask) -> None:
    assert "access-control-allow-origin" not in post(ask, {}, headers={"Origin": "https://a.example"}).headers


# Deviations: what each server does, so that a change of either is seen


def test_deviation_form_encoded_bodies_arrive_whole(ask: Ask, kind: str) -> None:
    answer = post(ask, {"a": 1}, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.text == {"tidegate": '{"a": 1}', "azure": '""'}[kind]


def test_deviation_nan_is_null(ask: Ask, kind: str) -> None:
    text = post(ask, {"nan": 1}).text
    assert text == {"tidegate": '{"value": [null, 1.0, null]}', "azure": '{"value": [NaN, 1.0, Infinity]}'}[kind]


def test_deviation_a_result_that_is_no_json_is_the_scripts_failure(ask: Ask, kind: str) -> None:
    answer = post(ask, {"object": 1})
    assert answer.status_code == 500
    assert answer.json() == {"message": "An unexpected internal error occurred. Check the logs for more info."}
    assert answer.headers["x-ms-run-function-failed"] == {"tidegate": "True", "azure": "False"}[kind]


def test_deviation_system_exit_does_not_end_the_worker(ask: Ask, kind: str) -> None:
    answer = post(ask, {"exit": 1})
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith({"tidegate": "application/json", "azure": "text/html"}[kind])


def test_deviation_a_json_body_in_another_charset_is_a_bad_request(ask: Ask, kind: str) -> None:
    answer = post(ask, b'{"data": "\xff"}', script=SCHEMA)
    assert answer.status_code == {"tidegate": 400, "azure": 500}[kind]


def test_deviation_docs_page(ask: Ask, kind: str) -> None:
    assert ask(TEXT, "GET", "/docs").status_code == {"tidegate": 200, "azure": 404}[kind]


def test_timeout(ask: Ask) -> None:
    answer = post(ask, {"late": 1}, variables={"SCORING_TIMEOUT_MS": "200"})
    assert answer.status_code == 500
    assert answer.json() == {"message": "Scoring timeout after 200 ms"}
    assert answer.headers["x-ms-run-function-failed"] == "True"


def test_a_worker_lives_on_after_a_timeout_of_python_code(ask: Ask) -> None:
    variables = {"SCORING_TIMEOUT_MS": "200", "SERVICE_NAME": "lives on"}
    before = post(ask, {"worker": 1}, variables=variables).json()
    assert post(ask, {"late": 1}, variables=variables).status_code == 500
    after = post(ask, {"worker": 1}, variables=variables)
    assert after.status_code == 200
    assert after.json() == {"pid": before["pid"], "asked": [*before["asked"], '{"late": 1}']}


def test_deviation_a_timeout_of_code_that_does_not_return_to_python_replaces_the_worker(ask: Ask, kind: str) -> None:
    variables = {"SCORING_TIMEOUT_MS": "200", "SERVICE_NAME": "replaced"}
    before = post(ask, {"worker": 1}, variables=variables).json()["pid"]
    answer = post(ask, {"sleep": 5}, variables=variables)
    assert (answer.status_code, answer.json()) == (500, {"message": "Scoring timeout after 200 ms"})

    def worker() -> int:
        try:
            return post(ask, {"worker": 1}, variables=variables).json()["pid"]
        except httpx.TransportError:
            return 0

    if kind == "azure":
        assert worker() == before
    else:
        wait_for(lambda: worker() not in (0, before), "the next worker")
