"""Names of objects."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.names import ENDPOINT
from tidegate.targets.kubernetes import object_name

LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
"""What a Service may be called (RFC 1035), which all other kinds take too."""

names = st.from_regex(ENDPOINT.pattern, fullmatch=True)
close = st.text("ab-", min_size=3, max_size=32).filter(lambda text: re.fullmatch(ENDPOINT.pattern, text))
"""Names of few letters, of which many give the same joined text."""
parts = st.lists(names | close, min_size=1, max_size=3).map(tuple)


@settings(deadline=None)
@given(st.lists(parts, max_size=30, unique=True))
def test_different_parts_have_different_names_that_kubernetes_takes(several: list[tuple[str, ...]]) -> None:
    by_count = [[each for each in several if len(each) == count] for count in (1, 2, 3)]
    for group in by_count:
        found = [object_name(*each) for each in group]
        assert len(set(found)) == len(found)
        assert all(LABEL.fullmatch(name) for name in found)


def test_what_reads_one_way_alone_stays_as_it_is() -> None:
    assert object_name("diabetes", "ridge") == "diabetes-ridge"
    assert object_name("diabetes", "ridge-2") == "diabetes-ridge-2"
    assert object_name("credit-default") == "credit-default"


def test_names_are_the_same_in_every_release() -> None:
    # Another name would be another object, beside which the old one is deleted.
    assert object_name("credit-default", "ridge") == "credit-default-ridge-f274d95d"
    assert object_name("e" * 32, "v" * 32) == f"{'e' * 32}-{'v' * 21}-afd0894a"
    assert object_name("abc-") == "abc-47c456bb"
