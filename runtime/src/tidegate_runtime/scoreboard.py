"""Memory that the main process shares with its workers: what each run slot is doing.

One row of doubles for each slot of each worker. A row has one writer, the thread that holds the slot, so nothing
is locked; the main process only reads. Anonymous shared memory: it is inherited by `fork` and gone with the processes.
"""

from __future__ import annotations

import mmap

WIDTH = 8
"""Doubles in a row."""
DEADLINE = 0
"""Cell: when the run in this slot must have ended (`time.monotonic()`), 0.0 while the slot is free."""


class Scoreboard:
    """Rows of doubles for `workers` x `slots`, all zero at first."""

    def __init__(self, workers: int, slots: int) -> None:
        self._slots = slots
        self._cells = memoryview(mmap.mmap(-1, workers * slots * WIDTH * 8)).cast("d")

    def row(self, worker: int, slot: int) -> memoryview[float]:
        """The cells of one slot."""
        start = (worker * self._slots + slot) * WIDTH
        return self._cells[start : start + WIDTH]

    def rows(self, worker: int) -> list[memoryview[float]]:
        """The rows of one worker."""
        return [self.row(worker, slot) for slot in range(self._slots)]

    def clear(self, worker: int) -> None:
        """Free every slot of a worker that is gone."""
        for row in self.rows(worker):
            row[DEADLINE] = 0.0
