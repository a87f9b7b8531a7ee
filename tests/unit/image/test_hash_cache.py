"""What is remembered of a tree's files, and every way in which a file can change without looking like it."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.image import hash_cache, snapshot
from tidegate.image.hash_cache import SLACK_NS, Entry, HashCache, UnreadableError, hash_files
from tidegate.image.snapshot import SnapshotError, take_snapshot

LATER_NS = 10 * SLACK_NS


class Tree:
    """A tree, its cache, and which files are opened to be read."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root / "tree"
        self.root.mkdir()
        self.file = root / "cache" / "hashes.json"
        self.read: list[str] = []
        opened = os.open

        def watched(place: str, flags: int, *more: int) -> int:
            if isinstance(place, str) and Path(place).is_relative_to(self.root):
                self.read.append(Path(place).relative_to(self.root).as_posix())
            return opened(place, flags, *more)

        monkeypatch.setattr(hash_cache.os, "open", watched)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def entries(self) -> list[Entry]:
        found: list[Entry] = []
        for path in sorted(each for each in self.root.rglob("*") if each.is_file()):
            status = path.stat()
            times = (status.st_mtime_ns, status.st_ctime_ns)
            name = path.relative_to(self.root).as_posix()
            found.append(Entry(name, str(path), status.st_size, *times, status.st_ino, executable=False))
        return found

    def hashes(self, *, after_ns: int = LATER_NS) -> dict[str, str]:
        """The hashes by path, as they are seen some time after now; `read` holds what was read for them."""
        self.read.clear()
        entries = self.entries()
        found = HashCache(self.file).hashes(entries, now_ns=time.time_ns() + after_ns)
        return {entry.path: digest for entry, digest in zip(entries, found, strict=True)}

    def right(self) -> dict[str, str]:
        return {entry.path: hashlib.sha256(Path(entry.place).read_bytes()).hexdigest() for entry in self.entries()}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    made = Tree(tmp_path, monkeypatch)
    for name in ("a", "lib/b", "lib/c"):
        made.write(name, name)
    yield made


def test_an_unchanged_tree_is_not_read(tree: Tree) -> None:
    assert tree.hashes() == tree.right()
    assert sorted(tree.read) == ["a", "lib/b", "lib/c"]
    assert tree.hashes() == tree.right()
    assert tree.read == []


def test_only_what_is_new_or_changed_is_read(tree: Tree) -> None:
    tree.hashes()
    tree.write("lib/b", "changed")
    tree.write("new", "new")
    (tree.root / "a").unlink()
    assert tree.hashes() == tree.right()
    assert sorted(tree.read) == ["lib/b", "new"]
    assert tree.hashes() == tree.right()
    assert tree.read == []


def same_time(path: Path, change: Callable[[], object]) -> None:
    """Change a file and put its modification time back."""
    before = path.stat()
    change()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_modification_time_that_is_put_back_hides_nothing(tree: Tree) -> None:
    path = tree.root / "a"
    tree.hashes()
    same_time(path, lambda: path.write_text("b"))
    assert tree.hashes() == tree.right()
    assert tree.read == ["a"]


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_read(tree: Tree) -> None:
    path = tree.root / "a"
    tree.hashes()
    other = tree.write("other", "b")
    shutil.copystat(path, other)
    same_time(path, lambda: other.replace(path))
    assert tree.hashes() == tree.right()
    assert tree.read == ["a"]


def test_a_file_as_new_as_the_cache_is_read_again(tree: Tree) -> None:
    """It may change once more within the same tick of the clock, and have the same size and times then."""
    assert tree.hashes(after_ns=0) == tree.right()
    assert tree.hashes(after_ns=0) == tree.right()
    assert sorted(tree.read) == ["a", "lib/b", "lib/c"]
    tree.hashes()  # old enough by now: read once more, and remembered
    assert sorted(tree.read) == ["a", "lib/b", "lib/c"]
    tree.hashes()
    assert tree.read == []


def test_a_file_from_the_future_is_never_remembered(tree: Tree) -> None:
    ahead = time.time_ns() + 100 * LATER_NS
    os.utime(tree.root / "a", ns=(ahead, ahead))
    for _ in range(2):
        assert tree.hashes() == tree.right()
        assert "a" in tree.read


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"{}", b"truncated"])
def test_a_damaged_cache_is_an_empty_one(tree: Tree, content: bytes) -> None:
    tree.hashes()
    whole = tree.file.read_bytes()
    tree.file.write_bytes(whole[: len(whole) // 2] if content == b"truncated" else content)
    assert tree.hashes() == tree.right()
    assert len(tree.read) == 3
    assert tree.file.read_bytes() == whole


@pytest.mark.parametrize(("field", "value"), [("form", 2), ("stats", "00"), ("hashes", "0" * 64), ("paths", "a")])
def test_a_cache_whose_parts_do_not_fit_is_an_empty_one(tree: Tree, field: str, value: object) -> None:
    tree.hashes()
    tree.file.write_text(json.dumps({**json.loads(tree.file.read_text()), field: value}))
    assert tree.hashes() == tree.right()
    assert len(tree.read) == 3


def test_a_cache_that_cannot_be_written_is_done_without(tree: Tree) -> None:
    tree.file.parent.write_text("a file where the folder should be")
    assert tree.hashes() == tree.right()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "d/c", "d/e"]), st.sampled_from(["", "x", "y", None]), st.booleans()),
        max_size=12,
    )
)
def test_whatever_happens_to_a_tree_the_hashes_are_those_of_its_files(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str | None, bool]]
) -> None:
    """Files are written, overwritten with their old time, and deleted; now and then the tree is looked at."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        tree = Tree(tmp_path_factory.mktemp("random"), monkeypatch)
        for name, text, look in changes:
            path = tree.root / name
            if text is None:
                path.unlink(missing_ok=True)
            elif path.exists():
                same_time(path, lambda path=path, text=text: path.write_text(text))
            else:
                tree.write(name, text)
            if look:
                assert tree.hashes(after_ns=0) == tree.right()
        assert tree.hashes() == tree.hashes() == tree.right()


def test_large_files_and_many_files_have_their_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path, monkeypatch)
    tree.write("large", "x" * 1_000_001)
    tree.write("empty", "")
    for number in range(200):
        tree.write(f"many/{number:03}", str(number))
    assert tree.hashes() == tree.right()


def test_all_files_that_cannot_be_hashed_are_named(tree: Tree) -> None:
    entries = tree.entries()
    (tree.root / "a").unlink()
    tree.write("lib/b", "another size")
    with pytest.raises(UnreadableError) as caught:
        hash_files(entries)
    (a, missing), (b, changed) = caught.value.problems
    assert (a, b) == ("a", "lib/b")
    assert "No such file" in missing
    assert "changed while" in changed


def test_a_snapshot_is_the_same_with_and_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_WORTH_CACHING_BYTES", 0)
    tree = Tree(tmp_path, monkeypatch)
    tree.write("score.py", "1")
    tree.write("lib/run", "2").chmod(0o755)
    cache = tmp_path / "folder"
    plain = take_snapshot(tree.root)
    assert take_snapshot(tree.root, cache=cache) == plain == take_snapshot(tree.root, cache=cache)
    assert len(list((cache / "hashes").iterdir())) == 1
    (tree.root / "lib" / "run").chmod(0o644)
    assert take_snapshot(tree.root, cache=cache) == take_snapshot(tree.root) != plain


def test_a_small_tree_leaves_no_cache(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("1")
    take_snapshot(tmp_path, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_names_that_no_container_can_hold_are_refused(tmp_path: Path) -> None:
    for name in (".wh.gone", "a\nb", "tab\there", "fine \u00e9", ".whatever"):
        (tmp_path / name).write_text("x")
    deep = tmp_path
    for _ in range(15):
        deep /= "d" * 240
        deep.mkdir()
    (deep / ("f" * 240)).write_text("x")
    with pytest.raises(SnapshotError) as caught:
        take_snapshot(tmp_path)
    found = {finding.path.rpartition("/")[2]: finding.problem for finding in caught.value.findings}
    assert set(found) == {".wh.gone", "'a\\nb'", "'tab\\there'", "f" * 240}
    assert "layers of images" in found[".wh.gone"]
    assert "control character" in found["'a\\nb'"]
    assert "longer than" in found["f" * 240]
