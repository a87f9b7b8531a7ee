from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tidegate.lines import line_of, lines
from tidegate.parse import key_path

TEXT = """\
config:
  tidegate:target: azure
  tidegate:clusters:
    scoring:
      pools:
        "a.b": {vmSize: x}
        gpu:
          nodeTaints:
            - one
            - two
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("config", 1),
        ("config.tidegate:clusters.scoring", 4),
        ('config.tidegate:clusters.scoring.pools["a.b"].vmSize', 6),
        ("config.tidegate:clusters.scoring.pools.gpu.nodeTaints[1]", 10),
        ("config.tidegate:clusters.scoring.pools.gpu.vmSize", 7),  # not there: the line of the nearest place above
        ('config.tidegate:clusters.scoring.pools["c.d"].vmSize', 5),
        ("elsewhere", 0),
        ("", 0),
    ],
)
def test_a_path_has_the_line_where_it_stands_or_of_what_is_around_it(path: str, line: int) -> None:
    assert line_of(lines(TEXT), path) == line


def test_an_empty_document_has_no_lines() -> None:
    assert lines("") == {}


NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=4)


@given(st.recursive(NAMES, lambda child: st.lists(child, min_size=1) | st.dictionaries(NAMES, child, min_size=1)))
def test_every_key_and_item_of_a_document_is_found(tree: object) -> None:
    out = StringIO()
    YAML().dump({"root": tree}, out)
    found = lines(out.getvalue())

    def places(value: object, loc: tuple[str | int, ...]) -> list[str]:
        children = (
            list(value.items())
            if isinstance(value, dict)
            else list(enumerate(value))
            if isinstance(value, list)
            else []
        )
        return [key_path(loc), *(path for key, child in children for path in places(child, (*loc, key)))]

    assert set(places(tree, ("root",))) == found.keys()
