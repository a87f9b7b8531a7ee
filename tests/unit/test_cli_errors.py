"""What goes wrong outside of any one command is one line, without a traceback."""

from pathlib import Path

import pytest

from tests.unit.conftest import Command

COMMANDS = [("status",), ("score", "echo", "--data", "1"), ("keys", "show", "echo")]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_outside_of_a_project(
    tidegate: Command,
    arguments: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    said = tidegate.fails(*arguments)
    assert said == f"{elsewhere} is not inside a project: no Pulumi.yaml here or in a folder above"


@pytest.mark.parametrize("arguments", COMMANDS)
def test_before_make_up(tidegate: Command, arguments: tuple[str, ...]) -> None:
    (tidegate.root / ".tidegate" / "engine").unlink()
    assert tidegate.fails(*arguments) == "there is no local stack yet; run make up"


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_stack_whose_outputs_cannot_be_read(tidegate: Command, arguments: tuple[str, ...]) -> None:
    (tidegate.root / "engine" / "pulumi").write_text("#!/bin/sh\necho 'error: no [local] stack [/]' >&2\nexit 255\n")
    assert tidegate.fails(*arguments) == "the outputs of stack local cannot be read: error: no [local] stack [/]"


def test_a_folder_below_the_project_s_is_in_it(tidegate: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    below: Path = tidegate.root / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert tidegate("status") == (0, "", "")


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2\n", "\ufeff- \x00"])
def test_a_config_that_is_no_yaml(tidegate: Command, text: str) -> None:
    (tidegate.root / "Pulumi.local.yaml").write_text(text)
    assert "Pulumi.local.yaml is no YAML text" in tidegate.fails("keys", "rotate", "echo", "primary")


def test_a_config_that_is_not_there(tidegate: Command) -> None:
    assert "cannot be read: No such file" in tidegate.fails("keys", "rotate", "echo", "primary", "--stack", "prod")


@pytest.mark.parametrize("text", ["", "config:\n", "config: []\n", "config: {tidegate:endpoints: '{}'}\n", "[]\n"])
def test_a_config_without_endpoints(tidegate: Command, text: str) -> None:
    (tidegate.root / "Pulumi.local.yaml").write_text(text)
    assert tidegate.fails("keys", "rotate", "echo", "primary") == (
        "Pulumi.local.yaml has no endpoint 'echo' under tidegate:endpoints"
    )
