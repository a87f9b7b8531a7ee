"""Weight changes under load."""

import http.client
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from scipy.stats import chisquare

from bench.project import local_stack
from bench.section import Figure, Section, median
from tests.engine.harness import Stack

CLIENTS = 32
CHANGES = 20
SPLIT = {"one": 80, "two": 20}


@dataclass
class Seen:
    """What the clients saw: how requests ended, and when the first request that a version answered was sent."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    answers: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


def run() -> Section:
    """Swap all traffic between two versions, each time by the config and `pulumi up`, while clients send requests."""
    with local_stack() as stack:
        versions = {"one": stack.version("one", traffic=100, default=True), "two": stack.version("two", traffic=0)}
        for version in versions.values():
            version["maxQueueWaitMs"] = (
                5000  # 32 clients at two processes: this is about weights, not about full queues
            )
        stack.endpoints = {"echo": {"versions": versions}}
        stack.up().require()
        seen, stop = Seen(), threading.Event()
        key = stack.key("echo")
        clients = [threading.Thread(target=_ask, args=(stack.port, key, seen, stop)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        delays = [_swap(stack, seen, new) for new in ("two", "one") * (CHANGES // 2)]
        for name, percent in SPLIT.items():
            versions[name]["traffic"] = percent
        stack.up().require()
        begin = time.time_ns()
        time.sleep(5)
        stop.set()
        for client in clients:
            client.join()
        shares = Counter(version for sent, version in seen.answers if sent > begin)
    total = shares.total()
    p = chisquare([shares[name] for name in SPLIT], [total * percent / 100 for percent in SPLIT.values()]).pvalue
    failed = {outcome: count for outcome, count in seen.outcomes.items() if outcome != "200"}
    return Section(
        "Weight changes under load",
        "python -m bench weights",
        f"{CLIENTS} keep-alive clients send requests without pause to one endpoint while its traffic is moved wholly "
        f"from one version to the other {CHANGES} times, each time by a config edit and `pulumi up`. The time to effect "
        "is from the move of Envoy's route file to the sending of the first request that the other version answered.",
        (
            Figure("requests", f"{seen.outcomes.total():,}"),
            Figure("not answered 200", str(sum(failed.values())) + (f" ({failed})" if failed else ""), "0"),
            Figure("time to effect, median", f"{median(delays) * 1000:.0f} ms"),
            Figure("time to effect, longest", f"{max(delays) * 1000:.0f} ms"),
            Figure(
                f"80/20 afterwards, over {total:,} requests",
                f"{100 * shares['one'] / total:.2f} / {100 * shares['two'] / total:.2f} %, chi-square p = {p:.3f}",
                "p ≥ 1e-6",
            ),
        ),
    )


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
            seen.outcomes[str(answer.status)] += 1
            seen.answers.append((sent, answer.getheader("x-tidegate-version", "")))
        except (OSError, http.client.HTTPException) as error:
            seen.outcomes[type(error).__name__] += 1
            connection.close()
