"""A report as text and as Markdown."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.records import ENDPOINTS, UNTIMED, Record, endpoint, version
from tidegate.report.diff import compare
from tidegate.report.markdown import as_markdown, escaped
from tidegate.report.text import WIDTH, as_text


@UNTIMED
@given(ENDPOINTS, ENDPOINTS)
def test_no_line_is_too_long_for_the_engines_diagnostics(old: Record, new: Record) -> None:
    assert max(map(len, as_text(compare(old, new)).splitlines())) <= WIDTH


def test_the_longest_names_and_cells_fit() -> None:
    long = "v" * 32
    contents = {"requirements": ["a" * 200]}
    old = {long: version(100, replicas="10-100"), "other": version(0)}
    new = {long: version(0, replicas="20-200", contents=contents), "other": version(100)}
    text = as_text(compare(endpoint(old), endpoint(new)))
    assert "100 % -> 0 %" in text
    assert "new: environment" in text
    assert max(map(len, text.splitlines())) <= WIDTH


@UNTIMED
@given(st.text("|`*_[]()<>&@#!~\\ a1.\n"))
def test_no_text_takes_effect_as_markup(text: str) -> None:
    shown = escaped(text)
    assert not set(re.sub(r"&#\d+;", "", shown)) & set("|`*_[]<>@#!~\\&\n")


@UNTIMED
@given(ENDPOINTS, ENDPOINTS)
def test_a_table_in_markdown_has_five_cells_in_every_row(old: Record, new: Record) -> None:
    lines = as_markdown(compare(old, new)).splitlines()
    assert {line.count("|") for line in lines if line.startswith("|")} <= {6}
    assert lines[0].startswith("#### Endpoint diabetes: ")
