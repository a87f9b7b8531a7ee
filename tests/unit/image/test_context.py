"""Build contexts on disk."""

import os
from pathlib import Path

import pytest

from tidegate.image.context import write_context
from tidegate.image.dockerfile import SOURCE_DATE_EPOCH


def test_a_context_has_its_files_and_no_others(tmp_path: Path) -> None:
    source = tmp_path / "score.py"
    source.write_text("def init(): ...")
    folder = tmp_path / "context"
    write_context({"code/old.py": b"old", "deeper/one": b"1"}, folder)

    write_context({"code/score.py": source, ".tidegate/requirements.txt": b"numpy\n"}, folder)

    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == {"code/score.py": b"def init(): ...", ".tidegate/requirements.txt": b"numpy\n"}


def test_modes_and_times_say_nothing_of_the_machine(tmp_path: Path) -> None:
    tool, private = tmp_path / "tool", tmp_path / "private"
    for path, mode in ((tool, 0o700), (private, 0o600)):
        path.write_text("content")
        path.chmod(mode)
        os.utime(path, (1, 1))
    before = os.umask(0o077)
    try:
        write_context({"a/tool": tool, "a/private": private, "a/text": b""}, tmp_path / "context")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "context").rglob("*")}
    assert modes == {"a": 0o755, "tool": 0o755, "private": 0o644, "text": 0o644}
    assert {path.stat().st_mtime for path in (tmp_path / "context").rglob("*")} == {SOURCE_DATE_EPOCH}


def test_a_link_becomes_the_file_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"weights")
    (tmp_path / "link").symlink_to("model")
    write_context({"model": tmp_path / "link"}, tmp_path / "context")
    assert not (tmp_path / "context" / "model").is_symlink()
    assert (tmp_path / "context" / "model").read_bytes() == b"weights"


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../outside"])
def test_no_file_lands_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="leads out of the build context"):
        write_context({path: b""}, tmp_path / "context")
