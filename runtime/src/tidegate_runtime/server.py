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
from dataclasses import dataclass, field

from tidegate_runtime import logs
from tidegate_runtime.bounds import INTERRUPT_GRACE_S
from tidegate_runtime.scoreboard import DEADLINE, Scoreboard
from tidegate_runtime.settings import Settings
from tidegate_runtime.worker import work

_BACKLOG = 1024
_KILL_AFTER_S = INTERRUPT_GRACE_S + 0.15
"""A run that is this long over its time holds the interpreter's lock, so that its worker cannot end itself."""
_RETRY_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a worker is started again, by how many starts in a row have failed."""


def serve(settings: Settings) -> int:
    """Run until SIGTERM, SIGINT, or a script that cannot be started; the result is the exit code."""
    try:
        return _Server(settings).run()
    except OSError as error:
        logs.say(f"cannot listen on {_address(settings)}: {error.strerror or error}")
        return 1


@dataclass
class _Worker:
    index: int
    pid: int
    control: socket.socket
    ready: bool = False
    serving: bool = False


@dataclass
class _Place:
    """Where a worker runs, one after another."""

    worker: _Worker | None = None
    failures: int = 0
    start_at: float = 0.0


@dataclass
class _Server:
    settings: Settings
    stopping: bool = False
    exit_code: int = 0
    started: bool = False
    """Every worker has been ready once."""
    listener: socket.socket | None = None
    inode: int = 0
    places: list[_Place] = field(default_factory=list)

    def run(self) -> int:
        self.scoreboard = Scoreboard(self.settings.workers, self.settings.max_concurrent_requests)
        self.places = [_Place() for _ in range(self.settings.workers)]
        self._wake_on_signals()
        self._bind()
        try:
            while not (self.stopping and not self._workers()):
                self._start_due()
                self._wait()
                self._reap()
                self._kill_overdue()
                self._open()
        finally:
            self._close()
        return self.exit_code

    def _workers(self) -> list[_Worker]:
        return [place.worker for place in self.places if place.worker is not None]

    def _wake_on_signals(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.wakeup, wakeup_writer = socket.socketpair()
        self.wakeup.setblocking(False)
        wakeup_writer.setblocking(False)
        self.wakeup_writer = wakeup_writer
        signal.set_wakeup_fd(wakeup_writer.fileno(), warn_on_full_buffer=False)
        self.selector.register(self.wakeup, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop(0))

    def _bind(self) -> None:
        path = self.settings.socket
        if path is None:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((self.settings.host, self.settings.port))
        else:
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(path.lstat().st_mode):
                    path.unlink()
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            path.chmod(0o600)
            self.inode = path.stat().st_ino
        self.listener.setblocking(False)

    def _close(self) -> None:
        """Stop listening: connections are refused at once instead of waiting for a worker."""
        if self.listener is None:
            return
        self.listener.close()
        self.listener = None
        if (path := self.settings.socket) is not None:
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == self.inode:
                    path.unlink()

    def _start_due(self) -> None:
        if self.stopping:
            return
        now = time.monotonic()
        for index, place in enumerate(self.places):
            if place.worker is None and place.start_at <= now:
                if self.listener is None:
                    self._bind()
                place.worker = self._fork(index)

    def _fork(self, index: int) -> _Worker:
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                ours.close()
                code = self._be_worker(index, theirs, parent)
            finally:
                with contextlib.suppress(Exception):  # a closed stdout must not change the exit code
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(code)
        theirs.close()
        self.selector.register(ours, selectors.EVENT_READ)
        return _Worker(index, pid, ours)

    def _be_worker(self, index: int, control: socket.socket, parent: int) -> int:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self.selector.close()
        for open_socket in (self.wakeup, self.wakeup_writer, *(each.control for each in self._workers())):
            open_socket.close()
        assert self.listener is not None  # noqa: S101 (bound before every fork)
        return work(self.settings, self.listener, control, self.scoreboard.rows(index), parent)

    def _wait(self) -> None:
        """Sleep until a signal, a word from a worker, or the next thing that is due."""
        for key, _ in self.selector.select(self._pause()):
            if key.fileobj is self.wakeup:
                with contextlib.suppress(BlockingIOError):
                    self.wakeup.recv(4096)
                continue
            for worker in self._workers():
                if worker.control is key.fileobj:
                    if worker.control.recv(1) == b"R":
                        worker.ready = True
                    else:
                        self.selector.unregister(worker.control)

    def _pause(self) -> float | None:
        now = time.monotonic()
        due: list[float] = []
        for index, place in enumerate(self.places):
            if place.worker is None:
                due.append(place.start_at)
            elif place.worker.serving:
                due.append(now + self.settings.scoring_timeout_ms / 1000 + _KILL_AFTER_S)
                due += [row[DEADLINE] + _KILL_AFTER_S for row in self.scoreboard.rows(index) if row[DEADLINE]]
        return max(min(due) - now, 0.001) if due else None

    def _reap(self) -> None:
        for place in self.places:
            worker = place.worker
            if worker is None:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid == 0:
                continue
            with contextlib.suppress(KeyError):
                self.selector.unregister(worker.control)
            worker.control.close()
            place.worker = None
            self.scoreboard.clear(worker.index)
            if worker.serving and not any(each.serving for each in self._workers()):
                self._close()
            self._after_death(place, worker, os.waitstatus_to_exitcode(status))

    def _after_death(self, place: _Place, worker: _Worker, code: int) -> None:
        if self.stopping:
            return
        logs.say(f"worker {worker.pid} ended {_how(code)} {'after' if worker.ready else 'before'} it was ready")
        place.failures = 0 if worker.ready else place.failures + 1
        if place.failures and not any(each.serving for each in self._workers()):
            self._stop(3)
            return
        place.start_at = time.monotonic() + _RETRY_S[min(place.failures, len(_RETRY_S) - 1)]

    def _kill_overdue(self) -> None:
        limit = time.monotonic() - _KILL_AFTER_S
        for worker in self._workers():
            if any(0.0 < row[DEADLINE] < limit for row in self.scoreboard.rows(worker.index)):
                logs.say(f"worker {worker.pid} is ended: run() did not stop after its timeout")
                os.kill(worker.pid, signal.SIGKILL)

    def _open(self) -> None:
        """Let ready workers serve: at the start all at once, later each when it is ready."""
        if self.stopping or self.listener is None:
            return
        workers = self._workers()
        if not self.started and not (len(workers) == len(self.places) and all(each.ready for each in workers)):
            return
        for worker in workers:
            if worker.ready and not worker.serving:
                self.listener.listen(_BACKLOG)
                worker.control.sendall(b"G")
                worker.serving = True
        if not self.started:
            self.started = True
            logs.say(f"ready on {_address(self.settings)}")

    def _stop(self, exit_code: int) -> None:
        if self.stopping:
            return
        self.stopping = True
        self.exit_code = exit_code
        for worker in self._workers():
            os.kill(worker.pid, signal.SIGTERM)
        self._close()


def _address(settings: Settings) -> str:
    return str(settings.socket) if settings.socket else f"http://{settings.host}:{settings.port}"


def _how(code: int) -> str:
    return f"by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"with code {code}"
