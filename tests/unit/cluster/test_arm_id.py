"""Ids of Azure resources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.arm_id import ResourceId, id_form, parse_id

TYPE = "Microsoft.ContainerService/managedClusters"
SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/scoring/providers/{TYPE}/main"


def test_an_id_says_subscription_group_and_name() -> None:
    assert parse_id(ID, TYPE) == ResourceId(SUBSCRIPTION, "scoring", "main")


def test_case_does_not_count_and_names_keep_theirs() -> None:
    text = ID.replace("scoring", "Scoring").replace("/main", "/Main")
    mixed = text.replace("resourceGroups", "RESOURCEGROUPS").replace("managedClusters", "managedclusters")
    upper = mixed.replace(SUBSCRIPTION, SUBSCRIPTION.upper())
    assert parse_id(upper, TYPE) == ResourceId(SUBSCRIPTION, "Scoring", "Main")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "of its nine parts between slashes, it has 1"),
        ("main", "of its nine parts between slashes, it has 1"),
        (f"{ID}/", "it has more than nine parts"),
        (ID[1:], "of its nine parts between slashes, it has 8"),
        (f"x{ID}", "it does not begin with a slash"),
        (ID.replace("subscriptions", "subscription"), '"subscription" stands where subscriptions belongs'),
        (ID.replace("resourceGroups", "groups"), '"groups" stands where resourceGroups belongs'),
        (ID.replace("providers", "provider"), '"provider" stands where providers belongs'),
        (
            ID.replace("managedClusters", "agentPools"),
            f"it is one of Microsoft.ContainerService/agentPools, not of {TYPE}",
        ),
        (ID.replace(SUBSCRIPTION, "mine"), '"mine" is no subscription id'),
        (ID.replace("scoring", ""), "its resource group or its name is empty"),
        (ID.removesuffix("main"), "its resource group or its name is empty"),
    ],
)
def test_what_is_wrong_with_an_id_is_told(text: str, problem: str) -> None:
    assert parse_id(text, TYPE) == problem


def test_the_form_is_one_of_nine_parts() -> None:
    assert id_form(TYPE).count("/") == ID.count("/")


@given(st.lists(st.text(max_size=8) | st.sampled_from(ID.split("/")), max_size=11))
def test_any_text_is_read_or_refused(parts: list[str]) -> None:
    assert parse_id("/".join(parts), TYPE)
