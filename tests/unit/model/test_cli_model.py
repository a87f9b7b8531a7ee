"""`tidegate model`: lines that come and go in the user's file, and nothing else of it."""

import difflib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from typer.testing import CliRunner

from cli import yaml_text
from cli.errors import CliError
from cli.main import app
from tidegate.model.content import content_digest

BOTH = """\
# kept
config:
  tidegate:target: local # why
  # the models
  tidegate:models:
    ridge: {path: models/ridge.pkl, tags: {data: diabetes}}  # the first
    forest: # of trees
      "1": {path: models/a.pkl}
      # better
      "2":
        path: models/b.pkl

  # the endpoints
  tidegate:endpoints:
    diabetes:
      versions:
        one: {models: ["ridge:1", "./models/bare.pkl"], broken: value}
        two: {models: [forest, unheard-of]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: tidegate\n")
    (tmp_path / "Pulumi.local.yaml").write_text(BOTH)
    (tmp_path / "models").mkdir()
    for name in ("ridge", "a", "b", "bare", "new"):
        (tmp_path / "models" / f"{name}.pkl").write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def model(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["model", *arguments])
    if done.exception:
        raise done.exception
    return done.output


def refused(*arguments: str) -> str:
    with pytest.raises(CliError) as error:
        model(*arguments)
    return str(error.value)


def changed(root: Path, before: str, *arguments: str) -> list[str]:
    """The lines that a command took out of the stack's file and put in."""
    file = root / "Pulumi.local.yaml"
    file.write_text(before)
    model(*arguments)
    lines = difflib.unified_diff(before.splitlines(), file.read_text().splitlines(), n=0, lineterm="")
    return [f"{line[0]} {line[1:]}" for line in list(lines)[2:] if line[0] in "+-"]


def test_the_next_number_is_one_line(project: Path) -> None:
    assert changed(project, BOTH, "register", "forest", "models/new.pkl") == [
        '+       "3": {path: models/new.pkl}',
    ]
    lines = (project / "Pulumi.local.yaml").read_text().splitlines()
    assert lines[lines.index('      "3": {path: models/new.pkl}') - 1] == "        path: models/b.pkl"


def test_a_new_model_stands_behind_the_others(project: Path) -> None:
    assert changed(
        project, BOTH, "register", "other", "models/new.pkl", "--tag", "a=b", "--description", "what: it is"
    ) == [
        "+     other:",
        '+       "1": {path: models/new.pkl, tags: {a: b}, description: "what: it is"}',
    ]


def test_a_model_without_a_number_becomes_number_1(project: Path) -> None:
    assert changed(project, BOTH, "register", "ridge", "models/new.pkl") == [
        "-     ridge: {path: models/ridge.pkl, tags: {data: diabetes}}  # the first",
        "+     ridge:",
        '+       "1": {path: models/ridge.pkl, tags: {data: diabetes}}  # the first',
        '+       "2": {path: models/new.pkl}',
    ]
    block = BOTH.replace(
        "ridge: {path: models/ridge.pkl, tags: {data: diabetes}}", "ridge:\n      path: models/ridge.pkl"
    )
    assert changed(project, block, "register", "ridge", "models/new.pkl") == [
        "-       path: models/ridge.pkl  # the first",
        '+       "1":',
        "+         path: models/ridge.pkl  # the first",
        '+       "2": {path: models/new.pkl}',
    ]


def test_a_bare_path_is_written_as_number_1_with_the_second(project: Path) -> None:
    assert changed(project, BOTH, "register", "bare", "models/new.pkl") == [
        "+     bare:",
        '+       "1": {path: models/bare.pkl}',
        '+       "2": {path: models/new.pkl}',
    ]
    assert [each["number"] for each in json.loads(model("show", "bare", "--json"))] == [1, 2]


@pytest.mark.parametrize(
    "before",
    [
        "config:\n  tidegate:target: local\n",
        "config:\n  tidegate:models: {}\n",
        "config:\n",
        "",
        "encryptionsalt: v1:a\n",
    ],
)
def test_the_first_model_of_a_stack(project: Path, before: str) -> None:
    file = project / "Pulumi.local.yaml"
    file.write_text(before)
    model("register", "ridge", "models/ridge.pkl")
    document = YAML(typ="safe").load(file.read_text())
    assert document["config"]["tidegate:models"] == {"ridge": {"1": {"path": "models/ridge.pkl"}}}
    assert file.read_text().startswith(before.removesuffix("config:\n").removesuffix("  tidegate:models: {}\n"))


def test_the_same_content_is_found_and_not_registered_again(project: Path) -> None:
    (project / "copy.pkl").write_text("b")
    assert changed(project, BOTH, "register", "forest", "copy.pkl") == []
    found = json.loads(model("register", "forest", "copy.pkl", "--json"))
    digest = content_digest(project / "copy.pkl")
    expected = {"name": "forest", "number": 2, "path": "models/b.pkl", "content": digest, "registered": False}
    assert found == expected
    assert "forest:2 is that already (models/b.pkl)" in model("register", "forest", "copy.pkl")
    assert changed(project, BOTH, "register", "ridge", "models/ridge.pkl") == []
    assert json.loads(model("register", "other", "copy.pkl", "--json"))["registered"]


def test_a_path_counts_from_the_current_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = project.parent / "outside.pkl"
    outside.write_text("outside")
    monkeypatch.chdir(project / "models")
    assert json.loads(model("register", "other", "new.pkl", "--json"))["path"] == "models/new.pkl"
    assert json.loads(model("register", "other", "../../outside.pkl", "--json"))["path"] == str(outside)


def test_what_cannot_be_registered_is_told(project: Path) -> None:
    assert "does not exist" in refused("register", "other", "nowhere.pkl")
    assert "is no model name" in refused("register", "a/b", "models/new.pkl")
    assert "key=value" in refused("register", "other", "models/new.pkl", "--tag", "a")
    (project / "Pulumi.local.yaml").write_text(BOTH.replace("{path: models/a.pkl}", "{way: models/a.pkl}"))
    assert "tidegate:models.forest.1" in refused("register", "other", "models/new.pkl")
    (project / "Pulumi.local.yaml").write_text("config: [")
    assert "no YAML" in refused("register", "other", "models/new.pkl")


def test_models_are_listed_with_who_uses_them(project: Path) -> None:
    found = {f"{each['name']}:{each['number']}": each for each in json.loads(model("list", "--json"))}
    assert list(found) == ["bare:1", "forest:1", "forest:2", "ridge:1"]
    assert found["ridge:1"] == {
        "name": "ridge",
        "number": 1,
        "path": "models/ridge.pkl",
        "content": content_digest(project / "models" / "ridge.pkl"),
        "size": 5,
        "tags": {"data": "diabetes"},
        "description": "",
        "usedBy": ["diabetes/one"],
    }
    assert {name: each["usedBy"] for name, each in found.items() if name != "ridge:1"} == {
        "bare:1": ["diabetes/one"],
        "forest:1": [],
        "forest:2": ["diabetes/two"],
    }
    heading, first, *_, last = model("list").splitlines()
    assert heading.split() == ["model", "content", "size", "tags", "used", "by", "path"]
    assert first.startswith("bare:1    sha256:")
    assert last.split()[-2:] == ["diabetes/one", "models/ridge.pkl"]
    assert "data=diabetes" in last


def test_a_model_is_shown_in_full(project: Path) -> None:
    assert model("show", "forest:1") == (
        "forest:1\n  path         models/a.pkl\n"
        f"  content      {content_digest(project / 'models' / 'a.pkl')}\n"
        "  size         1 B\n  tags         -\n  description  -\n  used by      -\n"
    )
    assert "there is no model 'nothing'; known: bare:1, forest:1" in refused("show", "nothing")
    (project / "models" / "a.pkl").unlink()
    assert json.loads(model("show", "forest:1", "--json"))[0]["content"] is None
    assert "(gone)" in model("list")


def test_a_model_in_use_is_not_deleted(project: Path) -> None:
    assert "ridge:1 is used by diabetes/one" in refused("delete", "ridge:1")
    assert "forest:2 is used by diabetes/two" in refused("delete", "forest:2")
    assert "bare:1 is used by diabetes/one" in refused("delete", "bare")
    assert "name one: forest:1 or 2" in refused("delete", "forest")
    assert (project / "Pulumi.local.yaml").read_text() == BOTH


def test_deleting_takes_out_its_lines_and_leaves_the_comments_of_others(project: Path) -> None:
    assert changed(project, BOTH, "delete", "forest:1") == ['-       "1": {path: models/a.pkl}']
    unused = BOTH.replace("forest, ", "")
    assert changed(project, unused, "delete", "forest:2") == ['-       "2":', "-         path: models/b.pkl"]
    alone = unused.replace('      "1": {path: models/a.pkl}\n', "")
    assert changed(project, alone, "delete", "forest:2") == [
        "-     forest: # of trees",
        "-       # better",
        '-       "2":',
        "-         path: models/b.pkl",
    ]
    assert (project / "models" / "b.pkl").exists()


def test_a_comment_that_stands_out_does_not_end_an_entry(project: Path) -> None:
    before = BOTH.replace("forest, ", "").replace('      "2":\n', '      "2":\n  # stands out\n')
    assert changed(project, before, "register", "forest", "models/new.pkl") == ['+       "3": {path: models/new.pkl}']
    assert changed(project, before, "delete", "forest:2") == [
        '-       "2":',
        "-   # stands out",
        "-         path: models/b.pkl",
    ]


def test_text_that_looks_like_a_comment_stays_text(project: Path) -> None:
    file = project / "Pulumi.local.yaml"
    note = "          description: |\n            text\n            # no comment\n"
    numbers = '    m:\n        "1":\n          path: models/a.pkl\n'
    file.write_text(f"config:\n  tidegate:models:\n{numbers}{note}")
    model("register", "m", "models/new.pkl")
    (first, second) = json.loads(model("show", "m", "--json"))
    assert first["description"] == "text\n# no comment\n"
    assert second["path"] == "models/new.pkl"


def test_deleting_the_last_model_leaves_no_empty_key(project: Path) -> None:
    before = "config:\n  tidegate:target: local\n  tidegate:models:\n    ridge: {path: models/ridge.pkl}\n"
    assert changed(project, before, "delete", "ridge") == [
        "-   tidegate:models:",
        "-     ridge: {path: models/ridge.pkl}",
    ]


def test_a_number_that_is_left_out_is_not_given_again_while_a_later_one_is_there(project: Path) -> None:
    changed(project, BOTH, "delete", "forest:1")
    assert json.loads(model("register", "forest", "models/new.pkl", "--json"))["number"] == 3


def test_numbers_without_quotes_and_models_in_braces_are_understood(project: Path) -> None:
    file = project / "Pulumi.local.yaml"
    file.write_text("config:\n  tidegate:models: {m: {1: {path: models/a.pkl}, 2: {path: models/b.pkl}}} # x\n")
    assert json.loads(model("register", "m", "models/new.pkl", "--json"))["number"] == 3
    assert json.loads(model("delete", "m:1", "--json"))["number"] == 1
    assert [each["number"] for each in json.loads(model("list", "--json"))] == [2, 3]
    assert "# x" in file.read_text()


NAMES = st.text("ab1.-_:é #'\"{}", min_size=1, max_size=6)
TREES = st.recursive(NAMES, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3), max_leaves=6)


@settings(deadline=None)
@given(
    tree=st.dictionaries(NAMES, TREES, min_size=1, max_size=4),
    keys=st.lists(NAMES, min_size=2, max_size=4),
    value=st.dictionaries(NAMES, NAMES, min_size=1),
)
def test_any_entry_comes_and_goes(tree: dict[str, Any], keys: list[str], value: dict[str, str]) -> None:
    holder: Any = tree
    for key in keys[:-1]:
        holder = holder.get(key, {})
        assume(isinstance(holder, dict))
    assume(keys[-1] not in holder)
    text = io.StringIO()
    YAML().dump(tree, text)
    expected = json.loads(json.dumps(tree))
    place = expected
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = value
    put = yaml_text.put(text.getvalue(), keys, value)
    assert YAML(typ="safe", pure=True).load(put) == expected
    gone = YAML(typ="safe", pure=True).load(yaml_text.remove(put, keys))
    if keys[0] not in tree:  # the first mapping stays, empty
        assert not gone.pop(keys[0])
    assert gone == tree
