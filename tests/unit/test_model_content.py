import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.digest import records_sha256
from tidegate.image import hash_cache
from tidegate.model.content import ContentError, content_digest, content_files, copy_content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "a").mkdir(parents=True)
    (root / "a" / "weights.bin").write_bytes(b"\0\1" * 1000)
    (root / "MLmodel").write_text("flavors: {}\n")
    return root


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_file_s_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    model = tmp_path / "m.pkl"
    model.write_bytes(b"weights" * 300_000)
    assert content_digest(model) == f"sha256:{hashlib.sha256(model.read_bytes()).hexdigest()}"


def test_a_folder_s_digest_does_not_hang_on_its_name_its_times_or_the_order_of_writing(folder: Path) -> None:
    other = folder.with_name("other")
    (other / "a").mkdir(parents=True)
    (other / "empty").mkdir()
    for name, data in sorted(content(folder).items(), reverse=True):
        (other / name).write_bytes(data)
        os.utime(other / name, (0, 0))
    assert content_digest(other) == content_digest(folder)


def test_any_change_of_names_or_bytes_changes_a_folder_s_digest(folder: Path) -> None:
    seen = [content_digest(folder)]
    (folder / "MLmodel").write_text("flavors: {x}\n")
    seen.append(content_digest(folder))
    (folder / "MLmodel").rename(folder / "mlmodel")
    seen.append(content_digest(folder))
    (folder / "a").rename(folder / "b")
    seen.append(content_digest(folder))
    (folder / "new").touch()
    seen.append(content_digest(folder))
    assert len(set(seen)) == len(seen)


def test_a_link_to_a_file_counts_as_the_file(folder: Path, tmp_path: Path) -> None:
    before = content_digest(folder)
    real = (folder / "MLmodel").rename(tmp_path / "blob")
    (folder / "MLmodel").symlink_to(real)
    assert content_digest(folder) == before
    copy_content(folder, tmp_path / "copy", before)
    assert not (tmp_path / "copy" / "MLmodel").is_symlink()
    assert content_digest(tmp_path / "copy") == before


def test_what_a_model_cannot_hold_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"absent\.pkl does not exist"):
        content_digest(tmp_path / "absent.pkl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContentError, match="empty holds no file"):
        content_digest(tmp_path / "empty")
    (folder / "link").symlink_to(folder / "a")
    with pytest.raises(ContentError, match="link is a link to a folder"):
        content_digest(folder)
    (folder / "link").unlink()
    (folder / "gone").symlink_to("nowhere")
    with pytest.raises(ContentError, match="gone is a link that leads nowhere"):
        content_digest(folder)
    (folder / "gone").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(ContentError, match="pipe is a socket, a pipe or a device"):
        content_digest(folder)


def test_a_copy_is_whole_and_leaves_nothing_beside_it(folder: Path, tmp_path: Path) -> None:
    destination = tmp_path / "state" / "models" / "1"
    for _ in range(2):
        copy_content(folder, destination, content_digest(folder))
    assert content(destination) == content(folder)
    assert list(destination.parent.iterdir()) == [destination]


def test_changed_content_is_refused_and_leaves_the_destination_as_it_was(tmp_path: Path) -> None:
    model, destination = tmp_path / "m.pkl", tmp_path / "state" / "m.pkl"
    model.write_bytes(b"one")
    digest = content_digest(model)
    model.write_bytes(b"two")
    with pytest.raises(ContentError, match="has changed"):
        copy_content(model, destination, digest)
    assert list(destination.parent.iterdir()) == []
    destination.write_bytes(b"older")
    with pytest.raises(ContentError, match="has changed"):
        copy_content(model, destination, digest)
    assert destination.read_bytes() == b"older"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_damaged_copy_is_replaced(folder: Path, tmp_path: Path, kind: str) -> None:
    source = folder if kind == "folder" else folder / "MLmodel"
    destination = tmp_path / "state" / "1"
    digest = content_digest(source)
    copy_content(source, destination, digest)
    damaged = destination / "MLmodel" if kind == "folder" else destination
    damaged.write_text("damaged")
    copy_content(source, destination, digest)
    assert content_digest(destination) == digest


def test_many_at_once_make_one_whole_copy(folder: Path, tmp_path: Path) -> None:
    destination, failures = tmp_path / "state" / "1", list[BaseException]()
    digest, start = content_digest(folder), threading.Barrier(8)

    def copy() -> None:
        start.wait()
        try:
            copy_content(folder, destination, digest)
        except BaseException as error:
            failures.append(error)

    for _ in range(20):  # a race shows itself now and then only
        write_damaged(destination)
        threads = [threading.Thread(target=copy) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert content(destination) == content(folder)
        assert list(destination.parent.iterdir()) == [destination]


def write_damaged(destination: Path) -> None:
    destination.mkdir(parents=True, exist_ok=True)
    (destination / "MLmodel").write_text("damaged")


records = st.lists(st.lists(st.text(max_size=4), max_size=3).map(tuple), max_size=3)


@given(records, records)
def test_different_records_have_different_digests(one: list[tuple[str, ...]], other: list[tuple[str, ...]]) -> None:
    assert (records_sha256(one) == records_sha256(other)) == (one == other)


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = tmp_path / "model.pkl", tmp_path / "cache"
    path.write_bytes(b"first")
    old = time.time_ns() - 60 * 10**9
    os.utime(path, ns=(old, old))
    monkeypatch.setattr(hash_cache, "SLACK_NS", 0)
    before = content_files(path, cache=cache)
    assert before == content_files(path)
    monkeypatch.setattr(hash_cache, "hash_files", lambda entries: pytest.fail("read again") if entries else [])
    assert content_files(path, cache=cache) == before
    monkeypatch.undo()
    path.write_bytes(b"other")
    os.utime(path, ns=(old, old))
    assert content_files(path, cache=cache) == content_files(path) != before
