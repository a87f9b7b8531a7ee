"""Envoy's files, each change validated by the real Envoy before it is moved into place."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from providers.kind import OperationError
from providers.local.layout import Layout
from providers.local.xds import Xds
from tidegate.targets.envoy import ClusterPlan, IssuerPlan, RoutePlan
from tidegate.targets.local_tokens import Issuer


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "a state")


@pytest.fixture
def xds(layout: Layout) -> Xds:
    """Two endpoints with a version each, and a listener."""
    xds = Xds(layout)
    xds.put_listener("127.0.0.1", 8080)
    for name in ("a", "b"):
        xds.put_cluster(cluster(layout, name))
        xds.put_route(route(name))
    return xds


def cluster(layout: Layout, name: str, **changes: Any) -> ClusterPlan:
    plan: Any = {"name": name, "version": "one", "sockets": [str(layout.run / f"{name}.sock")], "max_requests": 8}
    return plan | changes


def route(endpoint: str, to: str = "", **changes: Any) -> RoutePlan:
    target = {"cluster": to or endpoint, "timeout_ms": 1000}
    plan: Any = {
        "endpoint": endpoint,
        "versions": {"one": target},
        "split": [{"version": "one", "percent": 100, **target}],
        "keys": {"primary": f"key of {endpoint}", "secondary": f"other key of {endpoint}"},
    }
    return plan | changes


def files(layout: Layout) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in layout.gateway.iterdir()}


def clusters(layout: Layout) -> list[str]:
    return [each["name"] for each in json.loads((layout.gateway / "cds.json").read_text())["resources"]]


def routed_paths(layout: Layout) -> set[str]:
    (configuration,) = json.loads((layout.gateway / "rds.json").read_text())["resources"]
    return {each["match"]["path"] for each in configuration["virtual_hosts"][0]["routes"] if "path" in each["match"]}


def test_every_part_is_in_the_files_that_envoy_watches(layout: Layout, xds: Xds) -> None:
    names = ("lds", "cds", "rds", "ecds", "listeners", "clusters", "routes")
    assert set(files(layout)) == {f"{name}.json" for name in names}
    assert clusters(layout) == ["a", "b"]
    assert {"/a/score", "/b/score", "/api/v1/service/a/score"} <= routed_paths(layout)
    (listener,) = json.loads((layout.gateway / "lds.json").read_text())["resources"]
    assert listener["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 8080}


def test_the_files_are_their_owner_s_alone(layout: Layout, xds: Xds) -> None:
    assert {path.stat().st_mode & 0o777 for path in layout.gateway.iterdir()} == {0o600}
    assert layout.gateway.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (lambda layout: ("put_cluster", cluster(layout, "")), "Name"),
        (lambda layout: ("put_cluster", cluster(layout, "c", max_requests=-1)), "max_requests|max_pending"),
        (lambda layout: ("put_cluster", cluster(layout, "c", sockets=["/" + "x" * 200])), "x" * 20),
        (lambda layout: ("put_route", route("c", to="nowhere")), "nowhere"),
        (
            lambda layout: ("put_route", route("c", "a", keys={"primary": "key of a", "secondary": "key of a"})),
            "uplicate",
        ),
        (lambda layout: ("drop_cluster", "a"), "'a'"),
    ],
)
def test_a_part_that_envoy_refuses_changes_nothing(layout: Layout, xds: Xds, bad: Any, complaint: str) -> None:
    before = files(layout)
    method, argument = bad(layout)
    with pytest.raises(OperationError, match=f"Envoy refuses .* nothing was changed: .*({complaint})") as caught:
        getattr(xds, method)(argument)
    assert "key of a" not in str(caught.value)
    assert files(layout) == before
    xds.put_route(route("b", split=[]))
    assert xds.route("a") == route("a")


def test_a_change_of_one_part_leaves_those_of_others(layout: Layout, xds: Xds) -> None:
    xds.put_cluster(cluster(layout, "a-2"))
    xds.put_route(route("a", to="a-2"))
    xds.drop_cluster("a")
    assert (xds.route("a"), xds.route("b")) == (route("a", to="a-2"), route("b"))
    assert clusters(layout) == ["a-2", "b"]
    assert (xds.routed("a"), xds.routed("a-2")) == (False, True)
    xds.drop_route("a")
    assert xds.route("a") is None
    assert routed_paths(layout) & {"/a/score", "/b/score"} == {"/b/score"}


def test_the_same_part_again_moves_no_file(layout: Layout, xds: Xds) -> None:
    before = {path: path.stat().st_ino for path in layout.gateway.iterdir()}
    xds.put_cluster(cluster(layout, "a"))
    xds.put_route(route("b"))
    xds.drop_route("nowhere")
    assert {path: path.stat().st_ino for path in layout.gateway.iterdir()} == before


def test_changes_from_many_threads_lose_nothing(layout: Layout, xds: Xds) -> None:
    names = [f"c{number}" for number in range(5)]

    def add(name: str) -> None:
        own = Xds(layout)  # as the plugin's threads have it
        own.put_cluster(cluster(layout, name))
        own.put_route(route(name))

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(add, names))
    assert clusters(layout) == ["a", "b", *names]
    assert {f"/{name}/score" for name in ("a", "b", *names)} <= routed_paths(layout)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda name: Xds(layout).drop_route(name), names))
    assert all(xds.route(name) is None for name in names)
    assert xds.route("a") == route("a")


def test_the_files_are_composed_again_from_the_parts(layout: Layout, xds: Xds) -> None:
    before = files(layout)
    for name in ("lds", "cds", "rds"):
        (layout.gateway / f"{name}.json").unlink()
    xds.compose()
    assert files(layout) == before
    xds.clear()
    xds.compose()
    assert json.loads((layout.gateway / "lds.json").read_text())["resources"] == []
    assert files(layout)["rds.json"] == before["rds.json"]


# -- tokens

ISSUER: IssuerPlan = {"url": "http://127.0.0.1:8080/tokens", "keys": Issuer.new("", 1).public_keys()}


def with_tokens(endpoint: str, audience: str, role: str = "Score.Invoke") -> RoutePlan:
    plan: Any = route(endpoint)
    del plan["keys"]
    return plan | {"token": {"audiences": [audience], "role": role}}


def checks(layout: Layout) -> dict[str, Any]:
    (resource,) = json.loads((layout.gateway / "ecds.json").read_text())["resources"]
    return resource["typed_config"]


def required(layout: Layout, endpoint: str) -> set[str]:
    """The checks that an endpoint's routes name; "" for a route that names none."""
    (configuration,) = json.loads((layout.gateway / "rds.json").read_text())["resources"]
    routes = configuration["virtual_hosts"][0]["routes"]
    own = [each for each in routes if each["match"].get("path", "").startswith(f"/{endpoint}/")]
    filters = [each["typed_per_filter_config"] for each in own]
    return {each.get("envoy.filters.http.jwt_authn", {}).get("requirement_name", "") for each in filters}


def test_every_route_of_an_endpoint_names_its_check_and_each_check_is_there_once(layout: Layout, xds: Xds) -> None:
    xds.put_issuer(ISSUER)
    xds.put_route(with_tokens("a", "app-1"))
    xds.put_route(with_tokens("b", "app-1", "Other.Role"))
    (name,) = required(layout, "a")
    assert name and required(layout, "b") == {name}
    assert checks(layout)["providers"].keys() == checks(layout)["requirement_map"].keys() == {name}
    assert checks(layout)["providers"][name]["audiences"] == ["app-1"]


def test_another_audience_is_another_check_and_the_one_before_goes_after_the_routes(
    layout: Layout, xds: Xds, monkeypatch: pytest.MonkeyPatch
) -> None:
    xds.put_issuer(ISSUER)
    xds.put_route(with_tokens("a", "app-1"))
    before = required(layout, "a")
    there: list[bool] = []
    move = Xds._move

    def watched(self: Xds, kind: str, parts: dict[str, Any]) -> str:
        version = move(self, kind, parts)
        there.append(required(layout, "a") <= checks(layout)["providers"].keys())
        return version

    monkeypatch.setattr(Xds, "_move", watched)
    xds.put_route(with_tokens("a", "app-2"))
    assert there == [True, True, True], "at every moment the check that routes name is there"
    assert required(layout, "a") != before
    assert checks(layout)["providers"].keys() == required(layout, "a")
    xds.put_route(route("a"))
    assert required(layout, "a") == {""}
    assert checks(layout)["providers"] == {}


def test_without_an_issuer_a_route_still_names_a_check_that_nobody_passes(layout: Layout, xds: Xds) -> None:
    xds.put_issuer(ISSUER)
    xds.put_route(with_tokens("a", "app-1"))
    xds.drop_issuer()
    assert "providers" not in checks(layout)
    assert "" not in required(layout, "a")
    assert xds.issuer() is None


def test_the_listener_of_an_earlier_release_is_renewed_before_tokens_are_taken(layout: Layout, xds: Xds) -> None:
    lds = layout.gateway / "lds.json"
    whole = json.loads(lds.read_text())
    (listener,) = whole["resources"]
    filters = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    filters[:] = [each for each in filters if "jwt" not in each["name"]]
    lds.write_text(json.dumps(whole | {"version_info": "earlier"}))
    xds.put_issuer(ISSUER)
    assert "envoy.filters.http.jwt_authn" in lds.read_text()


def test_tokens_are_forgotten_by_one_thread_while_another_begins_to_take_them(layout: Layout, xds: Xds) -> None:
    xds.put_issuer(ISSUER)

    def swing(name: str) -> None:
        for number in range(3):
            Xds(layout).put_route(with_tokens(name, f"{name}-{number}"))
            Xds(layout).put_route(route(name))
        Xds(layout).put_route(with_tokens(name, name))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(swing, ("a", "b")))
    assert required(layout, "a") | required(layout, "b") == checks(layout)["providers"].keys()
