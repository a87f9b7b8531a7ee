"""Where a local stack keeps its files, for whom they are readable, and that sockets fit the kernel's limit."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.local.deployment import sockets
from providers.local.layout import Layout, private_folder, replace_file, replace_json

LIMIT = 107
LONGEST_PID = 4194304


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@given(st.integers(1, 400))
def test_every_socket_s_path_fits(state: int) -> None:
    layout = Layout(Path("/" + "s" * (state - 1)))
    paths = [
        layout.admin_socket,
        layout.supervisor_socket.with_name(f"supervisor.sock.{LONGEST_PID}"),
        *sockets(layout, "an-endpoint.a-version-01234567", 200),
    ]
    assert max(len(os.fsencode(path)) for path in paths) <= LIMIT


def test_a_short_path_keeps_its_sockets_inside() -> None:
    assert Layout(Path("/srv/project/.tidegate/local")).run == Path("/srv/project/.tidegate/local/run")


def test_long_paths_get_a_folder_each_and_every_shell_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (Layout(Path("/" + "é" * 60 + name)) for name in ("a", "b"))
    assert one.run != two.run
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    assert one.run == Layout(one.state).run


def test_a_socket_can_really_be_bound_whatever_the_state_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ("deep " * 20) / ("deeper " * 20))
    private_folder(layout.run)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(layout.supervisor_socket))
    layout.supervisor_socket.unlink()
    layout.run.rmdir()


def test_folders_are_their_owner_s_alone(tmp_path: Path) -> None:
    assert mode(private_folder(tmp_path / "new" / "below")) == 0o700
    (tmp_path / "open").mkdir(mode=0o755)
    assert mode(private_folder(tmp_path / "open")) == 0o700


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").mkdir(mode=0o755)
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        private_folder(tmp_path / "theirs")
    assert mode(tmp_path / "theirs") == 0o755


def test_files_are_replaced_in_one_step_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        replace_json(path, {"b": 1, "a": [2]})
        assert reader.read() == "old"
    assert path.read_text() == '{\n "a": [\n  2\n ],\n "b": 1\n}'
    assert mode(path) == 0o600
    replace_file(path, "new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_is_held_by_one_at_a_time_and_two_locks_do_not_meet(tmp_path: Path) -> None:
    layout, inside = Layout(tmp_path / "state"), threading.Event()

    def second() -> None:
        with layout.exclusive("gateway"):
            inside.set()

    thread = threading.Thread(target=second)
    with layout.exclusive("gateway"), layout.exclusive("supervisor"):
        thread.start()
        assert not inside.wait(0.2)
    assert inside.wait(10)
    thread.join()
    assert mode(layout.state) == 0o700
