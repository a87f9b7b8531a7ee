"""What the rules over an Azure environment say: a file of messages a module.

Each `cluster/cases_<module>.py` has `CASES`: the id of a rule of `tidegate.cluster.<module>`, a title of one line, and
a function whose findings break the rule. `pytest tests/golden --golden` writes the files anew.
"""

from collections.abc import Callable, Iterator, Sequence
from difflib import unified_diff
from importlib import import_module
from pathlib import Path
from textwrap import fill

import pytest

from tidegate.cluster import facts
from tidegate.cluster.rule import Rule
from tidegate.findings import Finding

FOLDER = Path(__file__).parent / "cluster"
MODULES = sorted(path.stem.removeprefix("cases_") for path in FOLDER.glob("cases_*.py"))
RULED = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / "tidegate" / "cluster").glob("*.py")
    if "\nRULES" in path.read_text(encoding="utf-8")
)

Case = tuple[str, str, Callable[[], Sequence[Finding]]]


@pytest.mark.parametrize("module", MODULES)
def test_messages_are_as_reviewed(module: str, request: pytest.FixtureRequest) -> None:
    path, text = FOLDER / f"{module}.txt", "\n".join(rendered(module)) + "\n"
    if request.config.getoption("--golden", default=False):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"there is no {path.name}; write it with --golden"
    before = path.read_text(encoding="utf-8")
    difference = unified_diff(before.splitlines(), text.splitlines(), "golden", "now", n=1, lineterm="")
    assert text == before, "\n".join([f"{path.name} differs", *difference])


@pytest.mark.parametrize("module", MODULES)
def test_every_rule_is_broken_once(module: str) -> None:
    broken = {rule for rule, _, _ in cases(module)}
    assert broken == set(rules(module))


def test_every_module_with_rules_has_cases() -> None:
    assert RULED == MODULES


def test_every_rule_can_be_looked_up() -> None:
    assert {name for module in RULED for name in rules(module)} == facts.rules().keys()


def test_the_ids_of_all_rules_are_different() -> None:
    ids = [rule for module in RULED for rule in rules(module)]
    assert len(ids) == len(set(ids))


def rules(module: str) -> dict[str, Rule]:
    return {rule.id: rule for rule in import_module(f"tidegate.cluster.{module}").RULES}


def cases(module: str) -> Sequence[Case]:
    return import_module(f"tests.golden.cluster.cases_{module}").CASES


def rendered(module: str) -> Iterator[str]:
    """Each rule with its fact and its source, then what it says in each of its cases."""
    for name, rule in rules(module).items():
        yield from (f"# {name}", fill(f"{rule.fact}.", 118, initial_indent="# ", subsequent_indent="# "))
        yield from (fill(f"[{rule.source}]", 118, initial_indent="# ", subsequent_indent="# "), "")
        for _, title, findings in (case for case in cases(module) if case[0] == name):
            said = sorted(finding for finding in findings() if finding.rule == name)
            assert said, f"{title}: nothing breaks {name}"
            yield from (f"{title}:", *(f"  {finding.severity}: {finding}" for finding in said), "")
