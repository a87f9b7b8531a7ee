"""Data collection: what goes in and out, as JSON lines by endpoint, version, day and hour.

A request only puts a record into a bounded queue; a thread of its own writes. A full queue drops and counts, and so
does a record that JSON cannot say.
"""

from __future__ import annotations

import functools
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from tidegate_runtime import logs
from tidegate_runtime.metrics import Counters
from tidegate_runtime.results import without_nan
from tidegate_runtime.settings import Collection, Settings
from tidegate_runtime.storage import Storage, StorageError, open_storage

_QUEUE_BYTES = 32 * 1024 * 1024
"""Records that wait, in bytes, beyond which no more are taken."""
_MANY_BYTES = _QUEUE_BYTES // 4
"""Records that wait, in bytes, beyond which they gather no longer."""
_RECORD_BYTES = 300
"""What a record takes beside its bodies."""
_SMALL_BYTES = 16 * 1024
"""Bodies up to this are formatted at once: that costs less than to hand them over and to format them later, in a
thread that takes the interpreter from requests."""
_LAST_S = 5.0
"""How long the stop of a worker waits for the last records."""

_Line = str | Callable[[], str]
_collector: Collector | None = None
"""This process's collector, for scripts that collect by v1's `ModelDataCollector`."""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# Whether text is JSON is all that is asked: to count a number's digits takes a third of the time of reading it.
_reader: Any = json.JSONDecoder(parse_float=len, parse_int=len, parse_constant=_refuse_constant)
_scan = _reader.scan_once


class Collector:
    """Takes records from requests and writes them in the background."""

    def __init__(self, settings: Settings, collection: Collection, counters: Counters) -> None:
        self._storage: Storage = open_storage(collection.destination)
        self._rate = collection.rate
        self._counters = counters
        self._folder = f"{settings.service_name}/{settings.service_version}"
        self._replica = logs.quoted(settings.replica)
        self._lock = threading.Lock()
        self._waiting: list[_Line] = []
        self._waiting_bytes = 0
        self._something = threading.Event()
        """Something waits."""
        self._hurry = threading.Event()
        """So much waits that it is to be written now."""
        self._stopping = False
        self._has_refused = False
        self._thread = threading.Thread(target=self._write_until_stop, name="collection", daemon=True)
        self._thread.start()

    def __call__(self, exchange: Any, status: int, body: bytes) -> None:
        """A sink of the application: collect an exchange, if the sample takes it and the script has answered it."""
        if not exchange.ran or status >= 400 or (self._rate < 1.0 and random.random() >= self._rate):  # noqa: S311
            return
        given = exchange.body
        size = len(given) + len(body)
        if size <= _SMALL_BYTES:
            self._put(self._line(exchange, status, body), size)
        else:
            self._put(lambda: self._line(exchange, status, body), size)

    def put(self, record: Callable[[], dict[str, Any]]) -> None:
        """Take a record, which is made when it is written; drop it where too many wait."""
        self._put(lambda: f"{_encode(record())}\n", 0)

    def stop(self) -> None:
        """Write what waits, for a few seconds at most."""
        with self._lock:
            self._stopping = True
            self._hurry.set()
            self._something.set()
        self._thread.join(_LAST_S)

    def _line(self, exchange: Any, status: int, body: bytes) -> str:
        given = exchange.body
        return (
            f'{{"time":"{_iso(exchange.arrived)}","id":{logs.quoted(exchange.request_id)},"replica":{self._replica},'
            f'"designation":"exchange","status":{status},'
            f'"input":{_as_json(given) if given else logs.quoted(exchange.scope["QUERY_STRING"])},'
            f'"output":{body.decode() if exchange.serialized else _as_json(body)}}}\n'
        )

    def _put(self, line: _Line, size: int) -> None:
        with self._lock:
            taken = self._waiting_bytes < _QUEUE_BYTES
            if taken:
                self._waiting.append(line)
                self._waiting_bytes += size + _RECORD_BYTES
                if self._waiting_bytes > _MANY_BYTES:
                    self._hurry.set()
                elif len(self._waiting) == 1:
                    self._something.set()
        if not taken:
            self._counters.dropped(1)

    def _write_until_stop(self) -> None:
        stopping = False
        while not stopping:
            self._something.wait()
            self._hurry.wait(self._storage.gather_s)
            with self._lock:
                lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
                self._something.clear()
                self._hurry.clear()
                stopping = self._stopping
            self._write([line for each in lines if (line := each if isinstance(each, str) else self._made(each))])

    def _made(self, line: Callable[[], str]) -> str:
        try:
            return line()
        except Exception as error:  # a script's record, with code of the script's own in it
            self._counters.dropped(1)
            if not self._has_refused:
                self._has_refused = True
                logs.say(f"data collection: records that cannot be JSON are dropped, first one: {error}")
            return ""

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        name = f"{self._folder}/{time.strftime('%Y/%m/%d/%H', time.gmtime())}.jsonl"
        try:
            self._storage.append(name, "".join(lines).encode())
        except StorageError as error:
            logs.say(f"data collection: {error}; {len(lines)} records are lost")
            self._counters.dropped(len(lines))
        else:
            self._counters.collected(len(lines))


def start_collector(settings: Settings, collection: Collection, counters: Counters) -> Collector:
    """Start the collector of this process."""
    global _collector  # noqa: PLW0603 (v1's ModelDataCollector is built by scripts that know of no server)
    _collector = Collector(settings, collection, counters)
    return _collector


def current_collector() -> Collector | None:
    """The collector of this process, None where data collection is off."""
    return _collector


def _as_json(data: bytes) -> str:
    """JSON as it was sent where it fits on a line, other text as a JSON string."""
    text = data.decode(errors="replace")
    try:
        # Printable ASCII has no line end, and is no other encoding of JSON either: those have zero bytes.
        if text.isascii() and text.isprintable() and _scan(text, 0)[1] == len(text):
            return text
    except (ValueError, StopIteration, RecursionError):
        pass  # it may have spaces in front
    try:
        return json.dumps(json.loads(data, parse_constant=_refuse_constant))
    except (ValueError, RecursionError):
        return logs.quoted(text)


def _encode(record: dict[str, Any]) -> str:
    """A record of a script as JSON: null for what is no number, text for what JSON has no type for."""
    try:
        return json.dumps(record, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(without_nan(record), default=str, allow_nan=False)


def _iso(seconds: float) -> str:
    return f"{_second(int(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


@functools.lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
