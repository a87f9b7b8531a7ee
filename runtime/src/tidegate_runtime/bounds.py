"""How many runs go on at once, how long a request waits for its turn, and how long a run may take."""

from __future__ import annotations

import ctypes
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

INTERRUPT_GRACE_S = 0.2
"""How long a run may go on after its timeout before its worker is ended."""

_SHORT_S = 0.02
"""While runs begin this soon after each other, whoever runs them fetches the next requests too."""


class ScoringTimeout(BaseException):
    """Raised inside `run()` when its time is over; no `except Exception` of a script swallows it."""


class Slot:
    """The right to run requests, one at a time. Taken from `Slots`, given back."""

    __slots__ = ("began", "cell", "interrupted", "request", "thread", "token")

    def __init__(self, cell: memoryview[float]) -> None:
        self.cell = cell
        """The deadline again, one double, for the main process; 0.0 while the slot is free."""
        self.began = 0.0
        self.thread = 0
        self.interrupted = False
        self.request: Any = None
        """What `answer_hanging` needs to answer in the run's place."""
        self.token: list[float] = []
        """Holds the deadline while a run goes on. Whoever pops it, the run at its end or the watchdog, has won."""

    def begin(self, timeout_s: float, request: Any) -> None:
        """Start the clock of a run on this thread."""
        self.began = time.monotonic()
        deadline = self.began + timeout_s
        self.thread = threading.get_ident()
        self.request = request
        self.interrupted = False
        self.cell[0] = deadline
        self.token = [deadline]

    def end(self) -> None:
        """Stop the clock, or raise `ScoringTimeout` where it has struck."""
        try:
            self.token.pop()
        except IndexError:
            pass
        else:
            return
        self._await_interrupt()

    def clear(self) -> None:
        """Nothing runs any more, whatever came of it."""
        self.request = None
        self.cell[0] = 0.0

    def _await_interrupt(self) -> None:
        # The watchdog has won: its exception is under way to this thread and must not strike anywhere else.
        while not self.interrupted:
            time.sleep(0.0005)
        for _ in range(1000):
            pass
        raise ScoringTimeout  # the script has swallowed it


class QueueFullError(Exception):
    """No slot is free and the request's wait is over."""


class Slots:
    """The slots of a worker, the queue before them, and the watchdog over both.

    Whoever has a slot runs its own request and then, by `pass_on`, those that wait, first in first out: nobody
    overtakes, and no thread waits for its turn or has to be woken for it.

    `tell_waiting` is called with the number of requests that wait, when it changes. The watchdog calls `refuse` with
    a request whose wait is over; `answer_hanging` with the request of a run that does not stop, and `end_worker`
    after it.
    """

    def __init__(
        self,
        deadlines: memoryview[float],
        timeout_s: float,
        *,
        tell_waiting: Callable[[int], None],
        refuse: Callable[[Any], None],
        answer_hanging: Callable[[Any], None],
        end_worker: Callable[[], None],
    ) -> None:
        self._all = [Slot(deadlines[each : each + 1]) for each in range(len(deadlines))]
        self._free = list(self._all)
        """Has slots only while nothing waits."""
        self._waiting: deque[tuple[Any, float]] = deque()
        """Requests, and the `time.monotonic()` until which they wait."""
        self._lock = threading.Lock()
        """Over both: a slot is given back by a thread that has seen nothing wait."""
        self._watchdog_wakes = 0.0
        self._alarm = threading.Event()
        """Wakes the watchdog before that."""
        self.timeout_s = timeout_s
        self._tell_waiting = tell_waiting
        self._refuse = refuse
        self._answer_hanging = answer_hanging
        self._end_worker = end_worker
        self._hanging: dict[Slot, tuple[list[float], float]] = {}
        self.try_take = self._free.pop
        """A free slot at once; raises `IndexError`."""

    def take(self, request: Any, wait_s: float) -> Slot | None:
        """A slot at once, or None: then the request waits, and `pass_on` or `refuse` gets it within `wait_s` seconds.

        Raises `QueueFullError` where it may not wait.
        """
        until = time.monotonic() + wait_s
        with self._lock:
            if self._free:
                return self._free.pop()
            if wait_s <= 0:
                raise QueueFullError
            self._waiting.append((request, until))
            if until < self._watchdog_wakes:
                self._alarm.set()
            self._tell_waiting(len(self._waiting))
        return None

    def pass_on(self, slot: Slot) -> Any:
        """The request to run next in this slot, or None: then the slot is given back."""
        with self._lock:
            if self._waiting:
                request, _ = self._waiting.popleft()
                self._tell_waiting(len(self._waiting))
                return request
            self._free.append(slot)
        return None

    def rest(self) -> None:
        """Return when no run has begun for a while: for a thread that has left its request to another.

        Beside short runs a second thread that fetches requests fights for the interpreter with each of them, which
        costs more than half of the speed; beside a long run somebody has to fetch them.
        """
        while (left := max(slot.began for slot in self._all) + _SHORT_S - time.monotonic()) > 0:
            time.sleep(left)

    def request_on(self, thread: int) -> Any:
        """The request that a thread runs, or None."""
        return next((slot.request for slot in self._all if slot.thread == thread and slot.request is not None), None)

    def watch(self) -> None:
        """Interrupt runs and refuse requests whose time is over, for ever; end the worker where a run does not stop."""
        while True:
            self._alarm.clear()
            now = time.monotonic()
            # A run that starts after `now` is due after this, so sleeping until then misses nothing.
            wake = min(now + self.timeout_s, self._interrupt_overdue(now), self._end_hanging(now))
            wake = self._refuse_late(now, wake)
            self._alarm.wait(max(wake - time.monotonic(), 0.001))

    def _refuse_late(self, now: float, wake: float) -> float:
        """When to look again: at `wake` or when the next wait is over."""
        with self._lock:
            late = [request for request, until in self._waiting if until <= now]
            if late:
                self._waiting = deque(each for each in self._waiting if each[1] > now)
                self._tell_waiting(len(self._waiting))
            self._watchdog_wakes = wake = min([wake, *(until for _, until in self._waiting)])
        for request in late:
            self._refuse(request)
        return wake

    def _interrupt_overdue(self, now: float) -> float:
        wake = now + INTERRUPT_GRACE_S
        earliest = float("inf")
        for slot in self._all:
            token = slot.token
            try:
                deadline = token[0]
                if deadline > now:
                    earliest = min(earliest, deadline)
                    continue
                token.pop()
            except IndexError:
                continue  # free, or it has just ended
            _raise_in(slot.thread)
            slot.interrupted = True
            self._hanging[slot] = (token, wake)
        return earliest

    def _end_hanging(self, now: float) -> float:
        earliest = float("inf")
        for slot, (token, limit) in list(self._hanging.items()):
            if slot.token is not token or not slot.cell[0]:
                del self._hanging[slot]  # it came back
            elif limit <= now:
                self._answer_hanging(slot.request)
                self._end_worker()
            else:
                earliest = min(earliest, limit)
        return earliest


def _raise_in(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(ScoringTimeout))
