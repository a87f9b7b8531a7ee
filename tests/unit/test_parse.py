from typing import Annotated, ClassVar

import pytest
from pydantic import Discriminator, Field, SecretStr, Tag

from tidegate.parse import Amount, Count, Input, Percent, key_path, parse


class Leaf(Input):
    path: str
    percent: Percent | None = None


def _form(value: object) -> str:
    return "many" if isinstance(value, dict) and "1" in value else "one"


class Tree(Input):
    refused: ClassVar = {"moved": "Write it elsewhere"}

    number: Count | None = None
    amount: Amount | None = None
    flag: bool | None = None
    names: list[str] | None = None
    leaves: dict[str, Leaf] | None = None
    either: (
        Annotated[Annotated[Leaf, Tag("one")] | Annotated[dict[str, Leaf], Tag("many")], Discriminator(_form)] | None
    ) = None
    keys: dict[str, SecretStr] | None = None
    memory_in_gb: Amount | None = Field(None, alias="memoryInGB")


@pytest.mark.parametrize(
    ("tree", "path", "said"),
    [
        ({"number": "20"}, "number", '"20" (text) is no whole number. Write a whole number from 1'),
        ({"number": 20.5}, "number", "20.5 (a number) is no whole number"),
        ({"number": True}, "number", "true (a boolean) is no whole number"),
        ({"number": 0}, "number", "0 (a number) is too small"),
        ({"number": None}, "number", "nothing is no whole number"),
        ({"number": 10**400}, "number", "a number is"),
        ({"amount": float("nan")}, "amount", "is no number"),
        ({"amount": True}, "amount", "true (a boolean) is no number"),
        ({"flag": "yes"}, "flag", '"yes" (text) is neither true nor false'),
        ({"names": ["a", 1, "b"]}, "names[1]", "1 (a number) is no text. Put it in quotes"),
        ({"names": "a"}, "names", '"a" (text) is no list'),
        ({"leaves": {"x": {"path": "p", "percent": 101}}}, "leaves.x.percent", "Write a whole number from 0 to 100"),
        ({"leaves": {"x.y": {}}}, 'leaves["x.y"].path', '"path" is missing'),
        ({"leaves": {"x": {"path": 5}}}, "leaves.x.path", "5 (a number) is no text"),
        ({"leaves": {"x": {"paht": "p"}}}, "leaves.x.paht", 'unknown key "paht". Did you mean "path"?'),
        ({"leaves": []}, "leaves", "a list is no mapping"),
        ({"either": {"1": {"path": []}}}, "either.1.path", "a list is no text"),
        ({"memoryInGb": 1}, "memoryInGb", 'Did you mean "memoryInGB"?'),
        ({"memory_in_gb": 1}, "memory_in_gb", "unknown key"),
        ({"moved": 1}, "moved", "Write it elsewhere"),
        ({"qqq": 1}, "qqq", "Known keys: amount, either, flag"),
    ],
)
def test_a_mistake_gives_one_finding_with_its_path(tree: dict[str, object], path: str, said: str) -> None:
    (finding,) = parse(Tree, tree, file="x.json").findings
    assert (finding.path, finding.file) == (path, "x.json")
    assert said in str(finding)


def test_a_whole_number_may_be_written_as_a_float_as_the_engine_reads_it() -> None:
    assert parse(Tree, {"number": 20.0}).value.number == 20


def test_what_is_wrong_is_taken_out_and_the_rest_kept() -> None:
    tree = {"number": "x", "amount": 2, "names": ["a", 1, "b", 2], "leaves": {"x": {"path": 1}, "y": {"path": "p"}}}
    parsed = parse(Tree, tree)
    assert parsed.tree == {"amount": 2, "names": ["a", "b"], "leaves": {"y": {"path": "p"}}}
    assert parsed.value.amount == 2
    assert len(parsed.findings) == 4
    assert not parsed.broken.sound("leaves", "x", "percent")
    assert parsed.broken.sound("leaves", "y")
    assert not parsed.broken.sound("leaves")
    assert not parsed.broken.sound_in_each(("leaves",), "percent")


def test_a_misspelt_key_counts_as_the_one_that_was_meant() -> None:
    assert not parse(Tree, {"numbr": 1}).broken.sound("number")


@pytest.mark.parametrize("tree", [{"keys": {"a": 12345}}, {"keys": {"a": ["12345"]}}, {"keys": 12345}])
def test_a_value_under_keys_is_never_shown(tree: dict[str, object]) -> None:
    (finding,) = parse(Tree, tree).findings
    assert "12345" not in repr(finding)


def test_a_tree_too_deep_to_walk_is_refused() -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = {"leaves": deep}
    assert parse(Tree, {"leaves": deep}).findings


def test_a_path_quotes_what_is_no_plain_key() -> None:
    assert key_path(("tidegate:models", "a.b", "tags", 3, 'x"y')) == 'tidegate:models["a.b"].tags[3]["x\\"y"]'
