"""`tidegate promote`: what it writes into the stack's config."""

from ruamel.yaml import YAML

from tests.unit.conftest import Command

CONFIG = """\
config:
  tidegate:target: local
  tidegate:endpoints:
    echo:
      versions:
        ridge: {traffic: 100, default: true, control: true, entryScript: score.py}
        forest: {shadow: 10, entryScript: score.py}
        third: {shadow: 5, entryScript: score.py}
"""


def test_a_shadow_that_is_promoted_answers_what_it_got_copies_of(tidegate: Command) -> None:
    file = tidegate.root / "Pulumi.local.yaml"
    file.write_text(CONFIG)
    code, _, err = tidegate("promote", "echo", "forest")
    assert code == 0, err
    versions = YAML(typ="safe").load(file.read_text())["config"]["tidegate:endpoints"]["echo"]["versions"]
    assert versions == {
        "ridge": {"traffic": 0, "entryScript": "score.py"},
        "forest": {"traffic": 100, "default": True, "control": True, "entryScript": "score.py"},
        "third": {"traffic": 0, "shadow": 5, "entryScript": "score.py"},
    }
    assert tidegate.calls == ["up --yes --skip-preview --stack local"]


def test_what_is_not_there_is_not_promoted(tidegate: Command) -> None:
    (tidegate.root / "Pulumi.local.yaml").write_text(CONFIG)
    assert "no version 'tree'; it has: forest, ridge, third" in tidegate.fails("promote", "echo", "tree")
    assert tidegate.calls == []
