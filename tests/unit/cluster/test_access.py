"""Who may reach a cluster's API server."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.access import resolve_api_server
from tidegate.cluster.input import ClusterInput
from tidegate.cluster.ranges import MOST, normalise
from tidegate.cluster.spec import ApiServerSpec, CreatedNetwork, ExistingNetwork, NetworkSpec, PrivateSpec
from tidegate.findings import Finding
from tidegate.parse import Broken, parse

LOC = ("tidegate:clusters", "scoring")
OFFICE = "203.0.113.0/24"
GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/Network/providers/Microsoft.Network"
HUB = NetworkSpec(place=ExistingNetwork(vnet_name="hub", resource_group="network", subnet_name="aks"))
MADE = NetworkSpec(place=CreatedNetwork(address_space="10.0.0.0/16", subnets=()))


def resolve(
    api_server: Mapping[str, Any] | None,
    *,
    production: bool = True,
    network: NetworkSpec | None = None,
    location: str | None = "West Europe",
) -> tuple[ApiServerSpec, list[Finding]]:
    entry = ClusterInput.model_validate({} if api_server is None else {"apiServer": api_server})
    return resolve_api_server(LOC, entry, production=production, network=network, broken=Broken(), location=location)


def wrong(api_server: Mapping[str, Any] | None, **how: Any) -> set[str]:
    return {finding.rule for finding in resolve(api_server, **how)[1] if finding.severity == "error"}


def said(*ranges: str, **how: Any) -> list[tuple[str, str]]:
    findings = resolve({"authorizedIPRanges": list(ranges)}, **how)[1]
    return [(finding.rule, finding.severity) for finding in findings]


# Ranges


def test_ranges_are_merged_and_sorted() -> None:
    spec, findings = resolve({"authorizedIPRanges": ["203.0.113.128/25", "198.51.100.7", "203.0.113.0/25"]})
    assert spec.authorized_ip_ranges == ("198.51.100.7/32", "203.0.113.0/24")
    assert findings == []


def test_a_range_begins_at_the_first_address_of_its_block() -> None:
    assert said("137.117.106.88/29") == []
    assert ("range-form", "error") in said("137.117.106.90/29")


@pytest.mark.parametrize(("count", "fits"), [(MOST, True), (MOST + 1, False)])
def test_the_limit_is_counted_after_merging(count: int, fits: bool) -> None:
    apart = [f"203.0.{n}.0/25" for n in range(count)]
    assert wrong({"authorizedIPRanges": apart}) == (set() if fits else {"authorized-ranges-count"})
    halves = [f"203.0.{n}.{half}/25" for n in range(200) for half in (0, 128)]
    assert wrong({"authorizedIPRanges": halves}) == set()


def test_a_range_of_everyone_is_refused_in_production_and_warned_of_elsewhere() -> None:
    assert said("0.0.0.0/0") == [("authorized-ranges-everyone", "error")]
    assert said("128.0.0.0/1", "0.0.0.0/1") == [("authorized-ranges-everyone", "error")]
    assert said("0.0.0.0/0", production=False) == [("authorized-ranges-everyone", "warning")]
    assert said("0.0.0.0/1") == []


def test_only_the_clusters_own_address_may_be_let_in() -> None:
    spec, findings = resolve({"authorizedIPRanges": ["0.0.0.0/32"]})
    assert (spec.authorized_ip_ranges, findings) == (("0.0.0.0/32",), [])


def test_private_ranges_are_warned_of() -> None:
    assert said(OFFICE, "10.1.0.0/16") == [("authorized-ranges-public", "warning")]


@pytest.mark.parametrize(
    ("way_out", "noted"),
    [
        ("loadBalancer", False),
        ("managedNATGateway", False),
        ("userAssignedNATGateway", True),
        ("userDefinedRouting", True),
    ],
)
def test_another_way_out_must_be_let_in(way_out: Any, noted: bool) -> None:
    network = HUB.model_copy(update={"outbound_type": way_out})
    assert said(OFFICE, network=network) == ([("authorized-ranges-way-out", "note")] if noted else [])


def test_the_addresses_of_a_nat_gateway_made_here_are_let_in_by_the_program() -> None:
    assert said(OFFICE, network=MADE.model_copy(update={"outbound_type": "userAssignedNATGateway"})) == []
    routed = MADE.model_copy(update={"outbound_type": "userDefinedRouting"})
    assert said(OFFICE, network=routed) == [("authorized-ranges-way-out", "note")]


# Open, in production and elsewhere


@pytest.mark.parametrize("api_server", [{"authorizedIPRanges": [OFFICE]}, {"includeDeployer": True}, {"private": {}}])
def test_a_production_cluster_is_private_or_has_ranges(api_server: dict[str, Any]) -> None:
    assert wrong(api_server) == set()


@pytest.mark.parametrize("api_server", [None, {}, {"authorizedIPRanges": []}, {"includeDeployer": False}])
def test_a_production_cluster_is_not_open(api_server: dict[str, Any] | None) -> None:
    assert wrong(api_server) == {"api-server-restricted"}
    findings = resolve(api_server, production=False)[1]
    assert [(finding.rule, finding.severity) for finding in findings] == [("api-server-restricted", "note")]


def test_the_run_command_is_off_in_production_unless_said() -> None:
    assert resolve({"private": {}})[0].disable_run_command
    assert not resolve({"private": {}}, production=False)[0].disable_run_command
    assert not resolve({"private": {}, "disableRunCommand": False})[0].disable_run_command


# Private


def test_private_refuses_what_is_for_a_public_one() -> None:
    assert wrong({"private": {}, "authorizedIPRanges": [OFFICE]}) == {"api-server-private-or-ranges"}
    assert wrong({"private": {}, "includeDeployer": True}) == {"api-server-private-or-ranges"}
    assert wrong({"private": {}, "includeDeployer": False}) == set()


@pytest.mark.parametrize("zone", ["system", "System", "none", "NONE"])
def test_a_zone_may_be_of_aks_or_none(zone: str) -> None:
    spec, findings = resolve({"private": {"privateDNSZone": zone}})
    assert spec.private == PrivateSpec(private_dns_zone=zone.lower())
    assert [finding.severity for finding in findings] == (["note"] if zone.lower() == "none" else [])


def test_without_a_zone_the_name_stands_in_public_dns() -> None:
    assert PrivateSpec(private_dns_zone="none").public_fqdn
    assert not PrivateSpec().public_fqdn


@pytest.mark.parametrize(
    ("name", "integrated", "fits"),
    [
        ("privatelink.westeurope.azmk8s.io", False, True),
        ("PrivateLink.WestEurope.azmk8s.io", False, True),
        ("team.privatelink.westeurope.azmk8s.io", False, True),
        (f"{'a' * 32}.privatelink.westeurope.azmk8s.io", False, True),
        (f"{'a' * 33}.privatelink.westeurope.azmk8s.io", False, False),
        ("a.b.privatelink.westeurope.azmk8s.io", False, False),
        ("privatelink.eastus.azmk8s.io", False, False),
        ("private.westeurope.azmk8s.io", False, False),
        ("privatelink.westeurope.azmk8s.io", True, False),
        ("private.westeurope.azmk8s.io", True, True),
        ("team.private.westeurope.azmk8s.io", True, True),
        ("example.com", False, False),
    ],
)
def test_a_zone_of_ones_own_has_a_name_that_aks_takes(name: str, integrated: bool, fits: bool) -> None:
    private = {"privateDNSZone": f"{GROUP}/privateDnsZones/{name}", "enableVnetIntegration": integrated}
    assert wrong({"private": private}) == (set() if fits else {"private-dns-zone"})


def test_a_zone_is_checked_against_the_clusters_region_where_that_is_known() -> None:
    zone = {"private": {"privateDNSZone": f"{GROUP}/privateDnsZones/privatelink.eastus.azmk8s.io"}}
    assert wrong(zone, location=None) == set()
    assert wrong(zone, location="eastus") == set()


@pytest.mark.parametrize(
    "zone", ["privatelink.westeurope.azmk8s.io", "", f"{GROUP}/dnsZones/x", f"{GROUP}/privateDnsZones"]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    assert wrong({"private": {"privateDNSZone": zone}}) == {"private-dns-zone"}


@pytest.mark.parametrize(
    ("network", "subnet", "fits"),
    [
        (HUB, f"{GROUP}/virtualNetworks/hub/subnets/apiserver", True),
        (HUB, f"{GROUP}/virtualNetworks/HUB/subnets/apiserver", True),
        (HUB, f"{GROUP}/virtualNetworks/hub/subnets/AKS", False),
        (HUB, f"{GROUP}/virtualNetworks/spoke/subnets/apiserver", False),
        (HUB, f"{GROUP}/virtualNetworks/hub", False),
        (HUB, "apiserver", False),
        (HUB, None, False),
        (MADE, None, True),
        (MADE, f"{GROUP}/virtualNetworks/hub/subnets/apiserver", False),
        (NetworkSpec(), None, True),
        (NetworkSpec(), f"{GROUP}/virtualNetworks/hub/subnets/apiserver", False),
    ],
)
def test_vnet_integration_has_a_subnet_of_the_nodes_network(
    network: NetworkSpec, subnet: str | None, fits: bool
) -> None:
    private = {"enableVnetIntegration": True} | ({"subnetId": subnet} if subnet else {})
    spec, _ = resolve({"private": private}, network=network)
    assert spec.private == PrivateSpec(vnet_integration=True, subnet_id=subnet)
    assert wrong({"private": private}, network=network) == (set() if fits else {"api-server-subnet"})


def test_nothing_is_said_of_the_subnet_where_the_network_is_not_known() -> None:
    assert wrong({"private": {"enableVnetIntegration": True}}, network=None) == set()


def test_a_subnet_alone_does_nothing() -> None:
    assert wrong({"private": {"subnetId": "x"}}, network=HUB) == {"api-server-subnet"}


# What was taken out before


@pytest.mark.parametrize(
    "api_server",
    [
        {"authorizedIPRanges": OFFICE},
        {"authorizedIPRange": [OFFICE]},
        {"private": True},
        {"includeDeployer": "yes"},
        {"private": {"enableVnetIntegration": True, "subnetId": 4}},
        {"private": {"enableVnetIntegration": "yes", "subnetId": f"{GROUP}/virtualNetworks/hub/subnets/apiserver"}},
        "private",
    ],
)
def test_a_value_that_was_refused_is_not_missing_too(api_server: object) -> None:
    result = parse(ClusterInput, {"apiServer": api_server})
    broken = Broken(frozenset((*LOC, *hole) for hole in result.broken.places))
    _, findings = resolve_api_server(LOC, result.value, production=True, network=HUB, broken=broken)
    assert result.findings
    assert findings == []


TEXTS = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}", fullmatch=True),
    st.sampled_from([OFFICE, "system", "none", f"{GROUP}/privateDnsZones/x", f"{GROUP}/virtualNetworks/hub/subnets/x"]),
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "authorizedIPRanges": st.lists(TEXTS, max_size=4),
            "includeDeployer": st.booleans(),
            "disableRunCommand": st.booleans(),
            "private": st.fixed_dictionaries(
                {}, optional={"privateDNSZone": TEXTS, "enableVnetIntegration": st.booleans(), "subnetId": TEXTS}
            ),
        },
    ),
    st.booleans(),
    st.sampled_from([None, NetworkSpec(), MADE, HUB]),
)
def test_anything_gives_a_spec_that_holds_or_errors(
    api_server: dict[str, Any], production: bool, network: NetworkSpec | None
) -> None:
    spec, findings = resolve(api_server, production=production, network=network)
    if any(finding.severity == "error" for finding in findings):
        return
    assert not (spec.private and (spec.authorized_ip_ranges or spec.include_deployer))
    assert normalise(spec.authorized_ip_ranges) == spec.authorized_ip_ranges
    assert not production or spec.private or spec.authorized_ip_ranges or spec.include_deployer
