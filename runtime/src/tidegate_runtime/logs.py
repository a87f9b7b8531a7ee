"""What is written to stdout and stderr.

- The server's own news and one JSON line for each request go to stderr.
- What the script prints stays on its stream; what it prints while it runs a request starts with `[<request id>]`.
"""

from __future__ import annotations

import io
import json.encoder
import logging.config
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from tidegate_runtime.settings import LOG_LEVELS, Settings

STDOUT = 1
STDERR = 2
_PACKAGE = str(Path(__file__).parent)
_BODY_LIMIT = 4096
"""Characters of a body in a log line, where bodies are asked for."""
quoted: Callable[[str], str] = json.encoder.encode_basestring_ascii
"""A string as JSON."""


def say(message: str) -> None:
    """One line about the server's life."""
    write(f"tidegate-score[{os.getpid()}]: {message}\n")


def write(text: str) -> None:
    """Whole lines in one system call, so that those of several threads and processes never mix."""
    try:  # noqa: SIM105 (contextlib.suppress takes half as long as the write, for each request)
        os.write(STDERR, text.encode(errors="backslashreplace"))
    except OSError:  # nobody reads the log any more; a request must not fail for that
        pass


def script_error(error: BaseException, request_id: str = "") -> None:
    """Write a script's traceback."""
    prefix = f"[{request_id}] " if request_id else ""
    write("".join(f"{prefix}{line}\n" for line in script_traceback(error).splitlines()))


def script_traceback(error: BaseException) -> str:
    """A traceback as text, from the script's own first line on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((_PACKAGE, "<frozen importlib")):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def load_logging_config(settings: Settings) -> None:
    """A `logging.json` in the app root or beside the script sets up Python's logging."""
    folders = [settings.app_root, *([settings.entry_script.parent] if settings.entry_script else [])]
    for folder in folders:
        path = folder / "logging.json"
        if path.is_file():
            logging.config.dictConfig(json.loads(path.read_text(encoding="utf-8")))
            return


class RequestLog:
    """One JSON line for each request."""

    def __init__(self, settings: Settings) -> None:
        self.enabled = LOG_LEVELS.index(settings.log_level) <= LOG_LEVELS.index("INFO")
        self._bodies = settings.log_bodies
        names = f'"endpoint":{quoted(settings.service_name)},"version":{quoted(settings.service_version)}'
        self._middle = f'Z","level":"info","event":"request",{names},"id":'
        self._second = (0, "")

    def __call__(self, exchange: Any, status: int, body: bytes) -> None:
        """Write the line of an exchange that has been answered."""
        now = time.time()
        second = int(now)
        if self._second[0] != second:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        scope = exchange.scope
        line = (
            f'{{"time":"{self._second[1]}.{int(now * 1000) % 1000:03d}{self._middle}{quoted(exchange.request_id)},'
            f'"method":"{scope["REQUEST_METHOD"]}","path":{quoted(scope["PATH_INFO"])},"status":{status},'
            f'"queue_ms":{exchange.queue_s * 1000:.3f},"run_ms":{exchange.run_s * 1000:.3f},'
            f'"request_bytes":{len(exchange.body)},"response_bytes":{len(body)}'
        )
        if exchange.shadow:
            line += ',"shadow":true'
        if self._bodies:
            line += f',"request":{_shown(exchange.body)},"response":{_shown(body)}'
        write(f"{line}}}\n")


class ScriptOutput:
    """Ties what the script prints to requests. Made before the script is imported, whose log handlers keep streams."""

    def __init__(self) -> None:
        self.request_id: Callable[[], str] = str
        """Tells which request this thread runs, "" where it runs none."""
        self.listener: Callable[[int, str], None] | None = None
        """Told of each text that the script writes: the stream's descriptor, and the text."""
        self._streams = [_TaggedStream(sys.stdout, STDOUT, self), _TaggedStream(sys.stderr, STDERR, self)]
        sys.stdout, sys.stderr = self._streams  # type: ignore[assignment]  # the interface that print and logging use

    def end(self, request_id: str) -> None:
        """A request has run: write its last line where that has no line end."""
        for stream in self._streams:
            if stream.unfinished:
                stream.end(request_id)


class _TaggedStream(io.TextIOBase):
    def __init__(self, plain: TextIO, descriptor: int, output: ScriptOutput) -> None:
        self._plain = plain
        self._descriptor = descriptor
        self._output = output
        self._lock = threading.Lock()
        self.unfinished: dict[str, str] = {}
        """By request, what it has printed since the last line end."""

    def write(self, text: str) -> int:
        if self._output.listener is not None:
            self._output.listener(self._descriptor, text)
        request_id = self._output.request_id()
        if not request_id:
            self._plain.write(text)
            if "\n" in text:
                self._plain.flush()
            return len(text)
        with self._lock:
            *lines, rest = (self.unfinished.pop(request_id, "") + text).split("\n")
            if rest:
                self.unfinished[request_id] = rest
        self._emit(request_id, lines)
        return len(text)

    def end(self, request_id: str) -> None:
        with self._lock:
            rest = self.unfinished.pop(request_id, None)
        if rest is not None:
            self._emit(request_id, [rest])

    def _emit(self, request_id: str, lines: list[str]) -> None:
        if lines:
            text = "".join(f"[{request_id}] {line}\n" for line in lines)
            os.write(self._descriptor, text.encode(errors="backslashreplace"))

    def flush(self) -> None:
        self._plain.flush()

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._plain.isatty()

    def writable(self) -> bool:
        return True

    @property
    def buffer(self) -> Any:
        """The bytes below, for scripts that write bytes."""
        return self._plain.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]  # an attribute in the base class
        return self._plain.encoding


def _shown(body: bytes) -> str:
    return quoted(body.decode(errors="replace")[:_BODY_LIMIT])
