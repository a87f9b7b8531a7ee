"""Three endpoints as the config's loader gives them, and the clusters that they are for."""

import base64
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tidegate.cluster.spec import PoolSpec, SpotSpec
from tidegate.config import from_file
from tidegate.endpoint.spec import (
    AutoScalerSpec,
    DeploymentSpec,
    EndpointSpec,
    InferenceSpec,
    LivenessSpec,
    RetrySpec,
    TokenSpec,
    VersionSpec,
)
from tidegate.targets.kubernetes import ClusterFacts, EndpointPlan

CHECKOUT = Path(__file__).resolve().parents[3]
QUERY = "https://metrics.example/query"

GPU_POOL = PoolSpec(
    name="gpu",
    vm_size="Standard_NC4as_T4_v3",
    count=3,
    node_taints=("sku=gpu:NoSchedule",),
    gpus=1,
)
SPOT_POOL = PoolSpec(
    name="spare",
    vm_size="Standard_D4s_v5",
    count=1,
    node_taints=("kubernetes.azure.com/scalesetpriority=spot:NoSchedule",),
    spot=SpotSpec(),
)
SYSTEM_POOL = PoolSpec(name="system", vm_size="Standard_D8s_v5", count=3, max_count=6, mode="System")

PLAIN = ClusterFacts("main")
STRICT = ClusterFacts("main", host="scoring.example.com", tls=True, production=True, keda=True)
WITH_GPUS = ClusterFacts("main", keda=True, pools=(SYSTEM_POOL, GPU_POOL, SPOT_POOL))


def inference(**variables: str) -> InferenceSpec:
    return InferenceSpec(entry_script="score.py", source=Path("/srv/code"), environment_variables=variables)


def version(name: str, *, deployment: DeploymentSpec | None = None, **given: Any) -> VersionSpec:
    given.setdefault("inference", None if given.get("image") else inference())
    return VersionSpec(name=name, deployment=deployment or DeploymentSpec(), **given)


def endpoint(*versions: VersionSpec, name: str = "prices", **given: Any) -> EndpointSpec:
    place: dict[str, Any] = {"namespace": name, "service_account": name, "cluster": "main"}
    return EndpointSpec(
        name=name,
        **place | given,
        versions=tuple(sorted(versions, key=lambda each: each.name)),
    )


def diabetes() -> EndpointSpec:
    """The README's: keys, two versions that share the traffic; its models are stood in for."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source = "examples/diabetes"
        shutil.copytree(CHECKOUT / source, root / source, ignore=shutil.ignore_patterns("models"))
        (root / source / "models").mkdir()
        for name in ("ridge", "forest"):
            (root / source / "models" / f"{name}.pkl").write_text(f"the {name}")
        return from_file(CHECKOUT / "Pulumi.local.yaml", root=root).endpoints[0]


def risk() -> EndpointSpec:
    """Tokens of two kinds, a shadow, second tries, settings of every sort."""
    stable = version(
        "stable",
        default=True,
        control=True,
        tags={"owner": "risk team"},
        description="In use since spring",
        arguments=("--mode", "$(cat)"),
        inference=inference(GREETING="$(HOME) sweet"),
        deployment=DeploymentSpec(
            num_replicas=3,
            autoscaler=None,
            cpu=1,
            memory_gb=2,
            cpu_limit=2,
            memory_gb_limit=3.5,
            scoring_timeout_ms=90500,
            max_concurrent_requests=4,
            liveness=LivenessSpec(initial_delay_s=45, success_threshold=2),
        ),
    )
    candidate = version("candidate", shadow=25, image="registry.example/risk@sha256:" + "0" * 64)
    return endpoint(
        stable,
        candidate,
        name="risk",
        auth="token",
        token=TokenSpec(
            tenant_id="6f0f2fb8-9c35-4d0f-9f0a-5f3f5f9a0a01",
            application_id="1c3e0f10-9d4e-4a57-8a55-0d2b6d3c7e02",
            application_id_uri="api://risk",
        ),
        retry=RetrySpec(attempts=2),
        max_request_mb=20,
        identity_client_id="c0b7c5d4-2f5e-4b1d-9a77-93a54a4c1d03",
        tags={"costs": "4711"},
    )


def wide() -> EndpointSpec:
    """Twenty versions behind one open address, sixteen of them with traffic, two on GPUs."""
    versions = [
        version(
            f"v{number:02}",
            traffic=6 if number < 17 else None,
            default=number == 1,
            node_pool="spare" if number == 18 else "",
        )
        for number in range(1, 19)
    ]
    small = version(
        "gpu-small", node_pool="gpu", deployment=DeploymentSpec(gpu_cores=1, num_replicas=1, autoscaler=None)
    )
    scaled = DeploymentSpec(gpu_cores=1, autoscaler=AutoScalerSpec(max_replicas=2, refresh_period_s=5))
    return endpoint(*versions, small, version("gpu-scaled", deployment=scaled), name="wide", auth="none")


EXAMPLES = {"diabetes": (diabetes, STRICT), "risk": (risk, PLAIN), "wide": (wide, WITH_GPUS)}


def everything(plan: EndpointPlan) -> dict[str, Any]:
    """All of a plan's manifests, with values in place of what is only known when they are applied."""
    keys = {name: base64.b64encode(f"the {name} key".encode()).decode() for name in ("primary", "secondary")}
    return {
        "namespace": plan.namespace,
        "service account": plan.service_account(client_id=None),
        "keys": plan.keys(values=keys)
        if plan.security_policy and "apiKeyAuth" in plan.security_policy["spec"]
        else None,
        "security policy": plan.security_policy,
        "traffic policies": list(plan.traffic_policies),
        "network policies": list(plan.network_policies),
        "versions": {
            name: {
                "deployment": each.deployment(image=f"registry.example/{name}@sha256:{'1' * 64}"),
                "service": each.service,
                "disruption budget": each.disruption_budget,
                "scaler": list(each.scaler(query_endpoint=QUERY)),
                "strategy": [each.strategy, each.strategy_reason],
                "generation": each.generation,
            }
            for name, each in plan.versions.items()
        },
        "filters": list(plan.filters),
        "header routes": list(plan.header_routes),
        "split": plan.split,
        "notes": [str(note) for note in plan.notes],
    }


def objects(value: Any) -> list[dict[str, Any]]:
    """The manifests in what `everything` gives, one after another."""
    if isinstance(value, dict) and "apiVersion" in value and "kind" in value and "metadata" in value:
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for part in inside for each in objects(part)]
