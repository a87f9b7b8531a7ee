import re

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ci.plans import CLUSTER, POOL, deleted, plan, preview, scaled, state, step
from tools.ci.plan import SECRET, UNKNOWN, Plan, from_preview
from tools.ci.summary import MOST_ROWS, MOST_TEXT, code, headline, summary


def test_the_headline_counts_what_goes_away_first():
    made = step("create", POOL, "new", new=state({}))
    assert headline(plan(made, scaled(), deleted("a"), deleted("b"))) == "2 to delete, 1 to create, 1 to update"
    assert headline(plan()) == "no changes"
    assert headline(Plan((), failed=True)) == "failed"
    assert headline(Plan(plan(scaled()).steps, failed=True)) == "failed, 1 to update"


def test_what_goes_away_stands_above_everything_else():
    replaced = step("replace", CLUSTER, "main", old=state({"location": "a"}), new=state({"location": "b"}))
    text = summary(plan(scaled(), deleted("main.old"), replaced), title="Preview of dev", consent="Ask.")
    alarm, table = text.index("> [!CAUTION]"), text.index("| resource |")
    assert alarm < table
    assert "> **2 that exist would be replaced or deleted.** Ask." in text[alarm:table]
    assert f"> - deleted: `main.old` ({POOL})" in text[alarm:table]
    assert f"> - replaced: `main` ({CLUSTER})" in text[alarm:table]
    rows = [line.split(" | ")[0] for line in text[table:].splitlines() if line.startswith(("| **", "| up"))]
    assert rows == ["| **replace**", "| **delete**", "| update"]


def test_nothing_alarms_where_nothing_goes_away():
    assert "CAUTION" not in summary(plan(scaled()), title="Preview of dev", consent="Ask.")


def test_what_is_only_forgotten_is_said_to_stay():
    text = summary(plan(step("delete", POOL, "image", old=state({}, retainOnDelete=True))), title="x")
    assert "| delete (what is there stays) | `image` |" in text
    assert "CAUTION" not in text


def test_a_property_stands_with_both_values():
    text = summary(plan(scaled(3, before=2)), title="x")
    assert "| `count` | `2` | `3` |" in text


def test_secrets_and_unknown_values_are_words():
    changed = step(
        "update",
        POOL,
        "a",
        old=state({"key": SECRET, "id": "x", "pair": 1}),
        new=state({"key": SECRET, "id": UNKNOWN, "pair": {"a": UNKNOWN}}),
        detailedDiff={"key": {}, "id": {}, "pair": {}},
    )
    text = summary(plan(changed), title="x")
    assert "| `key` | [secret] | [secret] |" in text
    assert '| `id` | `"x"` | known after the update |' in text
    assert '| `pair` | `1` | `{"a": "known after the update"}` |' in text
    assert UNKNOWN not in text


def test_errors_stand_open_and_the_rest_folded():
    said = ({"severity": "error", "message": "no ```such``` thing"}, {"severity": "warning", "message": "careful"})
    text = summary(from_preview(preview(diagnostics=said), failed=True), title="x")
    assert "````text\nno ```such``` thing\n````" in text
    assert "<details><summary>1 warnings and notes</summary>\n\n```text\nwarning: careful\n```" in text


def test_a_credential_alarms():
    metadata = {"op": "update", "type": "pulumi:pulumi:Stack", "new": {"outputs": {"a": "password: x"}}}
    text = summary(from_preview(preview(), [{"resOutputsEvent": {"metadata": metadata}}]), title="x")
    assert "> [!CAUTION]\n> the output a looks like a credential" in text


def test_many_properties_are_counted_and_not_listed():
    made = step("create", POOL, "a", new=state({f"p{number:03}": number for number in range(MOST_ROWS + 7)}))
    text = summary(plan(made), title="x")
    assert f"`p{MOST_ROWS - 1:03}`" in text
    assert f"`p{MOST_ROWS:03}`" not in text
    assert "| and 7 more | | |" in text


def test_a_long_value_keeps_its_ends():
    shown = code("a" * 500 + "z")
    assert len(shown) <= MOST_TEXT + 2
    assert shown.startswith("`aaa")
    assert shown.endswith("az`")


@given(st.text(st.sampled_from("`|ab <>@\\\n"), max_size=60))
def test_no_text_breaks_out_of_its_cell(text):
    """By GFM's rules: a cell ends at a bare pipe, code ends at a run of backticks as long as the one that began it."""
    shown = code(text)
    assert "\n" not in shown
    cells = re.split(r"(?<!\\)\|", shown)
    assert len(cells) == 1
    fence = "`" * (len(shown) - len(shown.lstrip("`")))
    inside = shown[len(fence) : -len(fence)]
    assert shown.endswith(fence)
    assert fence not in re.findall(r"`+", inside)


def test_a_name_is_no_markup_in_a_heading():
    text = summary(plan(step("update", POOL, "<b>@acme/all</b>", old=state({"a": 1}), new=state({"a": 2}))), title="x")
    assert "<summary>update <code>&lt;b&gt;&#64;acme/all&lt;/b&gt;</code></summary>" in text
