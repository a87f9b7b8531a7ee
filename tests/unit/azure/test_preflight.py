"""Quotas of a subscription against the pools of an environment."""

from collections.abc import Callable

from tests.unit.azure.web import Answer, Asked, Web
from tidegate.azure.arm import Arm
from tidegate.azure.preflight import check_quotas
from tidegate.cluster.spec import ClusterSpec, PoolSpec

NewWeb = Callable[[Callable[[Asked], Answer]], Web]


def cluster(name: str, location: str, nodes: int) -> ClusterSpec:
    pool = PoolSpec(name="system", vm_size="Standard_D4s_v5", count=nodes, max_surge="1", mode="System")
    return ClusterSpec(
        name=name, purpose="FastProd", location=location, resource_group="rg", dns_prefix=name, system_pool=pool
    )


def regions(limits: dict[str, int]) -> Callable[[Asked], Answer]:
    """Every region's quota of the family by its limit, 4 of it in use."""

    def answer(asked: Asked) -> Answer:
        location = asked.path.split("/")[-2]
        name = {"value": "standardDSv5Family"}
        return Answer(body={"value": [{"name": name, "currentValue": 4, "limit": limits[location]}]})

    return answer


def test_the_clusters_of_a_region_are_added_up(new_web: NewWeb) -> None:
    web = new_web(regions({"westeurope": 31, "northeurope": 20}))
    clusters = [cluster("a", "westeurope", 3), cluster("b", "northeurope", 3), cluster("c", "westeurope", 3)]
    with Arm(lambda scope: "token", endpoint=web.url) as arm:
        assert check_quotas(arm, "sub", clusters[:2]) == []
        (finding,) = check_quotas(arm, "sub", clusters)
    # Twice 3 nodes and 1 more while they are upgraded, of 4 vCPU each.
    assert finding.severity == "error"
    assert "need 32 vCPU of standardDSv5Family at their largest, and its limit is 31" in finding.problem


def test_what_is_in_use_is_told(new_web: NewWeb) -> None:
    web = new_web(regions({"westeurope": 19}))
    with Arm(lambda scope: "token", endpoint=web.url) as arm:
        (finding,) = check_quotas(arm, "sub", [cluster("a", "westeurope", 3)])
    assert (finding.severity, "4 of 19 are in use" in finding.problem) == ("warning", True)


def test_without_clusters_nobody_is_asked(new_web: NewWeb) -> None:
    web = new_web(regions({}))
    with Arm(lambda scope: "token", endpoint=web.url) as arm:
        assert check_quotas(arm, "sub", []) == []
    assert web.asked == []
