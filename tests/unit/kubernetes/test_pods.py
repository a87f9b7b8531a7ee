"""The pods of a version: what runs in them, what they may do, where they run."""

from typing import Any

import pytest

from providers.local.deployment import _settings
from tests.unit.kubernetes.examples import (
    GPU_POOL,
    PLAIN,
    SPOT_POOL,
    SYSTEM_POOL,
    WITH_GPUS,
    diabetes,
    endpoint,
    inference,
    risk,
    version,
    wide,
)
from tidegate.cluster.capacity import check_capacity
from tidegate.cluster.plan.pools import azure_name
from tidegate.endpoint.spec import AutoScalerSpec, DeploymentSpec, EndpointSpec, LivenessSpec, VersionSpec
from tidegate.targets.kubernetes import ClusterFacts, demands, plan_endpoint

CLUSTER = ("tidegate:clusters", "main")


def pod(spec: EndpointSpec, name: str, cluster: ClusterFacts = PLAIN, **given: Any) -> Any:
    """The pod's template."""
    return plan_endpoint(spec, cluster).versions[name].deployment(image="image", **given)["spec"]["template"]


def container(spec: EndpointSpec, name: str, **given: Any) -> Any:
    (found,) = pod(spec, name, **given)["spec"]["containers"]
    return found


def environment(spec: EndpointSpec, name: str, **given: Any) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in container(spec, name, **given)["env"]}


def test_the_server_is_told_what_the_local_target_tells_it() -> None:
    spec = diabetes()
    bounds = spec.versions[0].deployment
    local = _settings(
        {
            "endpoint": spec.name,
            "version": spec.versions[0].name,
            "scoringTimeoutMs": bounds.scoring_timeout_ms,
            "maxConcurrentRequests": bounds.max_concurrent_requests,
            "maxQueueWaitMs": bounds.max_queue_wait_ms,
            "maxRequestBytes": 200 << 20,
        }
    )
    found = environment(spec.model_copy(update={"max_request_mb": 200}), spec.versions[0].name)
    assert local.items() <= found.items()
    # What is left is what only a pod has: addresses.
    assert found.keys() - local.keys() == {"SERVER_PORT", "TIDEGATE_HOST", "TIDEGATE_METRICS_PORT"}


def test_a_user_s_variables_go_through_but_not_over_ours() -> None:
    given = version("one", inference=inference(GREETING="$(HOME) $HOME", SERVICE_NAME="mine", SERVER_PORT="1"))
    found = environment(endpoint(given), "one")
    assert found["GREETING"] == "$$(HOME) $HOME"
    assert (found["SERVICE_NAME"], found["SERVER_PORT"]) == ("prices", "5001")


def test_arguments_reach_the_script_and_no_shell() -> None:
    found = container(risk(), "stable")
    assert found["command"] == ["/opt/tidegate/env/bin/tidegate-score"]
    assert found["args"] == ["--", "--mode", "$$(cat)"]
    assert not {"command", "args"} & container(endpoint(version("one")), "one").keys()


def test_pods_may_do_nothing_that_the_restricted_standard_forbids() -> None:
    template = pod(endpoint(version("one")), "one", content="{}")
    spec, (scoring,) = template["spec"], template["spec"]["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert scoring["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert spec["automountServiceAccountToken"] is False
    assert all(list(each) == ["name", "emptyDir"] and each["emptyDir"]["sizeLimit"] for each in spec["volumes"])
    assert {each["name"] for each in scoring["volumeMounts"]} == {each["name"] for each in spec["volumes"]}


def test_only_pods_that_need_an_identity_are_given_one() -> None:
    label = "azure.workload.identity/use"
    plain = endpoint(version("one"))
    assert label not in pod(plain, "one")["metadata"]["labels"]
    assert pod(plain, "one", content="{}")["metadata"]["labels"][label] == "true"
    identified = endpoint(version("one"), identity_client_id="4f2e")
    assert pod(identified, "one")["metadata"]["labels"][label] == "true"


def test_another_identity_takes_other_pods() -> None:
    """The webhook of workload identity writes it into a pod when that is made."""
    plain, one, other = (endpoint(version("one"), identity_client_id=client) for client in ("", "4f2e", "5a3b"))
    assert "annotations" not in pod(plain, "one")["metadata"]
    assert pod(one, "one")["metadata"] != pod(other, "one")["metadata"]
    assert len({plan_endpoint(each, PLAIN).versions["one"].generation for each in (plain, one, other)}) == 3


def test_what_is_fetched_has_a_place_of_its_own() -> None:
    found = environment(endpoint(version("one")), "one", content="{}")
    mounts = {each["mountPath"] for each in container(endpoint(version("one")), "one", content="{}")["volumeMounts"]}
    assert found["TIDEGATE_CONTENT_DIR"] in mounts
    assert not {"TIDEGATE_CONTENT", "TIDEGATE_CONTENT_DIR"} & environment(endpoint(version("one")), "one").keys()


@pytest.mark.parametrize(("delay", "tries"), [(310, 155), (45, 23), (1, 1), (0, 1)])
def test_init_has_its_time_and_then_liveness_counts(delay: int, tries: int) -> None:
    liveness = LivenessSpec(initial_delay_s=delay, period_s=7, timeout_s=3, success_threshold=2, failure_threshold=4)
    found = container(endpoint(version("one", deployment=DeploymentSpec(liveness=liveness))), "one")
    startup, alive, ready = (found[f"{name}Probe"] for name in ("startup", "liveness", "readiness"))
    assert startup["failureThreshold"] == tries
    assert startup["periodSeconds"] * tries >= delay
    assert (alive["periodSeconds"], alive["timeoutSeconds"], alive["failureThreshold"]) == (7, 3, 4)
    # Kubernetes takes no other number than one for these two.
    assert "successThreshold" not in startup
    assert "successThreshold" not in alive
    assert ready["successThreshold"] == 2


def test_probes_need_no_turn_among_the_requests() -> None:
    found = container(endpoint(version("one")), "one")
    ports = {each["name"]: each["containerPort"] for each in found["ports"]}
    assert environment(endpoint(version("one")), "one")["TIDEGATE_METRICS_PORT"] == str(ports["metrics"])
    for name in ("startup", "liveness", "readiness"):
        assert found[f"{name}Probe"]["httpGet"] == {"path": "/", "port": "metrics", "scheme": "HTTP"}


def test_a_pod_that_ends_serves_until_nobody_asks_and_finishes_what_runs() -> None:
    for spec in (diabetes(), risk()):
        for each in spec.versions:
            template = pod(spec, each.name)["spec"]
            waits = template["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            longest = (each.deployment.scoring_timeout_ms + each.deployment.max_queue_wait_ms) / 1000
            assert waits >= 5
            assert template["terminationGracePeriodSeconds"] >= waits + longest + 8


@pytest.mark.parametrize(
    ("given", "requests", "limits"),
    [
        ({}, {"cpu": "100m", "memory": "512Mi"}, {"memory": "1Gi"}),
        ({"cpu": 2, "memory_gb": 3}, {"cpu": "2", "memory": "3Gi"}, {"memory": "6Gi"}),
        (
            {"cpu": 1.5, "cpu_limit": 3, "memory_gb_limit": 0.75},
            {"cpu": "1500m", "memory": "512Mi"},
            {"cpu": "3", "memory": "768Mi"},
        ),
        (
            {"gpu_cores": 2},
            {"cpu": "100m", "memory": "512Mi"},
            {"memory": "1Gi", "nvidia.com/gpu": "2"},
        ),
    ],
)
def test_resources(given: dict[str, Any], requests: dict[str, str], limits: dict[str, str]) -> None:
    found = container(endpoint(version("one", deployment=DeploymentSpec(**given))), "one")["resources"]
    assert found == {"requests": requests, "limits": limits}


def test_the_autoscaler_owns_the_replicas_where_there_is_one() -> None:
    def replicas(deployment: DeploymentSpec) -> Any:
        plan = plan_endpoint(endpoint(version("one", deployment=deployment)), PLAIN).versions["one"]
        return plan.deployment(image="image")["spec"].get("replicas"), bool(plan.scaler(query_endpoint=None))

    assert replicas(DeploymentSpec()) == (None, True)
    assert replicas(DeploymentSpec(num_replicas=3, autoscaler=None)) == (3, False)
    assert replicas(DeploymentSpec(autoscaler=None)) == (1, False)


@pytest.mark.parametrize(
    ("deployment", "allowed"),
    [
        (DeploymentSpec(num_replicas=1, autoscaler=None), None),
        (DeploymentSpec(num_replicas=2, autoscaler=None), 1),
        (DeploymentSpec(autoscaler=AutoScalerSpec(max_replicas=1)), None),
        (DeploymentSpec(), 1),
    ],
)
def test_disruption_budgets_are_for_those_that_can_spare_one(deployment: DeploymentSpec, allowed: int | None) -> None:
    budget = plan_endpoint(endpoint(version("one", deployment=deployment)), PLAIN).versions["one"].disruption_budget
    assert (budget and budget["spec"]["maxUnavailable"]) == allowed


def test_pods_go_where_they_are_sent_and_tolerate_what_is_there() -> None:
    spare = pod(wide(), "v18", WITH_GPUS)["spec"]
    assert spare["nodeSelector"] == {"kubernetes.azure.com/agentpool": azure_name(SPOT_POOL)}
    spot = {
        "key": "kubernetes.azure.com/scalesetpriority",
        "operator": "Equal",
        "value": "spot",
        "effect": "NoSchedule",
    }
    assert spare["tolerations"] == [spot]
    gpus = pod(wide(), "gpu-scaled", WITH_GPUS)["spec"]
    assert "nodeSelector" not in gpus
    assert [(each["key"], each.get("value")) for each in gpus["tolerations"]] == [
        ("sku", "gpu"),
        ("nvidia.com/gpu", None),
    ]
    assert not {"nodeSelector", "tolerations"} & pod(wide(), "v01", WITH_GPUS)["spec"].keys()


def test_the_pools_of_an_attached_cluster_are_named_as_they_are_there() -> None:
    spec = pod(endpoint(version("one", node_pool="batch")), "one")["spec"]
    assert spec["nodeSelector"] == {"kubernetes.azure.com/agentpool": "batch"}
    assert [each["key"] for each in spec["tolerations"]] == ["kubernetes.azure.com/scalesetpriority"]


def gpus(name: str, replicas: int, **given: Any) -> VersionSpec:
    return version(name, deployment=DeploymentSpec(gpu_cores=1, num_replicas=replicas, autoscaler=None), **given)


@pytest.mark.parametrize(
    ("versions", "pools", "strategy", "reason"),
    [
        ([gpus("one", 2)], 3, "RollingUpdate", "gpu has 3 GPUs at its largest, and both need 3"),
        ([gpus("one", 2)], 2, "Recreate", "old and new pods together need 3 GPUs, and gpu has 2 at its largest"),
        ([gpus("one", 2), gpus("two", 1, default=True)], 3, "Recreate", "need 4 GPUs, and gpu has 3"),
        ([gpus("one", 2), version("two", default=True)], 3, "RollingUpdate", "both need 3"),
        ([gpus("one", 2)], 0, "RollingUpdate", "the cluster is attached"),
    ],
)
def test_pods_are_replaced_one_by_one_where_there_are_gpus_for_both(
    versions: list[VersionSpec], pools: int, strategy: str, reason: str
) -> None:
    known = (SYSTEM_POOL, GPU_POOL.model_copy(update={"count": pools})) if pools else ()
    one = plan_endpoint(endpoint(*versions), ClusterFacts("main", pools=known)).versions["one"]
    assert (one.strategy, one.deployment(image="image")["spec"]["strategy"]["type"]) == (strategy, strategy)
    assert reason in one.strategy_reason


def test_what_a_cluster_must_hold_is_what_its_plan_starts() -> None:
    # With too few GPUs for both, the update that ends the old pods first asks for no more than there are.
    spec = endpoint(gpus("one", 3))
    pools = (SYSTEM_POOL, GPU_POOL)
    (found,) = demands([spec, endpoint(version("one"), name="other", cluster="elsewhere")], "main", pools)
    assert (found.name, found.replicas, found.surge, found.gpus) == ("prices/one", 3, 0, 1)
    assert check_capacity(CLUSTER, pools, [found]) == []
    (rolling,) = demands([endpoint(gpus("one", 2))], "main", pools)
    assert (rolling.replicas, rolling.surge) == (2, 1)
    (scaled,) = demands([endpoint(version("one"))], "main", pools)
    assert (scaled.replicas, scaled.surge) == (10, 3)
    (finding,) = check_capacity(CLUSTER, pools, demands([endpoint(gpus("one", 4))], "main", pools))
    assert "prices/one 4 x 1 = 4" in finding.problem


def test_a_version_in_a_spot_pool_finds_its_room_there() -> None:
    (found,) = demands([endpoint(version("one", node_pool="spare"))], "main", WITH_GPUS.pools)
    assert found.node_pool == "spare"
    assert not any("no pool takes" in each.problem for each in check_capacity(CLUSTER, WITH_GPUS.pools, [found]))


def test_a_smaller_limit_of_requests_restarts_nothing() -> None:
    first, less = (endpoint(version("one"), max_request_mb=megabytes) for megabytes in (100, 10))
    assert pod(first, "one") == pod(less, "one")
