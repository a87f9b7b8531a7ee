"""Which rule a request meets, by the order in which Envoy Gateway puts the rules of all routes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.kubernetes.examples import PLAIN, STRICT, endpoint, risk, version, wide
from tidegate.targets.envoy import VERSION_HEADERS, paths
from tidegate.targets.kubernetes import EndpointPlan, plan_endpoint
from tidegate.targets.kubernetes.routes import duration

NUMBERED, NAMED = VERSION_HEADERS


def order(match: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """As Envoy Gateway 1.9.1 in internal/gatewayapi/sort.go: larger first; of equal ones that of the older route."""
    headers = match.get("headers", [])
    kinds = ["PathPrefix", "RegularExpression", "Exact"]
    exact = sum(header["type"] == "Exact" for header in headers)
    return kinds.index(match["path"]["type"]), len(match["path"]["value"]), len(headers), exact


def meets(match: Mapping[str, Any], path: str, headers: Mapping[str, str]) -> bool:
    present = {"x-forwarded-proto": "http", **headers}
    if match["path"]["value"] != path:
        return False
    return all(
        each["name"] in present
        and (
            present[each["name"]] == each["value"]
            if each["type"] == "Exact"
            else re.fullmatch(each["value"], present[each["name"]]) is not None
        )
        for each in match.get("headers", [])
    )


def answered_by(routes: Sequence[Mapping[str, Any]], path: str, headers: Mapping[str, str]) -> str:
    """The name of the route that a request meets, of routes from the oldest to the youngest, and its rule's number."""
    rules = [
        (match, f"{route['metadata']['name']}/{number}")
        for route in routes
        for number, rule in enumerate(route["spec"]["rules"])
        for match in rule["matches"]
    ]
    ordered = sorted(rules, key=lambda rule: order(rule[0]), reverse=True)  # stable, with reverse too
    return next((name for match, name in ordered if meets(match, path, headers)), "none")


def routes_of(*plans: EndpointPlan) -> list[Any]:
    return [route for plan in plans for route in (*plan.header_routes, plan.split)]


def expected(name: str, headers: Mapping[str, str], known: set[str], path: str) -> str:
    for number, header in enumerate(VERSION_HEADERS):
        if header in headers:
            asked = headers[header]
            return f"{name}-version-{asked}/0" if asked in known else f"{name}-unknown/{number}"
    return f"{name}-split/{int(path.endswith('swagger.json'))}"


CALM = endpoint(version("one", default=True), version("two"), version("three"), name="calm")
OTHER = endpoint(version("one"), name="other")
ALL = routes_of(plan_endpoint(CALM, PLAIN), plan_endpoint(OTHER, PLAIN))
words = st.sampled_from(["one", "two", "three", "four", "", "ONE", "one two"])


@settings(deadline=None)
@given(
    routes=st.permutations(ALL),
    headers=st.dictionaries(st.sampled_from([*VERSION_HEADERS, "x-other"]), words),
    of=st.sampled_from([CALM, OTHER]),
    data=st.data(),
)
def test_no_route_wins_by_its_age(routes: list[Any], headers: dict[str, str], of: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(paths(of.name))))
    known = {each.name for each in of.versions}
    assert answered_by(routes, path, headers) == expected(of.name, headers, known, path)


def test_other_paths_are_nobodys() -> None:
    for path in ("/calm/score/", "/calm/score/more", "/calm", "/api/v1/service/calm/scores", "/calm/swaggerXjson"):
        assert answered_by(ALL, path, {}) == "none", path


def test_the_paths_that_the_server_knows_follow_from_the_public_ones() -> None:
    (rewrite,) = [
        each["spec"]["urlRewrite"] for each in plan_endpoint(CALM, PLAIN).filters if "urlRewrite" in each["spec"]
    ]
    regex = rewrite["path"]["replaceRegexMatch"]
    found = {path: re.sub(regex["pattern"], regex["substitution"], path) for path in paths("calm")}
    assert found == paths("calm")


@pytest.mark.parametrize("count", [1, 2, 16, 17, 20])
def test_the_gateway_api_s_limits_hold(count: int) -> None:
    live = min(count, 16)
    versions = [version(f"v{n:02}", default=n == 0, traffic=100 // live if n < live else 0) for n in range(count)]
    plan = plan_endpoint(endpoint(*versions), PLAIN)
    for route in routes_of(plan):
        rules = route["spec"]["rules"]
        assert len(rules) <= 16
        assert sum(len(rule["matches"]) for rule in rules) <= 128
        for rule in rules:
            assert len(rule.get("backendRefs", [])) <= 16
            assert len(rule["filters"]) <= 16
            kinds = [each["type"] for each in rule["filters"]]
            assert len({*kinds}) == len([kind for kind in kinds if kind != "RequestMirror"])
    score, swagger = plan.split["spec"]["rules"]
    assert sum(each["weight"] for each in score["backendRefs"]) == 100
    assert all(each["weight"] > 0 for each in score["backendRefs"])
    assert score["backendRefs"] == swagger["backendRefs"]
    assert len({each["name"] for each in score["backendRefs"]}) == live


def test_every_backend_is_told_which_version_it_is() -> None:
    # A filter on each also makes an Envoy cluster of each.
    for route in routes_of(plan_endpoint(wide(), PLAIN)):
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs", []):
                (filter_,) = backend["filters"]
                named = {each["name"]: each["value"] for each in filter_["requestHeaderModifier"]["set"]}
                assert named == {"x-tidegate-routed-to": backend["name"].removeprefix("wide-")} | {
                    NUMBERED: backend["name"].removeprefix("wide-")
                }


def test_a_version_that_comes_or_goes_moves_no_other_s_route() -> None:
    names = ["alpha", "beta", "delta"]

    def header_routes(names: Sequence[str]) -> dict[str, Any]:
        plan = plan_endpoint(endpoint(*(version(name, default=name == "beta") for name in names)), PLAIN)
        return {each["metadata"]["name"]: each for each in plan.header_routes}

    before, after = header_routes(names), header_routes(names[1:])
    assert before.keys() - after.keys() == {"prices-version-alpha"}
    assert all(before[name] == each for name, each in after.items())


def test_a_weight_that_changes_moves_no_backend_and_none_is_ever_0() -> None:
    def backends(first: int) -> list[tuple[str, int]]:
        versions = [version("aaa", traffic=first), version("bbb", default=True), version("ccc", traffic=0)]
        plan = plan_endpoint(endpoint(*versions), PLAIN)
        return [(each["name"], each["weight"]) for each in plan.split["spec"]["rules"][0]["backendRefs"]]

    assert backends(0) == [("prices-bbb", 999_998), ("prices-bbb", 1), ("prices-bbb", 1)]
    assert backends(40) == [("prices-bbb", 599_999), ("prices-aaa", 400_000), ("prices-bbb", 1)]
    assert backends(100) == [("prices-aaa", 1), ("prices-aaa", 999_998), ("prices-aaa", 1)]


def test_a_version_that_comes_or_goes_does_not_move_the_default() -> None:
    def backends(*others: str) -> list[str]:
        versions = [version("mmm", default=True), *(version(name, traffic=10) for name in others)]
        plan = plan_endpoint(endpoint(*versions), PLAIN)
        return [each["name"] for each in plan.split["spec"]["rules"][0]["backendRefs"]]

    assert backends("zzz") == ["prices-mmm", "prices-zzz"]
    assert backends("aaa", "zzz") == ["prices-mmm", "prices-aaa", "prices-zzz"]


def test_copies_are_of_requests_to_be_scored_by_the_split() -> None:
    plan = plan_endpoint(risk(), PLAIN)
    score, swagger = plan.split["spec"]["rules"]
    mirrors = [each["requestMirror"] for each in score["filters"] if each["type"] == "RequestMirror"]
    service = {"group": "", "kind": "Service", "name": "risk-candidate", "port": 80}
    assert mirrors == [{"backendRef": service, "percent": 25}]
    others = [swagger, *(rule for route in plan.header_routes for rule in route["spec"]["rules"])]
    assert all(each["type"] != "RequestMirror" for rule in others for each in rule["filters"])


def test_time_is_that_of_the_slowest_version_with_traffic() -> None:
    plan = plan_endpoint(risk(), PLAIN)
    by_name = {each["metadata"]["name"]: each["spec"]["rules"][0].get("timeouts") for each in plan.header_routes}
    assert by_name == {
        "risk-version-stable": {"request": "92s"},  # 90.5 s in the script, 0.5 s in the queue, 1 s more
        "risk-version-candidate": {"request": "61s500ms"},
        "risk-unknown": None,
    }
    assert {rule["timeouts"]["request"] for rule in plan.split["spec"]["rules"]} == {"92s"}


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=2**33))  # the longest timeout and the longest wait together
def test_durations_are_written_as_the_gateway_api_takes_them(milliseconds: int) -> None:
    text = duration(milliseconds)
    assert re.fullmatch(r"([0-9]{1,5}(h|m|s|ms)){1,4}", text)
    units = {"h": 3600 * 1000, "s": 1000, "ms": 1}
    assert sum(int(number) * units[unit] for number, unit in re.findall(r"([0-9]+)(h|s|ms)", text)) == milliseconds


@pytest.mark.parametrize(
    ("auth", "removed"),
    [("key", ["authorization"]), ("none", ["authorization", "x-tidegate-client"])],
)
def test_credentials_never_reach_a_pod_and_nobody_names_himself(auth: Any, removed: list[str]) -> None:
    plan = plan_endpoint(endpoint(version("one"), auth=auth), PLAIN)
    for route in (plan.header_routes[0], plan.split):
        for rule in route["spec"]["rules"]:
            changes = rule["filters"][0]["requestHeaderModifier"]
            assert changes["remove"] == removed
            assert changes["set"] == [{"name": "x-request-start", "value": "t=%START_TIME(%s.%6f)%"}]


def test_routes_stand_under_the_listener_that_serves() -> None:
    def parents(cluster: Any) -> set[tuple[str, str]]:
        plan = plan_endpoint(endpoint(version("one")), cluster)
        found = [(route["spec"]["parentRefs"][0]["sectionName"], route["spec"]) for route in routes_of(plan)]
        return {(name, ",".join(spec.get("hostnames", []))) for name, spec in found}

    assert parents(PLAIN) == {("http", "")}
    assert parents(STRICT) == {("https", "scoring.example.com")}


def test_an_unknown_name_is_told_the_known_ones() -> None:
    answers = [each["spec"].get("directResponse") for each in plan_endpoint(CALM, PLAIN).filters]
    texts = [each["body"]["inline"] for each in answers if each]
    assert texts == [
        f"endpoint calm has no version of the name in {header}; it has: one, three, two" for header in VERSION_HEADERS
    ]
    assert {each["statusCode"] for each in answers if each} == {404}
