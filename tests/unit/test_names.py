import pytest

from tidegate.names import ENDPOINT, MODEL, NAMESPACE, NameRule, namesake


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (ENDPOINT, "a-1"),
        (ENDPOINT, "a" * 32),
        (MODEL, "A_b.c-1"),
        (MODEL, "m" * 255),
        (MODEL, "..a"),
        (NAMESPACE, "1a"),
        (NAMESPACE, "a" * 63),
    ],
)
def test_names_at_the_edge_of_a_rule_are_taken(rule: NameRule, name: str) -> None:
    assert rule.problem(name) is None


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (ENDPOINT, "ab"),
        (ENDPOINT, "a" * 33),
        (ENDPOINT, "1ab"),
        (ENDPOINT, "abC"),
        (ENDPOINT, "abc\n"),
        (MODEL, ""),
        (MODEL, "a b"),
        (MODEL, "ä"),
        (MODEL, "."),
        (MODEL, ".."),
        (MODEL, "m" * 256),
        (NAMESPACE, "-a"),
        (NAMESPACE, "a-"),
        (NAMESPACE, "a" * 64),
    ],
)
def test_a_refusal_shows_the_rule(rule: NameRule, name: str) -> None:
    problem = rule.problem(name)
    assert problem is not None and rule.text in problem


def test_what_is_called_like_an_endpoint_has_a_name_that_kubernetes_takes() -> None:
    assert namesake("diabetes-1") == "diabetes-1"
    found = {namesake(name) for name in ("abc", "abc-", "abc--", "a" * 31 + "-")}
    assert len(found) == 4
    assert not any(NAMESPACE.problem(name) for name in found)
