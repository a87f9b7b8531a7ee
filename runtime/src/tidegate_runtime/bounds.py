"""How many runs go on at once, how long a request waits for its turn, and how long a run may take."""

from __future__ import annotations

import ctypes
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

INTERRUPT_GRACE_S = 0.2
"""How long a run may go on after its timeout before its worker is ended."""


class ScoringTimeout(BaseException):
    """Raised inside `run()` when its time is over; no `except Exception` of a script swallows it."""


class Slot:
    """The right to run one request. Taken from `Slots`, used for one run at a time, given back."""

    __slots__ = ("cell", "interrupted", "request", "thread", "token")

    def __init__(self, cell: memoryview[float]) -> None:
        self.cell = cell
        """The deadline again, one double, for the main process; 0.0 while the slot is free."""
        self.thread = 0
        self.interrupted = False
        self.request: Any = None
        """What `answer_hanging` needs to answer in the run's place."""
        self.token: list[float] = []
        """Holds the deadline while a run goes on. Whoever pops it, the run at its end or the watchdog, has won."""

    def begin(self, timeout_s: float, request: Any) -> None:
        """Start the clock of a run on this thread."""
        deadline = time.monotonic() + timeout_s
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

    def _await_interrupt(self) -> None:
        # The watchdog has won: its exception is under way to this thread and must not strike anywhere else.
        while not self.interrupted:
            time.sleep(0.0005)
        for _ in range(1000):
            pass
        raise ScoringTimeout  # the script has swallowed it


class Slots:
    """The slots of a worker, and the watchdog over their runs.

    `answer_hanging` gets the request of a run that does not stop, `end_worker` is called after it.
    """

    def __init__(
        self,
        deadlines: memoryview[float],
        timeout_s: float,
        answer_hanging: Callable[[Any], None],
        end_worker: Callable[[], None],
    ) -> None:
        self._all = [Slot(deadlines[each : each + 1]) for each in range(len(deadlines))]
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for slot in self._all:
            self._free.put(slot)
        self.timeout_s = timeout_s
        self._answer_hanging = answer_hanging
        self._end_worker = end_worker
        self._hanging: dict[Slot, tuple[list[float], float]] = {}
        self.try_take = self._free.get_nowait
        """A free slot at once; raises `queue.Empty`."""

    def take(self, wait_s: float) -> Slot | None:
        """A free slot within `wait_s` seconds, or None."""
        try:
            return self._free.get(timeout=wait_s) if wait_s > 0 else self._free.get_nowait()
        except queue.Empty:
            return None

    def request_on(self, thread: int) -> Any:
        """The request that a thread runs, or None."""
        return next((slot.request for slot in self._all if slot.thread == thread and slot.request is not None), None)

    def give_back(self, slot: Slot) -> None:
        """Free a slot after its run."""
        slot.request = None
        slot.cell[0] = 0.0
        self._free.put(slot)

    def watch(self) -> None:
        """Interrupt runs whose time is over, for ever; end the worker where a run does not stop."""
        while True:
            now = time.monotonic()
            # A run that starts after `now` is due after this, so sleeping until then misses nothing.
            wake = min(now + self.timeout_s, self._interrupt_overdue(now), self._end_hanging(now))
            time.sleep(max(wake - time.monotonic(), 0.001))

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
