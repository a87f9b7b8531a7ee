"""From OpenTelemetry's records to Application Insights' ingestion endpoint: batches, queues, and word of failures."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
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
_ANSWER_S = 10
"""How long the endpoint may take for an answer."""
_KEPT_S = 5
"""How long a batch that could not be sent is kept before it is tried again."""
_REASON_LIMIT = 300

_OFF_UNLESS_SET = ("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED")
"""What the exporter would tell and ask Microsoft about itself, at addresses that a closed network does not reach."""


def open_pipelines(settings: Settings) -> tuple[TracerProvider, LoggerProvider]:
    """Where spans and log records go. ValueError, which does not repeat it, where the connection string is wrong."""
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
    traces = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    spans: Any = Exporter("requests", AzureMonitorTraceExporter(**options, tracer_provider=traces))
    traces.add_span_processor(BatchSpanProcessor(spans, max_queue_size=_QUEUE))
    log = LoggerProvider(resource=resource, shutdown_on_exit=False)
    records: Any = Exporter("logs", AzureMonitorLogExporter(**options))
    log.add_log_record_processor(BatchLogRecordProcessor(records, max_queue_size=_QUEUE))
    return traces, log


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
        self._reason = ""
        self._failing = False

    def export(self, batch: Any) -> Any:
        """Send a batch; the result is the exporter's."""
        _thread.exporter = self
        try:
            result = self._exporter.export(batch)
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


class _Thread(threading.local):
    exporter: Exporter | None = None


_thread = _Thread()


def current_exporter() -> Exporter | None:
    """The exporter that this thread sends by, None where it does not."""
    return _thread.exporter
