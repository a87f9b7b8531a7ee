"""Granian's WSGI worker: HTTP in Rust, Python called on its threads.

Only Granian's worker is used, not its main process: ours opens the socket when `init()` has returned everywhere, gives
up no worker for crashing twice, and kills runs that hang. The worker's call convention is not public, so the package
pins Granian to one minor version and this module is the only one that knows it. The callback is called with Granian's
own response object and environment, without the WSGI adapter around it, which copies the process's environment at
each request.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from granian import _granian
from granian._futures import _new_cbscheduler
from granian.http import HTTP1Settings

_untyped: Any = _granian  # its stub file lags behind the library
_CONNECTIONS = 1024
_IDLE_THREAD_S = 600
"""Granian's upper bound; threads are few and kept."""


def serve_until_signal(listener: socket.socket, threads: int, answer: Callable[[Any, dict[str, Any]], None]) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those that are under way and return.

    The listener is taken over. `answer` is called on one of at most `threads` threads with the response object
    (`response_bytes(status, headers, body)`, once) and the request's WSGI environment.
    """
    stop = _untyped.WorkerSignal()
    stopped = threading.Event()
    stop.add_cb(stopped.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    unix = listener.family == socket.AF_UNIX
    loop = asyncio.new_event_loop()
    worker = _untyped.WSGIWorker(
        1,  # the worker's number, for metrics
        (None, _untyped.SocketHolder(listener.detach(), unix, _CONNECTIONS)),
        None,  # metrics pipe
        1,  # runtime threads
        512,  # upper bound of the runtime's own blocking threads
        threads,
        _IDLE_THREAD_S,
        _CONNECTIONS,
        "1",
        HTTP1Settings(),
        None,  # HTTP/2 settings
        None,  # static files
        False,  # TLS: none, and its certificate, key, password
        None,
        None,
        None,
        "1.3",
        None,  # client certificates
        [],
        False,
        (None, None),  # metrics: interval, aggregator
    )
    serve = worker.serve_mtr_uds if unix else worker.serve_mtr
    serve(_new_cbscheduler(loop, answer), loop, stop)
    stopped.wait()
