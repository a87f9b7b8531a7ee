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
import time
from collections.abc import Callable
from typing import Any

from granian import _granian
from granian._futures import _new_cbscheduler
from granian.http import HTTP1Settings

_untyped: Any = _granian  # its stub file lags behind the library
_CONNECTIONS = 1024
_TICK_S = 0.05
_QUIET_S = 1.0
"""How long after the last answer a stopping worker waits for clients to take it and hang up."""
_IDLE_THREAD_S = 600
"""Granian's upper bound; threads are few and kept."""


def serve_until_signal(
    listener: socket.socket,
    threads: int,
    answer: Callable[[Any, dict[str, Any]], None],
    idle: Callable[[], bool],
) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those that are under way and return.

    The listener is taken over. `answer` is called on one of at most `threads` threads with the response object
    (`response_bytes(status, headers, body)`, once) and the request's WSGI environment. `idle()` tells whether no
    request is on its way.
    """
    stop = _untyped.WorkerSignal()
    stopped = threading.Event()
    stop.add_cb(stopped.set)
    stopping = threading.Event()

    def begin_stop(*_: object) -> None:
        stop.set()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, begin_stop)
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
    stopping.wait()
    # Granian waits for every client that holds a connection, also for one that never ends its request.
    quiet_since = time.monotonic()
    while not stopped.wait(_TICK_S) and time.monotonic() - quiet_since < _QUIET_S:
        if not idle():
            quiet_since = time.monotonic()
