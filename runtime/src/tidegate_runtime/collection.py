"""Data collection: what goes in and out, as JSON lines by endpoint, version, day and hour.

A request only puts a record into a bounded queue; a thread of its own writes. A full queue drops and counts.
"""

from __future__ import annotations

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
        self._replica = settings.replica
        self._queue: queue.Queue[Callable[[], dict[str, Any]] | None] = queue.Queue(_QUEUE)
        self._thread = threading.Thread(target=self._write_for_ever, name="collection", daemon=True)
        self._thread.start()

    def __call__(self, exchange: Any, status: int, body: bytes) -> None:
        """A sink of the application: collect an exchange, if the sample takes it and the script has answered it."""
        if not exchange.ran or status >= 400 or (self._rate < 1.0 and random.random() >= self._rate):  # noqa: S311
            return
        at, request_id, given = exchange.arrived, exchange.request_id, exchange.body
        query = exchange.scope["QUERY_STRING"]
        self.put(
            lambda: {
                "time": _iso(at),
                "id": request_id,
                "replica": self._replica,
                "designation": "exchange",
                "status": status,
                "input": _json_or_text(given) if given else query,
                "output": _json_or_text(body),
            }
        )

    def put(self, record: Callable[[], dict[str, Any]]) -> None:
        """Take a record, which is made when it is written; drop it where too many wait."""
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self._counters.dropped(1)

    def stop(self) -> None:
        """Write what waits, for a few seconds at most."""
        try:
            self._queue.put(None, timeout=_LAST_S)
        except queue.Full:
            return
        self._thread.join(_LAST_S)

    def _write_for_ever(self) -> None:
        while (record := self._queue.get()) is not None:
            records = [record]
            size = len(lines := _line(record))
            ended = False
            while size < _BATCH_BYTES:
                try:
                    record = self._queue.get_nowait()
                except queue.Empty:
                    break
                if record is None:
                    ended = True
                    break
                records.append(record)
                lines += _line(record)
                size = len(lines)
            self._write(len(records), lines)
            if ended:
                return

    def _write(self, count: int, lines: bytes) -> None:
        try:
            self._storage.append(f"{self._folder}/{time.strftime('%Y/%m/%d/%H', time.gmtime())}.jsonl", lines)
        except StorageError as error:
            logs.say(f"data collection: {error}; {count} records are lost")
            self._counters.dropped(count)
        else:
            self._counters.collected(count)


def start_collector(settings: Settings, collection: Collection, counters: Counters) -> Collector:
    """Start the collector of this process."""
    global _collector  # noqa: PLW0603 (v1's ModelDataCollector is built by scripts that know of no server)
    _collector = Collector(settings, collection, counters)
    return _collector


def current_collector() -> Collector | None:
    """The collector of this process, None where data collection is off."""
    return _collector


def _line(record: Callable[[], dict[str, Any]]) -> bytes:
    return (json.dumps(record(), default=str) + "\n").encode()


def _json_or_text(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")


def _iso(seconds: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds * 1000) % 1000:03d}Z"
