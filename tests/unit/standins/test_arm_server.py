"""The pretended Azure Resource Manager over HTTP, asked by hand and by the product's own client."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.standins.arm_server import IDENTITY_HEADER, SERVICE_TAGS, USAGES, ArmServer, put_cluster, write_answers
from tests.standins.cloud import SUBSCRIPTION, TOKEN, Failure
from tests.unit.standins.conftest import CLUSTER, Azure
from tidegate.azure.arm import Arm
from tidegate.azure.clusters import find_cluster, merge_tags, remove_tags, tags_of

CLUSTERS = "Microsoft.ContainerService/managedClusters"
TAGS = f"{CLUSTER}/providers/Microsoft.Resources/tags/default"
LOCATIONS = f"/subscriptions/{SUBSCRIPTION}/providers/{{}}/locations/westeurope"


@pytest.fixture
def server(azure: Azure) -> Iterator[ArmServer]:
    azure.cluster()
    with ArmServer(azure.cloud).running() as running:
        yield running


def ask(server: ArmServer, path: str, version: str | None = "2025-09-01", **settings: Any) -> httpx.Response:
    method = settings.pop("method", "GET")
    headers = {"authorization": f"Bearer {TOKEN}", **settings.pop("headers", {})}
    params = {"api-version": version} if version else None
    return httpx.request(method, server.url + path, params=params, headers=headers, **settings)


def test_a_cluster_and_all_clusters(server: ArmServer) -> None:
    cluster = ask(server, CLUSTER).json()
    assert cluster["properties"]["agentPoolProfiles"][0]["name"] == "system"
    assert ask(server, CLUSTER.upper()).json() == cluster
    assert ask(server, f"/subscriptions/{SUBSCRIPTION}/providers/{CLUSTERS}").json() == {"value": [cluster]}


@pytest.mark.parametrize(
    ("path", "settings", "status", "code"),
    [
        (CLUSTER, {"headers": {"authorization": "Bearer a"}}, 401, "AuthenticationFailed"),
        (CLUSTER, {"version": None}, 400, "MissingApiVersionParameter"),
        (CLUSTER, {"version": "2024-01-01"}, 400, "InvalidApiVersionParameter"),
        (CLUSTER, {"method": "DELETE"}, 405, "MethodNotAllowed"),
        (CLUSTER + "x", {}, 404, "ResourceNotFound"),
        (CLUSTER.replace("managedClusters", "fleets"), {}, 404, "InvalidResourceType"),
        (f"/subscriptions/x/providers/{CLUSTERS}", {}, 404, "SubscriptionNotFound"),
        (TAGS, {"method": "PATCH", "version": "2025-09-01", "json": {}}, 400, "InvalidApiVersionParameter"),
        (TAGS, {"method": "PATCH", "version": "2021-04-01", "json": {"tags": {}}}, 400, "InvalidRequestContent"),
        (TAGS, {"method": "PATCH", "version": "2021-04-01", "content": b"{}"}, 415, "UnsupportedMediaType"),
        (
            TAGS,
            {"method": "PATCH", "version": "2021-04-01", "json": {"operation": "Add", "properties": {"tags": {}}}},
            400,
            "InvalidTagsOperation",
        ),
        (
            f"{LOCATIONS.format('Microsoft.Network')}/serviceTags",
            {"version": "2024-05-01"},
            400,
            "NoRegisteredProviderFound",
        ),
    ],
)
def test_a_request_is_refused(server: ArmServer, path: str, settings: dict[str, Any], status: int, code: str) -> None:
    answer = ask(server, path, **settings)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_answers_for_locations(server: ArmServer) -> None:
    write_answers(server.cloud.root, SERVICE_TAGS, {"westeurope": {"values": ["a"]}})
    write_answers(server.cloud.root, USAGES, {"westeurope": {"value": ["b"]}})
    tags = ask(server, f"{LOCATIONS.format('Microsoft.Network')}/serviceTags", "2024-05-01")
    usages = ask(server, f"{LOCATIONS.format('Microsoft.Compute')}/usages", "2024-07-01")
    assert (tags.json(), usages.json()) == ({"values": ["a"]}, {"value": ["b"]})


def test_a_token_for_a_managed_identity(server: ArmServer) -> None:
    params = {"api-version": "2019-08-01", "resource": "https://management.azure.com/"}
    url = server.variables["IDENTITY_ENDPOINT"]
    answer = httpx.get(url, params=params, headers={"x-identity-header": IDENTITY_HEADER})
    assert answer.json()["access_token"] == TOKEN
    assert httpx.get(url, params=params).status_code == 400


def test_throttling_says_when_to_come_back(server: ArmServer) -> None:
    server.cloud.fail(Failure(CLUSTERS, "get", status=429, code="TooManyRequests"))
    answer = ask(server, CLUSTER)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert ask(server, CLUSTER).status_code == 200


def test_the_products_client_speaks_with_it(server: ArmServer) -> None:
    with Arm(lambda scope: TOKEN, endpoint=server.url) as arm:
        found = find_cluster(arm, CLUSTER)
        assert found is not None
        assert found["id"] == CLUSTER
        assert find_cluster(arm, f"{CLUSTER}x") is None
        merge_tags(arm, CLUSTER, {"a": "1", "b": "2"})
        remove_tags(arm, CLUSTER, {"a": "1", "b": "3"})
        assert tags_of(find_cluster(arm, CLUSTER) or {}) == {"b": "2"}


def test_a_cluster_that_no_stack_made(server: ArmServer) -> None:
    pool = {"name": "system", "mode": "System", "count": 3, "vmSize": "Standard_D4s_v5"}
    body = {"location": "northeurope", "properties": {"agentPoolProfiles": [pool]}}
    identity = put_cluster(server.cloud, "theirs", "theirs", body)
    assert ask(server, identity).json()["location"] == "northeurope"
