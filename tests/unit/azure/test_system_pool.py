"""The pool that a cluster was made with, changed while it is there."""

from collections.abc import Callable
from typing import Any

import pytest

from providers.azure.system_pool import SystemPool
from providers.kind import OperationError, object_failures
from tests.standins import bicep
from tests.unit.azure.cloud import SUBSCRIPTION, Said, session
from tests.unit.azure.web import Answer, Asked, Web, refusal
from tests.unit.cluster.specs import SYSTEM, cluster
from tidegate.cluster.plan.cluster import plan_first_pool

NewWeb = Callable[[Callable[[Asked], Answer]], Web]
Properties = dict[str, Any]
POOL = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/scoring/providers/Microsoft.ContainerService/managedClusters/prod"
    "/agentPools/system"
)


class Pool:
    """One pool that Azure has, or that is gone."""

    def __init__(self, **properties: Any) -> None:
        self.properties: Properties | None = {
            "count": 3,
            "vmSize": "Standard_D4s_v5",
            "mode": "System",
            "enableAutoScaling": False,
            "orchestratorVersion": "1.35",
            "currentOrchestratorVersion": "1.35.6",
            "upgradeSettings": {"maxSurge": "10%", "undrainableNodeBehavior": "Cordon"},
            "provisioningState": "Succeeded",
            "nodeImageVersion": "AKSUbuntu-2404",
            "eTag": "1",
        } | properties
        self.sent: list[Properties] = []

    def __call__(self, asked: Asked) -> Answer:
        assert asked.path == POOL
        assert asked.query == {"api-version": "2025-09-01"}
        if self.properties is None:
            return refusal(404, "NotFound", "no such pool")
        if asked.method == "PUT":
            kind = bicep.resource_type("Microsoft.ContainerService/managedClusters/agentPools", "2025-09-01")
            assert [str(each) for each in bicep.check(kind, {**asked.body, "name": "system"})] == []
            self.sent.append(asked.body["properties"])
        return Answer(body={"id": POOL, "properties": self.properties})


@pytest.fixture
def made(new_web: NewWeb, monkeypatch: pytest.MonkeyPatch) -> Callable[[Pool], SystemPool]:
    def make(pool: Pool) -> SystemPool:
        monkeypatch.setenv("ARM_ENDPOINT", new_web(pool).url)
        return SystemPool(session())

    return make


def inputs(version: str | None = None, **pool: Any) -> Properties:
    spec = cluster(system_pool=SYSTEM.model_copy(update=pool), kubernetes_version=version)
    return plan_first_pool(spec, {"tags": {}})


def sent(made: Callable[[Pool], SystemPool], pool: Pool, wanted: Properties) -> list[Properties]:
    """What Azure is sent, without what it has as it is."""
    kind = made(pool)
    assert object_failures(kind.inputs, wanted) == []
    assert kind.update(Said().call, "id", {}, wanted) == wanted
    before = pool.properties or {}
    return [{key: value for key, value in each.items() if before.get(key) != value} for each in pool.sent]


def test_a_new_pool_is_left_alone(made: Callable[[Pool], SystemPool]) -> None:
    pool = Pool()
    identity, outputs = made(pool).create(Said().call, inputs(count=9))
    assert (identity, outputs) == ("scoring/prod/system", inputs(count=9))
    assert pool.sent == []


def test_a_pool_that_is_as_it_should_be_is_left_alone(made: Callable[[Pool], SystemPool]) -> None:
    assert sent(made, Pool(), inputs()) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"count": 5}, {"count": 5}),
        ({"min_count": 3, "max_count": 6}, {"enableAutoScaling": True, "minCount": 3, "maxCount": 6}),
        ({"node_labels": {"a": "b"}}, {"nodeLabels": {"a": "b"}}),
        (
            {"node_taints": ("CriticalAddonsOnly=true:NoSchedule",)},
            {"nodeTaints": ["CriticalAddonsOnly=true:NoSchedule"]},
        ),
        ({"tags": {"a": "b"}}, {"tags": {"a": "b"}}),
        ({"max_surge": "33%"}, {"upgradeSettings": {"maxSurge": "33%"}}),
        ({"version": "1.36"}, {"orchestratorVersion": "1.36"}),
    ],
    ids=str,
)
def test_only_what_differs_is_changed(
    made: Callable[[Pool], SystemPool], change: Properties, expected: Properties
) -> None:
    assert sent(made, Pool(), inputs(**change)) == [expected]


def test_what_azure_only_answers_is_not_sent_back(made: Callable[[Pool], SystemPool]) -> None:
    pool = Pool()
    sent(made, pool, inputs(count=5))
    assert not {"provisioningState", "nodeImageVersion", "eTag", "currentOrchestratorVersion"} & pool.sent[0].keys()
    assert pool.sent[0]["vmSize"] == "Standard_D4s_v5"


def test_the_autoscalers_count_is_its_own(made: Callable[[Pool], SystemPool]) -> None:
    pool = Pool(enableAutoScaling=True, minCount=3, maxCount=6, count=5)
    assert sent(made, pool, inputs(count=3, min_count=3, max_count=6)) == []
    assert sent(made, pool, inputs(count=3, min_count=3, max_count=8)) == [{"maxCount": 8}]
    assert pool.sent[0]["count"] == 5


def test_without_the_autoscaler_there_are_no_bounds(made: Callable[[Pool], SystemPool]) -> None:
    pool = Pool(enableAutoScaling=True, minCount=3, maxCount=6, count=5)
    assert sent(made, pool, inputs(count=4)) == [{"enableAutoScaling": False, "count": 4}]
    assert not {"minCount", "maxCount"} & pool.sent[0].keys()


def test_labels_that_the_config_leaves_out_go(made: Callable[[Pool], SystemPool]) -> None:
    pool = Pool(nodeLabels={"a": "b"})
    sent(made, pool, inputs())
    assert "nodeLabels" not in pool.sent[0]


@pytest.mark.parametrize(("wanted", "upgraded"), [("1.35", False), ("1.35.6", False), ("1.35.7", True), ("1.3", True)])
def test_a_minor_stands_for_its_patches(made: Callable[[Pool], SystemPool], wanted: str, upgraded: bool) -> None:
    given = inputs()
    given["pool"]["orchestratorVersion"] = wanted
    assert bool(sent(made, Pool(), given)) == upgraded


def test_a_change_outside_is_seen(made: Callable[[Pool], SystemPool]) -> None:
    outputs = inputs(count=3, node_labels={"a": "b"})
    read = made(Pool(count=5, nodeLabels={"a": "b"})).read("id", outputs)
    assert read == outputs | {"pool": outputs["pool"] | {"count": 5}}


def test_nothing_has_changed_where_nothing_has(made: Callable[[Pool], SystemPool]) -> None:
    outputs = inputs(version="1.35")
    assert made(Pool()).read("id", outputs) == outputs


def test_a_pool_is_gone_with_its_cluster(made: Callable[[Pool], SystemPool]) -> None:
    pool = Pool()
    pool.properties = None
    assert made(pool).read("id", inputs()) is None


def test_azures_own_words_reach_the_user(made: Callable[[Pool], SystemPool]) -> None:
    pool = Pool()
    pool.properties = None
    with pytest.raises(OperationError, match="NotFound: no such pool"):
        made(pool).update(Said().call, "id", {}, inputs())


def test_another_cluster_is_another_pool() -> None:
    assert {"cluster", "resourceGroup", "subscriptionId"} <= SystemPool.replace_on
    assert "clusterRevision" not in SystemPool.replace_on
