"""What the collector writes for what it is given."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tidegate_runtime.collection import Collector
from tidegate_runtime.metrics import Counters
from tidegate_runtime.scoreboard import COLLECTED, DROPPED, Scoreboard
from tidegate_runtime.settings import Collection, Settings


def new_collector(folder: Path) -> tuple[Collector, memoryview]:
    """A collector into a folder, and its counters."""
    settings = Settings(folder / "score.py", folder, folder, replica='a "replica"')
    cells = Scoreboard(1, 1).counters(0)
    return Collector(settings, Collection(str(folder / "collected")), Counters(cells)), cells


def exchange(body: bytes, *, query: str = "", serialized: bool = False) -> Any:
    scope = {"QUERY_STRING": query}
    return SimpleNamespace(
        ran=True, arrived=1700000000.25, request_id='an "id"', body=body, scope=scope, serialized=serialized
    )


def records(folder: Path) -> list[dict[str, Any]]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    (path,) = (folder / "collected").rglob("*.jsonl")
    return [json.loads(line, parse_constant=refuse) for line in path.read_bytes().splitlines()]


def collected(folder: Path, *bodies: bytes, query: str = "") -> list[dict[str, Any]]:
    collector, _ = new_collector(folder)
    for body in bodies:
        collector(exchange(body, query=query), 200, b'{"answer": 1}')
    collector.stop()
    return records(folder)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.50]}', {"a": [1, 2.5]}),
        (b'{\r\n  "a": "two\\nlines"\n}', {"a": "two\nlines"}),
        ('{"a": "\u20ac\u2028"}'.encode(), {"a": "\u20ac\u2028"}),
        ('{"a": "\u20ac"}'.encode("utf-16"), {"a": "\u20ac"}),
        ('{"a": 1}'.encode("utf-16-le"), {"a": 1}),
        (b'{"a": 1', '{"a": 1'),
        (b'no "JSON"\n', 'no "JSON"\n'),
        (b"\xff\x00", "\ufffd\x00"),
        (b"[" * 100_000, "[" * 100_000),
        (b"[" * 10_000, "[" * 10_000),
        (b"  [1]  ", [1]),
        (b"[1] [2]", "[1] [2]"),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b"[-0.5e-3, 12, -7, 1e400]", [-0.0005, 12, -7, math.inf]),
        (b"[01]", "[01]"),
        (b"[1.]", "[1.]"),
        (b'{"a": "' + b"x" * 100_000 + b'"}', {"a": "x" * 100_000}),
    ],
    ids=[
        *("json", "lines", "unicode", "utf-16", "utf-16-le", "cut", "text", "bytes", "large and deep", "deep"),
        *("spaces", "two", "nan", "numbers", "octal", "no fraction", "large"),
    ],
)
def test_any_body_is_one_line_of_json(tmp_path: Path, body: bytes, value: object) -> None:
    (record,) = collected(tmp_path, body)
    assert record == {
        "time": "2023-11-14T22:13:20.250Z",
        "id": 'an "id"',
        "replica": 'a "replica"',
        "designation": "exchange",
        "status": 200,
        "input": value,
        "output": {"answer": 1},
    }


def test_a_query_is_the_input_where_there_is_no_body(tmp_path: Path) -> None:
    (record,) = collected(tmp_path, b"", query='q="1"')
    assert record["input"] == 'q="1"'


def test_stop_writes_every_record_that_waits(tmp_path: Path) -> None:
    written = collected(tmp_path, *(str(number).encode() for number in range(5000)))
    assert [record["input"] for record in written] == list(range(5000))


@pytest.mark.parametrize(
    ("serialized", "answer", "written"),
    [(True, b'{"answer": 1.50}', b'{"answer": 1.50}'), (False, b"[1.50]", b"[1.50]"), (False, b"a\nb", b'"a\\nb"')],
    ids=["the server's JSON", "the script's JSON", "text"],
)
def test_answers_are_written_as_they_were_sent(tmp_path: Path, serialized: bool, answer: bytes, written: bytes) -> None:
    collector, _ = new_collector(tmp_path)
    collector(exchange(b"1", serialized=serialized), 200, answer)
    collector.stop()
    (path,) = (tmp_path / "collected").rglob("*.jsonl")
    assert path.read_bytes().endswith(b'"output":' + written + b"}\n")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("not to be shown")


CIRCULAR: list[Any] = []
CIRCULAR.append(CIRCULAR)


def test_a_record_that_json_cannot_say_is_dropped_counted_and_said_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    collector, cells = new_collector(tmp_path)
    for value in (CIRCULAR, {(1, 2): 3}, Unprintable()):
        collector.put(lambda value=value: {"data": value})
    collector(exchange(b"1"), 200, b"2")
    collector.stop()
    assert [record["input"] for record in records(tmp_path)] == [1]
    assert (cells[COLLECTED], cells[DROPPED]) == (1, 3)
    assert capfd.readouterr().err.count("data collection: ") == 1


def test_a_record_of_a_script_has_null_for_nan_and_text_for_what_json_has_no_type_for(tmp_path: Path) -> None:
    collector, _ = new_collector(tmp_path)
    collector.put(lambda: {"data": [[1.5, math.nan], [math.inf, Path("a")]]})
    collector.stop()
    assert records(tmp_path) == [{"data": [[1.5, None], [None, "a"]]}]


def test_a_full_queue_drops_and_counts(tmp_path: Path) -> None:
    collector, cells = new_collector(tmp_path)
    writing, go_on = threading.Event(), threading.Event()

    def slow() -> dict[str, Any]:
        writing.set()
        go_on.wait()
        return {}

    collector.put(slow)
    assert writing.wait(10)
    body = json.dumps("x" * 15_000).encode()
    for _ in range(3000):
        collector(exchange(body), 200, b"1")
    dropped = cells[DROPPED]
    go_on.set()
    collector.stop()
    assert 0 < dropped < 3000
    assert cells[COLLECTED] == len(records(tmp_path)) == 3001 - dropped
