"""What is asked of Azure: clusters and their tags, quota, service tags; and the deployer's own address."""

from collections.abc import Callable

import pytest

from tests.unit.azure.web import Answer, Asked, Web, refusal
from tidegate.azure.arm import Arm
from tidegate.azure.clusters import cluster_id, clusters_named, find_cluster, merge_tags, remove_tags, tags_of
from tidegate.azure.deployer import deployer_address
from tidegate.azure.errors import UnreachableError
from tidegate.azure.quota import Usage, compute_usage
from tidegate.azure.service_tags import fetch_service_tags

NewWeb = Callable[[Callable[[Asked], Answer]], Web]
CLUSTER = cluster_id("sub", "rg", "aks")


def connect(web: Web) -> Arm:
    return Arm(lambda scope: "token", endpoint=web.url)


def test_a_cluster_is_found_by_its_id(new_web: NewWeb) -> None:
    web = new_web(lambda asked: Answer(body={"name": "aks"}) if asked.path == CLUSTER else refusal(404, "Gone", ""))
    with connect(web) as arm:
        assert find_cluster(arm, CLUSTER) == {"name": "aks"}
        assert find_cluster(arm, CLUSTER + "2") is None
    assert CLUSTER == "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks"
    assert web.asked[0].query == {"api-version": "2025-09-01"}


def test_clusters_of_a_name_in_a_region(new_web: NewWeb) -> None:
    listed = [
        {"id": "1", "name": "ML", "location": "westeurope"},
        {"id": "2", "name": "ml", "location": "northeurope"},
        {"id": "3", "name": "other", "location": "westeurope"},
        {"id": "4", "name": "ml", "location": "West Europe"},
    ]
    web = new_web(lambda asked: Answer(body={"value": listed}))
    with connect(web) as arm:
        assert clusters_named(arm, "sub", "ml", "westeurope") == ["1", "4"]
    assert web.asked[0].path == "/subscriptions/sub/providers/Microsoft.ContainerService/managedClusters"


def test_tags_are_merged_and_removed_by_pairs(new_web: NewWeb) -> None:
    web = new_web(lambda asked: Answer(body={}))
    with connect(web) as arm:
        merge_tags(arm, CLUSTER, {"a": "1"})
        remove_tags(arm, CLUSTER, {"b": "2"})
    assert [(asked.method, asked.path, asked.query) for asked in web.asked] == [
        ("PATCH", CLUSTER + "/providers/Microsoft.Resources/tags/default", {"api-version": "2021-04-01"})
    ] * 2
    assert [asked.body for asked in web.asked] == [
        {"operation": "Merge", "properties": {"tags": {"a": "1"}}},
        {"operation": "Delete", "properties": {"tags": {"b": "2"}}},
    ]
    assert (tags_of({"tags": {"A-b": "C"}}), tags_of({}), tags_of({"tags": None})) == ({"a-b": "C"}, {}, {})


def test_quota_by_family(new_web: NewWeb) -> None:
    usage = {"name": {"value": "standardDSv5Family"}, "unit": "Count", "currentValue": 8, "limit": 100}
    web = new_web(lambda asked: Answer(body={"value": [usage]}))
    with connect(web) as arm:
        assert compute_usage(arm, "sub", "westeurope") == {"standardDSv5Family": Usage(used=8, limit=100)}
    assert web.asked[0].path == "/subscriptions/sub/providers/Microsoft.Compute/locations/westeurope/usages"


def test_service_tags_of_all_pages(new_web: NewWeb) -> None:
    def answer(asked: Asked) -> Answer:
        if "page" in asked.query:
            return Answer(body={"values": [{"name": "B"}]})
        return Answer(body={"cloud": "Public", "values": [{"name": "A"}], "nextLink": f"{web.url}/tags?page=2"})

    web = new_web(answer)
    with connect(web) as arm:
        found = fetch_service_tags(arm, "sub", "westeurope")
    assert (found["cloud"], found["values"]) == ("Public", [{"name": "A"}, {"name": "B"}])
    assert web.asked[0].path == "/subscriptions/sub/providers/Microsoft.Network/locations/westeurope/serviceTags"


# -- the deployer's address


def test_a_given_address_asks_nobody(new_web: NewWeb) -> None:
    web = new_web(lambda asked: Answer(body="198.51.100.7"))
    given = {"TIDEGATE_DEPLOYER_ADDRESS": "203.0.113.9", "TIDEGATE_ADDRESS_SERVICE": web.url}
    assert deployer_address(given) == "203.0.113.9"
    assert web.asked == []


def test_else_a_service_is_asked(new_web: NewWeb) -> None:
    web = new_web(lambda asked: Answer(body="198.51.100.7\n"))
    assert deployer_address({"TIDEGATE_ADDRESS_SERVICE": web.url}) == "198.51.100.7"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(500), "set TIDEGATE_DEPLOYER_ADDRESS to it"),
        (Answer(body="<html>hello</html>"), "'<html>hello</html>', which is no IPv4 address"),
        (Answer(body="2001:db8::1"), "'2001:db8::1', which is no IPv4 address"),
    ],
)
def test_an_address_that_cannot_be_had(new_web: NewWeb, answer: Answer, said: str) -> None:
    web = new_web(lambda asked: answer)
    with pytest.raises(UnreachableError) as caught:
        deployer_address({"TIDEGATE_ADDRESS_SERVICE": web.url})
    assert said in str(caught.value)
