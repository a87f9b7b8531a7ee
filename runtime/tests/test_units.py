"""The parts that need no process."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate_runtime.cli import read_settings
from tidegate_runtime.compat.http import AMLRequest, AMLResponse, Headers
from tidegate_runtime.compat.model import Model, ModelNotFoundException
from tidegate_runtime.identity import id_source
from tidegate_runtime.inputs import query_values
from tidegate_runtime.metrics import Counters
from tidegate_runtime.results import SerializationError, answer_of
from tidegate_runtime.scoreboard import COUNTERS, STATUS, Scoreboard
from tidegate_runtime.settings import SettingsError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@given(VALUES)
def test_a_result_is_always_valid_json(value: Any) -> None:
    json.loads(answer_of(value).body, parse_constant=refuse_constant)


@given(st.lists(st.floats()) | st.dictionaries(st.text(), st.floats()))
def test_only_nan_and_infinity_change(value: Any) -> None:
    sent = json.loads(answer_of(value).body)
    given, got = (list(each.values()) if isinstance(each, dict) else each for each in (value, sent))
    assert got == [each if math.isfinite(each) else None for each in given]


@given(VALUES)
def test_a_result_is_sent_as_json_dumps_says_it(value: Any) -> None:
    try:
        said = json.dumps(value, allow_nan=False)
    except ValueError:
        return
    assert answer_of(value).body == (b"{}" if value is None else said.encode())


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, b"bytes", {(1, 2): 3}])
def test_a_result_that_json_cannot_say(value: Any) -> None:
    with pytest.raises(SerializationError):
        answer_of(value)


@pytest.mark.parametrize("first", [1.0, math.nan])
def test_a_result_that_holds_itself(first: float) -> None:
    value: list[Any] = [first]
    value.append(value)
    with pytest.raises(SerializationError):
        answer_of(value)


def test_ids_are_unique_and_differ_between_sources() -> None:
    first, second = id_source(), id_source()
    ids = [first() for _ in range(1000)] + [second() for _ in range(1000)]
    assert len(set(ids)) == 2000
    assert {len(each) for each in ids} == {36}


@given(st.dictionaries(st.text("abc", min_size=1), st.integers() | st.text("xyz {["), max_size=4))
def test_query_values(values: dict[str, Any]) -> None:
    from urllib.parse import urlencode  # noqa: PLC0415 (only here)

    expected = {}
    for name, value in values.items():
        try:
            expected[name] = json.loads(str(value))
        except ValueError:
            expected[name] = str(value)
    assert query_values({"QUERY_STRING": urlencode(values)}) == expected


# Request and response objects


def request(body: bytes = b"", **environ: str) -> AMLRequest:
    scope = {"REQUEST_METHOD": "POST", "PATH_INFO": "/score", "QUERY_STRING": "a=1&a=2&b=", **environ}
    return AMLRequest(scope, {"Host": "h", "Cookie": "c=1; d=2"}, body)


def test_request_attributes() -> None:
    asked = request(b'{"x": 1}', CONTENT_TYPE="application/json; charset=utf-8", CONTENT_LENGTH="8")
    assert (asked.json, asked.get_json(), asked.is_json, asked.mimetype) == ({"x": 1},) * 2 + (True, "application/json")
    assert (asked.args["a"], asked.args.getlist("a"), asked.args.get("b"), asked.args.get("z")) == (
        "1",
        ["1", "2"],
        "",
        None,
    )
    assert asked.args.to_dict(flat=False) == {"a": ["1", "2"], "b": [""]}
    assert (asked.full_path, asked.url) == ("/score?a=1&a=2&b=", "http://h/score?a=1&a=2&b=")
    assert (asked.cookies, asked.stream.read(), asked.get_data(as_text=True)) == (
        {"c": "1", "d": "2"},
        b'{"x": 1}',
        '{"x": 1}',
    )
    assert request(b"{", CONTENT_TYPE="text/plain").get_json() is None
    assert request(b"{").get_json(force=True, silent=True) is None
    with pytest.raises(ValueError, match="Expecting"):
        request(b"{").get_json(force=True)


def test_form_fields() -> None:
    asked = request(b"x=1&y=a+b", CONTENT_TYPE="application/x-www-form-urlencoded")
    assert (dict(asked.form), dict(asked.files), asked.values["y"]) == ({"x": "1", "y": "a b"}, {}, "a b")


@given(content=st.binary(max_size=200), name=st.text("abc", min_size=1))
def test_multipart_content_comes_back_byte_for_byte(content: bytes, name: str) -> None:
    boundary = "boundary-that-is-nowhere-else"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="f.bin"\r\n\r\n'.encode()
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )
    asked = request(body, CONTENT_TYPE=f"multipart/form-data; boundary={boundary}")
    file = asked.files[name]
    target = io.BytesIO()
    file.save(target)
    assert (file.filename, file.read(), target.getvalue()) == ("f.bin", content, content)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_broken_multipart_never_raises(body: bytes, boundary: str) -> None:
    asked = request(body, CONTENT_TYPE=f"multipart/form-data; boundary={boundary}")
    assert len(asked.files) + len(asked.form) <= len(body)


def test_headers_know_no_case() -> None:
    headers = Headers([("A", "1"), ("a", "2")])
    assert (headers["a"], headers.getlist("A"), "a" in headers, len(headers)) == ("1", ["1", "2"], True, 1)
    headers["A"] = "3"
    assert headers.to_wsgi_list() == [("A", "3")]
    headers.remove("a")
    assert headers.get("A") is None


def test_response_attributes() -> None:
    answer = AMLResponse("text", 201)
    answer.set_data("other")
    assert (answer.status_code, answer.data, answer.get_data(as_text=True)) == (201, b"other", "other")
    assert answer_of(AMLResponse(None, 204)).body == b"{}"


def test_lengths_that_a_script_sets_are_left_out() -> None:
    answer = answer_of(AMLResponse(b"x", 200, {"Content-Length": "100", "Connection": "close"}))
    assert not {"content-length", "connection"} & {name for name, _ in answer.headers}


# Models


def test_model_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("one/1/model.pkl", "two/1/a.bin", "two/3/a.bin", "two/3/b.bin", "flat.pkl"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path))
    assert Model.get_model_path("one") == str(tmp_path / "one/1/model.pkl")
    assert Model.get_model_path("two") == str(tmp_path / "two/3")
    assert Model.get_model_path("two", 1) == str(tmp_path / "two/1/a.bin")
    assert Model.get_model_path("flat.pkl") == str(tmp_path / "flat.pkl")
    with pytest.raises(ModelNotFoundException, match="has no version 2"):
        Model.get_model_path("two", version=2)
    with pytest.raises(ModelNotFoundException, match="is not in"):
        Model.get_model_path("three")
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path / "one" / "1"))
    assert Model.get_model_path("one") == str(tmp_path / "one/1/model.pkl")
    with pytest.raises(ModelNotFoundException):
        Model.get_model_path("one", version=2)


# Settings


def settings(tmp_path: Path, *arguments: str, **environment: str) -> Any:
    (tmp_path / "score.py").touch()
    return read_settings(["--entry", str(tmp_path / "score.py"), *arguments], environment)


def test_the_command_line_wins_over_variables_over_the_config_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"SERVICE_NAME": "file", "SCORING_TIMEOUT_MS": 5, "WORKER_COUNT": 2}')
    read = settings(
        tmp_path, "--worker_count", "4", AML_APP_ROOT=str(tmp_path), SERVICE_NAME="variable", WORKER_COUNT="3"
    )
    assert (read.workers, read.service_name, read.scoring_timeout_ms) == (4, "variable", 5)


def test_defaults_and_script_arguments(tmp_path: Path) -> None:
    read = settings(tmp_path, "--", "--entry", "x")
    assert (read.port, read.host, read.workers, read.scoring_timeout_ms) == (5001, "127.0.0.1", 1, 60_000)
    assert read.arguments == ("--entry", "x")
    assert read.source_dir == tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCORING_TIMEOUT_MS", "0"),
        ("SCORING_TIMEOUT_MS", "soon"),
        ("TIDEGATE_MAX_CONCURRENT_REQUESTS", "0"),
        ("TIDEGATE_STRICT_STATUS", "maybe"),
        ("AZUREML_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: '{value}'"):
        settings(tmp_path, **{name: value})


@pytest.mark.parametrize("rate", ["-1", "1.5", "much"])
def test_a_bad_collection_rate(tmp_path: Path, rate: str) -> None:
    with pytest.raises(SettingsError, match="TIDEGATE_COLLECTION_RATE"):
        settings(tmp_path, AML_MODEL_DC_STORAGE_ENABLED="true", TIDEGATE_COLLECTION_RATE=rate)


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no file"):
        read_settings(["--entry", str(tmp_path / "none.py")], {})


def test_the_connection_string_is_not_shown(tmp_path: Path) -> None:
    assert "secret" not in repr(settings(tmp_path, APPLICATIONINSIGHTS_CONNECTION_STRING="InstrumentationKey=secret"))


# Counting


def test_counters_of_workers_are_apart() -> None:
    board = Scoreboard(2, 3)
    Counters(board.counters(0)).ran(200, 0.0, 0.1)
    board.deadlines(1)[2] = 5.0
    assert board.counters(0)[STATUS + 200] == 1
    assert sum(board.counters(1)) == 0
    assert list(board.deadlines(0)) == [0.0] * 3
    board.forget(1)
    assert list(board.deadlines(1)) == [0.0] * 3
    assert len(board.counters(0)) == COUNTERS


def test_old_import_paths_step_aside_for_real_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tidegate_runtime import compat  # noqa: PLC0415 (installed only here)

    before = list(sys.meta_path)
    (tmp_path / "azureml" / "core").mkdir(parents=True)
    (tmp_path / "azureml" / "core" / "__init__.py").write_text("REAL = True")
    monkeypatch.syspath_prepend(str(tmp_path))
    compat.install()
    try:
        import azureml.core  # noqa: PLC0415
        from azureml.contrib.services.aml_response import AMLResponse as Aliased  # noqa: PLC0415

        assert azureml.core.REAL
        assert Aliased is AMLResponse
    finally:
        sys.meta_path[:] = before
        for name in [name for name in sys.modules if name.split(".")[0] == "azureml"]:
            del sys.modules[name]
