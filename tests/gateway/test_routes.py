"""Routes of an endpoint with as many versions as there may be, with names as long as they may be."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.engine.harness import ECHO
from tests.gateway.target import TranslatedTarget, translated_target

pytestmark = pytest.mark.kubernetes

ENDPOINT = f"{'wide-':e<32}"
VERSIONS = tuple(f"version-{number:-<24}" for number in range(1, 21))
LIVE = VERSIONS[:16]
OTHER = ENDPOINT[:-1]
HEADERS = ("x-tidegate-version", "azureml-model-deployment")


@pytest.fixture(scope="module")
def target() -> Iterator[TranslatedTarget]:
    """Twenty versions, sixteen of them with traffic, beside an endpoint of nearly the same name."""
    with translated_target() as made:
        versions = {name: made.version(name, ECHO, traffic=6 if name in LIVE else 0) for name in VERSIONS}
        versions[VERSIONS[0]] |= {"default": True, "traffic": 10}
        made.endpoints = {
            ENDPOINT: {"auth": "none", "namespace": "team", "versions": versions},
            OTHER: {"auth": "none", "namespace": "team", "versions": {VERSIONS[0]: made.version("other", ECHO)}},
        }
        made.start()
        yield made


def ask(client: httpx.Client, endpoint: str = ENDPOINT, **headers: str) -> tuple[int, str]:
    answer = client.post(f"/{endpoint}/score", json=1, headers=headers)
    return answer.status_code, answer.json().get("version", "")


def answers(target: TranslatedTarget) -> list[tuple[int, str]]:
    """What requests get that name known and unknown versions, in each header and in both."""
    named = [
        *({header: name} for header in HEADERS for name in (*VERSIONS, "unknown")),
        {HEADERS[0]: VERSIONS[3], HEADERS[1]: VERSIONS[18]},
        {HEADERS[0]: VERSIONS[18], HEADERS[1]: "unknown"},
        {HEADERS[0]: "unknown", HEADERS[1]: VERSIONS[18]},
        {HEADERS[0]: "unknown", HEADERS[1]: "unknown"},
    ]
    with httpx.Client(base_url=target.url) as client:
        return [ask(client, **headers) for headers in named]


EXPECTED = [
    *[*[(200, name) for name in VERSIONS], (404, "")] * 2,
    (200, VERSIONS[3]),
    (200, VERSIONS[18]),
    (404, ""),
    (404, ""),
]


def test_each_version_is_reached_and_no_other(target: TranslatedTarget):
    assert answers(target) == EXPECTED
    with httpx.Client(base_url=target.url) as client:
        seen = {ask(client) for _ in range(400)}
        assert seen <= {(200, name) for name in LIVE}
        assert len(seen) > 12
        assert ask(client, OTHER) == (200, VERSIONS[0])
        assert ask(client, OTHER, **{HEADERS[0]: VERSIONS[1]}) == (404, "")


def test_the_age_of_routes_decides_nothing(target: TranslatedTarget):
    manifests = target.manifests()
    orders: list[Sequence[str]] = []
    for step in (timedelta(hours=1), timedelta(hours=-1)):
        translation = target.serve(_aged(manifests, step))
        orders.append([route["name"] for route in translation.routes[0]["virtualHosts"][0]["routes"]])
        assert answers(target) == EXPECTED
    # The controller did see the ages: what is equal by all other rules has changed places.
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def _aged(manifests: Sequence[Any], step: timedelta) -> list[Any]:
    """The same objects, each a `step` younger than the one before."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {**each, "metadata": {**each["metadata"], "creationTimestamp": f"{began + number * step:%Y-%m-%dT%H:%M:%SZ}"}}
        for number, each in enumerate(manifests)
    ]
