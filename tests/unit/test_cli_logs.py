"""`tidegate logs`: the last lines, rotation, following, and a start that failed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.logs import read
from cli.project import Project
from tests.unit.conftest import Command


@pytest.fixture
def folder(tidegate: Command) -> Path:
    folder = tidegate.root / ".tidegate" / "local" / "logs" / "echo" / "one"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def following(tidegate: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Follows the log while the given steps happen, one at each pause, and returns what was printed."""

    def follow(*steps: Callable[[], object], lines: int = 10) -> list[str]:
        left: Iterator[Callable[[], object]] = iter([*steps, lambda: None])

        def pause(_: float) -> None:
            step = next(left, None)
            if step is None:
                raise KeyboardInterrupt
            step()

        monkeypatch.setattr("time.sleep", pause)
        seen: list[str] = []
        with pytest.raises(KeyboardInterrupt):
            for entry in read(Project(tidegate.root), "echo", "one", lines=lines, follow=True):
                seen.append(entry.text)
        return seen

    return follow


def append(path: Path, content: bytes) -> Callable[[], object]:
    def step() -> None:
        with path.open("ab") as file:
            file.write(content)

    return step


def test_the_last_lines_of_one_replica(tidegate: Command, folder: Path) -> None:
    (folder / "echo.one-0a-0.log").write_bytes(b"first\nsecond \xff\r\nthird [red]\nunfinished")
    assert tidegate("logs", "echo", "one") == (0, "first\nsecond \ufffd\nthird [red]\nunfinished\n", "")
    assert tidegate("logs", "echo", "one", "--lines", "2")[1] == "third [red]\nunfinished\n"
    assert tidegate("logs", "echo", "one", "--lines", "0")[1] == ""


def test_several_replicas_are_told_apart(tidegate: Command, folder: Path) -> None:
    (folder / "echo.one-0a-0.log").write_text("a\nb\n")
    (folder / "echo.one-0a-1.log").write_text("c\nd\n")
    assert tidegate("logs", "echo", "one", "--lines", "1")[1] == "[0] b\n[1] d\n"
    assert tidegate("logs", "echo", "one", "--lines", "1", "--json")[1] == (
        '{"replica": "0", "line": "b"}\n{"replica": "1", "line": "d"}\n'
    )


def test_a_log_that_was_just_rotated_is_not_empty(tidegate: Command, folder: Path) -> None:
    (folder / "echo.one-0a-0.log.1").write_text("a\nb\nbegun, ")
    (folder / "echo.one-0a-0.log").write_text("ended\nc\n")
    assert tidegate("logs", "echo", "one", "--lines", "3")[1] == "b\nbegun, ended\nc\n"


def test_a_failed_start_is_shown_where_nothing_runs(tidegate: Command, folder: Path) -> None:
    (folder / "failed-0.log").write_text("no such column\n")
    assert tidegate("logs", "echo", "one")[1] == "no such column\n"
    (folder / "echo.one-0a-0.log").write_text("well\n")
    assert tidegate("logs", "echo", "one")[1] == "well\n"


def test_a_version_without_logs_is_told_with_those_that_have_some(tidegate: Command, folder: Path) -> None:
    assert tidegate.fails("logs", "echo", "two") == (
        "nothing was logged by version two of endpoint echo; logs are there of: echo one"
    )


def test_following_prints_whole_lines_as_they_come(folder: Path, following: Callable[..., list[str]]) -> None:
    log = folder / "echo.one-0a-0.log"
    log.write_bytes(b"a\nb\nbeg")
    seen = following(append(log, b"un"), append(log, b" and ended \xff\nc\n\xff"), append(log, b"\xffd\n"), lines=1)
    assert seen == ["b", "begun and ended \ufffd", "c", "\ufffd\ufffdd"]


def test_following_goes_on_over_a_rotation_and_loses_nothing(folder: Path, following: Callable[..., list[str]]) -> None:
    log = folder / "echo.one-0a-0.log"
    log.write_text("a\n")

    def rotate() -> None:
        append(log, b"written before\n")()
        log.rename(log.with_name(log.name + ".1"))

    def goes_on() -> None:
        log.write_text("longer than what was there before it was rotated\n")

    assert following(rotate, goes_on, append(log, b"c\n")) == [
        "a",
        "written before",
        "longer than what was there before it was rotated",
        "c",
    ]


def test_following_finds_replicas_that_are_new(folder: Path, following: Callable[..., list[str]]) -> None:
    (folder / "echo.one-0a-0.log").write_text("a\n")
    new = folder / "echo.one-0b-1.log"
    assert following(lambda: new.write_text("b\n")) == ["a", "[1] b"]


def test_the_last_failed_start_while_an_older_one_serves(tidegate: Command, folder: Path) -> None:
    (folder / "echo.one-0a-0.log").write_text("serving\n")
    assert tidegate("logs", "echo", "one", "--previous")[0] == 1
    (folder / "failed-0.log").write_text("loading\nno such column\n")
    assert tidegate("logs", "echo", "one", "--previous")[1] == "loading\nno such column\n"
    assert tidegate("logs", "echo", "one")[1] == "serving\n"
