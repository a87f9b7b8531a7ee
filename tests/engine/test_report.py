"""What a preview says in words, on the real engine."""

import json
import re
import textwrap
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.engine.harness import Stack
from tools.ci.plan import from_preview
from tools.ci.summary import summary

pytestmark = pytest.mark.engine

GIVEN = "a-key-that-clients-hold-since-2021"
TOKEN = "a-token-for-a-service-elsewhere"


def preview(stack: Stack) -> str:
    """What a user reads: the steps as a table, and the diagnostics below it."""
    stack.write()
    return stack.pulumi("preview", "--non-interactive", "--stack", "local").require().output


def said(output: str) -> str:
    """The diagnostics of the endpoint's record, without their indentation; every line fits a terminal."""
    diagnostics = output.partition("Diagnostics:")[2]
    lines = diagnostics.partition("tidegate-serving:index:Serving (echo.serving):\n")[2].splitlines()
    block = lines[: next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("    ")), None)]
    assert max(map(len, block), default=0) <= 100
    return textwrap.dedent("\n".join(block)).strip()


def table(output: str) -> list[list[str]]:
    """The rows of the table, cell by cell."""
    rows = [re.split(r" {2,}", line.strip()) for line in said(output).splitlines()]
    return [row for row in rows if len(row) == 5][1:]


def test_a_preview_says_what_an_update_does_to_an_endpoint(stack: Stack) -> None:
    versions: dict[str, Any] = {
        "one": stack.version("one", traffic=80, default=True),
        "two": stack.version("two", traffic=20),
    }
    stack.endpoints = {"echo": {"versions": versions}}
    first = preview(stack)
    assert said(first).startswith("endpoint echo is new\n")
    assert "keys: primary made; secondary made" in said(first)
    stack.up().require()
    assert said(preview(stack)) == ""

    # a weight
    versions["one"]["traffic"] = versions["two"]["traffic"] = 50
    output = preview(stack)
    assert said(output).startswith("endpoint echo changes\n")
    assert table(output) == [
        ["one", "80 % -> 50 %", "kept", "1", "in place"],
        ["two", "20 % -> 50 %", "kept", "1", "in place"],
    ]

    # a key that is made anew, beside one that clients hold
    stack.endpoints["echo"]["keyRotation"] = {"secondary": 2}
    stack.pulumi(
        "config", "set", "--secret", "--path", "tidegate:keys.echo.primary", GIVEN, "--stack", "local"
    ).require()
    config = YAML(typ="safe").load(stack.root / "Pulumi.local.yaml")["config"]
    stack.extra = {"tidegate:keys": config["tidegate:keys"]}
    output = preview(stack)
    assert "keys: primary given in place of the one made here; secondary rotated (1 -> 2)" in said(output)
    stack.up().require()

    # code, and a version that is new
    (stack.root / versions["one"]["sourceDirectory"] / "score.py").write_text("def run(data):\n    return 1\n")
    versions["three"] = stack.version("three", environment={"environmentVariables": {"ELSEWHERE": TOKEN}})
    output = preview(stack)
    assert table(output) == [
        ["one", "50 %", "new: code", "1", "restarts"],
        ["three", "0 %", "new", "1", "new"],
        ["two", "50 %", "kept", "1", "unchanged"],
    ]
    assert "one: new image: the code: s1-" in said(output)
    assert "keys: primary given; secondary kept" in said(output)

    # the same from the preview's JSON, without a key or what stands for one
    keys = stack.outputs()["keys"]["echo"]
    file = stack.root / "preview.json"
    file.write_text(stack.pulumi("preview", "--json", "--non-interactive", "--stack", "local").require().output)
    told = [
        stack.tidegate("report", str(file), *flags).require().output for flags in ((), ("--markdown",), ("--json",))
    ]
    assert told[0].startswith("endpoint echo changes\n")
    assert "| three | 0 % | new | 1 | new |" in told[1]
    assert [row["fate"] for row in json.loads(told[2])["endpoints"][0]["rows"]] == ["restarts", "new", "unchanged"]
    for text in (*told, said(output)):
        assert TOKEN not in text
    comment = summary(from_preview(json.loads(file.read_text())), title="Preview of local")
    assert "#### Endpoint echo: changes\n\n| version |" in comment
    for text in (*told, comment, output, file.read_text()):
        assert GIVEN not in text
        assert keys["secondary"] not in text

    # an endpoint that goes
    stack.endpoints = {"other": {"versions": {"one": versions["two"]}}}
    stack.extra = {}
    stack.write()
    file.write_text(stack.pulumi("preview", "--json", "--non-interactive", "--stack", "local").require().output)
    assert "endpoint echo is removed\n" in stack.tidegate("report", str(file)).require().output
