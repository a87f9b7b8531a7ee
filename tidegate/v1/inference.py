"""`inferenceconfig.json` of Azure Machine Learning v1, and the same keys beside a version in the stack config."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import Field, SecretStr

from tidegate.parse import Input


class ImageRegistry(Input):
    """Where a base image is pulled from."""

    address: str | None = None
    username: str | None = None
    password: SecretStr | None = None


class BuildContext(Input):
    """A folder with a Dockerfile and the files that it copies."""

    location_type: str | None = Field(None, description="Accepted from v1's files where it is local.")
    location: str | None = Field(None, description="The folder. Required.")
    dockerfile_path: str | None = Field(None, description="From that folder; default Dockerfile.")


class Docker(Input):
    """What the image is made on; has no meaning on the local target, which runs no images."""

    base_image: str | None = Field(None, description="One of baseImage, baseDockerfile and buildContext.")
    base_dockerfile: str | None = Field(None, description="A Dockerfile's path, or its text.")
    build_context: BuildContext | None = Field(None, description="For a Dockerfile that copies files.")
    base_image_registry: ImageRegistry | None = None
    enabled: bool | None = None
    arguments: list[str] | None = None
    shared_volumes: bool | None = None
    shm_size: str | None = None


class Python(Input):
    """The Python environment: one of condaDependencies and condaDependenciesFile."""

    conda_dependencies: dict[str, Any] | None = Field(None, description="A conda file's content, written in place.")
    conda_dependencies_file: str | None = Field(
        None, description="A conda file, from sourceDirectory if that is given, else from this file's folder."
    )
    user_managed_dependencies: bool | None = None
    interpreter_path: str | None = None
    base_conda_environment: str | None = None


class Environment(Input):
    """The environment that the entry script runs in (v1's newer form)."""

    name: str | None = None
    version: str | None = None
    environment_variables: dict[str, str] | None = None
    inferencing_stack_version: str | None = None
    docker: Docker | None = None
    python: Python | None = None
    spark: dict[str, Any] | None = Field(None, description="Accepted from v1's files; has no use here.")
    databricks: dict[str, Any] | None = Field(None, description="Accepted from v1's files; has no use here.")


class InferenceConfig(Input):
    """Both forms of v1's file; where `environment` is set, the older form's keys are left aside."""

    entry_script: str | None = Field(
        None,
        description="The script with init() and run(): from sourceDirectory if given, else from this file's folder.",
    )
    source_directory: str | None = Field(
        None, description="The folder with the code: from the project's root here, from the file's folder in v1's file."
    )
    description: str | None = None
    environment: Environment | None = None
    runtime: Literal["python", "spark-py"] | None = Field(None, description="Older form.")
    conda_file: str | None = Field(None, description="Older form: the conda file.")
    extra_docker_file_steps: str | None = Field(None, description="Older form: a file with Docker steps.")
    extra_dockerfile_steps: str | None = Field(None, description="Older form: the same, as v1's CLI spells it.")
    enable_gpu: bool | None = Field(None, description="Older form.")
    cuda_version: str | None = Field(None, description="Older form.")
    base_image: str | None = Field(None, description="Older form.")
    base_image_registry: ImageRegistry | None = Field(None, description="Older form.")


OLDER_FORM = (
    "runtime",
    "condaFile",
    "extraDockerFileSteps",
    "extraDockerfileSteps",
    "enableGpu",
    "cudaVersion",
    "baseImage",
    "baseImageRegistry",
)


def left_aside(tree: Mapping[str, object]) -> tuple[str, ...]:
    """The keys of the older form in `tree` that do not count because `environment` stands beside them."""
    return tuple(key for key in OLDER_FORM if key in tree) if "environment" in tree else ()


def newer_form(tree: Mapping[str, object]) -> dict[str, object]:
    """Return `tree` with the older form's keys moved to where the newer form has them, or left out."""
    aside = left_aside(tree)
    newer = {key: value for key, value in tree.items() if key not in aside}
    for loc, key in _MOVED.items():
        if key in newer:
            at = newer
            for part in loc[:-1]:
                at = cast(dict[str, dict[str, object]], at).setdefault(part, {})
            at[loc[-1]] = newer.pop(key)
    return newer


def written_as(loc: tuple[str | int, ...], tree: Mapping[str, object]) -> tuple[str | int, ...]:
    """Return where the user wrote in `tree` what stands at `loc` of its newer form."""
    if "environment" in tree:
        return loc
    for newer, key in _MOVED.items():
        if loc[: len(newer)] == newer and key in tree:
            return (key, *loc[len(newer) :])
    return loc


def newer_place(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return where the newer form has what stands at `loc`, in either form."""
    for newer, key in _MOVED.items():
        if loc[:1] == (key,):
            return (*newer, *loc[1:])
    return loc


_MOVED = {
    ("environment", "python", "condaDependenciesFile"): "condaFile",
    ("environment", "docker", "baseImage"): "baseImage",
    ("environment", "docker", "baseImageRegistry"): "baseImageRegistry",
    ("extraDockerFileSteps",): "extraDockerfileSteps",
}
