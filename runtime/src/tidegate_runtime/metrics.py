"""Counting in a worker, and the Prometheus text that the main process makes of it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from tidegate_runtime.scoreboard import (
    BUCKETS,
    COLLECTED,
    DROPPED,
    QUEUE,
    RUN,
    SHADOWED,
    STATUS,
    WAITING,
    Scoreboard,
)
from tidegate_runtime.settings import Settings

_SUM = len(BUCKETS) + 1
"""Where a histogram has its sum, after its buckets."""


class Counters:
    """A worker's counters. Each method is one short critical section, so that no count is lost between threads."""

    def __init__(self, cells: memoryview[float]) -> None:
        self._cells = cells
        self._lock = threading.Lock()

    def answered(self, status: int) -> None:
        """An answer that no run has led to."""
        with self._lock:
            self._cells[STATUS + status] += 1

    def ran(self, status: int, queue_s: float, run_s: float) -> None:
        """An answer that a run has led to."""
        cells = self._cells
        with self._lock:
            cells[STATUS + status] += 1
            cells[RUN + bisect_left(BUCKETS, run_s)] += 1
            cells[RUN + _SUM] += run_s
            cells[QUEUE + bisect_left(BUCKETS, queue_s)] += 1
            cells[QUEUE + _SUM] += queue_s

    def shadowed(self) -> None:
        """An answer that nobody reads: another version answered the request."""
        with self._lock:
            self._cells[SHADOWED] += 1

    def waiting(self, count: int) -> None:
        """So many requests wait for a slot now."""
        self._cells[WAITING] = count

    def collected(self, count: int) -> None:
        """Records have been written."""
        with self._lock:
            self._cells[COLLECTED] += count

    def dropped(self, count: int) -> None:
        """Records have been dropped."""
        with self._lock:
            self._cells[DROPPED] += count


def render(settings: Settings, scoreboard: Scoreboard, *, ready: int, replaced: int) -> str:
    """All metrics as Prometheus text."""
    rows = [scoreboard.counters(worker) for worker in range(scoreboard.workers)]
    total = [sum(cells, 0.0) for cells in zip(*rows, strict=True)]
    in_flight = sum(1 for worker in range(scoreboard.workers) for each in scoreboard.deadlines(worker) if each)
    labels = f'endpoint="{_escaped(settings.service_name)}",version="{_escaped(settings.service_version)}"'
    statuses = [(f'{labels},status="{code}"', count) for code, count in enumerate(total[STATUS:RUN]) if count]
    lines = [
        *_metric("tidegate_requests_total", "counter", "Answered requests by status.", statuses),
        *_metric(
            "tidegate_shadow_requests_total",
            "counter",
            "Those of them that were copies of requests which another version answered.",
            [(labels, total[SHADOWED])],
        ),
        *_histogram("tidegate_run_seconds", "Time in run().", labels, total[RUN:QUEUE]),
        *_histogram("tidegate_queue_seconds", "Time from arrival to run().", labels, total[QUEUE:WAITING]),
        *_metric("tidegate_requests_in_flight", "gauge", "Runs at this moment.", [(labels, in_flight)]),
        *_metric(
            "tidegate_requests_queued",
            "gauge",
            "Requests that a thread has fetched and that wait for a run.",
            [(labels, total[WAITING])],
        ),
        *_metric("tidegate_workers_ready", "gauge", "Workers whose init() has returned.", [(labels, ready)]),
        *_metric("tidegate_workers_replaced_total", "counter", "Workers that ended unasked.", [(labels, replaced)]),
        *_metric(
            "tidegate_collection_written_total", "counter", "Records of data collection.", [(labels, total[COLLECTED])]
        ),
        *_metric(
            "tidegate_collection_dropped_total", "counter", "Records that found no place.", [(labels, total[DROPPED])]
        ),
    ]
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, text: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield f"{name}{{{labels}}} {value:.10g}"


def _histogram(name: str, text: str, labels: str, cells: list[float]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} histogram"
    count = 0.0
    for bound, each in zip((*map(str, BUCKETS), "+Inf"), cells, strict=False):
        count += each
        yield f'{name}_bucket{{{labels},le="{bound}"}} {count:.10g}'
    yield f"{name}_sum{{{labels}}} {cells[_SUM]:.10g}"
    yield f"{name}_count{{{labels}}} {count:.10g}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
