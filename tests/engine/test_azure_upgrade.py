"""A later release takes over what an earlier one has made, without replacing any of it."""

import json
from pathlib import Path

import pytest

from tests.engine.recorded import FOLDER, restore, stack_in

pytestmark = pytest.mark.engine

RECORDED = sorted(FOLDER.glob("*/*.json"))


def test_there_are_recordings() -> None:
    assert {path.stem for path in RECORDED} == {"dev", "prod"}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_stack_is_taken_over(path: Path, tmp_path: Path, engine: str) -> None:
    recorded = json.loads(path.read_text())
    root = tmp_path / "a project"
    root.mkdir()
    with stack_in(root, engine, path.stem, recorded["config"]) as stack:
        restore(stack, recorded)
        planned = stack.steps()
        assert not {name: op for name, op in planned.items() if "replace" in op or "delete" in op}
        stack.up().require()
        assert stack.steps() == {}
