"""Images by name and number."""

from pathlib import Path
from typing import Any

import pytest

from tidegate.config import Environment, load
from tidegate.findings import ConfigError
from tidegate.image.artifacts import plan_artifacts
from tidegate.image.build import ENVIRONMENTS
from tidegate.image.spec import ImageSpec

DIGEST = "sha256:" + "a" * 64
EXISTING = f"mine.azurecr.io/team/scorer@{DIGEST}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "score.py").write_text("def init(): ...\ndef run(raw_data): ...\n")
    (tmp_path / "model.pkl").write_text("weights")
    (tmp_path / "runtime" / "src").mkdir(parents=True)
    (tmp_path / "runtime" / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n')
    known = f'{{"digest": "{DIGEST}", "platforms": {{"linux/amd64": "{DIGEST}"}}, "resolved": "2026-01-01"}}'
    names = ("docker.io/library/python:3.12-slim-bookworm", "ghcr.io/astral-sh/uv:0.13.8")
    (tmp_path / "images.lock").write_text("{" + ", ".join(f'"{name}": {known}' for name in names) + "}")
    return tmp_path


def read(root: Path, images: Any, image: str | None = None, **version: Any) -> Environment:
    given = {"image": image} if image else {"entryScript": "score.py"}
    config = {
        "tidegate:target": "azure",
        "tidegate:location": "westeurope",
        "tidegate:resourceGroup": "scoring",
        "tidegate:clusters": {"main": {"purpose": "DevTest"}},
        "tidegate:registry": {"name": "acmeimages"},
        "tidegate:images": images,
        "tidegate:models": {"ridge": {"path": "model.pkl"}},
        "tidegate:endpoints": {"diabetes": {"versions": {"one": {**given, **version}}}},
    }
    return load(config, root=root, stack="dev")


def refused(root: Path, images: Any, image: str | None = None, **version: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        read(root, images, image, **version)
    return [(each.path, each.problem) for each in caught.value.findings if each.severity == "error"]


def test_one_entry_is_number_one_and_numbers_are_in_order(root: Path) -> None:
    found = read(
        root, {"b": {"reference": EXISTING}, "a": {"10": {"reference": EXISTING}, "2": {"entryScript": "score.py"}}}
    )
    assert [str(image) for image in found.images] == ["a:2", "a:10", "b:1"]


def test_every_setting_reaches_the_spec(root: Path) -> None:
    written = {"entryScript": "score.py", "models": ["ridge"], "tags": {"team": "ml"}, "description": "the first"}
    (image,) = read(root, {"scorer": written}).images
    assert image.inference is not None
    assert image.inference.entry_script == "score.py"
    assert [str(model) for model in image.models] == ["ridge:1"]
    assert (image.tags, image.description, image.reference) == ({"team": "ml"}, "the first", "")
    existing = ImageSpec(name="scorer", number=1, reference=EXISTING, description="theirs")
    assert read(root, {"scorer": {"reference": EXISTING, "description": "theirs"}}).images == (existing,)


def test_a_version_names_a_number_and_a_name_alone_is_settled_with_a_note(root: Path) -> None:
    images = {"scorer": {"1": {"reference": EXISTING}, "2": {"entryScript": "score.py"}}}
    assert read(root, images, "scorer:1").endpoints[0].versions[0].image == "scorer:1"
    latest = read(root, images, "scorer")
    assert latest.endpoints[0].versions[0].image == "scorer:2"
    assert '"scorer" stands for its highest number, 2' in [note.problem for note in latest.notes]
    assert read(root, images, EXISTING).endpoints[0].versions[0].image == EXISTING


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ("scorer:3", 'there is no "scorer:3"'),
        ("scorer:0", 'there is no "scorer:0"'),
        ("other", 'there is no image "other"'),
        ("mine.azurecr.io/team/scorer:1", "names no digest, so that it could move"),
        ("mine.azurecr.io/team/scorer@sha256:1", "has a digest that is not sha256: and 64 hex digits"),
    ],
)
def test_a_version_runs_what_is_there(root: Path, image: str, problem: str) -> None:
    images = {"scorer": {"1": {"reference": EXISTING}, "2": {"reference": EXISTING}}}
    ((path, said),) = refused(root, images, image)
    assert path == "tidegate:endpoints.diabetes.versions.one.image"
    assert problem in said


def test_a_mistake_in_an_image_is_said_once(root: Path) -> None:
    ((path, _),) = refused(root, {"scorer": {"referense": EXISTING}}, "scorer:1")
    assert path == "tidegate:images.scorer.referense"
    ((path, _),) = refused(root, {"scorer": {"1": {"entryScript": "none.py"}}}, "scorer:1")
    assert path == "tidegate:images.scorer.1.entryScript"


@pytest.mark.parametrize(
    ("images", "path", "problem"),
    [
        ({"Scorer": {"reference": EXISTING}}, "tidegate:images.Scorer", "is no image name"),
        ({"scorer": {"0": {"reference": EXISTING}}}, "tidegate:images.scorer.0", "is no number of an image"),
        ({"scorer": {"reference": "a/b:1"}}, "tidegate:images.scorer.reference", "names no digest"),
        ({"scorer": {"reference": EXISTING, "models": ["ridge"]}}, "tidegate:images.scorer", "models beside reference"),
        (
            {"scorer": {"reference": EXISTING, "entryScript": "score.py"}},
            "tidegate:images.scorer",
            "entryScript beside",
        ),
    ],
)
def test_what_no_image_is(root: Path, images: Any, path: str, problem: str) -> None:
    ((place, said),) = refused(root, images)
    assert place == path
    assert problem in said


def test_what_versions_run_is_planned_once_and_the_rest_is_not_built(root: Path) -> None:
    built = {"entryScript": "score.py", "models": ["ridge"], "tags": {"team": "ml"}}
    images = {"scorer": {"1": built, "2": {"entryScript": "score.py"}}, "theirs": {"reference": EXISTING}}
    plan = plan_artifacts(read(root, images, "scorer:1"), root=root)
    assert [image.name for image in plan.images] == ["scorer:1"]
    assert dict(plan.runs) == {"diabetes/one": "scorer:1"}
    assert plan.given == {}
    build = plan.versions["scorer:1"]
    assert build.repository == "tidegate/images/scorer"
    assert 'org.opencontainers.image.version="1"' in build.dockerfile
    assert "models/ridge/1/model.pkl" in build.files
    assert [each.repository for each in plan.environments.values()] == [ENVIRONMENTS]

    plan = plan_artifacts(read(root, images, "theirs:1"), root=root)
    assert plan.images == ()
    assert {name: str(found) for name, found in plan.given.items()} == {"diabetes/one": EXISTING}


def test_what_an_image_says_of_itself_is_part_of_its_name(root: Path) -> None:
    def tag(**said: Any) -> str:
        return (
            plan_artifacts(read(root, {"scorer": {"entryScript": "score.py", **said}}, "scorer:1"), root=root)
            .versions["scorer:1"]
            .tag
        )

    assert tag() == tag()
    assert len({tag(), tag(tags={"a": "b"}), tag(description="first")}) == 3
