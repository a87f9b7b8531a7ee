"""How long a weight of an endpoint on AKS takes from the config to the API server, and what else it touches."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.section import Figure, Section, median
from tests.engine.azure_harness import AzureStack, small_config
from tests.engine.harness import CHECKOUT
from tests.kubernetes.api import Api, Manifest
from tests.kubernetes.definitions import install, of_aks
from tests.kubernetes.gateway import GatewayController
from tests.kubernetes.kubelet import Kubelet, ready
from tests.kubernetes.server import control_plane, programs
from tests.kubernetes.test_engine import SERVER_SIDE, Served, version
from tests.kubernetes.test_rollout import Scorer
from tests.standins.arm_server import ArmServer
from tidegate.gateway.names import CONTROLLER_NAMESPACE, GATEWAY_API

CHANGES = 10
PATIENCE_S = 120
ENDPOINT = "diabetes"
SPLIT = "diabetes-split"
DIRECT = "direct"
COMPILED = ("cli", "components", "policy", "providers", "stacks", "tests/kubernetes", "tests/standins", "tidegate")


@dataclass(frozen=True)
class Requests:
    """What a change may ask for, counted where it arrives."""

    api: Api
    arm: ArmServer
    scorer: Scorer

    def so_far(self) -> Counter[str]:
        """By kind, since the start."""
        applied, tried = self._applies()
        return Counter(applied=applied, tried=tried, azure=len(self.arm.requests), scored=len(self.scorer.seen))

    def _applies(self) -> tuple[int, int]:
        """Server-side applies of all clients: those that count, and dry runs."""
        text = self.api.http.get("/metrics").raise_for_status().text
        found = re.findall(r'^apiserver_request_total\{(.*verb="APPLY".*)\} (\d+)$', text, flags=re.M)
        applied = sum(int(count) for labels, count in found if 'dry_run=""' in labels)
        return applied, sum(int(count) for _, count in found) - applied


@dataclass(frozen=True)
class Round:
    """`pulumi up` with nothing to do, with other weights, and the same weights by a request; times in seconds."""

    idle: float
    effect: float
    whole: float
    direct: float
    changed: frozenset[str]
    redeployed: int
    requests: Counter[str]


def run() -> Section:
    """Make a stack with an endpoint over a real API server, and change the weights of its versions again and again."""
    # Where Python may not keep what it has compiled, each process would compile the project once more.
    compiled = [str(CHECKOUT / name) for name in COMPILED]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *compiled], check=True)
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder, _served(Path(folder)) as (served, requests):
        began = time.perf_counter()
        served.stack.up().require()
        first = time.perf_counter() - began
        resources = len(served.stack.state()["deployment"]["resources"])
        split = served.api.get(GATEWAY_API, "HTTPRoute", SPLIT, ENDPOINT)
        served.api.apply(_direct(split, served.weights()))
        rounds = [_round(served, requests, split, ridge=50 + number) for number in range(CHANGES)]
    return Section(
        "A weight of an endpoint on AKS",
        "python -m bench kubernetes",
        f"The stack of a small cluster with an endpoint of two versions ({resources} resources) on the real engine; "
        "the cluster's API server, controllers and scheduler are real, on this machine, and Azure, the nodes and the "
        "Kubernetes plugin are the tests' stand-ins for them: no network and no cloud is in these times. After the "
        f"first `pulumi up`, the versions' weights are changed {CHANGES} times by a config edit and `pulumi up "
        "--skip-preview`. The time to effect is from the edit until a watch shows the split route with the new "
        "weights. In turn with it, a `pulumi up --skip-preview` with nothing to do, and as the floor one server-side "
        "apply of a copy of the route, which is what `kubectl apply --server-side` sends, seen by the same watch. Of "
        "ratios the median of the rounds.",
        (
            Figure("first `pulumi up`", f"{first:.1f} s"),
            Figure("from the edit to the weights on the API server, median", f"{median(_effects(rounds)):.2f} s"),
            Figure("the same, longest", f"{max(_effects(rounds)):.2f} s"),
            Figure("the whole `pulumi up`, median", f"{median(each.whole for each in rounds):.2f} s"),
            Figure("the effect's part of it", f"{100 * median(each.effect / each.whole for each in rounds):.0f} %"),
            Figure("a `pulumi up` with nothing to do, median", f"{median(each.idle for each in rounds):.2f} s"),
            Figure("the one with a change beside it", f"{median(each.whole / each.idle for each in rounds):.2f}x"),
            Figure("server-side apply of the route, median", f"{1000 * median(each.direct for each in rounds):.0f} ms"),
            Figure(
                "from the edit to the weights, beside it",
                f"{median(each.effect / each.direct for each in rounds):,.0f}x",
            ),
            Figure("objects of the endpoint that a change touches", _names(each.changed for each in rounds)),
            Figure("Deployments with a new generation", _counts(each.redeployed for each in rounds)),
            Figure("applies a change", _counts(each.requests["applied"] for each in rounds)),
            Figure("applies as a dry run a change", _counts(each.requests["tried"] for each in rounds)),
            Figure("samples scored a change", _counts(each.requests["scored"] for each in rounds)),
            Figure("requests to Azure Resource Manager a change", _counts(each.requests["azure"] for each in rounds)),
        ),
    )


@contextmanager
def _served(root: Path) -> Iterator[tuple[Served, Requests]]:
    """A stack before its first `up`, and everything it needs."""
    engine = subprocess.run([CHECKOUT / "tools" / "engine"], check=True, stdout=subprocess.PIPE, text=True).stdout
    plane, project = root / "control plane", root / "project"
    plane.mkdir()
    project.mkdir()
    with ExitStack() as running:
        scorer = running.enter_context(Scorer().running())
        address = running.enter_context(control_plane(programs(), plane))
        api = Api(address)
        running.callback(api.close)
        install(api, list(of_aks()))
        kubelet = running.enter_context(Kubelet(Api(address), plane).running())
        proxy = ready(ports={10080: scorer.place})
        kubelet.let(CONTROLLER_NAMESPACE, proxy, gateway_envoyproxy_io_owning_gateway_name="scoring")
        running.enter_context(GatewayController(Api(address)).running())
        stack = AzureStack(project, engine.strip())
        arm = running.enter_context(ArmServer(stack.cloud).running())
        path = f"{SERVER_SIDE}:{stack.environment['PATH']}"
        stack.variables = {**arm.variables, **address.variables, "PATH": path}
        stack.config = small_config(stack)
        del stack.main["tls"]  # the proxies' double has no certificate
        (project / "sample.json").write_text("[[1, 2]]")
        versions = {"ridge": version(1, traffic=80, default=True), "forest": version(2, traffic=20)}
        stack.config["tidegate:endpoints"] = {ENDPOINT: {"sample": "sample.json", "versions": versions}}
        yield Served(stack.make(), api, kubelet), Requests(api, arm, scorer)


def _round(served: Served, requests: Requests, split: Manifest, *, ridge: int) -> Round:
    weights = {"diabetes-ridge": ridge, "diabetes-forest": 100 - ridge}

    def change() -> None:
        served.ridge["traffic"], served.forest["traffic"] = ridge, 100 - ridge
        served.stack.up().require()

    began = time.perf_counter()
    served.stack.up("--expect-no-changes").require()
    idle = time.perf_counter() - began
    objects, generations, asked = served.versions_of_objects(), _generations(served.api), requests.so_far()
    effect, whole = _seconds(served.api, SPLIT, weights, change)
    asked, now = requests.so_far() - asked, served.versions_of_objects()
    redeployed = generations.items() ^ _generations(served.api).items()
    direct, _ = _seconds(served.api, DIRECT, weights, lambda: served.api.apply(_direct(split, weights)))
    return Round(
        idle,
        effect,
        whole,
        direct,
        changed=frozenset(name for name, _ in objects.items() ^ now.items()),
        redeployed=len({uid for uid, _ in redeployed}),
        requests=asked,
    )


def _seconds(api: Api, route: str, weights: Mapping[str, int], change: Callable[[], object]) -> tuple[float, float]:
    """Seconds from the start of a change until a watch shows a route with its weights, and until it is done."""
    path = api.path(GATEWAY_API, "HTTPRoute", namespace=ENDPOINT)
    query = {"watch": "true", "fieldSelector": f"metadata.name={route}", "timeoutSeconds": str(PATIENCE_S)}
    with ThreadPoolExecutor(1) as pool, api.http.stream("GET", path, params=query, timeout=None) as events:
        began = time.perf_counter()
        changing = pool.submit(change)
        objects = (json.loads(line)["object"] for line in events.iter_lines())
        seen = next((time.perf_counter() for each in objects if _weights(each) == weights), None)
        changing.result()
        done = time.perf_counter()
    if seen is None:
        raise TimeoutError(f"{route}: no watch showed {dict(weights)} within {PATIENCE_S} s")
    return seen - began, done - began


def _weights(route: Manifest) -> dict[str, int]:
    return {each["name"]: each["weight"] for each in route["spec"]["rules"][0]["backendRefs"]}


def _direct(split: Manifest, weights: Mapping[str, int]) -> Manifest:
    """The split under another name, with other weights: the stack's own has an owner of its fields."""
    rules: list[dict[str, Any]] = [
        {**rule, "backendRefs": [{**each, "weight": weights[each["name"]]} for each in rule["backendRefs"]]}
        for rule in split["spec"]["rules"]
    ]
    metadata = {"name": DIRECT, "namespace": ENDPOINT}
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": metadata,
        "spec": split["spec"] | {"rules": rules},
    }


def _generations(api: Api) -> dict[str, int]:
    """Of every Deployment in the cluster."""
    return {each["metadata"]["uid"]: each["metadata"]["generation"] for each in api.list("apps/v1", "Deployment")}


def _effects(rounds: Iterable[Round]) -> list[float]:
    return [each.effect for each in rounds]


def _names(changed: Iterable[frozenset[str]]) -> str:
    return ", ".join(sorted(frozenset[str]().union(*changed))) or "none"


def _counts(counts: Iterable[int]) -> str:
    ordered = sorted(counts)
    return str(ordered[0]) if ordered[0] == ordered[-1] else f"{ordered[0]} to {ordered[-1]}"
