import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.endpoint.traffic import effective_percents


@pytest.mark.parametrize(
    ("traffic", "default", "percents"),
    [
        ({"a": 20, "b": 10}, "a", {"a": 90, "b": 10}),
        ({"a": 20, "b": 40}, "b", {"a": 20, "b": 80}),
        ({"a": 20}, "a", {"a": 100}),
        ({"a": None, "b": None}, "b", {"a": 0, "b": 100}),
        ({"a": 0, "b": 100}, "a", {"a": 0, "b": 100}),
    ],
)
def test_the_rule_s_own_examples(traffic: dict[str, int | None], default: str, percents: dict[str, int]) -> None:
    assert effective_percents(traffic, default) == percents


@st.composite
def splits(draw: st.DrawFn) -> tuple[dict[str, int | None], str]:
    names = draw(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=20, unique=True))
    left, traffic = 100, {}
    for name in names:
        percent = draw(st.none() | st.integers(0, left))
        traffic[name] = percent
        left -= percent or 0
    return traffic, draw(st.sampled_from(names))


@given(splits())
def test_percents_sum_to_a_hundred_and_the_default_gets_the_rest_on_top(
    split: tuple[dict[str, int | None], str],
) -> None:
    traffic, default = split
    percents = effective_percents(traffic, default)
    assert sum(percents.values()) == 100
    assert percents.keys() == traffic.keys()
    for name, percent in traffic.items():
        if name != default:
            assert percents[name] == (percent or 0)
    assert percents[default] - (traffic[default] or 0) == 100 - sum(percent or 0 for percent in traffic.values())


@given(st.dictionaries(st.text("ab", min_size=1), st.integers(-200, 200), min_size=1))
def test_what_is_no_split_is_refused(traffic: dict[str, int]) -> None:
    default = next(iter(traffic))
    if all(0 <= percent <= 100 for percent in traffic.values()) and sum(traffic.values()) <= 100:
        assert sum(effective_percents(traffic, default).values()) == 100
    else:
        with pytest.raises(ValueError, match="percents"):
            effective_percents(traffic, default)


def test_the_default_must_be_a_version() -> None:
    with pytest.raises(ValueError, match="default version 'b'"):
        effective_percents({"a": 1}, "b")
