"""How a route changes: what the gateway is told while a new version is tried, and afterwards."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.kind import Call, OperationError
from providers.local.layout import Layout
from providers.local.route import Route, _interim, _plan
from providers.local.token_issuer import TokenIssuer
from providers.local.xds import Xds
from providers.values import UNKNOWN
from tidegate.targets.envoy import RoutePlan

CALL = Call(lambda _: None, lambda _: None, threading.Event())


def version(name: str, percent: int) -> dict[str, Any]:
    return {"deployment": name, "percent": percent, "timeoutMs": 1500}


def inputs(versions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "state": "/state",
        "gateway": "http://127.0.0.1:1",
        "endpoint": "echo",
        "auth": "key",
        "primaryKey": "the first key",
        "secondaryKey": "the second key",
        "default": next(iter(versions), ""),
        "versions": versions,
    } | changes


# -- plans


def test_a_plan_routes_every_version_by_header_and_splits_between_those_with_a_share() -> None:
    plan = _plan(inputs({"two": version("echo.two-1", 100), "one": version("echo.one-1", 0)}))
    assert plan == {
        "endpoint": "echo",
        "versions": {
            "one": {"cluster": "echo.one-1", "timeout_ms": 1500},
            "two": {"cluster": "echo.two-1", "timeout_ms": 1500},
        },
        "split": [{"version": "two", "cluster": "echo.two-1", "timeout_ms": 1500, "percent": 100}],
        "keys": {"primary": "the first key", "secondary": "the second key"},
    }
    assert "keys" not in _plan(inputs({}, auth="none"))


def test_a_plan_has_what_the_gateway_does_beside_the_split() -> None:
    versions = {"one": version("e.one", 100), "two": version("e.two", 0) | {"shadow": 10}}
    token = {"audiences": ["app"], "role": "Score.Invoke"}
    new = inputs(versions, auth="token", token=token, attempts=2, maxRequestBytes=5)
    plan = _plan({name: value for name, value in new.items() if not name.endswith("Key")})
    assert plan.get("token") == token
    assert plan.get("shadows") == [{"cluster": "e.two", "percent": 10}]
    assert (plan.get("attempts"), plan.get("max_request_bytes")) == (2, 5)
    assert "keys" not in plan
    assert not {"token", "shadows", "attempts", "max_request_bytes"} & _plan(inputs({"one": version("a", 100)})).keys()


PLANS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(version, st.text("xyz", min_size=1, max_size=2), st.integers(0, 100)),
    min_size=1,
).map(lambda versions: _plan(inputs(versions)))


@given(PLANS, PLANS)
def test_the_interim_plan_keeps_the_old_weights_and_keys_and_reaches_every_version(
    old: RoutePlan, new: RoutePlan
) -> None:
    new = {**new, "keys": {"primary": "a rotated key", "secondary": "the second key"}}
    interim = _interim(old, new)
    assert interim["split"] == old["split"]
    assert interim.get("keys") == old.get("keys")
    assert interim["versions"] == {**old["versions"], **new["versions"]}


@given(PLANS)
def test_the_first_interim_plan_sends_nobody_anywhere(new: RoutePlan) -> None:
    interim = _interim(None, new)
    assert interim["split"] == []
    assert (interim["versions"], interim.get("keys")) == (new["versions"], new.get("keys"))


# -- the kind, on Envoy's files and a gateway that scores as it is told


class Gateway(ThreadingHTTPServer):
    """Answers a sample with `status`, as the version that was asked for; keeps what was in the files at that moment."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.layout, self.status = layout, 200
        self.seen: list[tuple[str, str, RoutePlan | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Gateway)
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        name = self.headers["x-tidegate-version"]
        assert body == '{"data": [1]}'
        self.server.seen.append((name, self.headers.get("authorization", ""), Xds(self.server.layout).route("echo")))
        self.send_response(self.server.status)
        self.send_header("x-tidegate-version", name)
        self.end_headers()
        self.wfile.write(b"the answer")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    layout = Layout(tmp_path / "state")
    for name in ("one", "two", "three"):
        Xds(layout).put_cluster(
            {"name": name, "version": name, "sockets": [str(layout.run / f"{name}.sock")], "max_requests": 8}
        )
    with Gateway(layout) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def route(gateway: Gateway, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Inputs of the endpoint by version and percent, with a sample."""
    sample = tmp_path / "sample.json"
    sample.write_text('{"data": [1]}')

    def make(changes: dict[str, Any] | None = None, **percents: int) -> dict[str, Any]:
        versions = {name: version(name, percent) for name, percent in percents.items()}
        places = {"state": str(gateway.layout.state), "gateway": gateway.url, "sample": str(sample)}
        return inputs(versions, **places) | (changes or {})

    return make


def test_a_new_version_scores_the_sample_before_it_has_a_weight(
    gateway: Gateway, route: Callable[..., dict[str, Any]]
) -> None:
    kind, first = Route(), route(one=100)
    identity, outputs = kind.create(CALL, first)
    assert (identity, outputs) == ("echo", first)
    ((name, authorization, interim),) = gateway.seen
    assert (name, authorization) == ("one", "Bearer the first key")
    assert interim is not None and interim["split"] == []
    assert kind.read("echo", outputs) == outputs

    gateway.seen.clear()
    second = route({"primaryKey": "a rotated key"}, one=80, two=20)
    kind.update(CALL, "echo", first, second)
    ((name, authorization, interim),) = gateway.seen
    assert (name, authorization) == ("two", "Bearer the first key"), "only the new one, by the key of before"
    assert interim is not None
    assert [(share["version"], share["percent"]) for share in interim["split"]] == [("one", 100)]
    assert Xds(gateway.layout).route("echo") == _plan(second)
    assert kind.read("echo", first) is None, "other weights than these are routed"

    gateway.seen.clear()
    kind.update(CALL, "echo", second, route(one=50, two=50))
    assert gateway.seen == [], "a weight needs no sample"


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_a_version_that_fails_the_sample_leaves_everything_as_it_was(
    gateway: Gateway, route: Callable[..., dict[str, Any]], status: int
) -> None:
    kind, first = Route(), route(one=100)
    kind.create(CALL, first)
    before = (gateway.layout.gateway / "rds.json").read_bytes()
    gateway.status = status
    with pytest.raises(OperationError, match=f"version two of endpoint echo did not score .*status {status}") as caught:
        kind.update(CALL, "echo", first, route(one=80, two=20))
    assert "the first key" not in str(caught.value)
    assert (gateway.layout.gateway / "rds.json").read_bytes() == before


def test_an_endpoint_whose_first_version_fails_the_sample_is_not_there(
    gateway: Gateway, route: Callable[..., dict[str, Any]]
) -> None:
    gateway.status = 500
    with pytest.raises(OperationError):
        Route().create(CALL, route(one=100))
    assert Xds(gateway.layout).route("echo") is None


def test_a_sample_is_scored_by_what_the_routes_of_that_moment_take(
    gateway: Gateway, route: Callable[..., dict[str, Any]]
) -> None:
    TokenIssuer().create(CALL, {"state": str(gateway.layout.state), "url": "u", "rotation": 1, "current": True})
    token = {"auth": "token", "token": {"audiences": ["app"], "role": "Score.Invoke"}}

    def taking_tokens(**percents: int) -> dict[str, Any]:
        new = route(token, **percents)
        return {name: value for name, value in new.items() if not name.endswith("Key")}

    kind, first = Route(), taking_tokens(one=100)
    kind.create(CALL, first)
    with_keys = route(one=50, two=50)
    kind.update(CALL, "echo", first, with_keys)
    kind.update(CALL, "echo", with_keys, taking_tokens(one=50, two=25, three=25))
    sent = [(name, authorization.removeprefix("Bearer ")) for name, authorization, _ in gateway.seen]
    assert [name for name, _ in sent] == ["one", "two", "three"]
    assert [text.count(".") for _, text in sent] == [2, 2, 0], "the way in of before, as long as the sample is scored"
    assert sent[2][1] == "the first key"
    for _, text in sent[:2]:
        claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
        assert (claims["aud"], claims["roles"]) == ("app", ["Score.Invoke"])


def test_an_interrupted_update_leaves_everything_as_it_was(
    gateway: Gateway, route: Callable[..., dict[str, Any]]
) -> None:
    kind, first = Route(), route(one=100)
    kind.create(CALL, first)
    interrupted = Call(CALL.progress, CALL.info, threading.Event())
    interrupted.cancelled.set()
    with pytest.raises(OperationError, match="interrupted"):
        kind.update(interrupted, "echo", first, route(two=100))
    assert Xds(gateway.layout).route("echo") == _plan(first)


def test_a_sample_that_cannot_be_read_is_named(
    gateway: Gateway, route: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(OperationError, match=r"nowhere\.json cannot be read: No such file"):
        Route().create(CALL, route({"sample": str(tmp_path / "nowhere.json")}, one=100))
    assert Xds(gateway.layout).route("echo") is None


def test_without_a_sample_the_weights_are_written_at_once_and_deletion_takes_them_away(
    gateway: Gateway, route: Callable[..., dict[str, Any]]
) -> None:
    kind, first = Route(), route(one=90, two=10)
    del first["sample"]
    kind.create(CALL, first)
    assert gateway.seen == []
    routes = json.loads((gateway.layout.gateway / "rds.json").read_text())
    assert '"weight": 90' in json.dumps(routes)
    kind.delete(CALL, "echo", first)
    assert kind.read("echo", first) is None
    kind.delete(CALL, "echo", first)


def test_a_preview_of_a_route_with_a_deployment_to_come() -> None:
    new = inputs({"one": {"deployment": UNKNOWN, "percent": 100, "timeoutMs": 1}})
    assert Route().check({}, new) == []
    assert Route().planned({}, new) == new
