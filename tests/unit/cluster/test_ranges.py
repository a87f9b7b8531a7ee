"""Ranges of addresses."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.ranges import is_private, normalise, read_range, read_ranges

LOC = ("ranges",)

NETWORKS = st.builds(
    lambda address, prefix: IPv4Network((address, prefix), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@pytest.mark.parametrize(
    ("given", "merged"),
    [
        (["203.0.113.0/25", "203.0.113.128/25"], ("203.0.113.0/24",)),
        (["203.0.113.0/24", "203.0.113.7"], ("203.0.113.0/24",)),
        (["203.0.113.7", "203.0.113.7/32"], ("203.0.113.7/32",)),
        (["198.51.100.0/24", "9.0.0.0/8", "198.51.101.0/24"], ("9.0.0.0/8", "198.51.100.0/23")),
        (["0.0.0.0/1", "128.0.0.0/1"], ("0.0.0.0/0",)),
        ([], ()),
    ],
)
def test_neighbours_are_merged_and_the_rest_is_sorted(given: list[str], merged: tuple[str, ...]) -> None:
    assert normalise(given) == merged


@given(st.lists(NETWORKS, max_size=12))
def test_merging_keeps_every_address_and_adds_none(networks: list[IPv4Network]) -> None:
    merged = [IPv4Network(text) for text in normalise(str(network) for network in networks)]
    assert all(any(network.subnet_of(whole) for whole in merged) for network in networks)
    edges = [edge for whole in merged for edge in (whole.network_address, whole.broadcast_address)]
    assert all(any(edge in network for network in networks) for edge in edges)
    assert normalise(str(network) for network in reversed(networks)) == tuple(str(network) for network in merged)
    assert not any(a.overlaps(b) for a in merged for b in merged if a != b)


def test_a_list_keeps_what_is_right_and_names_what_is_wrong_by_its_index() -> None:
    networks, findings = read_ranges(LOC, ["203.0.113.0/24", "house", "203.0.113.9/24", "10.0.0.1"])
    assert [str(network) for network in networks] == ["203.0.113.0/24", "10.0.0.1/32"]
    assert [finding.path for finding in findings] == ["ranges[1]", "ranges[2]"]
    assert findings[1].remedy == "Write 203.0.113.0/24"


@pytest.mark.parametrize(
    "text",
    ["", "/8", "house", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/255.0.0.0", "2001:db8::/32", "10.0.0.0/", "10.0.0.0 /8"],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    network, findings = read_range(LOC, text)
    assert network is None
    assert [finding.rule for finding in findings] == ["range-form"]
    with pytest.raises(ValueError):
        normalise([text])


@given(st.text(alphabet="0123456789./:x ", max_size=20))
def test_any_text_is_a_range_or_a_finding(text: str) -> None:
    network, findings = read_range(LOC, text)
    assert (network is None) == bool(findings)


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("10.0.0.0/8", True),
        ("172.16.0.0/12", True),
        ("172.32.0.0/16", False),
        ("192.168.7.0/24", True),
        ("100.64.0.0/10", True),
        ("100.128.0.0/16", False),
        ("8.8.8.0/24", False),
        ("0.0.0.0/0", False),
    ],
)
def test_private_ranges_are_those_of_two_rfcs(text: str, private: bool) -> None:
    assert is_private(IPv4Network(text)) == private


def test_a_lone_address_is_a_block_of_one() -> None:
    network, findings = read_range(LOC, "203.0.113.7")
    assert not findings
    assert network is not None
    assert network.network_address == IPv4Address("203.0.113.7")
    assert network.prefixlen == 32
