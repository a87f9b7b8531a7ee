import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from tidegate.image.snapshot import SIZE_LIMIT_BYTES, Snapshot, SnapshotError, copy_snapshot, take_snapshot


def tree(root: Path, **files: str) -> Path:
    """Write files; `__` in a keyword stands for a slash and `_dot_` for a dot."""
    for name, text in files.items():
        write(root, name.replace("__", "/").replace("_dot_", "."), text)
    return root


def write(root: Path, name: str, text: str = "x") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def paths(snapshot: Snapshot) -> list[str]:
    return [file.path for file in snapshot.files]


def problems(source: Path, *, limit_bytes: int = SIZE_LIMIT_BYTES) -> dict[str, str]:
    with pytest.raises(SnapshotError) as caught:
        take_snapshot(source, limit_bytes=limit_bytes)
    assert len(str(caught.value).splitlines()) == len(caught.value.findings)
    return {finding.path: finding.problem for finding in caught.value.findings}


def test_all_files_sorted_but_for_what_is_never_in(tmp_path: Path) -> None:
    for name in ("score.py", "lib/b.py", "lib/a.py", ".env", "outputs/x", ".git/config", "lib/.git", "old.pyc"):
        write(tmp_path, name)
    write(tmp_path, "lib/__pycache__/a.cpython-311.pyc")
    write(tmp_path, "sub/.git/HEAD")
    snapshot = take_snapshot(tmp_path)
    assert paths(snapshot) == [".env", "lib/a.py", "lib/b.py", "outputs/x", "score.py"]
    assert snapshot.size == 5


def test_gitignore_counts_only_where_amlignore_is_missing(tmp_path: Path) -> None:
    for name in ("a.log", "b.tmp", "deep/c.log", "score.py"):
        write(tmp_path, name)
    write(tmp_path, ".gitignore", "*.log\n")
    assert paths(take_snapshot(tmp_path)) == [".gitignore", "b.tmp", "score.py"]
    write(tmp_path, ".amlignore", "*.tmp\n")
    assert paths(take_snapshot(tmp_path)) == [".amlignore", ".gitignore", "a.log", "deep/c.log", "score.py"]
    write(tmp_path, ".amlignore", "")
    assert "a.log" in paths(take_snapshot(tmp_path))


def test_ignore_files_below_the_root_mean_nothing(tmp_path: Path) -> None:
    write(tmp_path, "deep/.amlignore", "*\n")
    write(tmp_path, "deep/.gitignore", "*\n")
    write(tmp_path, "deep/a.py")
    assert paths(take_snapshot(tmp_path)) == ["deep/.amlignore", "deep/.gitignore", "deep/a.py"]


@given(
    patterns=st.lists(
        st.sampled_from(
            ["a", "/a", "a/", "a/*", "**/b", "!a/b", "!b", "*.py", "!a/c.py", "a/**/c.py", "# x", "", "b/"]
        ),
        max_size=4,
    )
)
def test_what_is_in_is_what_the_patterns_say_of_each_file(
    patterns: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("source")
    names = ["a/b/c.py", "a/b/d", "a/c.py", "b/a", "b/c.py", "c.py", "keep"]
    for name in names:
        write(root, name)
    write(root, ".amlignore", "\n".join(patterns))
    spec = GitIgnoreSpec.from_lines(patterns)
    expected = [name for name in sorted([".amlignore", *names]) if not spec.match_file(name)]
    assert paths(take_snapshot(root)) == expected


def test_an_ignored_directory_is_not_entered(tmp_path: Path) -> None:
    write(tmp_path, "score.py")
    write(tmp_path, ".amlignore", "data/\n")
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "pipe")
    assert paths(take_snapshot(tmp_path)) == [".amlignore", "score.py"]


def test_the_digest_is_of_paths_bits_and_contents_only(tmp_path: Path) -> None:
    one = tree(tmp_path / "one", score_dot_py="1", lib__a_dot_py="2")
    two = tree(tmp_path / "two", lib__a_dot_py="2", score_dot_py="1")
    (two / "empty").mkdir()
    os.utime(two / "score.py", (0, 0))
    same = take_snapshot(one)
    assert same.digest == take_snapshot(two).digest
    assert same.digest.startswith("s1-")
    assert len(same.digest) == 3 + 64
    seen = {same.digest}
    (two / "score.py").write_text("3")
    seen.add(take_snapshot(two).digest)
    (two / "score.py").chmod(0o755)
    seen.add(take_snapshot(two).digest)
    (two / "score.py").rename(two / "main.py")
    seen.add(take_snapshot(two).digest)
    assert len(seen) == 4


def test_one_file_is_a_snapshot_of_its_own_whatever_stands_beside_it(tmp_path: Path) -> None:
    write(tmp_path, ".amlignore", "*\n")
    entry = write(tmp_path, "score.py", "print()")
    snapshot = take_snapshot(entry)
    assert (snapshot.root, paths(snapshot), snapshot.size) == (tmp_path, ["score.py"], 7)


def test_a_link_counts_as_what_it_leads_to_inside(tmp_path: Path) -> None:
    write(tmp_path, "lib/a.py", "1")
    (tmp_path / "b.py").symlink_to("lib/a.py")
    (tmp_path / "again").symlink_to("lib")
    snapshot = take_snapshot(tmp_path)
    assert paths(snapshot) == ["again/a.py", "b.py", "lib/a.py"]
    copy_snapshot(snapshot, tmp_path.parent / f"{tmp_path.name}-copy")
    assert not (tmp_path.parent / f"{tmp_path.name}-copy" / "b.py").is_symlink()


def test_links_that_lead_out_nowhere_or_in_a_circle_are_all_reported(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside/secret")
    root = tree(tmp_path / "root", a__score_dot_py="1", _dot_git__config="token")
    (root / "out").symlink_to(outside)
    (root / "a" / "outdir").symlink_to(outside.parent)
    (root / "relative").symlink_to("../outside/secret")
    (root / "dangling").symlink_to("missing")
    (root / "self").symlink_to("self")
    (root / "a" / "up").symlink_to(root)
    (root / "git").symlink_to(".git")
    found = problems(root)
    assert set(found) == {"out", "a/outdir", "relative", "dangling", "self", "a/up", "git"}
    assert "not part of the source directory" in found["out"]
    assert "leads nowhere" in found["dangling"]
    assert "directory above it" in found["a/up"]


def test_an_ignored_link_is_no_problem(tmp_path: Path) -> None:
    write(tmp_path, "score.py")
    write(tmp_path, ".amlignore", "out\n")
    (tmp_path / "out").symlink_to("/")
    assert paths(take_snapshot(tmp_path)) == [".amlignore", "score.py"]


def test_special_files_odd_names_and_case_clashes_are_all_reported(tmp_path: Path) -> None:
    for name in ("Score.py", "score.py", "Lib/a.py", "lib/b.py", "stra\u00dfe", "STRASSE", "e\u0301", "\u00e9"):
        write(tmp_path, name)
    os.mkfifo(tmp_path / "pipe")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).touch()
    found = problems(tmp_path)
    assert set(found) == {"score.py", "lib", "stra\u00dfe", "\u00e9", "pipe", "'\\udcff'"}
    assert "'Score.py'" in found["score.py"]


def test_the_limit_may_be_reached_and_the_ten_largest_are_named(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path, f"f{number:02}", "x" * (number + 1))
    assert take_snapshot(tmp_path, limit_bytes=78).size == 78
    problem = problems(tmp_path, limit_bytes=77)[""]
    assert {path.name for path in tmp_path.iterdir() if path.name in problem} == {f"f{n:02}" for n in range(2, 12)}
    assert problem.index("f11") < problem.index("f10")


def test_the_limit_is_v1s_unless_said(tmp_path: Path) -> None:
    with write(tmp_path, "big").open("r+b") as file:
        file.truncate(SIZE_LIMIT_BYTES + 1)
    assert "over the limit of 300.0 MB" in problems(tmp_path)[""]


def test_an_absent_or_empty_source_and_a_broken_ignore_file_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in problems(tmp_path / "absent")[str(tmp_path / "absent")]
    (tmp_path / ".amlignore").write_text("*")
    assert "holds no file" in problems(tmp_path)[str(tmp_path)]
    (tmp_path / ".amlignore").write_bytes(b"\xff")
    assert "cannot be read" in problems(tmp_path)[""]


def test_a_copy_is_exact_and_replaces_what_was_there(tmp_path: Path) -> None:
    source = tree(tmp_path / "source", score_dot_py="1", lib__run="2")
    (source / "lib" / "run").chmod(0o700)
    snapshot, destination = take_snapshot(source), tmp_path / "state" / "copy"
    for _ in range(2):
        copy_snapshot(snapshot, destination)
        assert take_snapshot(destination).digest == snapshot.digest
        write(destination, "left-over")
    assert (destination / "lib" / "run").stat().st_mode & 0o777 == 0o755
    assert list(destination.parent.iterdir()) == [destination]


def test_a_copy_of_a_source_that_changed_is_refused_and_leaves_the_destination(tmp_path: Path) -> None:
    source = tree(tmp_path / "source", a="1", b="2", c="3")
    snapshot, destination = take_snapshot(source), tmp_path / "state" / "copy"
    copy_snapshot(snapshot, destination)
    (source / "a").write_text("4")
    (source / "b").unlink()
    with pytest.raises(SnapshotError) as caught:
        copy_snapshot(snapshot, destination)
    assert [finding.path for finding in caught.value.findings] == ["a", "b"]
    assert (destination / "a").read_text() == "1"
    assert list(destination.parent.iterdir()) == [destination]
