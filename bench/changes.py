"""Changes under load (rule E6, as far as one machine has its kinds)."""

import http.client
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from scipy.stats import chisquare

from bench.project import local_stack
from bench.section import Figure, Section, median
from tests.engine.harness import ECHO, Stack

CLIENTS = 32
CHANGES = 20
SPLIT = {"one": 80, "two": 20}


@dataclass
class Seen:
    """What the clients saw: how many requests, what was not answered 200, when an answer was asked for and by whom."""

    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    answers: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


def run() -> Section:
    """Change weights, a key, a version and its replicas by the config and `pulumi up`, while clients send requests."""
    failed: dict[str, Counter[str]] = {}
    with local_stack() as stack:
        versions = {"one": stack.version("one", traffic=100, default=True), "two": stack.version("two", traffic=0)}
        for version in versions.values():
            version["maxQueueWaitMs"] = (
                5000  # 32 clients at two processes: this is about changes, not about full queues
            )
        stack.endpoints = {"echo": {"versions": versions}}
        stack.up().require()
        seen, stop = Seen(), threading.Event()
        key = stack.key("echo")
        clients = [threading.Thread(target=_ask, args=(stack.port, key, seen, stop)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        delays = [_swap(stack, seen, new) for new in ("two", "one") * (CHANGES // 2)]
        failed["weight"] = _failures(seen)
        for name, percent in SPLIT.items():
            versions[name]["traffic"] = percent
        stack.up().require()
        begin = time.time_ns()
        time.sleep(5)
        shares = Counter(version for sent, version in list(seen.answers) if sent > begin)
        for kind, change in CHANGES_OF.items():
            for number in range(1, CHANGES + 1):
                change(stack, number)
                stack.up().require()
            failed[kind] = _failures(seen)
        stop.set()
        for client in clients:
            client.join()
    total = shares.total()
    p = chisquare([shares[name] for name in SPLIT], [total * percent / 100 for percent in SPLIT.values()]).pvalue
    return Section(
        "Changes under load",
        "python -m bench changes",
        f"{CLIENTS} keep-alive clients send requests without pause to one endpoint, with its primary key, while it is "
        f"changed {CHANGES} times in each of four ways, each time by a config edit and `pulumi up`: all traffic moved "
        "to the other version, the secondary key rotated, a version's script edited, a version's replicas changed "
        "between one and two. The time to effect of a weight is from the move of Envoy's route file to the sending of "
        "the first request that the other version answered.",
        (
            Figure("requests", f"{seen.requests:,}"),
            *(
                Figure(f"not answered 200 over {CHANGES} changes of {kind}", _told(outcomes), "0")
                for kind, outcomes in failed.items()
            ),
            Figure("time to effect of a weight, median", f"{median(delays) * 1000:.0f} ms"),
            Figure("time to effect of a weight, longest", f"{max(delays) * 1000:.0f} ms"),
            Figure(
                f"80/20 afterwards, over {total:,} requests",
                f"{100 * shares['one'] / total:.2f} / {100 * shares['two'] / total:.2f} %, chi-square p = {p:.3f}",
                "p ≥ 1e-6",
            ),
        ),
    )


def _rotate(stack: Stack, number: int) -> None:
    stack.endpoints["echo"]["keyRotation"] = {"secondary": number + 1}


def _edit(stack: Stack, number: int) -> None:
    stack.version("two", textwrap.dedent(ECHO) + f"# edit {number}\n")


def _scale(stack: Stack, number: int) -> None:
    stack.endpoints["echo"]["versions"]["two"]["numReplicas"] = 1 + number % 2


CHANGES_OF: dict[str, Callable[[Stack, int], None]] = {"key": _rotate, "version": _edit, "replicas": _scale}


def _failures(seen: Seen) -> Counter[str]:
    """What was not answered 200 since the last call."""
    failures, seen.failures = seen.failures, Counter()
    return failures


def _told(failures: Counter[str]) -> str:
    return f"{failures.total()} ({dict(failures)})" if failures else "0"


def _swap(stack: Stack, seen: Seen, new: str) -> float:
    """Move all traffic to `new`; the seconds until a request was sent that it answered."""
    seen.answers.clear()
    for name, version in stack.endpoints["echo"]["versions"].items():
        version["traffic"] = 100 if name == new else 0
    stack.up().require()
    moved = (stack.state / "gateway" / "rds.json").stat().st_ctime_ns
    while True:
        sent = [when for when, version in list(seen.answers) if version == new]
        if sent:
            return max(min(sent) - moved, 0) / 1e9
        time.sleep(0.01)


def _ask(port: int, key: str, seen: Seen, stop: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    while not stop.is_set():
        sent = time.time_ns()
        try:
            connection.request("POST", "/echo/score", b"1", headers)
            answer = connection.getresponse()
            answer.read()
            seen.requests += 1
            seen.answers.append((sent, answer.getheader("x-tidegate-version", "")))
            if answer.status != HTTPStatus.OK:
                seen.failures[str(answer.status)] += 1
        except (OSError, http.client.HTTPException) as error:
            seen.failures[type(error).__name__] += 1
            connection.close()
