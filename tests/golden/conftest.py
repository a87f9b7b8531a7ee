"""Golden files: `pytest tests/golden --golden` rewrites them; read the diff before you commit it."""

import json
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
LINE = 120

Golden = Callable[[str, Any], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite the golden files instead of comparing with them")


@pytest.fixture(autouse=True)
def nobody_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own login decides nothing of what is recorded."""
    for name in ("ARM_CLIENT_ID", "ARM_USE_OIDC", "ARM_USE_MSI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a value with the golden file of that name: JSON with sorted keys, what fits on a line on one."""

    def compare(name: str, value: Any) -> None:
        path = FOLDER / f"{name}.json"
        text = _text(value) + "\n"
        if request.config.getoption("--golden", default=False):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"there is no {path.relative_to(FOLDER)}; write it with --golden"
        difference = unified_diff(path.read_text().splitlines(), text.splitlines(), "golden", "now", n=1, lineterm="")
        assert text == path.read_text(), "\n".join([f"{path.relative_to(FOLDER)} differs", *difference])

    return compare


def _text(value: Any, indent: str = "") -> str:
    line = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if len(indent + line) <= LINE or not value or not isinstance(value, dict | list):
        return line
    deeper = indent + " "
    if isinstance(value, list):
        members, (opening, closing) = [_text(item, deeper) for item in value], "[]"
    else:
        members = [f"{json.dumps(key)}: {_text(value[key], deeper)}" for key in sorted(value)]
        opening, closing = "{}"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(members) + f"\n{indent}{closing}"
