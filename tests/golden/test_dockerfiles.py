"""The Dockerfiles of images for the examples, and the files that they copy."""

from datetime import date
from pathlib import Path

import pytest

from tidegate.endpoint.spec import InferenceSpec, VersionSpec
from tidegate.image.base import DEFAULT_BASE, MICROMAMBA, UV, dockerfile_images
from tidegate.image.dockerfile import (
    KEY_LABEL,
    Tools,
    VersionLayer,
    environment_dockerfile,
    environment_files,
    image_labels,
    version_dockerfile,
)
from tidegate.image.inputs import ImageInputs, image_inputs
from tidegate.image.lock import Lock, LockedImage
from tidegate.image.python import PythonEnvironment, read_conda, read_requirements
from tidegate.image.reference import Reference

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "dockerfiles"
SERVER = "0.1.0+000000000000"
BASES = {DEFAULT_BASE: "a", UV: "b", MICROMAMBA: "c", Reference.parse("mcr.microsoft.com/azureml/base:1"): "d"}
LOCK = Lock(
    {
        str(reference): LockedImage(
            digest=f"sha256:{letter * 64}",
            platforms={"linux/amd64": f"sha256:{letter * 64}"},
            resolved=date(2026, 3, 1),
        )
        for reference, letter in BASES.items()
    }
)
BASE_DOCKERFILE = """\
# What the team's images begin with.
FROM mcr.microsoft.com/azureml/base:1
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1
COPY certificates/ /usr/local/share/ca-certificates/
USER dockeruser
"""


TOOLS = Tools.locked(LOCK, "linux/amd64")


def conda(example: str, more: str = "") -> PythonEnvironment:
    path = CHECKOUT / "examples" / example / "conda.yml"
    environment, findings = read_conda(path.read_text() + more, file="conda.yml", native=True)
    assert not [finding for finding in findings if finding.severity == "error"]
    return environment


def inputs(tmp_path: Path, **inference: object) -> ImageInputs:
    spec = InferenceSpec.model_validate({"entry_script": "score.py", "source": tmp_path, **inference})
    return image_inputs(VersionSpec(name="one", inference=spec), LOCK, "linux/amd64", server=SERVER)


def compare(name: str, text: str, *, write: bool) -> None:
    path = FOLDER / f"{name}.dockerfile"
    if write:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; pytest tests/golden --golden writes it anew"


@pytest.fixture
def write(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--golden", default=False))


def test_the_diabetes_example(tmp_path: Path, write: bool) -> None:
    found = inputs(tmp_path, python=conda("diabetes/ridge"))
    compare("diabetes", environment_dockerfile(found, TOOLS), write=write)


def test_pip_requirements_and_docker_steps(tmp_path: Path, write: bool) -> None:
    text = "numpy==2.4.0 --hash=sha256:" + "0" * 64 + "\nonnxruntime==1.31.1 ; python_version < '3.14'\n"
    environment, _ = read_requirements(text, file="requirements.txt")
    found = inputs(tmp_path, python=environment, docker_steps=("RUN echo \\", "    two lines", 'ENV A="$B"'))
    compare("onnx-pip", environment_dockerfile(found, TOOLS), write=write)


def test_conda_with_native_packages(tmp_path: Path, write: bool) -> None:
    native = "  - cudatoolkit=11.8\n  - openblas\nchannels: [nvidia, conda-forge]\n"
    found = inputs(tmp_path, python=conda("scripts/sklearn_pickle", native))
    text = environment_dockerfile(found, TOOLS)
    compare("sklearn-pickle-native", text, write=write)
    with pytest.raises(ValueError, match="micromamba"):
        environment_dockerfile(found, Tools(TOOLS.uv))


def test_a_base_dockerfile_with_its_folder(tmp_path: Path, write: bool) -> None:
    folder = tmp_path / "image"
    (folder / "certificates").mkdir(parents=True)
    (folder / "certificates" / "team.crt").write_text("certificate")
    (folder / "Dockerfile").write_text(BASE_DOCKERFILE)
    (folder / ".dockerignore").write_text("*\n!certificates")
    found = inputs(tmp_path, python=conda("scripts/rawhttp"), base_dockerfile=BASE_DOCKERFILE, build_context=folder)
    compare("rawhttp-base-dockerfile", environment_dockerfile(found, TOOLS), write=write)
    files = environment_files(found, CHECKOUT / "runtime")
    assert files["certificates/team.crt"] == folder / "certificates" / "team.crt"
    assert files[".dockerignore"] == b"*\n!certificates\n!.tidegate\n!.tidegate/**\n"
    assert ".tidegate/requirements.txt" in files


def test_the_files_are_the_requirements_and_the_servers_source(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    for name in (
        "pyproject.toml",
        "src/a/b.py",
        "src/a/docs.html",
        "src/a/__pycache__/b.pyc",
        "src/a.egg-info/PKG-INFO",
    ):
        (runtime / name).parent.mkdir(parents=True, exist_ok=True)
        (runtime / name).write_text(name)
    found = environment_files(inputs(tmp_path, python=PythonEnvironment(requirements=("b==1", "a==2"))), runtime)
    assert list(found) == [
        ".tidegate/requirements.txt",
        ".tidegate/server/pyproject.toml",
        ".tidegate/server/src/a/b.py",
        ".tidegate/server/src/a/docs.html",
    ]
    assert found[".tidegate/requirements.txt"] == b"b==1\na==2\n"
    assert ".tidegate/requirements.txt" not in environment_files(inputs(tmp_path), runtime)


def test_one_key_is_one_text(tmp_path: Path) -> None:
    """What two names for one base have in common is all that the image says."""
    digest = f"sha256:{'a' * 64}"
    one = environment_dockerfile(inputs(tmp_path), TOOLS)
    other = environment_dockerfile(inputs(tmp_path, base_image=f"example.org/a@{digest}"), TOOLS)
    assert one.replace(DEFAULT_BASE.name, "example.org/a") == other


def test_every_image_in_a_dockerfile_is_named_by_digest(tmp_path: Path) -> None:
    for found in (
        inputs(tmp_path, python=PythonEnvironment(native=("cudnn",))),
        inputs(tmp_path, base_dockerfile="FROM mcr.microsoft.com/azureml/base:1 AS x\nFROM x\n"),
    ):
        images = dockerfile_images(environment_dockerfile(found, TOOLS))
        assert len(images) == 2 + bool(found.python.native)
        assert all(image.digest for image in images)


def test_a_version_with_one_model(write: bool) -> None:
    labels = image_labels("diabetes-ridge", 3, tags={"team": 'a "b"', "data": "$x"}, description="One\nline \\ of it")
    layer = VersionLayer("score.py", (("diabetes-ridge", 1),), {**labels, KEY_LABEL: "e1-0"})
    compare("diabetes-ridge-version", version_dockerfile(layer), write=write)


def test_a_version_with_several_models_and_a_version_with_none(write: bool) -> None:
    several = version_dockerfile(VersionLayer("src/score it.py", (("ridge", 2), ("forest", 1))))
    compare("several-models-version", several, write=write)
    assert "AZUREML_MODEL_DIR" not in version_dockerfile(VersionLayer("score.py"))
