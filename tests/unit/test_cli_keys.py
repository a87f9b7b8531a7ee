"""`tidegate keys`: what is shown, and a rotation that changes one number in the user's file."""

import difflib
import json
from pathlib import Path

import pytest

from tests.unit.conftest import Command

CHECKOUT = Path(__file__).resolve().parents[2]
KEYS = {"primary": "the primary key", "secondary": "the secondary key"}
ENDPOINT = """\
# kept
config:
  tidegate:target: local # why
  tidegate:endpoints:
    echo:   # the only one
      auth: key

      versions: {one: {entryScript: score.py, "sourceDirectory": 'one'}}
"""
WITH_ROTATION = ENDPOINT + "      keyRotation: {primary: 4, secondary: 7} # since 2021\n"


@pytest.fixture
def echo(tidegate: Command) -> Command:
    """A project with one endpoint, whose config is `ENDPOINT`."""
    (tidegate.root / "one").mkdir()
    (tidegate.root / "one" / "score.py").write_text("def init(): ...\ndef run(data): ...\n")
    (tidegate.root / "Pulumi.local.yaml").write_text(ENDPOINT)
    tidegate.outputs({"endpoints": {"echo": {"auth": "key"}, "open": {"auth": "none"}}}, {"echo": KEYS})
    return tidegate


def rotated(command: Command, before: str, name: str = "secondary", endpoint: str = "echo") -> list[str]:
    """The lines that a rotation took out and put in."""
    file = command.root / "Pulumi.local.yaml"
    file.write_text(before)
    code, _, err = command("keys", "rotate", endpoint, name)
    assert (code, err) == (0, "")
    assert command.calls[-1] == "up --yes --skip-preview --stack local"
    lines = difflib.ndiff(before.splitlines(), file.read_text().splitlines())
    return [line for line in lines if line[0] in "+-"]


def test_keys_are_shown(echo: Command) -> None:
    assert echo("keys", "show", "echo")[1] == "primary   the primary key\nsecondary the secondary key\n"
    assert echo("keys", "show", "echo", "--name", "secondary")[1] == "the secondary key\n"
    assert json.loads(echo("keys", "show", "echo", "--json")[1]) == KEYS


def test_keys_that_are_not_there(echo: Command) -> None:
    assert echo.fails("keys", "show", "open") == "endpoint open asks for no key (auth: none)"
    assert echo.fails("keys", "show", "nowhere") == "stack local has no endpoint 'nowhere'; it has: echo, open"
    unknown = "'tertiary' is not a key; an endpoint has primary and secondary"
    assert echo.fails("keys", "show", "echo", "--name", "tertiary") == unknown
    assert echo.fails("keys", "rotate", "echo", "tertiary") == unknown


def test_a_first_rotation_adds_two_lines(echo: Command) -> None:
    assert rotated(echo, ENDPOINT) == ["+       keyRotation:", "+         secondary: 2"]


@pytest.mark.parametrize(
    "before",
    [
        WITH_ROTATION,
        WITH_ROTATION.replace("  ", "    ").replace("        #", " #"),
        "encryptionsalt: v1:abc=:v1:def+/=\n" + WITH_ROTATION,
        WITH_ROTATION.replace("key\n", 'key\n      tags: {"a": \'b\', c: "d"}\n'),
        WITH_ROTATION + "  tidegate:allowAnonymous:\n    - echo\n    # and nobody else\n",
        WITH_ROTATION + "  tidegate:allowAnonymous:\n  - echo\n",
        WITH_ROTATION + f"  tidegate:models: {{}}\n  other:text: {'long ' * 60}end\n",
    ],
)
def test_a_rotation_changes_the_number_s_line_alone(echo: Command, before: str) -> None:
    (line,) = [line for line in before.splitlines() if "keyRotation" in line]
    assert rotated(echo, before) == [f"- {line}", f"+ {line.replace('7', '8')}"]
    assert rotated(echo, before, "primary") == [f"- {line}", f"+ {line.replace('4', '5')}"]


def test_the_project_s_own_config_keeps_its_form(echo: Command) -> None:
    before = (CHECKOUT / "Pulumi.local.yaml").read_text()
    examples = echo.root / "examples" / "diabetes"
    (examples / "models").mkdir(parents=True)
    for name in ("ridge", "forest"):
        (examples / name).symlink_to(CHECKOUT / "examples" / "diabetes" / name)
        (examples / "models" / f"{name}.pkl").write_text(name)
    (examples / "sample.json").write_text("{}")
    changed = rotated(echo, before, endpoint="diabetes")
    assert changed == ["+       keyRotation:", "+         secondary: 2"]


@pytest.mark.parametrize(
    "keys",
    [
        "{echo: {secondary: {secure: v1:abc}}}",
        "{echo: {secure: v1:abc}}",
        "{secure: v1:abc}",
        "{echo: {secondary: a-key-that-clients-hold-since-2021}}",
    ],
)
def test_a_given_key_is_not_rotated(echo: Command, keys: str) -> None:
    file = echo.root / "Pulumi.local.yaml"
    file.write_text(before := f"{ENDPOINT}  tidegate:keys: {keys}\n")
    said = echo.fails("keys", "rotate", "echo", "secondary")
    assert "the secondary key of echo is given in tidegate:keys; give another one" in said
    assert "2021" not in said
    assert (file.read_text(), echo.calls) == (before, [])
    if "secondary" in keys:
        assert rotated(echo, before, "primary")[-1] == "+         primary: 2"


def test_a_key_that_v1_s_file_gives_is_not_rotated(echo: Command) -> None:
    given = {"computeType": "AKS", "authEnabled": True, "keys": {"primaryKey": "a-key-that-clients-hold-since-2021"}}
    (echo.root / "deployment.json").write_text(json.dumps(given))
    before = ENDPOINT.replace("{entryScript", "{deployment: deployment.json, entryScript")
    (echo.root / "Pulumi.local.yaml").write_text(before)
    said = echo.fails("keys", "rotate", "echo", "primary")
    assert "the primary key of echo is given in a deployment file of its versions (keys)" in said
    assert "pulumi config set --secret --path 'tidegate:keys.echo.primary'" in said
    assert "2021" not in said
    assert echo.calls == []
    assert rotated(echo, before)[-1] == "+         secondary: 2"


def test_an_endpoint_without_keys_is_not_rotated(echo: Command) -> None:
    (echo.root / "Pulumi.local.yaml").write_text(ENDPOINT.replace("auth: key", "auth: none"))
    assert echo.fails("keys", "rotate", "echo", "primary") == "endpoint echo asks for no key (auth: none)"
    assert echo.fails("keys", "rotate", "nowhere", "primary") == (
        "Pulumi.local.yaml has no endpoint 'nowhere' under tidegate:endpoints"
    )
    assert echo.calls == []


def test_what_a_rotation_prints(echo: Command) -> None:
    code, out, _ = echo("keys", "rotate", "echo", "primary", "--json")
    assert (code, json.loads(out)) == (0, {"endpoint": "echo", "key": "primary", "rotation": 2})
    _, out, _ = echo("keys", "rotate", "echo", "primary")
    assert "rotation 3 in Pulumi.local.yaml" in out


def test_a_rotation_whose_up_fails_says_so(echo: Command) -> None:
    (echo.root / "broken").touch()
    said = echo.fails("keys", "rotate", "echo", "primary")
    assert "pulumi up failed (exit code 1)" in said
