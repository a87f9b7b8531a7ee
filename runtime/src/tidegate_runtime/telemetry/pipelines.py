"""From OpenTelemetry's records to Application Insights' ingestion endpoint: batches, queues, and word of failures."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from azure.monitor.opentelemetry.exporter import (  # pyright: ignore[reportMissingImports]  (an extra)
    AzureMonitorLogExporter,
    AzureMonitorTraceExporter,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from tidegate_runtime import logs
from tidegate_runtime.settings import Settings

_QUEUE = 5000
"""Spans, and log records, that may wait."""
_BATCH = 100
_INTERVAL_MS = 5000
"""A batch is sent when it is full or this old, as the reference server does it."""
_PAUSE_S = 0.0005
"""Between two records of a batch. Making one ready takes 0.2 ms of the interpreter, and requests want it as well."""
_ANSWER_S = 10
"""How long the endpoint may take for an answer."""
_KEPT_S = 5
"""How long a batch that could not be sent is kept before it is tried again."""
_LAST_S = 2.5
"""How long the stop of a worker waits for the last records."""
_REASON_LIMIT = 300

_OFF_UNLESS_SET = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
)
"""What the exporter would count and tell about itself, and ask for, at addresses that a closed network lacks."""


class Pipelines:
    """Where spans and log records go: `traces` and `logs`.

    ValueError, which does not repeat it, where the connection string is wrong.
    """

    def __init__(self, settings: Settings) -> None:
        for name in _OFF_UNLESS_SET:
            os.environ.setdefault(name, "true")
        options = {
            "connection_string": settings.telemetry,
            "read_timeout": _ANSWER_S,
            "storage_directory": _storage(settings.telemetry),
            "storage_min_retry_interval": _KEPT_S,
        }
        resource = Resource.create(
            {
                "service.name": settings.service_name,
                "service.version": settings.service_version,
                "service.instance.id": settings.replica,
            }
        )
        # One record for each request, whatever its client samples; OpenTelemetry's own variable says otherwise.
        sampler = None if "OTEL_TRACES_SAMPLER" in os.environ else ALWAYS_ON
        self.traces = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
        self.logs = LoggerProvider(resource=resource, shutdown_on_exit=False)
        spans: Any = Exporter("requests", AzureMonitorTraceExporter(**options, tracer_provider=self.traces))
        records: Any = Exporter("logs", AzureMonitorLogExporter(**options))
        batches: dict[str, Any] = {"max_queue_size": _QUEUE, "max_export_batch_size": _BATCH}
        span_delay = None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else _INTERVAL_MS
        record_delay = None if "OTEL_BLRP_SCHEDULE_DELAY" in os.environ else _INTERVAL_MS
        self.traces.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=span_delay, **batches))
        self.logs.add_log_record_processor(
            BatchLogRecordProcessor(records, schedule_delay_millis=record_delay, **batches)
        )
        self._exporters: tuple[Exporter, ...] = (spans, records)

    def flush(self) -> list[threading.Thread]:
        """Begin to send what waits, in threads that end when that is done; the worker has no time left."""
        return self._together(self.traces.force_flush, self.logs.force_flush)

    def stop(self) -> None:
        """Send what waits, for a few seconds at most."""
        deadline = time.monotonic() + _LAST_S
        threads = self._together(self.traces.shutdown, self.logs.shutdown)
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        if any(thread.is_alive() for thread in threads):
            logs.say(f"telemetry: what waited could not be sent within {_LAST_S} s of the stop and is lost")

    def _together(self, *functions: Callable[[], object]) -> list[threading.Thread]:
        for exporter in self._exporters:
            exporter.pause_s = 0.0
        threads = [threading.Thread(target=function, daemon=True) for function in functions]
        for thread in threads:
            thread.start()
        return threads


def _storage(connection_string: str) -> str:
    """A folder of this user and endpoint, named without the key, for what is sent later; up to 50 MiB, for two days."""
    digest = hashlib.sha256(connection_string.encode()).hexdigest()[:16]
    return f"{tempfile.gettempdir()}/tidegate-telemetry-{os.getuid()}-{digest}"


class Exporter:
    """Sends by one of Azure's exporters, and says in a line of its own when that begins and ceases to fail.

    What Azure's exporter and the libraries below it log while they send is kept out of the log: it repeats at each
    batch, it can hold whole records with their key, and it would be sent again.
    """

    def __init__(self, what: str, exporter: Any) -> None:
        self._what = what
        self._exporter = exporter
        self.pause_s = _PAUSE_S
        self._reason = ""
        self._failing = False

    def export(self, batch: Any) -> Any:
        """Send a batch; the result is the exporter's."""
        _thread.exporter = self
        try:
            result = self._exporter.export(_Unhurried(batch, self.pause_s))
        finally:
            _thread.exporter = None
        self._tell(failing=result.name != "SUCCESS")
        return result

    def shutdown(self) -> None:
        """Nothing is sent any more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """Nothing waits here."""
        del timeout_millis
        return True

    def overhear(self, record: logging.LogRecord) -> None:
        """Keep from a log record of the sending thread why sending fails, without the telemetry that it quotes."""
        if record.levelno >= logging.WARNING and isinstance(record.args, tuple):
            shown = tuple(each if isinstance(each, (str, int, Exception)) else "..." for each in record.args)
            self._reason = (str(record.msg) % shown)[:_REASON_LIMIT]

    def _tell(self, *, failing: bool) -> None:
        if failing and not self._failing:
            logs.say(f"telemetry: {self._what} cannot be sent: {logs.quoted(self._reason)}")
        elif self._failing and not failing:
            logs.say(f"telemetry: {self._what} are sent again")
        self._failing = failing


class _Unhurried(list[Any]):
    """A batch whose reader gives way to other threads before each record."""

    def __init__(self, batch: Iterable[Any], pause_s: float) -> None:
        super().__init__(batch)
        self._pause_s = pause_s

    def __iter__(self) -> Iterator[Any]:
        for each in super().__iter__():
            if self._pause_s:
                time.sleep(self._pause_s)
            yield each


class _Thread(threading.local):
    exporter: Exporter | None = None


_thread = _Thread()


def current_exporter() -> Exporter | None:
    """The exporter that this thread sends by, None where it does not."""
    return _thread.exporter
