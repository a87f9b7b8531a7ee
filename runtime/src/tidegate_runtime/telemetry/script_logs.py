"""What a script logs and prints, as OpenTelemetry's log records, tied to the request that it runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider

from tidegate_runtime.logs import STDOUT, ScriptOutput
from tidegate_runtime.settings import Settings
from tidegate_runtime.telemetry.exceptions import exception_attributes
from tidegate_runtime.telemetry.pipelines import current_exporter

_BODY_LIMIT = 8192
"""Characters of a line or a message that are sent."""
_NOT_THE_SCRIPTS = ("opentelemetry.", "_granian")
"""Beginnings of the names of loggers that are left out: a full queue of log records would be told to itself."""
_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.NOTSET, SeverityNumber.DEBUG),
)


class ScriptLogs:
    """Listens to Python's logging and to the script's streams."""

    def __init__(self, settings: Settings, provider: LoggerProvider, output: ScriptOutput) -> None:
        self._logger = provider.get_logger("tidegate")
        self._output = output
        self._constant = {"Service Name": settings.service_name, "tidegate.version": settings.service_version}
        self._thread = _Thread()

    def listen(self) -> None:
        """Hear everything from now on.

        Not by a handler of the root logger: with one there, `logging.basicConfig()` in a script would do nothing, and
        warnings would no longer reach stderr by themselves.
        """
        self._output.listener = self._hear
        call_handlers = logging.Logger.callHandlers

        def call_handlers_and_send(logger: logging.Logger, record: logging.LogRecord) -> None:
            if exporter := current_exporter():
                exporter.overhear(record)
                return
            if not record.name.startswith(_NOT_THE_SCRIPTS):
                self._send_record(record)
            handling = self._thread.handling
            self._thread.handling = True  # what handlers write to the streams has just been sent
            try:
                call_handlers(logger, record)
            finally:
                self._thread.handling = handling

        logging.Logger.callHandlers = call_handlers_and_send  # pyright: ignore[reportAttributeAccessIssue]  (self's name)

    def run(self, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Call `run()`, and send its last lines where they have no line end."""
        # The run before this one on this thread may have been interrupted anywhere.
        self._thread.handling = False
        self._thread.rests.clear()
        try:
            return function(**arguments)
        finally:
            for descriptor, rest in self._thread.rests.items():
                self._send_line(descriptor, rest)
            self._thread.rests.clear()

    def init_failed(self, error: BaseException) -> None:
        """Send why the script could not be started."""
        self._emit(f"init() failed: {error}", SeverityNumber.FATAL, exception_attributes(error))

    def _hear(self, descriptor: int, text: str) -> None:
        if self._thread.handling or current_exporter():
            return
        rests = self._thread.rests
        *lines, rest = (rests.pop(descriptor, "") + text).split("\n")
        if rest:
            rests[descriptor] = rest[-_BODY_LIMIT:]
        for line in lines:
            self._send_line(descriptor, line)

    def _send_line(self, descriptor: int, line: str) -> None:
        if line.strip():
            stream = "stdout" if descriptor == STDOUT else "stderr"
            self._emit(line, SeverityNumber.INFO, {"log.iostream": stream})

    def _send_record(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # the arguments are the script's own; logging's handlers report what is wrong with them
            message = str(record.msg)
        error = record.exc_info[1] if record.exc_info else None
        attributes = {"logger_name": record.name, **(exception_attributes(error) if error else {})}
        severity = next(severity for level, severity in _SEVERITIES if record.levelno >= level)
        self._emit(message, severity, attributes, record.created)

    def _emit(
        self, body: str, severity: SeverityNumber, attributes: dict[str, Any], created: float | None = None
    ) -> None:
        request_id = self._output.request_id()
        self._logger.emit(
            timestamp=int((created or time.time()) * 1e9),
            severity_number=severity,
            body=body[:_BODY_LIMIT],
            attributes={**self._constant, **({"Request Id": request_id} if request_id else {}), **attributes},
        )


class _Thread(threading.local):
    def __init__(self) -> None:
        self.handling = False
        """Whether a logging handler is at work."""
        self.rests: dict[int, str] = {}
        """By stream, what has been written since the last line end."""
