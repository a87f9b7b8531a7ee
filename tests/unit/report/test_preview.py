"""What is read from the answer of `pulumi preview --json`."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from typer.testing import CliRunner

from cli.errors import CliError
from cli.main import app
from cli.report import read
from tests.unit.ci.plans import POOL, deleted, preview, root, scaled, state, step
from tests.unit.report.records import ENDPOINTS, UNTIMED, Record, endpoint, version
from tidegate.report.preview import SERVING, Gone, read_preview
from tools.ci.plan import from_preview, from_record
from tools.ci.summary import summary

CHANGED = endpoint({"one": version(50), "two": version(50)})


def serving(op: str, old: Record | None, new: Record | None, name: str = "diabetes") -> dict[str, Any]:
    states = {"oldState": old, "newState": new}
    given_states = {key: state(value) for key, value in states.items() if value is not None}
    urn = f"urn:pulumi:dev::tidegate::tidegate:azure:Endpoint${SERVING}::{name}.serving"
    return {"op": op, "urn": urn, "detailedDiff": None, **given_states}


def test_endpoints_that_change_are_told_and_all_else_is_counted() -> None:
    other = {**CHANGED, "endpoint": "another"}
    found = read_preview(
        preview(
            serving("update", endpoint(), CHANGED),
            serving("same", endpoint(), endpoint(), "still"),
            serving("delete", other, None, "another"),
            scaled(),
            deleted("main.gpu"),
            step("delete", POOL, "image", old=state({}, retainOnDelete=True)),
        )
    )
    assert [(each.endpoint, each.event) for each in found.endpoints] == [
        ("another", "removed"),
        ("diabetes", "changed"),
    ]
    assert found.counts == {"update": 2, "delete": 3}
    assert found.gone == (Gone("delete", SERVING, "another.serving"), Gone("delete", POOL, "main.gpu"))


def test_what_a_refresh_finds_is_no_change_of_an_endpoint() -> None:
    found = read_preview({"steps": [serving("update", endpoint(), CHANGED), root()]})
    assert (found.endpoints, found.counts) == ((), {})


def command(file: Path, *flags: str) -> str:
    result = CliRunner().invoke(app, ["report", str(file), *flags])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_says_it_as_text_markdown_and_json(tmp_path: Path) -> None:
    file = tmp_path / "preview.json"
    error = {"severity": "error", "message": "error: no ```such``` thing"}
    file.write_text(json.dumps(preview(serving("update", endpoint(), CHANGED), deleted(), diagnostics=(error,))))
    text = command(file)
    assert text.startswith("endpoint diabetes changes\n  version  weight        image")
    assert text.endswith("1 to delete, 1 to update\n  deleted: main.cpu (" + POOL + ")\n\nerror: no ```such``` thing\n")
    shown = command(file, "--markdown")
    assert "| one | 80 % -&#62; 50 % | kept | 1-10 | in place |" in shown
    assert "**1 to delete, 1 to update**\n\n- deleted: main.cpu (" in shown
    assert "```" not in shown
    parsed = json.loads(command(file, "--json"))
    assert parsed["endpoints"][0]["rows"][0]["weight"] == "80 % -> 50 %"
    assert parsed["counts"] == {"delete": 1, "update": 1}


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    (tmp_path / "preview.json").write_text(json.dumps(preview()))
    assert command(tmp_path / "preview.json") == "no changes\n"


@pytest.mark.parametrize("text", ["", "[]", "1", '{"steps": [1]}', '{"steps": [{"op": "create"}]}', "\xff"])
def test_what_is_no_preview_is_refused_by_name(text: str, tmp_path: Path) -> None:
    file = tmp_path / "preview.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(CliError, match=r"preview\.json"):
        read(str(file))


def test_the_reviewers_comment_begins_with_endpoints_and_does_not_repeat_them() -> None:
    said = {"severity": "info", "urn": serving("update", None, None)["urn"], "message": "endpoint diabetes changes"}
    failed = {**said, "severity": "error", "message": "no such endpoint"}
    plan = from_preview(preview(serving("update", endpoint(), CHANGED), deleted(), diagnostics=(said, failed)))
    text = summary(plan, title="Preview of dev")
    assert text.startswith("### Preview of dev: 1 to delete, 1 to update\n\n#### Endpoint diabetes: changes\n")
    assert text.index("| one | 80 %") < text.index("[!CAUTION]")
    assert "endpoint diabetes changes" not in text
    assert "no such endpoint" in text


@UNTIMED
@given(ENDPOINTS, ENDPOINTS)
def test_a_kept_plan_has_the_reports_again(old: Record, new: Record) -> None:
    plan = from_preview(preview(serving("update", old, new)))
    kept = json.loads(json.dumps(plan.record(stack="dev", commit="c")))
    assert from_record(kept).endpoints == plan.endpoints
    assert summary(from_record(kept), title="x") == summary(plan, title="x")
