import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tidegate_runtime import cli as score
from tidegate_runtime.settings import LOG_LEVELS, WITHOUT_EFFECT
from typer.core import TyperCommand, TyperGroup, TyperOption

from cli.main import app

ROOT = Path(__file__).parents[2]
CONFIG = "\n".join((ROOT / "docs" / "reference" / page).read_text() for page in ("stack-config.md", "azure.md"))
COMMAND = ROOT / "docs" / "reference" / "cli.md"
SCORING = ROOT / "docs" / "reference" / "scoring-server.md"
RUNTIME = ROOT / "runtime" / "src" / "tidegate_runtime"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def properties(schema: Any) -> Iterator[str]:
    """The names of all properties at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for child in schema.values():
            yield from properties(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from properties(child)


def spans(text: str) -> Iterator[str]:
    """What stands between single backticks."""
    return (match[1] for match in re.finditer(r"`([^`\n]+)`", text))


def commands(command: Any, words: str) -> Iterator[Any]:
    """Every command that does something, by its words."""
    if isinstance(command, TyperGroup):
        for word, child in command.commands.items():
            yield from commands(child, f"{words} {word}")
    else:
        yield pytest.param(words, command, id=words)


def variables(path: Path) -> set[str]:
    """The names in a module's texts that have the form of an environment variable's."""
    texts = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)*", text)}


KNOWN = set(properties(json.loads((ROOT / "schema" / "stack.schema.json").read_text()))) - {"config"}


def test_the_reference_mentions_every_key_of_the_schema() -> None:
    mentioned = {part for span in spans(CONFIG) for part in [span, *span.split(".")]}
    assert not {key for key in KNOWN if key not in mentioned and f"{key}:" not in mentioned}


def test_the_reference_has_no_key_that_is_not_in_the_schema() -> None:
    first_cells = re.findall(r"^\| (`[^|]+?) \|", CONFIG, re.MULTILINE)
    written = {part for cell in first_cells for span in spans(cell) for part in span.strip(".").split(".")}
    assert len(written) > 60
    assert not written - KNOWN


@pytest.mark.parametrize(("words", "command"), list(commands(typer.main.get_command(app), "tidegate")))
def test_the_reference_has_every_command_with_its_options(words: str, command: TyperCommand) -> None:
    section = re.search(rf"^## `{words}\b.*?(?=^## |\Z)", COMMAND.read_text(), re.MULTILINE | re.DOTALL)
    assert section
    mentioned = set(spans(COMMAND.read_text().split("\n## ")[0])) | set(spans(section[0]))
    options = {name for each in command.params if isinstance(each, TyperOption) for name in each.opts}
    assert options
    assert not options - mentioned


def test_the_scoring_servers_page_has_every_option_and_variable(capsys: pytest.CaptureFixture[str]) -> None:
    mentioned = set(spans(SCORING.read_text()))
    with pytest.raises(SystemExit):
        score.main(["--help"])
    options = set(re.findall(r"(?<!\S)--\w[\w-]*", capsys.readouterr().out))
    assert {"--entry", "--model_dir", "--queue-threads"} <= options
    assert not options - mentioned
    read = variables(RUNTIME / "settings.py") - set(LOG_LEVELS)
    assert {"SERVER_PORT", "TIDEGATE_MAX_QUEUE_WAIT_MS", "HOSTNAME"} <= read
    assert not read - mentioned


def test_the_scoring_servers_page_has_no_variable_that_is_not_read() -> None:
    rows = re.findall(r"^\| `.*$", SCORING.read_text().split("\n## The script\n")[0], re.MULTILINE)
    written = {span for row in rows for span in spans(row) if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", span)}
    read = {name for path in RUNTIME.rglob("*.py") for name in variables(path)}
    assert len(written) > 30
    assert not written - read


def test_the_scoring_servers_page_says_why_variables_have_no_effect() -> None:
    table = re.search(r"these have no effect; .*?\n\n(.*?)\n\n", SCORING.read_text(), re.DOTALL)
    assert table
    assert {name for name in spans(table[1]) if name.isupper()} == set(WITHOUT_EFFECT)


def test_the_scoring_servers_page_has_every_metric() -> None:
    source = (RUNTIME / "metrics.py").read_text()
    metrics = set(re.findall(r'"(tidegate_\w+)"', source))
    assert len(metrics) >= 9
    assert metrics == set(re.findall(r"^\| `(tidegate_\w+)`", SCORING.read_text(), re.MULTILINE))


def test_each_deviation_of_the_scoring_server_has_its_test() -> None:
    section = SCORING.read_text().split("\n## Where it differs")[1]
    rows = re.findall(r"^\|.*$", section, re.MULTILINE)[2:]
    tests = "\n".join(path.read_text() for path in (ROOT / "runtime" / "tests").glob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))
    named = [re.search(r"\| `(test_\w+)` \|$", row) for row in rows]
    assert rows
    assert all(named)
    listed = {match[1] for match in named if match}
    assert not listed - there
    assert {name for name in there if name.startswith("test_deviation")} <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_the_tests_that_the_readme_names_are_there() -> None:
    named = re.findall(r"`((?:runtime/)?tests/[^`]+)`", (ROOT / "README.md").read_text())
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]
