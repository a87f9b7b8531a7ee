"""What components cost in a stack on Azure, how that grows with clusters, and what `tidegate cluster check` takes."""

import base64
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.azure_flat import flat_program
from bench.section import Figure, Section, median
from stacks.azure import deploy
from tests.standins.cloud import CLIENT, DEPLOYER, SUBSCRIPTION, TENANT
from tests.standins.invokes import kubeconfig
from tests.standins.mocks import record
from tidegate.config import from_engine

CHECKOUT = Path(__file__).resolve().parents[1]
PROGRAM = "__main__.py"
ROUNDS = 9
COUNTS = (1, 4, 7, 10)
CHECK = (str(CHECKOUT / ".venv" / "bin" / "tidegate"), "cluster", "check", "Pulumi.prod.yaml")


def run() -> Section:
    """Run both programs in turn, each in processes of its own, then ours with more and more clusters."""
    # Where Python may not keep what it has compiled, each process would compile the project once more.
    packages = [str(CHECKOUT / name) for name in ("bench", "cli", "components", "providers", "stacks", "tidegate")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *packages], check=True)
    given = from_engine(json.dumps(_config(1)), root=CHECKOUT, stack="prod")
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        recorded = record(lambda: deploy(given, CHECKOUT), cloud=Path(folder) / "cloud", stack="prod")
        flat = Path(folder) / "flat.py"
        flat.write_text(flat_program(recorded))
        rounds = [(_run(flat), _run(flat, "--collector-off"), _run(PROGRAM)) for _ in range(ROUNDS)]
    grown = {count: median(_run(PROGRAM, clusters=count)["cpu"] for _ in range(3)) for count in COUNTS}
    first, last = [(grown[more] - grown[less]) / (more - less) for less, more in ((1, 4), (7, 10))]
    checks = [_check() for _ in range(ROUNDS)]
    plain, off, ours = [[each["cpu"] for each in runs] for runs in zip(*rounds, strict=True)]
    resources = rounds[0][2]["resources"]
    return Section(
        "Stacks on Azure: what components cost, and the check of a config",
        "python -m bench azure",
        f"The program of the stack `prod` ({resources} resources, {resources - rounds[0][0]['resources']} of them "
        "components) under the SDK's mocks, from its config to the last registration, beside a program without "
        "components, config or checks, generated from a recording of the same registrations: "
        f"{ROUNDS} rounds in turn, each run a process of its own, CPU seconds from its start to its end. Ours switches "
        "Python's garbage collector off; so does the flat one in a third run. Then ours with more copies of the "
        "cluster, and `tidegate cluster check` on the stack's file, from start to exit.",
        (
            Figure("flat program", f"{median(plain):.2f} s of CPU"),
            Figure("flat program, collector off", f"{median(off):.2f} s of CPU"),
            Figure("this stack", f"{median(ours):.2f} s of CPU"),
            Figure("ratio, median of the rounds", _ratio(ours, plain), "≤ 1.05x"),
            Figure("ratio to the one with the collector off", _ratio(ours, off)),
            *(Figure(f"this stack with {_clusters(count)}", f"{cpu:.2f} s of CPU") for count, cpu in grown.items()),
            Figure(
                "one more cluster: from 7 to 10, to from 1 to 4",
                f"{last:.2f} s to {first:.2f} s of CPU, {last / first:.2f}x",
                "linear: about 1x",
            ),
            Figure("`tidegate cluster check`", f"{median(wall for wall, _ in checks):.2f} s", "< 0.5 s"),
            Figure("`tidegate cluster check`, of CPU", f"{median(cpu for _, cpu in checks):.2f} s"),
        ),
    )


def _run(program: Path | str, *options: str, clusters: int = 1) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.azure_program", str(program), *options]
    given = json.dumps({"answers": _answers(), "config": _config(clusters)})
    done = subprocess.run(command, check=True, cwd=CHECKOUT, input=given, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _config(clusters: int) -> dict[str, str]:
    """The config of the stack `prod` as the engine hands it over, its cluster there so many times."""
    values = YAML(typ="safe").load((CHECKOUT / "Pulumi.prod.yaml").read_text())["config"]
    ((name, cluster),) = values["tidegate:clusters"].items()
    copies = {}
    for number in range(1, clusters + 1):
        copies[f"{name}{number}"] = cluster | {"tls": cluster["tls"] | {"leafDomainLabel": f"scoring-{number}"}}
    texts = values | {"tidegate:clusters": copies}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in texts.items()}


def _ratio(ours: list[float], theirs: list[float]) -> str:
    return f"{median(mine / other for mine, other in zip(ours, theirs, strict=True)):.2f}x"


def _clusters(count: int) -> str:
    return "1 cluster" if count == 1 else f"{count} clusters"


def _check() -> tuple[float, float]:
    """Seconds from start to exit, and of CPU."""
    before, began = _cpu_of_children(), time.perf_counter()
    subprocess.run(CHECK, check=True, cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, _cpu_of_children() - before


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _answers() -> dict[str, Any]:
    """What Azure says to functions, by their tokens."""
    cluster = {
        "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c",
        "name": "c",
        "properties": {"fqdn": "c.example.com", "resourceUID": "0"},
    }
    config = base64.b64encode(kubeconfig(cluster).encode()).decode()
    identity = {"clientId": CLIENT, "principalId": DEPLOYER, "tenantId": TENANT, "id": "/i", "name": "i", "type": "t"}
    facts = {
        "id": cluster["id"],
        "fqdn": "c.example.com",
        "oidcIssuerProfile": {"enabled": True, "issuerURL": "https://issuer.example.com/"},
        "nodeResourceGroup": "nodes",
        "currentKubernetesVersion": "1.36.3",
    }
    login = {"clientId": CLIENT, "objectId": DEPLOYER, "subscriptionId": SUBSCRIPTION, "tenantId": TENANT}
    return {
        "azure-native:authorization:getClientConfig": login,
        "azure-native:managedidentity:getUserAssignedIdentity": identity,
        "azure-native:containerservice:getManagedCluster": facts,
        "azure-native:containerservice:listManagedClusterUserCredentials": {
            "kubeconfigs": [{"name": "clusterUser", "value": config}]
        },
        "azure-native:monitor:getAzureMonitorWorkspace": {
            "metrics": {"prometheusQueryEndpoint": "https://metrics.example.com", "internalId": "m"}
        },
    }
