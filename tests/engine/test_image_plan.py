"""`tidegate image plan` against what the last deployment left in the state."""

import json

import pytest

pytestmark = pytest.mark.engine

ECHO = """
    def init():
        pass
    def run(raw_data):
        return {word!r}
"""


def plan(stack):
    stack.write()
    return {
        f"{each['endpoint']}/{each['version']}": each
        for each in json.loads(stack.tidegate("image", "plan", "--json").require().output)
    }


def test_the_plan_says_what_changed_since_the_last_deployment(stack):
    conda = stack.root / "scripts" / "one" / "conda.yml"
    version = stack.version(
        "one", ECHO.format(word="a"), environment={"python": {"condaDependenciesFile": "conda.yml"}}
    )
    conda.write_text("dependencies:\n- python=3.11\n- pip:\n  - six==1.16.0\n")
    stack.endpoints = {"echo": {"versions": {"one": version}}}
    before = plan(stack)["echo/one"]
    assert before["changes"] is None
    (key,) = stack.tidegate("image", "build", "--local").require().output.split()
    assert key == before["key"]
    assert plan(stack)["echo/one"]["found"] == "in this machine's cache"

    stack.up().require()
    assert plan(stack)["echo/one"]["changes"] == []

    stack.version("one", ECHO.format(word="b"))
    (code,) = plan(stack)["echo/one"]["changes"]
    assert code.startswith("the code: s1-")
    assert plan(stack)["echo/one"]["key"] == key

    conda.write_text("dependencies:\n- python=3.11\n- pip:\n  - six==1.17.0\n")
    changed = plan(stack)["echo/one"]
    assert changed["key"] != key
    assert "six: ==1.16.0 -> ==1.17.0 (scripts/one/conda.yml:4)" in changed["changes"]
    assert "changed      " in stack.tidegate("image", "plan").require().output
