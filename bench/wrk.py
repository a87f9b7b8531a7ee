"""The load generator wrk: each of its connections sends the next request as soon as the last one is answered."""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SECONDS = 4
CONNECTIONS = 8
_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[{body}]==]
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{{"requests": %d, "microseconds": %d, "p99": %d, "errors": {{"status": %d, "socket": %d, "timeout": %d}}}}\\n',
    summary.requests, summary.duration, latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What a server gave under load: requests in all and per second, and the 99th percentile of their latency."""

    requests: int
    rate: float
    p99_ms: float


def require_wrk() -> None:
    """End the program where wrk is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not on the path; it is a Debian package: apt-get install wrk")


def load(url: str, body: str) -> Load:
    """Post `body` for `SECONDS` over `CONNECTIONS` keep-alive connections; every request has to be answered 2xx."""
    with tempfile.TemporaryDirectory(prefix="tidegate-wrk-") as folder:
        script = Path(folder) / "post.lua"
        script.write_text(_SCRIPT.format(body=body))
        done = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "10s", "-s", script, url],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    report = json.loads(done.stdout.splitlines()[-1])
    if any(report["errors"].values()) or not report["requests"]:
        raise RuntimeError(f"{url}: of {report['requests']} requests some failed: {report['errors']}")
    return Load(report["requests"], report["requests"] / report["microseconds"] * 1e6, report["p99"] / 1000)
