"""The facts behind the rules."""

from importlib import import_module
from pathlib import Path

from tidegate.cluster.facts import MODULES, rules


def test_every_module_with_rules_tells_its_facts() -> None:
    folder = Path(import_module("tidegate.cluster").__path__[0])
    ruled = [path.stem for path in folder.glob("*.py") if "\nRULES" in path.read_text(encoding="utf-8")]
    assert sorted(ruled) == [module.__name__.rpartition(".")[2] for module in MODULES]
    assert len(rules()) == sum(len(module.RULES) for module in MODULES)
