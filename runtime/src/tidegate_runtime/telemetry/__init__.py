"""Requests, dependencies, exceptions and logs to Application Insights, through OpenTelemetry.

Imported only where it is switched on. A request puts records into bounded queues; threads of their own send them in
batches. Where the queues are full the oldest records are lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tidegate_runtime.logs import ScriptOutput
from tidegate_runtime.settings import Settings
from tidegate_runtime.telemetry.pipelines import Pipelines
from tidegate_runtime.telemetry.requests import RequestTracer
from tidegate_runtime.telemetry.script_logs import ScriptLogs


class Telemetry:
    """The telemetry of a worker: a sink of the application that also runs `run()` inside a request's span.

    ValueError where the connection string is wrong.
    """

    def __init__(self, settings: Settings, output: ScriptOutput) -> None:
        self._pipelines = Pipelines(settings)
        self._tracer = RequestTracer(settings, self._pipelines.traces)
        self._script_logs = ScriptLogs(settings, self._pipelines.logs, output)
        self._script_logs.listen()

    def adopt(self) -> None:
        """Let the spans that the script makes go the same way; called when `init()` has had its chance to differ."""
        self._tracer.adopt()

    def run(self, exchange: Any, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """What `function(**arguments)` returns, which the script does for an exchange."""
        return self._tracer.run(exchange, lambda: self._script_logs.run(function, arguments))

    def __call__(self, exchange: Any, status: int, body: bytes) -> None:
        """Record an exchange that has been answered."""
        self._tracer.finish(exchange, status, body)

    def init_failed(self, error: BaseException) -> None:
        """Record why the script could not be started."""
        self._script_logs.init_failed(error)

    def flush(self) -> list[threading.Thread]:
        """Begin to send what waits, in threads that end when that is done; the worker has no time left."""
        return self._pipelines.flush()

    def stop(self) -> None:
        """Send what waits, for a few seconds at most."""
        self._pipelines.stop()
