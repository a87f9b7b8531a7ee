"""Names of clusters and what is around them (rules C11 and C12)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.input import ClusterInput
from tidegate.cluster.naming import check_cluster_names, check_resource_group, owner_mark
from tidegate.findings import Finding

SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
OTHER = "7d5fcd19-0000-4dda-aec3-cb9272f09590"


def identity(name: str, *, group: str = "scoring", subscription: str = SUBSCRIPTION) -> str:
    kind = "Microsoft.ContainerService/managedClusters"
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}"


def check(clusters: dict[str, Any], *, workspace: bool = False) -> list[Finding]:
    entries = {name: ClusterInput.model_validate(entry) for name, entry in clusters.items()}
    return check_cluster_names(entries, workspace=workspace)


def rules(findings: list[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


@pytest.mark.parametrize("name", ["abc", "ABC", "a-1", "a--b", "a" * 24])
def test_names_at_the_bounds(name: str) -> None:
    assert check({name: {}}) == []


@pytest.mark.parametrize("name", ["", "ab", "1bc", "-bc", "a_c", "a.c", "äbc", "abc\n", "a" * 25])
def test_names_past_the_bounds(name: str) -> None:
    assert rules(check({name: {}})) == ["cluster-name"]


def test_aks_takes_no_hyphen_at_the_end_and_attaching_does() -> None:
    assert rules(check({"main-": {}})) == ["cluster-name-end"]
    assert check({"main-": {"attach": {"resourceId": identity("x")}}}) == []


@pytest.mark.parametrize(("name", "taken"), [("main-1", False), ("main-1a", True), ("main1", True), ("a-1-b", True)])
def test_a_workspace_has_a_pattern_of_its_own(name: str, taken: bool) -> None:
    assert check({name: {}}) == []
    assert rules(check({name: {}}, workspace=True)) == ([] if taken else ["compute-name"])


def test_case_makes_no_name() -> None:
    findings = check({"main": {}, "MAIN": {}, "other": {}})
    assert [(finding.rule, finding.path) for finding in findings] == [("cluster-name-unique", "tidegate:clusters.main")]
    assert '"main" and "MAIN"' in findings[0].problem


@pytest.mark.parametrize(
    "second",
    [
        {"attach": {"resourceId": identity("X", group="Scoring")}},
        {"attach": {"resourceId": identity("x", subscription=SUBSCRIPTION.upper())}},
        {"attach": {"resourceGroup": "scoring", "name": "x"}},
    ],
)
def test_two_names_of_one_cluster_are_told(second: dict[str, Any]) -> None:
    (finding,) = check({"one": {"attach": {"resourceId": identity("x")}}, "two": second})
    assert (finding.rule, finding.path) == ("cluster-one-name", "tidegate:clusters.two")
    assert '"one"' in finding.problem


@pytest.mark.parametrize(
    "second",
    [
        {"attach": {"resourceId": identity("y")}},
        {"attach": {"resourceId": identity("x", group="other")}},
        {"attach": {"resourceId": identity("x", subscription=OTHER)}},
        {"attach": {"resourceGroup": "other", "name": "x"}},
        {"attach": {"resourceId": "nonsense"}},
        {"attach": {}},
    ],
)
def test_two_clusters_are_two(second: dict[str, Any]) -> None:
    assert check({"one": {"attach": {"resourceId": identity("x")}}, "two": second}) == []


def test_a_cluster_is_not_made_and_attached() -> None:
    attached = {"attach": {"resourceGroup": "scoring", "name": "main"}}
    assert rules(check({"main": {"resourceGroup": "Scoring"}, "two": attached})) == ["cluster-one-name"]


def test_where_subscriptions_may_differ_the_way_out_says_so() -> None:
    by_name = {"attach": {"resourceGroup": "scoring", "name": "x"}}
    (unsure,) = check({"one": {"attach": {"resourceId": identity("x")}}, "two": by_name})
    (sure,) = check({"one": by_name, "two": by_name})
    assert "two subscriptions" in unsure.remedy
    assert "two subscriptions" not in sure.remedy


@pytest.mark.parametrize("name", ["a", "rg-1", "(a)", "a.b", "_", "Größe", "a" * 90])
def test_resource_groups_at_the_bounds(name: str) -> None:
    assert check_resource_group(("resourceGroup",), name) == []


@pytest.mark.parametrize("name", ["", "a.", ".", "a b", "a/b", "a#", "a\n", "a" * 91])
def test_resource_groups_past_the_bounds(name: str) -> None:
    assert rules(check_resource_group(("resourceGroup",), name)) == ["resource-group-name"]


@pytest.mark.parametrize(
    ("group", "rule"), [("n" * 80, None), ("n" * 81, "node-resource-group"), ("a.", "resource-group-name")]
)
def test_the_nodes_resource_group(group: str, rule: str | None) -> None:
    assert rules(check({"main": {"nodeResourceGroup": group}})) == ([rule] if rule else [])


def test_the_nodes_resource_group_is_another_than_the_clusters() -> None:
    entry = {"resourceGroup": "Scoring", "nodeResourceGroup": "scoring"}
    assert rules(check({"main": entry})) == ["node-resource-group"]


@pytest.mark.parametrize("prefix", ["a", "A-1", "1a", "a" * 54])
def test_dns_prefixes_at_the_bounds(prefix: str) -> None:
    assert check({"main": {"dnsPrefix": prefix}}) == []


@pytest.mark.parametrize("prefix", ["", "-a", "a-", "a.b", "a_b", "a" * 55])
def test_dns_prefixes_past_the_bounds(prefix: str) -> None:
    assert rules(check({"main": {"dnsPrefix": prefix}})) == ["dns-prefix"]


def test_the_owners_mark_fits_into_a_tag() -> None:
    assert owner_mark("acme", "tidegate", "prod") == "acme/tidegate/prod"
    assert len(owner_mark("o" * 100, "p" * 100, "s" * 54)) == 256
    long = owner_mark("o" * 100, "p" * 100, "s" * 100)
    assert len(long) == 256
    assert long != owner_mark("o" * 100, "p" * 100, "s" * 99 + "t")


@given(
    st.dictionaries(
        st.text(max_size=26) | st.sampled_from(["main", "Main", "main-1"]),
        st.sampled_from([{}, {"attach": {"resourceId": identity("x")}}, {"attach": {"name": "x"}}, {"dnsPrefix": "-"}]),
        max_size=4,
    ),
    st.booleans(),
)
def test_any_names_are_checked(clusters: dict[str, Any], workspace: bool) -> None:
    for finding in check(clusters, workspace=workspace):
        assert finding.remedy
