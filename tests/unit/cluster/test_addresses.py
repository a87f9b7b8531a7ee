"""The address plan of a network made here."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.addresses import check_address_space, plan_subnets, usable

SPACES = st.builds(
    lambda address, prefix: IPv4Network((address, prefix), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(8, 24),
)


def plan(space: str) -> dict[str, str]:
    subnets = plan_subnets(IPv4Network(space), scoring=True, apiserver=True)
    return {subnet.name: subnet.cidr for subnet in subnets}


def test_half_belongs_to_the_nodes_and_the_others_stand_in_the_upper_half() -> None:
    assert plan("10.224.0.0/16") == {
        "nodes": "10.224.0.0/17",
        "gateway": "10.224.128.0/24",
        "endpoints": "10.224.192.0/24",
        "scoring": "10.224.224.0/24",
        "apiserver": "10.224.240.0/28",
    }


def test_the_smallest_address_space_is_used_to_its_last_address() -> None:
    assert plan("192.168.7.0/24") == {
        "nodes": "192.168.7.0/25",
        "gateway": "192.168.7.128/26",
        "endpoints": "192.168.7.192/27",
        "scoring": "192.168.7.224/28",
        "apiserver": "192.168.7.240/28",
    }


@given(SPACES)
def test_subnets_lie_inside_and_apart_and_the_api_servers_is_a_28(space: IPv4Network) -> None:
    subnets = {name: IPv4Network(cidr) for name, cidr in plan(str(space)).items()}
    assert all(subnet.subnet_of(space) for subnet in subnets.values())
    assert not any(a.overlaps(b) for a in subnets.values() for b in subnets.values() if a != b)
    assert subnets["apiserver"].prefixlen == 28
    assert all(usable(subnet) > 0 for subnet in subnets.values())


@given(SPACES, st.booleans(), st.booleans())
def test_switching_a_subnet_on_moves_no_other(space: IPv4Network, scoring: bool, apiserver: bool) -> None:
    all_of_them = set(plan_subnets(space, scoring=True, apiserver=True))
    some = plan_subnets(space, scoring=scoring, apiserver=apiserver)
    assert set(some) <= all_of_them
    assert ("scoring" in {subnet.name for subnet in some}) == scoring
    assert ("apiserver" in {subnet.name for subnet in some}) == apiserver


def test_only_the_api_servers_subnet_is_delegated() -> None:
    subnets = plan_subnets(IPv4Network("10.0.0.0/16"), scoring=True, apiserver=True)
    assert {subnet.name: subnet.delegation for subnet in subnets if subnet.delegation} == {
        "apiserver": "Microsoft.ContainerService/managedClusters"
    }


@pytest.mark.parametrize(
    ("space", "fits"),
    [("10.0.0.0/8", True), ("10.0.0.0/7", False), ("10.0.0.0/24", True), ("10.0.0.0/25", False)],
)
def test_the_size_of_the_address_space_has_limits(space: str, fits: bool) -> None:
    findings = check_address_space(("space",), IPv4Network(space, strict=False))
    assert not findings if fits else [finding.rule for finding in findings] == ["address-space-size"]


def test_azure_keeps_five_addresses_of_a_subnet() -> None:
    assert usable(IPv4Network("10.0.0.0/24")) == 251
    assert usable(IPv4Network("10.0.0.0/31")) == 0
