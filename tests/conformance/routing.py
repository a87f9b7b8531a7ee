"""Which version a request gets, and what has no version."""

import json
from collections import Counter

import httpx
from scipy.stats import chisquare

from tests.conformance.endpoints import SPLIT
from tests.conformance.target import Target, post

COUNT = 600
HEADERS = ("x-tidegate-version", "azureml-model-deployment")


def requests_are_split_by_weight(target: Target) -> None:
    client = httpx.Client(headers={"authorization": f"Bearer {target.key('split')}"})
    with client:
        for path in ("/split/score", "/api/v1/service/split/score"):
            seen = Counter(
                client.post(target.url + path, json=1).raise_for_status().json()["version"] for _ in range(COUNT)
            )
            assert p_value(seen, SPLIT) > 1e-6, seen


def p_value(seen: Counter[str], percents: dict[str, int]) -> float:
    """How likely the counts are where the percents hold; 0 where a version without a share was asked."""
    total = sum(seen.values())
    shares = {name: percent for name, percent in percents.items() if percent}
    if seen.keys() - shares.keys():
        return 0.0
    if len(shares) == 1:
        return 1.0
    return float(chisquare([seen[name] for name in shares], [total * each / 100 for each in shares.values()]).pvalue)


def a_header_names_a_version_of_any_weight(target: Target) -> None:
    for header in HEADERS:
        for version in SPLIT:
            for path in ("split/score", "api/v1/service/split/score"):
                answer = ask(target, path, **{header: version})
                assert answer.json()["version"] == version
                assert answer.json()["headers"][HEADERS[0]] == version  # which a copy for a shadow is told apart by
                assert [answer.headers[each] for each in HEADERS] == [version, version]


def an_unknown_version_is_not_found(target: Target) -> None:
    for header in HEADERS:
        for name in ("five", "ONE", "one,two", ""):
            answer = ask(target, "split/score", **{header: name})
            assert answer.status_code == 404, (header, name)
            assert answer.headers["content-type"] == "application/json"
            known = "it has: four, one, three, two"
            assert answer.json() == {"message": f"endpoint split has no version of the name in {header}; {known}"}


def the_projects_own_header_wins(target: Target) -> None:
    def both(own: str, other: str) -> httpx.Response:
        return ask(target, "split/score", **{HEADERS[0]: own, HEADERS[1]: other})

    assert both("four", "two").json()["version"] == "four"
    assert both("two", "four").json()["version"] == "two"
    assert both("four", "nope").json()["version"] == "four"
    assert both("nope", "four").status_code == 404


def endpoints_of_one_namespace_are_apart(target: Target) -> None:
    path = f"{target.url}/split-open/score"
    assert post(path, json=1).json()["version"] == "one"
    assert post(path, json=1, headers={"x-tidegate-version": "two"}).status_code == 404


def no_other_path_is_served(target: Target) -> None:
    bearer = {"authorization": f"Bearer {target.key('split')}"}
    paths = (
        "/",
        "/nope/score",
        "/split",
        "/split/score/",
        "/split/scores",
        "/split%2Fscore",
        "/split/score/../../admin",
    )
    for path in paths:
        for headers in (bearer, {}):
            answer = post(target.url + path, json=1, headers=headers)
            assert (answer.status_code, answer.json()) == (404, {"message": "no endpoint has this path"}), path


def what_is_asked_arrives_whole(target: Target) -> None:
    answer = ask(target, "/split//score?a=b&c=%20d", body=[1, "é"]).json()
    assert (answer["data"], answer["query"]) == ([1, "é"], "a=b&c=%20d")


def an_endpoint_describes_itself(target: Target) -> None:
    headers = {"authorization": f"Bearer {target.key('split')}"}
    for path in ("split/swagger.json", "api/v1/service/split/swagger.json"):
        described = httpx.get(f"{target.url}/{path}", headers=headers)
        assert described.raise_for_status().json()["swagger"] == "2.0"
        assert httpx.get(f"{target.url}/{path}").status_code == 401


def ask(target: Target, path: str, *, body: object = 1, **headers: str) -> httpx.Response:
    """A request to the endpoint `split`, with its key."""
    known = {"authorization": f"Bearer {target.key('split')}", "content-type": "application/json"} | headers
    return post(f"{target.url}/{path}", content=json.dumps(body), headers=known)


CHECKS = (
    requests_are_split_by_weight,
    a_header_names_a_version_of_any_weight,
    an_unknown_version_is_not_found,
    the_projects_own_header_wins,
    endpoints_of_one_namespace_are_apart,
    no_other_path_is_served,
    what_is_asked_arrives_whole,
    an_endpoint_describes_itself,
)
