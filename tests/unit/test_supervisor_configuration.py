"""supervisord and its programs on paths that its configuration could misread."""

import json
import os
import shlex
import time
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.local.layout import Layout, private_folder
from providers.local.supervisor import Supervisor, _word, base_environment

PRINT = """\
import json, os, sys, time
print(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}), flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["plain", "50% of %(here)s", "with 'one' and \"two\" quotes", "a ;b #c", "back\\slash é"])
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Layout]:
    """The layout of a stack whose supervisord runs."""
    layout = Layout(tmp_path / request.param / "state")
    private_folder(layout.state)
    supervisor = Supervisor(layout)
    supervisor.start()
    yield layout
    supervisor.shut_down()
    assert not supervisor.alive()


def wait_for(path: Path, lines: int = 1) -> list[str]:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text().count("\n") >= lines):
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.02)
    return path.read_text().splitlines()


def test_a_program_gets_its_arguments_variables_and_folder_unchanged(layout: Layout) -> None:
    supervisor, odd = Supervisor(layout), '100 % of "it"; isn\'t #odd \\ \n %(process_num)d'
    script = private_folder(layout.state / "source") / "print.py"
    script.write_text(PRINT)
    python = Path("/proc/self/exe").resolve()
    supervisor.add(
        "echo.one-01234567",
        command=[str(python), "-I", str(script), odd, "{socket}", "{socket}"],
        environment={"ODD": odd},
        folder=script.parent,
        log=layout.logs / "echo" / "one" / "echo.one-01234567.log",
        sockets=[layout.run / "a.sock", layout.run / "b.sock"],
        replicas=2,
    )
    for replica, name in (("0", "a.sock"), ("1", "b.sock")):
        line = wait_for(layout.logs / "echo" / "one" / f"echo.one-01234567-{replica}.log")[0]
        seen = json.loads(line)
        assert seen["arguments"] == [odd, str(layout.run / name), "{socket}"]
        assert seen["environment"].pop("TIDEGATE_REPLICA") == replica
        assert seen["folder"] == str(script.parent)
        assert seen["environment"].pop("ODD") == odd
        # Not supervisord's own variables; LC_CTYPE is Python's own doing.
        assert seen["environment"].keys() <= {"LC_CTYPE"}
    processes = supervisor.processes("echo.one-01234567")
    assert [process.name for process in processes] == ["0", "1"]
    assert supervisor.up("echo.one-01234567")
    supervisor.remove("echo.one-01234567")
    assert supervisor.processes("echo.one-01234567") == []
    assert not any(Path(f"/proc/{process.pid}").exists() for process in processes)
    assert list((layout.supervisor / "programs").iterdir()) == []


def test_what_it_writes_is_its_owner_s_alone(layout: Layout) -> None:
    files = [path for path in layout.supervisor.rglob("*") if path.is_file() or path.is_socket()]
    assert layout.supervisor / "supervisord.log" in files
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    assert layout.supervisor_socket.stat().st_mode & 0o777 == 0o600


def test_processes_get_listed_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a credential")
    monkeypatch.setenv("PULUMI_CONFIG", "a config")
    monkeypatch.setenv("TZ", "UTC")
    given = base_environment()
    assert given["TZ"] == "UTC"
    assert "AWS_SECRET_ACCESS_KEY" not in given
    assert "PULUMI_CONFIG" not in given
    assert given.items() <= os.environ.items()


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1))
def test_a_word_of_a_command_survives_supervisord_s_reading(word: str) -> None:
    parser = RawConfigParser(inline_comment_prefixes=(";", "#"))  # as supervisord sets it
    parser.read_string(f"[program:x]\ncommand=python {_word(word)} %(process_num)d")
    expanded = parser["program:x"]["command"] % {"process_num": 1}
    assert shlex.split(expanded) == ["python", word, "1"]
