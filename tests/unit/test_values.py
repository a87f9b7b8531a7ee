"""Property values on the wire, and differences by path."""

from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from providers.values import UNKNOWN, Secret, decode, differences, encode, plain, property_path

NAMES = st.text(max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20) | st.just(UNKNOWN)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4) | st.builds(Secret, inner),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)


@given(OBJECTS)
def test_what_is_sent_comes_back(properties: dict[str, Any]) -> None:
    wire = encode(properties).SerializeToString()
    assert decode(struct_pb2.Struct.FromString(wire)) == properties


@given(st.floats(allow_nan=False))
def test_fractions_stay_and_whole_numbers_are_integers(number: float) -> None:
    received = decode(encode({"n": number}))["n"]
    assert received == number
    assert isinstance(received, int) is number.is_integer()


def test_the_marks_are_those_of_the_sdk() -> None:
    unknown = decode(encode({"a": rpc.UNKNOWN}))
    assert unknown == {"a": UNKNOWN}
    assert encode(unknown)["a"] == rpc.UNKNOWN
    signed = {rpc._special_sig_key: rpc._special_secret_sig, "value": "k"}
    assert decode(encode({"a": signed})) == {"a": Secret("k")}
    assert encode({"a": Secret("k")}) == encode({"a": signed})


def test_a_value_that_the_wire_cannot_carry_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold a object"):
        encode({"a": object()})


def holds_secret(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(holds_secret, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Secret)


@given(OBJECTS)
def test_plain_values_hold_no_secret(properties: dict[str, Any]) -> None:
    assert not holds_secret(plain(properties))
    assert plain({"a": Secret(properties)}) == {"a": plain(properties)}


def test_no_secret_shows_itself() -> None:
    assert repr(Secret("a key")) == "Secret(...)"
    assert "a key" not in repr([Secret({"deep": "a key"})])


@given(OBJECTS)
def test_nothing_differs_from_itself(properties: dict[str, Any]) -> None:
    assert list(differences(properties, decode(encode(properties)))) == []


@given(OBJECTS, OBJECTS)
def test_differences_are_found_both_ways(old: dict[str, Any], new: dict[str, Any]) -> None:
    opposite = {"add": "delete", "delete": "add", "update": "update"}
    forth, back = dict(differences(old, new)), dict(differences(new, old))
    assert {path: opposite[change] for path, change in forth.items()} == back
    assert bool(forth) == (old != new or encode(old) != encode(new))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"a": 1}, {"a": 2}, [("a", "update")]),
        ({"a": 1}, {}, [("a", "delete")]),
        ({}, {"a": {"b": 1}}, [("a", "add")]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"c": 2, "d": 1}}, [("a.b", "delete"), ("a.c", "update"), ("a.d", "add")]),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, [("a[1]", "update"), ("a[2]", "add")]),
        ({"a": [1, {"b": 1}]}, {"a": [1]}, [("a[1]", "delete")]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("a[0].b", "update")]),
        ({"t": {"v1.0": 1}}, {"t": {"v1.0": 2}}, [('t["v1.0"]', "update")]),
        ({"t": {'say "x"': 1}}, {"t": {}}, [(r't["say \"x\""]', "delete")]),
        ({"t": {"a.b": {"c": 1}}}, {"t": {"a.b": {"c": 2}}}, [('t["a.b"].c', "update")]),
        ({"a": True}, {"a": 1}, [("a", "update")]),
        ({"a": {}}, {"a": []}, [("a", "update")]),
        ({"a": 1}, {"a": UNKNOWN}, [("a", "update")]),
        ({"a": "k"}, {"a": Secret("k")}, [("a", "update")]),
        ({"a": Secret({"b": 1})}, {"a": Secret({"b": 2})}, [("a", "update")]),
        ({"a": Secret("k")}, {"a": Secret("k")}, []),
    ],
)
def test_differences_by_path(old: dict[str, Any], new: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert list(differences(old, new)) == found


def test_paths_of_odd_names() -> None:
    assert property_path("", "a") == "a"
    assert property_path("tags", "") == 'tags[""]'
    assert property_path("tags", "a[0]") == 'tags["a[0]"]'
    assert property_path("tags", r"c:\x.y") == r'tags["c:\\x.y"]'
