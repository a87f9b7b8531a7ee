"""Requests to Application Insights, through OpenTelemetry's exporter; imported only where it is switched on."""

from __future__ import annotations

import json
import queue
import threading
from typing import Any

from tidegate_runtime import logs
from tidegate_runtime.settings import Settings

_QUEUE = 10_000
_LAST_S = 5.0


class Telemetry:
    """A sink that turns exchanges into request records, in a thread of its own and in batches."""

    def __init__(self, settings: Settings) -> None:
        from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter  # noqa: PLC0415  # pyright: ignore[reportMissingImports]  (an extra)
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        names = {"service.name": settings.service_name, "service.version": settings.service_version}
        self._provider = TracerProvider(
            resource=Resource.create({**names, "service.instance.id": settings.replica}), shutdown_on_exit=False
        )
        exporter = AzureMonitorTraceExporter(connection_string=settings.telemetry)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("tidegate")
        self._constant = {"tidegate.endpoint": settings.service_name, "tidegate.version": settings.service_version}
        self._queue: queue.Queue[tuple[Any, int] | None] = queue.Queue(_QUEUE)
        self._thread = threading.Thread(target=self._record_for_ever, name="telemetry", daemon=True)
        self._thread.start()

    def __call__(self, exchange: Any, status: int, body: bytes) -> None:
        """A sink of the application. What does not fit into the queue is lost."""
        del body
        if not self._queue.full():
            self._queue.put_nowait((exchange, status))

    def stop(self) -> None:
        """Send what waits, for a few seconds at most."""
        self._queue.put(None)
        self._thread.join(_LAST_S)
        self._provider.shutdown()

    def _record_for_ever(self) -> None:
        while (item := self._queue.get()) is not None:
            self._record(*item)

    def _record(self, exchange: Any, status: int) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 (an extra)

        scope = exchange.scope
        start = int(exchange.arrived * 1e9)
        attributes = {
            **self._constant,
            "http.request.method": scope["REQUEST_METHOD"],
            "http.method": scope["REQUEST_METHOD"],
            "http.route": scope["PATH_INFO"],
            "http.target": scope["PATH_INFO"],
            "http.host": scope.get("HTTP_HOST", ""),
            "http.scheme": scope["wsgi.url_scheme"],
            "http.response.status_code": status,
            "http.status_code": status,
            "x-request-id": exchange.request_id,
            "x-ms-client-request-id": exchange.client_id,
            "tidegate.queue_ms": exchange.queue_s * 1000,
            "tidegate.run_ms": exchange.run_s * 1000,
        }
        span = self._tracer.start_span(
            f"{scope['REQUEST_METHOD']} {scope['PATH_INFO']}",
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=start,
        )
        span.set_status(Status(StatusCode.ERROR if status >= 400 else StatusCode.OK))
        span.end(start + int((exchange.queue_s + exchange.run_s) * 1e9))


def start_telemetry(settings: Settings) -> Telemetry | None:
    """Telemetry, or None with a word in the log where its package is missing or the connection string is wrong."""
    try:
        return Telemetry(settings)
    except ImportError:
        logs.say("telemetry is off: install tidegate-runtime[telemetry]")
    except ValueError as error:
        logs.say(f"telemetry is off: {json.dumps(str(error))}")
    return None
