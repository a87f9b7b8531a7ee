from pathlib import Path

import pytest

from tidegate.model.input import ModelInput
from tidegate.model.rules import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    for name in ("a.pkl", "b.pkl", "other/a.pkl", "new/c.v2.pkl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    registry = Registry(tmp_path)
    assert registry.register(("m", "a"), "a", {"1": ModelInput(path="a.pkl"), "10": ModelInput(path="b.pkl")}) == []
    return registry


def test_a_name_alone_is_its_highest_number_and_says_so(registry: Registry) -> None:
    model, (note,) = registry.refer(("x",), "a")
    assert (str(model), note.severity) == ("a:10", "note")


def test_a_path_is_registered_on_the_way_under_its_stem(registry: Registry) -> None:
    assert str(registry.refer(("x",), "new/c.v2.pkl")[0]) == "c.v2:1"
    assert str(registry.refer(("x",), "./new/c.v2.pkl")[0]) == "c.v2:1"
    assert [str(model.path.name) for model in registry.models if model.name == "c.v2"] == ["c.v2.pkl"]


def test_a_path_that_is_registered_is_that_number(registry: Registry) -> None:
    assert str(registry.refer(("x",), "./a.pkl")[0]) == "a:1"


@pytest.mark.parametrize(
    ("entry", "remedy"),
    [
        ("other/a.pkl", "tidegate:models"),
        ("./nothing.pkl", "from the project's root"),
        ("c", "Known models: a"),
        ("a:2", 'Known numbers: "a:1", "a:10"'),
        ("a:latest", "Known numbers"),
        ("a:01", "Known numbers"),
    ],
)
def test_what_no_model_answers_to_is_refused_with_a_way_out(registry: Registry, entry: str, remedy: str) -> None:
    model, (finding,) = registry.refer(("x",), entry)
    assert model is None
    assert remedy in finding.remedy


def test_a_name_that_was_written_wrongly_is_no_second_mistake(registry: Registry) -> None:
    registry.doubt("z")
    assert registry.refer(("x",), "z:1") == (None, [])
