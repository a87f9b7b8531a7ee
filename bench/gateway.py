"""What Envoy with key check and split adds to a request."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.project import fortio, local_stack
from bench.section import Figure, Section, median
from tests.engine.harness import ECHO, Stack, free_port, wait_until

RATE = 200
SECONDS = 8
ROUNDS = 5
CONNECTIONS = 4


def run() -> Section:
    """Ask a scoring process directly and through the gateway, in turn, at one fixed rate."""
    with local_stack() as stack:
        versions = {"one": stack.version("one", traffic=50, default=True), "two": stack.version("two", traffic=50)}
        stack.endpoints = {"echo": {"versions": versions}}
        stack.up().require()
        headers = [f"Authorization: Bearer {stack.key('echo')}"]
        direct, port = scoring_process(stack)
        try:
            pairs = [
                (latency(f"http://127.0.0.1:{port}/score", []), latency(f"{stack.url}/echo/score", headers))
                for _ in range(ROUNDS)
            ]
        finally:
            direct.terminate()
            direct.wait()
    figures: list[Figure] = []
    for name in ("p50", "p99"):
        plain, through = (median(pair[side][name] for pair in pairs) for side in (0, 1))
        added = median(pair[1][name] - pair[0][name] for pair in pairs)
        figures.append(Figure(f"{name}, direct", f"{plain:.2f} ms"))
        figures.append(Figure(f"{name}, through the gateway", f"{through:.2f} ms ({through / plain:.1f}x)"))
        figures.append(Figure(f"{name}, added (median of the rounds' differences)", f"{added:.2f} ms"))
    return Section(
        "Cost of the gateway",
        "python -m bench gateway",
        f"A script that returns its input, at {RATE} requests/s over {CONNECTIONS} connections (fortio, evenly "
        f"spaced), {SECONDS} s each: the scoring process on a port of its own, then the endpoint with key check and a "
        f"50/50 split over two versions; {ROUNDS} rounds in turn. The gateway reaches its processes by unix sockets.",
        tuple(figures),
    )


def scoring_process(stack: Stack) -> tuple[subprocess.Popen[bytes], int]:
    """A process of the stack's kind on a port of its own, with that port."""
    port = free_port()
    interpreter = next((stack.state / "environments").iterdir()) / "bin" / "python"
    source = stack.root / stack.script("direct", ECHO)
    process = subprocess.Popen(
        [
            *(str(interpreter), "-m", "tidegate_runtime", "--entry", "score.py"),
            *("--source-dir", str(source), "--port", str(port)),
        ],
        env=stack.environment | {"SERVICE_VERSION": "direct"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: _listens(port))
    return process, port


def _listens(port: int) -> bool:
    return any(f":{port:04X} " in line and " 0A " in line for line in Path("/proc/net/tcp").read_text().splitlines())


def latency(url: str, headers: Sequence[str]) -> dict[str, float]:
    """The latencies in milliseconds: `mean` and by percentile; every request has to be answered 200."""
    command = [
        *(str(fortio()), "load", "-quiet", "-json", "-", "-qps", str(RATE), "-c", str(CONNECTIONS), "-uniform"),
        *("-nocatchup", "-t", f"{SECONDS}s", "-p", "50,99", "-content-type", "application/json", "-payload", "[1]"),
        *(word for header in headers for word in ("-H", header)),
        url,
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    report = json.loads(done.stdout)
    if set(report["RetCodes"]) != {"200"}:
        raise RuntimeError(f"{url} answered {report['RetCodes']}")
    histogram = report["DurationHistogram"]
    percentiles = {f"p{each['Percentile']:.0f}": each["Value"] * 1000 for each in histogram["Percentiles"]}
    return {"mean": histogram["Avg"] * 1000, **percentiles}
