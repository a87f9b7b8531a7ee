"""What the collector writes for what it is given."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from tidegate_runtime.collection import Collector
from tidegate_runtime.metrics import Counters
from tidegate_runtime.scoreboard import Scoreboard
from tidegate_runtime.settings import Collection, Settings


def collected(folder: Path, *bodies: bytes, query: str = "") -> list[dict[str, object]]:
    settings = Settings(folder / "score.py", folder, folder, replica='a "replica"')
    counters = Counters(Scoreboard(1, 1).counters(0))
    collector = Collector(settings, Collection(str(folder / "collected")), counters)
    for body in bodies:
        scope = {"QUERY_STRING": query}
        exchange = SimpleNamespace(ran=True, arrived=1700000000.25, request_id='an "id"', body=body, scope=scope)
        collector(exchange, 200, b'{"answer": 1}')
    collector.stop()
    (path,) = (folder / "collected").rglob("*.jsonl")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


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
    ],
    ids=["json", "lines", "unicode", "utf-16", "utf-16-le", "cut", "text", "bytes", "deep"],
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
    records = collected(tmp_path, *(str(number).encode() for number in range(900)))
    assert [record["input"] for record in records] == list(range(900))
