"""The forms of inputs: every bad property by its path, and no secret in a reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.api_key import ApiKey
from providers.kind import BOOLEAN, INTEGER, TEXT, TEXT_MAP, TEXTS, Failure, Form, Kind, object_failures, optional
from providers.local.deployment import Deployment
from providers.local.environment import Environment
from providers.local.gateway import Gateway
from providers.local.host import Host
from providers.local.model import Model
from providers.local.route import Route
from providers.values import UNKNOWN, Secret

FIELDS = {
    "name": TEXT,
    "number": INTEGER,
    "open": optional(BOOLEAN),
    "words": optional(TEXTS),
    "tags": optional(TEXT_MAP),
    "places": optional(Form(list, items=Form(dict, fields={"path": TEXT, "port": INTEGER}))),
}
GOOD: dict[str, Any] = {
    "name": "a",
    "number": 1,
    "open": False,
    "words": ["a"],
    "tags": {"a": "b"},
    "places": [{"path": "/", "port": 1}],
}


def paths(value: dict[str, Any]) -> dict[str, str]:
    return {failure.path: failure.reason for failure in object_failures(FIELDS, value)}


def test_a_good_object_has_no_failures() -> None:
    assert paths(GOOD) == {}
    assert paths({"name": "a", "number": 1}) == {}
    assert paths({"name": UNKNOWN, "number": Secret(UNKNOWN), "words": [UNKNOWN], "tags": UNKNOWN}) == {}
    assert paths({**GOOD, "name": Secret("a"), "tags": Secret({"a": "b"})}) == {}


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        ({"name": 1}, "name", "1 is not text"),
        ({"name": None}, "name", "missing"),
        ({"number": "1"}, "number", "'1' is not a whole number"),
        ({"number": 1.5}, "number", "1.5 is not a whole number"),
        ({"number": True}, "number", "True is not a whole number"),
        ({"open": 1}, "open", "1 is not true or false"),
        ({"words": "a"}, "words", "'a' is not a list"),
        ({"words": ["a", 2]}, "words[1]", "2 is not text"),
        ({"tags": ["a"]}, "tags", "['a'] is not an object"),
        ({"tags": {"a": 1}}, "tags.a", "1 is not text"),
        ({"tags": {"v1.0": 1}}, 'tags["v1.0"]', "1 is not text"),
        ({"places": [{"path": "/"}]}, "places[0].port", "missing"),
        ({"places": [{"path": "/", "port": 1, "q": 1}]}, "places[0].q", "unknown property 'q'; known: path, port"),
        ({"extra": 1}, "extra", "unknown property 'extra'; known: name, number, open, places, tags, words"),
    ],
)
def test_each_failure_has_its_path(change: dict[str, Any], path: str, reason: str) -> None:
    assert paths(GOOD | change) == {path: reason}


def test_all_failures_come_at_once_in_the_order_of_paths() -> None:
    found = object_failures(FIELDS, {"number": "x", "words": [1, 2], "zeal": 1, "places": [{}]})
    assert [failure.path for failure in found] == [
        "name",
        "number",
        "places[0].path",
        "places[0].port",
        "words[0]",
        "words[1]",
        "zeal",
    ]


SECRET = "is not for anybody's eyes"


@pytest.mark.parametrize(
    "value",
    [
        {"number": Secret(SECRET)},
        {"number": Secret(f"x is not {SECRET}")},
        {"words": Secret(SECRET)},
        {"tags": Secret([SECRET])},
        {"words": [Secret({"a": SECRET})]},
        {"places": Secret([{"path": "/", "port": SECRET}])},
        {"places": [{"path": "/", "port": Secret(SECRET)}]},
        {"number": [Secret(SECRET)]},
    ],
)
def test_a_reason_holds_no_secret_value(value: dict[str, Any]) -> None:
    found = object_failures(FIELDS, GOOD | value)
    assert len(found) == 1
    assert SECRET not in found[0].reason
    assert "is not" in found[0].reason


KINDS: list[Kind] = [ApiKey(), Host(), Gateway(), Model(), Environment(), Deployment(), Route()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
def test_each_kind_says_what_is_missing(kind: Kind) -> None:
    required = sorted(name for name, form in kind.inputs.items() if form.required)
    assert object_failures(kind.inputs, {}) == [Failure(name, "missing") for name in required]
    assert kind.replace_on <= set(kind.inputs)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
@given(data=st.data())
def test_each_kind_refuses_any_value_of_another_type(kind: Kind, data: st.DataObject) -> None:
    others = {str: 1, int: "1", bool: "yes", dict: "x", list: "x"}
    wrong = data.draw(st.sets(st.sampled_from(sorted(kind.inputs)), min_size=1))
    found = object_failures(kind.inputs, {name: others[kind.inputs[name].type] for name in wrong})
    assert {failure.path for failure in found if failure.reason != "missing"} == wrong


def route(**changes: Any) -> list[str]:
    share = {"deployment": "d", "timeoutMs": 1}
    good = {
        "state": "/s",
        "gateway": "http://127.0.0.1:1",
        "endpoint": "e",
        "auth": "key",
        "primaryKey": "a-primary-key",
        "secondaryKey": "a-secondary-key",
        "default": "one",
        "versions": {"one": {**share, "percent": 80}, "two": {**share, "percent": 20}},
    }
    new = {name: value for name, value in (good | changes).items() if value is not None}
    assert object_failures(Route.inputs, new) == []
    found = Route().check({}, new)
    assert not any("a-primary-key" in failure.reason or "a-secondary-key" in failure.reason for failure in found)
    return [failure.path for failure in found]


def test_what_a_route_refuses() -> None:
    assert route() == []
    assert route(default="three") == ["default"]
    assert route(auth="nobody") == ["auth", "primaryKey", "secondaryKey"]
    assert route(auth="token") == ["primaryKey", "secondaryKey", "token"]
    assert route(token={"audiences": ["a"], "role": "r"}) == ["token"]
    assert route(auth="none") == ["primaryKey", "secondaryKey"]
    assert route(auth="none", primaryKey=None, secondaryKey=None) == []
    assert route(secondaryKey=None) == ["secondaryKey"]
    share = {"deployment": "d", "timeoutMs": 1}
    assert route(versions={"one": {**share, "percent": 99}}) == ["versions"]
    below = {"one": {**share, "percent": 101}, "two": {**share, "percent": -1}}
    assert route(versions=below) == ["versions"]


def test_a_route_tells_of_a_default_that_goes_and_of_keys_that_end() -> None:
    old = {"endpoint": "echo", "auth": "key", "default": "one", "versions": {"one": {}, "two": {}}}
    assert Route().notices({}, old) == []
    assert Route().notices(old, old | {"default": "two"}) == []
    assert Route().notices(old, old | {"default": "two", "versions": {"two": {}}}) == [
        "version one was the default and goes; two is the default now"
    ]
    assert Route().notices(old, old | {"auth": "none"}) == [
        "endpoint echo asks for no key any more; auth: key again will make new keys"
    ]


def test_a_number_keeps_its_content() -> None:
    old = {"state": "/s", "name": "ridge", "number": 1, "path": "/m.pkl", "content": "sha256:" + "0" * 64}
    other = old | {"content": "sha256:" + "1" * 64}
    assert Model().check({}, old) == Model().check(old, old) == Model().check(old, old | {"path": "/n.pkl"}) == []
    assert Model().check(old, other | {"number": 2}) == []
    (failure,) = Model().check(old, other)
    assert failure.path == "content"
    assert "ridge:1" in failure.reason
    assert "tidegate:models.ridge" in failure.reason


@pytest.mark.parametrize(("port", "good"), [(0, False), (1, True), (65535, True), (65536, False)])
def test_a_port_is_one_that_can_be_asked_for(port: int, good: bool) -> None:
    assert (Gateway().check({}, {"port": port}) == []) is good


def test_a_state_folder_is_absolute() -> None:
    assert Host().check({}, {"state": "/s"}) == []
    assert [failure.path for failure in Host().check({}, {"state": "s"})] == ["state"]
