"""Memory that the main process shares with its workers: until when each run may go on, and what has been counted.

Anonymous shared memory: inherited by `fork`, gone with the processes. A worker writes its own part, the main process
reads. Counters stay when a worker is replaced, so that they never go back.
"""

from __future__ import annotations

import mmap

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms, in seconds; one more bucket takes what is above."""

STATUS = 0
"""Cells: answers by status code, 0 to 599."""
RUN = 600
"""Cells: a histogram of run times: its buckets, then the sum."""
QUEUE = RUN + len(BUCKETS) + 2
"""Cells: a histogram of waiting times."""
WAITING = QUEUE + len(BUCKETS) + 2
"""Cell: requests that wait for a slot at this moment."""
COLLECTED = WAITING + 1
"""Cell: records that data collection has written."""
DROPPED = WAITING + 2
"""Cell: records that data collection has dropped."""
SHADOWED = WAITING + 3
"""Cell: answers to copies of requests that another version answered."""
COUNTERS = WAITING + 4


class Scoreboard:
    """For each worker: a deadline for each of its slots, and its counters; all zero at first."""

    def __init__(self, workers: int, slots: int) -> None:
        self.workers = workers
        self._slots = slots
        self._cells = memoryview(mmap.mmap(-1, workers * (slots + COUNTERS) * 8)).cast("d")

    def deadlines(self, worker: int) -> memoryview[float]:
        """When the run in each slot must have ended (`time.monotonic()`), 0.0 where the slot is free."""
        start = worker * (self._slots + COUNTERS)
        return self._cells[start : start + self._slots]

    def counters(self, worker: int) -> memoryview[float]:
        """The worker's counters, by the cell numbers of this module."""
        start = worker * (self._slots + COUNTERS) + self._slots
        return self._cells[start : start + COUNTERS]

    def forget(self, worker: int) -> None:
        """A worker is gone: nothing runs or waits in it."""
        deadlines = self.deadlines(worker)
        for slot in range(self._slots):
            deadlines[slot] = 0.0
        self.counters(worker)[WAITING] = 0.0
