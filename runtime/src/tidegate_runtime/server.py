"""The main process: owns the listening socket, starts and replaces workers, passes signals on."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tidegate_runtime import logs, metrics
from tidegate_runtime.admin import AdminPort, Route
from tidegate_runtime.bounds import INTERRUPT_GRACE_S
from tidegate_runtime.outputs import keep_outputs
from tidegate_runtime.reloading import SourceWatch
from tidegate_runtime.scoreboard import Scoreboard
from tidegate_runtime.settings import Settings
from tidegate_runtime.worker import EXIT_SCRIPT_FAILED, work

_BACKLOG = 1024
_KILL_AFTER_S = INTERRUPT_GRACE_S + 0.15
"""A run that is this long over its time holds the interpreter's lock, so that its worker cannot end itself."""
_RETRY_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a worker is started again, by how many starts in a row have failed."""
_STOP_S = 8.0
"""How long a stopping worker may go on without a run: it writes its last records, then it is killed."""
_RELOAD_S = 0.5
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(settings: Settings) -> int:
    """Run until SIGTERM, SIGINT, or a script that cannot be started; the result is the exit code."""
    try:
        return _Server(settings).run()
    except _ListenError as error:
        logs.say(str(error))
        return 1


class _ListenError(Exception):
    """An address cannot be listened on."""


@dataclass
class _Worker:
    index: int
    pid: int
    control: socket.socket
    ready: bool = False
    serving: bool = False
    stopped_at: float = 0.0
    """When it was told to stop; 0.0 while it was not."""


@dataclass
class _Place:
    """Where a worker runs, one after another."""

    worker: _Worker | None = None
    failures: int = 0
    start_at: float = 0.0


class _Server:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._scoreboard = Scoreboard(settings.workers, settings.max_concurrent_requests)
        self._places = [_Place() for _ in range(settings.workers)]
        self._asked: set[str] = set()
        """What signals have asked for. The loop does it: a handler may strike in the middle of a fork."""
        self._stopping = False
        self._exit_code = 0
        self._started = False
        """Every worker has been ready once."""
        self._replaced = 0
        self._listener: socket.socket | None = None
        self._inode = 0
        self._selector = selectors.DefaultSelector()
        self._on_event: dict[int, Callable[[], None]] = {}
        """By file descriptor, what to do when it can be read."""
        self._keeper = 0
        """Process id of the keeper of outputs."""
        self._watch = SourceWatch(settings.source_dir) if settings.reload else None

    def run(self) -> int:
        self._wake_on_signals()
        self._bind()
        self._open_admin_ports()
        self._start_keeper()
        try:
            while not (self._stopping and not self._workers()):
                self._start_due()
                self._wait()
                self._obey()
                self._reap()
                self._kill_overdue()
                self._open()
                self._reload()
        finally:
            self._close()
            self._stop_keeper()
        return self._exit_code

    def _workers(self) -> list[_Worker]:
        return [place.worker for place in self._places if place.worker is not None]

    # Events

    def _wake_on_signals(self) -> None:
        reader, self._wakeup_writer = socket.socketpair()
        for each in (reader, self._wakeup_writer):
            each.setblocking(False)
        signal.set_wakeup_fd(self._wakeup_writer.fileno(), warn_on_full_buffer=False)
        self._listen_to(reader, lambda: _drain(reader))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._asked.add("stop"))
        signal.signal(signal.SIGHUP, lambda *_: self._asked.add("renew"))

    def _listen_to(self, readable: socket.socket, action: Callable[[], None]) -> None:
        self._selector.register(readable, selectors.EVENT_READ)
        self._on_event[readable.fileno()] = action

    def _forget(self, readable: socket.socket) -> None:
        if self._on_event.pop(readable.fileno(), None) is not None:
            self._selector.unregister(readable)

    def _wait(self) -> None:
        """Sleep until a signal, a word from a worker, or the next thing that is due."""
        for key, _ in self._selector.select(self._pause()):
            if action := self._on_event.get(key.fd):
                action()

    def _obey(self) -> None:
        """Do what signals have asked for."""
        while self._asked:
            if self._asked.pop() == "stop":
                self._stop(0)
            else:
                self._stop_workers()

    def _pause(self) -> float | None:
        now = time.monotonic()
        due: list[float] = [now + _RELOAD_S] if self._watch is not None else []
        for index, place in enumerate(self._places):
            if place.worker is None:
                due.append(place.start_at)
                continue
            if place.worker.stopped_at:
                due.append(now + 0.2)
            if place.worker.serving:
                due.append(now + self._settings.scoring_timeout_ms / 1000 + _KILL_AFTER_S)
                due += [deadline + _KILL_AFTER_S for deadline in self._scoreboard.deadlines(index) if deadline]
        return max(min(due) - now, 0.001) if due else None

    # The listening socket

    def _bind(self) -> None:
        try:
            self._listener = self._new_listener()
        except OSError as error:
            message = f"cannot listen on {_address(self._settings)}: {error.strerror or error}"
            raise _ListenError(message) from error

    def _new_listener(self) -> socket.socket:
        path = self._settings.socket
        if path is None:
            family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
            listener = socket.socket(family)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._settings.host, self._settings.port))
        else:
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(path.lstat().st_mode):
                    path.unlink()
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            path.chmod(0o600)  # nobody can connect before listen()
            self._inode = path.stat().st_ino
        listener.setblocking(False)
        return listener

    def _open(self) -> None:
        """Let ready workers serve: at the start all at once, later each when it is ready."""
        if self._stopping or self._listener is None:
            return
        workers = self._workers()
        if not self._started and not (len(workers) == len(self._places) and all(each.ready for each in workers)):
            return
        for worker in workers:
            if worker.ready and not worker.serving:
                self._listener.listen(_BACKLOG)
                worker.serving = True
                with contextlib.suppress(BrokenPipeError):  # it has just died, and is about to be reaped
                    worker.control.sendall(b"G")
        if not self._started:
            self._started = True
            logs.say(f"ready on {_address(self._settings)}")

    def _close(self) -> None:
        """Stop listening: connections are refused at once instead of waiting for a worker."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        if (path := self._settings.socket) is not None:
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == self._inode:
                    path.unlink()

    # Workers

    def _start_due(self) -> None:
        if self._stopping:
            return
        now = time.monotonic()
        for index, place in enumerate(self._places):
            if place.worker is None and place.start_at <= now:
                if self._listener is None:
                    self._bind()
                place.worker = self._start_worker(index)

    def _start_worker(self, index: int) -> _Worker:
        ours, theirs = socket.socketpair()
        parent = os.getpid()

        def be_worker() -> int:
            ours.close()
            if self._listener is None:
                return 1
            return work(
                self._settings,
                listener=self._listener,
                control=theirs,
                deadlines=self._scoreboard.deadlines(index),
                cells=self._scoreboard.counters(index),
                parent=parent,
            )

        worker = _Worker(index, self._fork(be_worker), ours)
        theirs.close()

        def hear() -> None:
            word = b""
            with contextlib.suppress(ConnectionResetError):  # it died before it read our last word
                word = ours.recv(1)
            if word == b"R":
                worker.ready = True
            else:
                self._forget(ours)

        self._listen_to(ours, hear)
        return worker

    def _fork(self, child: Callable[[], int]) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal for the child waits until the child has put away our handlers, which would swallow it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return pid
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for key in list(self._selector.get_map().values()):
                cast(socket.socket, key.fileobj).close()
            self._selector.close()
            self._wakeup_writer.close()
            code = child()
        except BaseException as error:
            logs.script_error(error)
        finally:
            with contextlib.suppress(OSError, ValueError):  # a closed stdout must not change the exit code
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        for place in self._places:
            worker = place.worker
            if worker is None:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid == 0:
                continue
            self._forget(worker.control)
            worker.control.close()
            place.worker = None
            self._scoreboard.forget(worker.index)
            if worker.serving and not any(each.serving for each in self._workers()):
                self._close()
            if not self._stopping:
                self._replace(place, worker, os.waitstatus_to_exitcode(status))

    def _replace(self, place: _Place, worker: _Worker, code: int) -> None:
        if worker.stopped_at:
            place.start_at = 0.0
            return
        self._replaced += 1
        logs.say(f"worker {worker.pid} ended {_how(code)} {'after' if worker.ready else 'before'} it was ready")
        place.failures = 0 if worker.ready else place.failures + 1
        if place.failures and self._watch is not None:
            place.start_at = float("inf")  # until the next edit
        elif place.failures and not any(each.serving for each in self._workers()):
            self._stop(EXIT_SCRIPT_FAILED)
        else:
            place.start_at = time.monotonic() + _RETRY_S[min(place.failures, len(_RETRY_S) - 1)]

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for worker in self._workers():
            deadlines = [deadline for deadline in self._scoreboard.deadlines(worker.index) if deadline]
            if any(deadline + _KILL_AFTER_S < now for deadline in deadlines):
                logs.say(f"worker {worker.pid} is ended: run() did not stop after its timeout")
                os.kill(worker.pid, signal.SIGKILL)
            elif worker.stopped_at and not deadlines and worker.stopped_at + _STOP_S < now:
                os.kill(worker.pid, signal.SIGKILL)

    def _stop_workers(self) -> None:
        """Let every worker finish what runs and end."""
        for worker in self._workers():
            if not worker.stopped_at:
                worker.stopped_at = time.monotonic()
                os.kill(worker.pid, signal.SIGTERM)

    def _stop(self, exit_code: int) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._exit_code = exit_code
        self._close()
        self._stop_workers()

    def _reload(self) -> None:
        if self._watch is not None and not self._stopping and self._watch.changed():
            logs.say("a file has changed: the workers are started anew")
            for place in self._places:
                place.start_at = 0.0
            self._stop_workers()

    # Metrics, health, outputs

    def _open_admin_ports(self) -> None:
        health: dict[str, Route] = {"/": self._health}
        if self._settings.metrics_port:
            self._add_port(self._settings.metrics_port, health | {"/metrics": self._metrics})
        if self._settings.health_port:
            self._add_port(self._settings.health_port, health)

    def _add_port(self, number: int, routes: dict[str, Route]) -> None:
        host = self._settings.host
        try:
            port = AdminPort(host, number, routes)
        except OSError as error:
            raise _ListenError(f"cannot listen on http://{host}:{number}: {error.strerror or error}") from error

        def accept() -> None:
            if (connection := port.accept()) is not None:
                self._listen_to(connection, lambda: answer(connection))

        def answer(connection: socket.socket) -> None:
            self._forget(connection)
            port.answer(connection)

        self._listen_to(port.listener, accept)

    def _health(self) -> tuple[int, str, str]:
        ready = self._started and any(worker.serving for worker in self._workers())
        return (200, "text/html; charset=utf-8", "Healthy") if ready else (503, "text/plain", "Not ready\n")

    def _metrics(self) -> tuple[int, str, str]:
        text = metrics.render(
            self._settings,
            self._scoreboard,
            ready=sum(worker.ready for worker in self._workers()),
            replaced=self._replaced,
        )
        return 200, "text/plain; version=0.0.4; charset=utf-8", text

    def _start_keeper(self) -> None:
        outputs = self._settings.outputs
        if outputs is not None:

            def be_keeper() -> int:
                keep_outputs(self._settings, outputs)
                return 0

            self._keeper = self._fork(be_keeper)

    def _stop_keeper(self) -> None:
        if self._keeper:
            os.kill(self._keeper, signal.SIGTERM)
            os.waitpid(self._keeper, 0)


def _drain(reader: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        reader.recv(4096)


def _address(settings: Settings) -> str:
    return str(settings.socket) if settings.socket else f"http://{settings.host}:{settings.port}"


def _how(code: int) -> str:
    return f"by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"with code {code}"
