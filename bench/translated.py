"""What a cluster's gateway adds to a request, and how long an endpoint on Kubernetes takes to plan."""

import gc
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.gateway import CONNECTIONS, RATE, ROUNDS, SECONDS, latency, scoring_process
from bench.project import local_stack
from bench.section import Figure, Section, median
from tests.engine.harness import ECHO
from tests.gateway.target import translated_target
from tidegate.endpoint.spec import EndpointSpec, InferenceSpec, VersionSpec
from tidegate.targets.kubernetes import ClusterFacts, plan_endpoint

SIDES = {"direct": "direct", "local": "through the local gateway", "translated": "through the translated gateway"}
MEAN_MS, P99_MS = 1, 3
ENDPOINTS = (1, 10, 25, 50)
VERSIONS = 6
REPEATS = 5

Latency = Mapping[str, float]


def run() -> Section:
    """Ask a scoring process directly, through the local gateway and through the translated one, in turn."""
    return Section(
        "Cost of a cluster's gateway",
        "python -m bench translated",
        f"As for the gateway above: a script that returns its input, {RATE} requests/s over {CONNECTIONS} connections, "
        f"{SECONDS} s each, key check and a 50/50 split; {ROUNDS} rounds of the three in turn. The third is what Envoy "
        "Gateway makes of the Kubernetes manifests (`egctl x translate`), served by the same Envoy on this machine. "
        f"Planning: all objects of endpoints with {VERSIONS} versions each, Deployments and autoscalers too, without "
        f"Pulumi; the shortest of {REPEATS} runs.",
        (*_added(_rounds()), *_planning()),
    )


def _rounds() -> Sequence[Mapping[str, Latency]]:
    shares = {"one": {"traffic": 50, "default": True}, "two": {"traffic": 50}}
    with local_stack() as stack, translated_target() as target:
        stack.endpoints = {"echo": {"versions": {name: stack.version(name, **each) for name, each in shares.items()}}}
        stack.up().require()
        target.endpoints = {
            "echo": {"versions": {name: target.version(name, ECHO, **each) for name, each in shares.items()}}
        }
        target.start()
        process, port = scoring_process(stack)
        sides = {
            "direct": (f"http://127.0.0.1:{port}/score", []),
            "local": (f"{stack.url}/echo/score", [f"Authorization: Bearer {stack.key('echo')}"]),
            "translated": (f"{target.url}/echo/score", [f"Authorization: Bearer {target.key('echo')}"]),
        }
        try:
            return [{name: latency(*side) for name, side in sides.items()} for _ in range(ROUNDS)]
        finally:
            process.terminate()
            process.wait()


def _added(rounds: Sequence[Mapping[str, Latency]]) -> list[Figure]:
    figures: list[Figure] = []
    for name, limit in (("mean", MEAN_MS), ("p99", P99_MS)):
        for side, words in SIDES.items():
            value = median(each[side][name] for each in rounds)
            figures.append(Figure(f"{name}, {words}", f"{value:.2f} ms"))
        for side in ("local", "translated"):
            added = median(each[side][name] - each["direct"][name] for each in rounds)
            goal = f"at most {limit} ms" if side == "translated" else ""
            figures.append(
                Figure(f"{name}, added by the {side} gateway (median of differences)", f"{added:.2f} ms", goal)
            )
    return figures


def _planning() -> list[Figure]:
    figures: list[Figure] = []
    by_version: list[float] = []
    for count in ENDPOINTS:
        taken = min(_plan(count) for _ in range(REPEATS))
        by_version.append(taken / count / VERSIONS)
        name = f"plan {count} endpoint{'s' * (count > 1)} of {VERSIONS} versions"
        figures.append(Figure(name, f"{taken:.1f} ms ({by_version[-1]:.2f} ms a version)", "less than 1 ms a version"))
    ratio = by_version[-1] / by_version[0]
    return [*figures, Figure(f"a version of {ENDPOINTS[-1]} endpoints against one of 1", f"{ratio:.2f}x", "1x: linear")]


def _plan(count: int) -> float:
    """Milliseconds for the objects of so many endpoints."""
    endpoints = [_endpoint(f"endpoint-{number}") for number in range(count)]
    facts = ClusterFacts("main", host="scoring.example.com", tls=True, production=True, keda=True)
    gc.collect()
    began = time.perf_counter()
    for endpoint in endpoints:
        for version in plan_endpoint(endpoint, facts).versions.values():
            version.deployment(image="image")
            version.scaler(query_endpoint="https://prometheus.example.com")
    return (time.perf_counter() - began) * 1000


def _endpoint(name: str) -> EndpointSpec:
    inference = InferenceSpec(entry_script="score.py", source=Path("/srv/score.py"))
    versions = tuple(
        VersionSpec(name=f"v{number}", traffic=10, default=number == 0, inference=inference)
        for number in range(VERSIONS)
    )
    return EndpointSpec(name=name, namespace=name, service_account=name, versions=versions)
