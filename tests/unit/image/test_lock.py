import json
from datetime import date
from pathlib import Path

import pytest

from tidegate.findings import ConfigError
from tidegate.image.lock import Lock, LockedImage, read, write
from tidegate.image.reference import Reference

AMD, ARM, INDEX = ("sha256:" + letter * 64 for letter in "abc")
DEBIAN = Reference.parse("debian:12-slim")
IMAGE = LockedImage(digest=INDEX, platforms={"linux/arm64": ARM, "linux/amd64": AMD}, resolved=date(2026, 3, 1))


def test_a_base_is_known_by_its_platform() -> None:
    lock = Lock().with_image(DEBIAN, IMAGE)
    assert lock.digest(DEBIAN, "linux/amd64") == AMD
    assert lock.digest(DEBIAN, "linux/arm64") == ARM
    assert lock.digest(DEBIAN, "linux/riscv64") is None
    assert lock.digest(Reference.parse("debian:12"), "linux/amd64") is None
    assert Lock().digest(DEBIAN.at(AMD), "linux/riscv64") == AMD


def test_what_is_missing_is_said_with_the_command() -> None:
    lock = Lock().with_image(DEBIAN, IMAGE)
    assert lock.check(DEBIAN, "linux/amd64", path="x") == []
    (other,) = lock.check(Reference.parse("debian:12"), "linux/amd64", path="x", file="a.json")
    assert str(other) == (
        'a.json: x: the image "docker.io/library/debian:12" is not in images.lock. '
        "Run tidegate image update, and commit images.lock"
    )
    (platform,) = lock.check(DEBIAN, "linux/riscv64", path="x")
    assert "nothing for linux/riscv64; it is there for linux/amd64, linux/arm64" in platform.problem


def test_the_file_is_sorted_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "images.lock"
    lock = Lock().with_image(DEBIAN, IMAGE).with_image(Reference.parse("a.io/b:1"), IMAGE)
    write(lock, path)
    assert read(path) == lock
    assert list(json.loads(path.read_text())) == ["a.io/b:1", "docker.io/library/debian:12-slim"]
    assert json.loads(path.read_text())["a.io/b:1"] == {
        "digest": INDEX,
        "platforms": {"linux/amd64": AMD, "linux/arm64": ARM},
        "resolved": "2026-03-01",
    }
    first = path.read_bytes()
    write(read(path), path)
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == ["images.lock"]


def test_no_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert read(tmp_path / "images.lock") == Lock()


def test_the_same_image_keeps_its_date_and_what_nobody_uses_goes() -> None:
    lock = Lock().with_image(DEBIAN, IMAGE)
    assert lock.with_image(DEBIAN, IMAGE.model_copy(update={"resolved": date(2026, 4, 1)})) is lock
    moved = lock.with_image(DEBIAN, IMAGE.model_copy(update={"digest": AMD, "resolved": date(2026, 4, 1)}))
    assert moved.images[str(DEBIAN)].resolved == date(2026, 4, 1)
    assert moved.only([Reference.parse("a")]) == Lock()
    assert moved.only([DEBIAN]) == moved


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        ({"a.io/b:1": {"digest": "sha256:1", "platforms": {"x": "y"}}}, {"digest", "platforms.x", "resolved"}),
        ({"debian": IMAGE.model_dump(mode="json")}, {"debian"}),
        ({f"a.io/b:1@{AMD}": IMAGE.model_dump(mode="json")}, {f"a.io/b:1@{AMD}"}),
        ({"A": IMAGE.model_dump(mode="json")}, {"A"}),
        ([], {""}),
    ],
)
def test_a_damaged_file_is_refused_with_all_that_is_wrong(tmp_path: Path, document: object, paths: set[str]) -> None:
    path = tmp_path / "images.lock"
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert {finding.path.removeprefix("a.io/b:1.") for finding in caught.value.findings} == paths
    assert all(finding.file == "images.lock" for finding in caught.value.findings)


def test_no_json_and_a_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.lock"
    path.write_text("<<<<<<< HEAD\n{}")
    with pytest.raises(ConfigError, match="JSON"):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read(path)
