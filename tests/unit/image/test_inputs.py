"""What of a project reaches the key of an environment, and what does not."""

import os
import random
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from tidegate.config import Environment, load
from tidegate.endpoint.spec import DeploymentSpec, InferenceSpec, VersionSpec
from tidegate.findings import ConfigError
from tidegate.image.base import DEFAULT_BASE, MICROMAMBA, UV
from tidegate.image.dockerfile import Tools, environment_dockerfile
from tidegate.image.inputs import base_images, image_inputs, missing_images, needed_images
from tidegate.image.key import environment_key
from tidegate.image.lock import FILE, Lock, LockedImage, write
from tidegate.image.python import PythonEnvironment, read_conda
from tidegate.image.reference import Reference
from tidegate.image.server import server_version
from tidegate.targets.local import plan_local

CHECKOUT = Path(__file__).resolve().parents[3]
ONE, TWO = ("sha256:" + letter * 64 for letter in "12")
DEBIAN = Reference.parse("debian:12")


def locked(digest: str = ONE, *references: Reference, platform: str = "linux/amd64") -> Lock:
    image = LockedImage(digest=TWO, platforms={platform: digest}, resolved=date(2026, 3, 1))
    return Lock({str(reference): image for reference in references or (DEFAULT_BASE, DEBIAN)})


def version(tmp_path: Path, **inference: Any) -> VersionSpec:
    entry = {"entry_script": "score.py", "source": tmp_path}
    return VersionSpec(name="one", inference=InferenceSpec.model_validate({**entry, **inference}))


def key(given: VersionSpec, lock: Lock | None = None, platform: str = "linux/amd64", server: str = "0.1.0+0") -> str:
    return image_inputs(given, lock if lock is not None else locked(), platform, server=server).key


def test_telemetry_is_in_the_image_where_it_is_on_and_in_the_key(tmp_path: Path) -> None:
    plain = version(tmp_path)
    told = plain.model_copy(update={"deployment": DeploymentSpec(app_insights=True)})
    assert key(plain) != key(told)
    tools = Tools(UV)
    for one, installed in ((plain, '"/run/tidegate/server"]'), (told, '"/run/tidegate/server[telemetry]"]')):
        inputs = image_inputs(one, locked(), "linux/amd64", server="0.1.0+0")
        assert installed in environment_dockerfile(inputs, tools)
        Version(inputs.server)  # as PEP 440 has it


def test_the_example_of_the_reference_is_right() -> None:
    text = (CHECKOUT / "docs" / "reference" / "image-key.md").read_text()
    (said,) = re.findall(r"^e1-[0-9a-f]{64}$", text, flags=re.M)
    (base,) = set(re.findall(r'"base":"(sha256:[0-9a-f]{64})"', text))
    conda = "channels: [conda-forge]\ndependencies:\n- python>=3.11\n- scikit-learn=1.9.1=py_0\n- numpy=2.4\n"
    environment, findings = read_conda(conda, file="conda.yml")
    assert not findings
    steps = ["RUN apt-get update && apt-get install -y libgomp1"]
    assert said == environment_key(
        environment, base=base, docker_steps=steps, platform="linux/amd64", server="0.1.0+1f2e3d4c5b6a"
    )


def test_the_base_counts_by_its_digest_and_not_by_its_name(tmp_path: Path) -> None:
    by_default, named = version(tmp_path), version(tmp_path, base_image="debian:12")
    assert key(by_default) == key(named) == key(version(tmp_path, base_image=f"docker.io/library/debian:12@{ONE}"))
    assert key(by_default) == key(version(tmp_path, base_image=str(DEFAULT_BASE)))
    assert key(by_default) != key(by_default, locked(TWO))
    assert image_inputs(by_default, locked(), "linux/amd64", server="").base == ONE


def test_a_base_that_is_not_locked_counts_by_its_name(tmp_path: Path) -> None:
    keys = {
        key(version(tmp_path, base_image=name), Lock()) for name in ("", "debian:12", "debian:13", "a.io/debian:12")
    }
    assert len(keys) == 4
    same = {key(version(tmp_path, base_image=name), Lock()) for name in ("", str(DEFAULT_BASE))}
    assert len(same) == 1
    assert not same & {key(version(tmp_path))}


def test_names_tags_models_code_and_settings_do_not_count(tmp_path: Path) -> None:
    one = version(tmp_path)
    other = VersionSpec(
        name="other",
        tags={"a": "b"},
        description="x",
        arguments=("--a",),
        inference=InferenceSpec(
            entry_script="main.py", source=tmp_path / "elsewhere", environment_variables={"A": "b"}
        ),
    )
    assert key(one) == key(other)


def test_platform_and_server_count(tmp_path: Path) -> None:
    lock = Lock({str(DEFAULT_BASE): LockedImage(
        digest=TWO, platforms={"linux/amd64": ONE, "linux/arm64": ONE}, resolved=date(2026, 3, 1)
    )})  # fmt: skip
    one = version(tmp_path)
    assert len({key(one, lock), key(one, lock, "linux/arm64"), key(one, lock, server="0.1.0+1")}) == 3


def test_native_packages_count_with_their_order_and_take_the_second_form(tmp_path: Path) -> None:
    def of(*native: str) -> str:
        return key(version(tmp_path, python=PythonEnvironment(native=native)))

    assert of().startswith("e1-")
    assert of("cudnn").startswith("e2-")
    assert len({of("cudnn", "nccl"), of("nccl", "cudnn"), of("cudnn"), of()}) == 4


def test_conda_packages_that_are_none_of_pythons_are_read_where_images_hold_them() -> None:
    text = "dependencies: [conda-forge::cudatoolkit  =  11.8, openblas, numpy]\n"
    environment, findings = read_conda(text, file="conda.yml", native=True)
    assert not findings
    assert environment.native == ("conda-forge::cudatoolkit = 11.8", "openblas")
    assert environment.requirements == ("numpy",)
    environment, findings = read_conda(text, file="conda.yml")
    assert environment.native == ()
    assert [finding.path for finding in findings] == ["dependencies[0]", "dependencies[1]"]


def test_a_base_dockerfile_counts_by_its_text_and_its_images_digests(tmp_path: Path) -> None:
    text = "FROM debian:12 AS made\nRUN make\nFROM debian:12\nCOPY --from=made /a /a\n"
    one = version(tmp_path, base_dockerfile=text)
    assert key(one).startswith("e2-")
    assert key(one) == key(version(tmp_path, base_dockerfile=text.replace("\n", "\r\n")))
    assert key(one) == key(version(tmp_path, base_dockerfile=text.removesuffix("\n")))
    assert key(one) != key(one, locked(TWO))
    assert key(one) != key(version(tmp_path, base_dockerfile=text.replace("make", "make all")))
    inputs = image_inputs(one, locked(), "linux/amd64", server="")
    pinned = f"docker.io/library/debian@{ONE}"
    assert inputs.dockerfile == text.replace("debian:12", pinned)
    assert inputs.image is None
    assert base_images(one) == (DEBIAN,)


def test_each_part_of_the_second_form_alone_takes_it() -> None:
    def of(native: tuple[str, ...] = (), **parts: str) -> str:
        environment = PythonEnvironment(native=native)
        return environment_key(environment, base="", docker_steps=(), platform="", server="", **parts)

    keys = [of(("a",)), of(dockerfile="a"), of(context="a")]
    assert all(each.startswith("e2-") for each in keys)
    assert len({*keys, of()}) == 4


def build_context(root: Path) -> Path:
    (root / "lib").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM debian:12\nCOPY lib /lib\n")
    (root / "lib" / "a").write_text("a")
    (root / "lib" / "b").write_text("b")
    return root


def test_a_build_contexts_files_count_and_their_times_and_place_do_not(tmp_path: Path) -> None:
    one, other = build_context(tmp_path / "one"), tmp_path / "other"
    (other / "lib").mkdir(parents=True)
    for name in ("lib/b", "lib/a", "Dockerfile"):  # another order on disk
        shutil.copyfile(one / name, other / name)
        os.utime(other / name, (0, 0))

    def of(folder: Path) -> str:
        return key(version(tmp_path, build_context=folder, base_dockerfile=(folder / "Dockerfile").read_text()))

    assert of(one) == of(other)
    (other / "lib" / "a").write_text("changed")
    assert of(one) != of(other)


def test_what_a_build_needs_is_named_with_the_command(tmp_path: Path) -> None:
    plain = version(tmp_path)
    native = version(tmp_path, python=PythonEnvironment(native=("cudnn",)))
    assert set(needed_images(plain)) == {DEFAULT_BASE, UV}
    assert set(needed_images(native)) == {DEFAULT_BASE, UV, MICROMAMBA}
    findings = missing_images(plain, locked(ONE, UV), "linux/amd64", path="tidegate:endpoints.a.versions.one")
    assert [finding.path for finding in findings] == ["tidegate:endpoints.a.versions.one"]
    assert str(DEFAULT_BASE) in findings[0].problem
    assert "tidegate image update" in findings[0].remedy
    assert missing_images(plain, locked(ONE, UV, DEFAULT_BASE), "linux/amd64", path="") == []
    assert missing_images(version(tmp_path, base_image=f"a@{ONE}"), locked(ONE, UV), "linux/amd64", path="") == []


conda_texts = st.lists(
    st.sampled_from(["numpy=2.4", "scipy", "joblib>=1.3,<2", "pandas", "scikit-learn=1.9.1"]), min_size=1, unique=True
)


@settings(deadline=None)
@given(conda_texts, st.randoms(use_true_random=False))
def test_the_form_of_a_conda_file_does_not_count(packages: list[str], generator: random.Random) -> None:
    """Comments, indentation, quotes, a name and Windows' line endings, all at random."""
    plain = "dependencies:\n" + "".join(f"- {package}\n" for package in packages)
    name = f"name: {generator.choice(['a', 'b', 'c'])}\n" if generator.random() < 0.5 else ""
    indent = " " * generator.randrange(5)
    lines = "".join(
        f"{indent}- {quote}{package}{quote}{generator.choice(['', '  # why'])}\n"
        for package in packages
        for quote in (generator.choice(["", '"', "'"]),)
    )
    other = f"{name}# the team's\ndependencies:\n{lines}"
    newline = generator.choice(["\n", "\r\n"])
    one, _ = read_conda(plain, file="a.yml")
    two, _ = read_conda(other.replace("\n", newline), file="b.yml")
    assert one == two


@pytest.fixture
def docker(project: Any) -> Callable[..., Environment]:
    """Loads the project with a version's docker section."""

    def make(target: str = "local", **section: Any) -> Environment:
        ridge = project.values["tidegate:endpoints"]["diabetes"]["versions"]["ridge"]
        ridge["environment"] = {"docker": section}
        return load({**project.values, "tidegate:target": target}, root=project.root, stack="local")

    return make


def ridge_of(environment: Environment) -> VersionSpec:
    return next(each for each in environment.endpoints[0].versions if each.name == "ridge")


def test_a_base_dockerfile_is_a_path_or_a_text(docker: Callable[..., Environment], project: Any) -> None:
    text = "FROM debian:12\nRUN true\n"
    (project.root / "base.dockerfile").write_bytes(b"\xef\xbb\xbf" + text.encode())
    for written, read in ((text, text), ("../base.dockerfile", text), ("from debian:12", "from debian:12")):
        spec = ridge_of(docker(baseDockerfile=written)).built_from
        assert spec.base_dockerfile == read
        assert base_images(VersionSpec(name="x", inference=spec)) == (DEBIAN,)


def test_a_build_context_is_a_folder_with_a_dockerfile(docker: Callable[..., Environment], project: Any) -> None:
    folder = build_context(project.root / "ridge" / "image")
    (folder / "other.dockerfile").write_text("FROM scratch\n")
    spec = ridge_of(docker(buildContext={"location": "image"})).built_from
    assert (spec.build_context, spec.base_dockerfile) == (folder, (folder / "Dockerfile").read_text())
    named = {"location": "image", "dockerfilePath": "other.dockerfile", "locationType": "Local"}
    assert ridge_of(docker(buildContext=named)).built_from.base_dockerfile == "FROM scratch\n"


@pytest.mark.parametrize(
    ("section", "path", "problem"),
    [
        ({"baseImage": "Debian"}, "baseImage", "capital letters"),
        ({"baseImage": "a", "baseDockerfile": "FROM a"}, "baseDockerfile", "baseImage and baseDockerfile"),
        ({"baseImage": "a", "buildContext": {"location": "x"}}, "buildContext", "baseImage and buildContext"),
        ({"baseDockerfile": "nowhere"}, "baseDockerfile", 'no file "nowhere"'),
        ({"baseDockerfile": "RUN a\nRUN b\n"}, "baseDockerfile", "no FROM"),
        ({"baseDockerfile": "ARG A\nFROM ${A}\n"}, "baseDockerfile", 'line 2: the image "${A}" is a variable'),
        ({"buildContext": {"locationType": "local"}}, "buildContext", "folder is missing"),
        ({"buildContext": {"location": "nowhere"}}, "buildContext.location", 'no folder "nowhere"'),
        ({"buildContext": {"location": "https://x/y.git"}}, "buildContext.location", "only a folder"),
        ({"buildContext": {"location": ".", "locationType": "git"}}, "buildContext.location", "only a folder"),
        ({"buildContext": {"location": "."}}, "buildContext.dockerfilePath", 'no file "Dockerfile"'),
        (
            {"buildContext": {"location": ".", "dockerfilePath": "../sample.json"}},
            "buildContext.dockerfilePath",
            "no file",
        ),
    ],
)
def test_a_base_that_cannot_be_used_is_refused(
    docker: Callable[..., Environment], section: dict[str, Any], path: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        docker(**section)
    errors = [finding for finding in caught.value.findings if finding.severity == "error"]
    assert [finding.path.rpartition("docker.")[2] for finding in errors] == [path]
    assert problem in errors[0].problem


def test_the_local_target_and_images_agree_on_the_key(docker: Callable[..., Environment], project: Any) -> None:
    runtime = project.root / "runtime"
    runtime.symlink_to(CHECKOUT / "runtime")
    write(locked(), project.root / FILE)
    environment = docker(baseImage="debian:12")
    plan = plan_local(environment, root=project.root)
    of_image = key(ridge_of(environment), server=server_version(runtime))
    assert plan.endpoints[0].deployments["ridge"].environment == of_image
    assert of_image in plan.environments
    write(locked(TWO), project.root / FILE)
    moved = plan_local(environment, root=project.root).endpoints[0].deployments["ridge"].environment
    assert moved == key(ridge_of(environment), locked(TWO), server=server_version(runtime))
    assert moved != of_image


def test_the_platform_is_the_configs(project: Any) -> None:
    assert load(project.values, root=project.root, stack="local").image_platform == "linux/amd64"
    values = {**project.values, "tidegate:imagePlatform": "linux/arm64"}
    assert load(values, root=project.root, stack="local").image_platform == "linux/arm64"
    with pytest.raises(ConfigError, match="imagePlatform"):
        load({**values, "tidegate:imagePlatform": "windows"}, root=project.root, stack="local")
