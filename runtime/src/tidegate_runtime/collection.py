"""Data collection: what goes in and out, as JSON lines by endpoint, version, day and hour.

A request only puts a record into a bounded queue; a thread of its own writes. A full queue drops and counts.
"""

from __future__ import annotations

import functools
import json
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from tidegate_runtime import logs
from tidegate_runtime.metrics import Counters
from tidegate_runtime.settings import Collection, Settings
from tidegate_runtime.storage import Storage, StorageError, open_storage

_QUEUE = 1000
"""Records that may wait."""
_BATCH_BYTES = 1024 * 1024
_PAUSE_S = 0.005
"""How long records gather before they are written: a writer that wakes for each takes the interpreter from requests."""
_LAST_S = 5.0
"""How long the stop of a worker waits for the last records."""

_collector: Collector | None = None
"""This process's collector, for scripts that collect by v1's `ModelDataCollector`."""


class Collector:
    """Takes records from requests and writes them in the background."""

    def __init__(self, settings: Settings, collection: Collection, counters: Counters) -> None:
        self._storage: Storage = open_storage(collection.destination)
        self._rate = collection.rate
        self._counters = counters
        self._folder = f"{settings.service_name}/{settings.service_version}"
        self._replica = logs.quoted(settings.replica)
        self._queue: queue.SimpleQueue[Callable[[], str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_for_ever, name="collection", daemon=True)
        self._thread.start()

    def __call__(self, exchange: Any, status: int, body: bytes) -> None:
        """A sink of the application: collect an exchange, if the sample takes it and the script has answered it."""
        if not exchange.ran or status >= 400 or (self._rate < 1.0 and random.random() >= self._rate):  # noqa: S311
            return
        at, request_id, given = exchange.arrived, exchange.request_id, exchange.body
        query = exchange.scope["QUERY_STRING"]
        self._put(
            lambda: (
                f'{{"time":"{_iso(at)}","id":{logs.quoted(request_id)},"replica":{self._replica},'
                f'"designation":"exchange","status":{status},'
                f'"input":{_as_json(given) if given else logs.quoted(query)},"output":{_as_json(body)}}}'
            )
        )

    def put(self, record: Callable[[], dict[str, Any]]) -> None:
        """Take a record, which is made when it is written; drop it where too many wait."""
        self._put(lambda: json.dumps(record(), default=str))

    def stop(self) -> None:
        """Write what waits, for a few seconds at most."""
        self._queue.put(None)
        self._thread.join(_LAST_S)

    def _put(self, line: Callable[[], str]) -> None:
        if self._queue.qsize() < _QUEUE:
            self._queue.put(line)
        else:
            self._counters.dropped(1)

    def _write_for_ever(self) -> None:
        while (line := self._queue.get()) is not None:
            time.sleep(_PAUSE_S)
            batch = [line()]
            size = len(batch[0])
            while size < _BATCH_BYTES and not self._queue.empty():
                if (line := self._queue.get()) is None:
                    self._queue.put(None)  # for the loop around this one, after this batch
                    break
                batch.append(line())
                size += len(batch[-1])
            self._write(batch)

    def _write(self, lines: list[str]) -> None:
        name = f"{self._folder}/{time.strftime('%Y/%m/%d/%H', time.gmtime())}.jsonl"
        try:
            self._storage.append(name, "".join(f"{line}\n" for line in lines).encode())
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
        value = json.loads(data)
    except (ValueError, RecursionError):
        return logs.quoted(text)
    # Printable ASCII has no line end, and is no other encoding of JSON either: those have zero bytes.
    return text if text.isascii() and text.isprintable() else json.dumps(value)


def _iso(seconds: float) -> str:
    return f"{_second(int(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


@functools.lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
