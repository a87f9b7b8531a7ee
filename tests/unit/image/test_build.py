"""What is built for a version, and by which name."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.endpoint.spec import InferenceSpec, VersionSpec
from tidegate.findings import ConfigError
from tidegate.image.build import Build, version_build
from tidegate.image.context import KnownFile, drop_contexts, keep_context, write_context
from tidegate.image.inputs import image_inputs
from tidegate.image.lock import Lock
from tidegate.image.plan import PlannedImage, PlannedModel
from tidegate.image.record import record
from tidegate.image.snapshot import take_snapshot
from tidegate.model.content import content_files, digest_of
from tidegate.model.spec import ModelSpec

SCRIPT = "def init(): ...\ndef run(raw_data): ...\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "score.py").write_text(SCRIPT)
    (folder / "tool.sh").write_text("true\n")
    (folder / "tool.sh").chmod(0o755)
    for name in ("ridge.pkl", "forest.pkl"):
        (tmp_path / name).write_text(name)
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "MLmodel").write_text("flavors: {}\n")
    return folder


def model(path: Path, name: str, number: int = 1) -> PlannedModel:
    files = content_files(path)
    spec = ModelSpec(name=name, number=number, path=path)
    return PlannedModel(spec, files, digest_of(files, folder=path.is_dir()))


def planned(source: Path, *models: PlannedModel, entry: str = "score.py", server: str = "0.1.0+0") -> PlannedImage:
    inference = InferenceSpec(entry_script=entry, source=source)
    inputs = image_inputs(VersionSpec(name="one", inference=inference), Lock(), "linux/amd64", server=server)
    code = take_snapshot(source)
    return PlannedImage(
        name="words/one",
        loc=("tidegate:endpoints", "words", "versions", "one"),
        repository="tidegate/words/one",
        labels={"title": "words/one"},
        inputs=inputs,
        source=source,
        code=code,
        entry_script=entry,
        models=models,
        delivery="baked",
        contents=record(inputs, code=code.digest, models={}),
        python_file="",
    )


def test_the_files_are_laid_out_as_the_dockerfile_copies_them(source: Path) -> None:
    models = model(source.parent / "ridge.pkl", "ridge"), model(source.parent / "flow", "flow", 3)
    build = version_build(planned(source, *models))
    assert set(build.files) == {
        "code/score.py",
        "code/tool.sh",
        "models/ridge/1/ridge.pkl",
        "models/flow/3/flow/MLmodel",
    }
    assert build.dockerfile.index('COPY ["models/flow/3/"') < build.dockerfile.index('COPY ["code/"')
    write_context(build.files, source.parent / "context")
    assert (source.parent / "context" / "code" / "score.py").read_text() == SCRIPT
    assert (source.parent / "context" / "code" / "tool.sh").stat().st_mode & 0o777 == 0o755


def test_what_does_not_matter_leaves_the_name(source: Path) -> None:
    ridge, forest = model(source.parent / "ridge.pkl", "ridge"), model(source.parent / "forest.pkl", "forest")
    before = version_build(planned(source, ridge, forest))
    os.utime(source / "score.py", (1, 1))
    moved = source.rename(source.parent / "elsewhere")
    after = version_build(planned(moved, forest, ridge))
    assert (after.tag, after.dockerfile) == (before.tag, before.dockerfile)
    assert before.name == f"tidegate/words/one:{before.tag}"


def _code(source: Path) -> Build:
    (source / "score.py").write_text(f"{SCRIPT}\n")
    return version_build(planned(source, model(source.parent / "ridge.pkl", "ridge")))


def _mode(source: Path) -> Build:
    (source / "tool.sh").chmod(0o644)
    return version_build(planned(source, model(source.parent / "ridge.pkl", "ridge")))


def _entry(source: Path) -> Build:
    (source / "other.py").write_text(SCRIPT)
    before = planned(source, model(source.parent / "ridge.pkl", "ridge"))
    other = planned(source, model(source.parent / "ridge.pkl", "ridge"), entry="other.py")
    assert version_build(before).tag != version_build(other).tag
    return version_build(other)


def _content(source: Path) -> Build:
    (source.parent / "ridge.pkl").write_text("ridge.pkL")
    return version_build(planned(source, model(source.parent / "ridge.pkl", "ridge")))


def _title(source: Path) -> Build:
    path = (source.parent / "ridge.pkl").rename(source.parent / "ridge.pickle")
    return version_build(planned(source, model(path, "ridge")))


CHANGES: dict[str, Callable[[Path], Build]] = {
    "a byte of the code": _code,
    "the right to execute": _mode,
    "the entry script": _entry,
    "a byte of a model": _content,
    "the name of a model's file": _title,
    "a model's number": lambda source: version_build(planned(source, model(source.parent / "ridge.pkl", "ridge", 2))),
    "a model's name": lambda source: version_build(planned(source, model(source.parent / "ridge.pkl", "other"))),
    "another model": lambda source: version_build(
        planned(source, model(source.parent / "ridge.pkl", "ridge"), model(source.parent / "flow", "flow"))
    ),
    "no model": lambda source: version_build(planned(source)),
    "the environment": lambda source: version_build(
        planned(source, model(source.parent / "ridge.pkl", "ridge"), server="0.2.0+0")
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_goes_into_it_is_in_the_name(source: Path, change: str) -> None:
    before = version_build(planned(source, model(source.parent / "ridge.pkl", "ridge"))).tag
    assert CHANGES[change](source).tag != before


def test_a_file_that_changes_while_it_is_packed_is_not_built_in(source: Path) -> None:
    build = version_build(planned(source, model(source.parent / "ridge.pkl", "ridge")))
    (source.parent / "ridge.pkl").write_text("another")
    folder = source.parent / "contexts" / build.tag
    with pytest.raises(ConfigError, match=r"ridge\.pkl: the file changed while it was copied"):
        keep_context(build.files, folder)
    assert list(folder.parent.iterdir()) == []


def test_a_context_that_is_there_is_kept_and_the_others_go(tmp_path: Path) -> None:
    source = tmp_path / "score.py"
    source.write_text("1")
    known = KnownFile(source, "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b")
    for tag in ("v1-a", "v1-b"):
        keep_context({"code/score.py": known}, tmp_path / "contexts" / tag)
    source.unlink()
    keep_context({"code/score.py": known}, tmp_path / "contexts" / "v1-a")
    drop_contexts(tmp_path / "contexts", {"v1-a"})
    assert [path.name for path in (tmp_path / "contexts").iterdir()] == ["v1-a"]
    assert (tmp_path / "contexts" / "v1-a" / "code" / "score.py").read_text() == "1"
    drop_contexts(tmp_path / "nowhere", set())
