"""The scoring server beside the Azure ML inference server, KServe's and BentoML's: speed, memory, start."""

import subprocess
import tempfile
import textwrap
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.section import Figure, Section, median
from bench.servers import AZURE, BENTOML, COLLECTED, KSERVE, TIDEGATE, TIDEGATE_UNCOLLECTED, Contender
from bench.wrk import CONNECTIONS, SECONDS, Load, load, require_wrk
from runtime.tests.scoring_servers import clean_environment

ROUNDS = 5
_WRITTEN_S = 1.0
"""After this the last collected records are in their file."""
BODY = '{"data": [[0.038, 0.051, 0.062, 0.022, -0.044, -0.035, -0.043, -0.003, 0.020, -0.018]]}'
NO_OP = """
    import json

    def init():
        pass

    def answer(asked):
        return asked

    def run(data):
        return answer(json.loads(data))
"""
SCIKIT_LEARN = """
    import json

    import numpy as np
    from sklearn.datasets import load_diabetes
    from sklearn.{module} import {model}

    def init():
        global model
        model = {model}().fit(*load_diabetes(return_X_y=True))

    def answer(asked):
        return {{"result": model.predict(np.array(asked["data"])).tolist()}}

    def run(data):
        return answer(json.loads(data))
"""
RIDGE = SCIKIT_LEARN.format(module="linear_model", model="Ridge")
FOREST = SCIKIT_LEARN.format(module="ensemble", model="RandomForestRegressor")


@dataclass(frozen=True)
class Case:
    """One script under load; `goal` is the least ratio of requests/s to the Azure ML server's, None for no goal."""

    title: str
    script: str
    goal: float | None
    workers: int = 1
    others: tuple[Contender, ...] = ()


def run() -> Section:
    """Load each server with the same script in turn, then look at an idle one."""
    require_wrk()
    peers, left_out = _installed(KSERVE, BENTOML)
    cases = (
        Case("no-op, 1 worker", NO_OP, 10, 1, (TIDEGATE_UNCOLLECTED, *peers)),
        Case("no-op, 2 workers", NO_OP, 10, 2, (TIDEGATE_UNCOLLECTED,)),
        Case("ridge regression, 1 worker", RIDGE, 1.5, 1, peers),
        Case("random forest of 100 trees, 1 worker", FOREST, None),
    )
    return Section(
        "The scoring server",
        "python -m bench scoring",
        f"The same script on each server, wrk with {CONNECTIONS} keep-alive connections over TCP, {SECONDS} s a run, "
        f"{ROUNDS} rounds in turn; no answer may be other than 2xx. The no-op script decodes JSON and returns it; the "
        "models are scikit-learn's and predict one row. Each server is as its package installs it, with its log in a "
        "file. Tidegate has everything on except telemetry: a log line for each request, the metrics port, and the "
        "input and output of every request collected into a folder. Ratios are medians of the rounds' ratios. Memory "
        "is the resident set of one idle worker, pages that it shares with its main process included, less that of a "
        "Python process that has called the same script's `init()` and `run()`; the start is from the process's start "
        "to the first answer to a scoring request, with the no-op script.",
        (
            *(figure for case in cases for figure in _under_load(case)),
            *left_out,
            *_memory(),
            *_start(),
        ),
    )


def _installed(*contenders: Contender) -> tuple[tuple[Contender, ...], tuple[Figure, ...]]:
    """Those whose packages are to be had, and a line for each of the others."""
    found: list[Contender] = []
    left_out: list[Figure] = []
    for contender in contenders:
        try:
            contender.python()
        except RuntimeError as error:
            left_out.append(Figure(contender.name, f"left out, does not install: {str(error).splitlines()[-1]}"))
        else:
            found.append(contender)
    return tuple(found), tuple(left_out)


def _under_load(case: Case) -> list[Figure]:
    contenders = (AZURE, TIDEGATE, *case.others)
    with ExitStack() as running:
        servers = {each: running.enter_context(each.serving(case.script, BODY, case.workers)) for each in contenders}
        urls = {each.name: each.url(server) for each, server in servers.items()}
        rounds = [{name: load(url, BODY) for name, url in urls.items()} for _ in range(ROUNDS)]
        time.sleep(_WRITTEN_S)
        collected = _lines(servers[TIDEGATE].folder / COLLECTED) / sum(one[TIDEGATE.name].requests for one in rounds)
    figures = [Figure(f"{case.title}: {each.name}", _told([one[each.name] for one in rounds])) for each in contenders]
    for other in contenders:
        if other in (TIDEGATE, TIDEGATE_UNCOLLECTED):
            continue
        goal = "> 1x"
        if other is AZURE:
            goal = f"≥ {case.goal:g}x" if case.goal else ""
        rate = median(one[TIDEGATE.name].rate / one[other.name].rate for one in rounds)
        figures.append(Figure(f"{case.title}: requests/s, Tidegate to {other.name}", f"{rate:.1f}x", goal))
    if TIDEGATE_UNCOLLECTED in contenders:
        rate = median(one[TIDEGATE_UNCOLLECTED.name].rate / one[AZURE.name].rate for one in rounds)
        figures.append(Figure(f"{case.title}: requests/s, the same without data collection", f"{rate:.1f}x"))
    p99 = median(one[TIDEGATE.name].p99_ms / one[AZURE.name].p99_ms for one in rounds)
    goal = "≤ 0.33x" if case.goal else ""
    return [
        *figures,
        Figure(f"{case.title}: p99, Tidegate to {AZURE.name}", f"{p99:.2f}x", goal),
        Figure(f"{case.title}: collected records to counted requests", f"{collected:.2%}"),
    ]


def _lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob("*.jsonl"))


def _told(loads: list[Load]) -> str:
    return f"{median(one.rate for one in loads):,.0f} requests/s, p99 {median(one.p99_ms for one in loads):.1f} ms"


def _memory() -> list[Figure]:
    figures: list[Figure] = []
    for title, script in (("no-op", NO_OP), ("ridge regression", RIDGE)):
        for contender, goal in ((TIDEGATE, "≤ 40 MiB"), (AZURE, "")):
            with contender.serving(script, BODY) as server:
                rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in server.workers()]
            added = max(map(_resident_mib, rollups)) - _plain_mib(contender, script)
            figures.append(Figure(f"memory of an idle worker, {title}: {contender.name}", f"+{added:.0f} MiB", goal))
    return figures


def _plain_mib(contender: Contender, script: str) -> float:
    """The memory of a Python process that has done what the script asks for, and nothing else."""
    program = f"import score; score.init(); score.run({BODY!r}); print(open('/proc/self/smaps_rollup').read())"
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        (Path(folder) / "score.py").write_text(textwrap.dedent(script))
        command = [contender.python(), "-c", program]
        environ = clean_environment({})
        done = subprocess.run(command, check=True, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)
    return _resident_mib(done.stdout)


def _resident_mib(rollup: str) -> float:
    """The resident set in what /proc/<pid>/smaps_rollup says."""
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Rss:")) / 1024


def _start() -> list[Figure]:
    seconds: dict[str, list[float]] = {TIDEGATE.name: [], AZURE.name: []}
    for _ in range(ROUNDS):
        for contender in (TIDEGATE, AZURE):
            began = time.perf_counter()
            with contender.serving(NO_OP, BODY):
                seconds[contender.name].append(time.perf_counter() - began)
    goals = {TIDEGATE.name: "≤ 0.4 s"}
    return [
        Figure(f"from start to ready: {name}", f"{median(each):.2f} s", goals.get(name, ""))
        for name, each in seconds.items()
    ]
