"""From a version's merged settings to what it runs and how: files found, defaults filled in."""

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.endpoint.layers import Layer, Settings
from tidegate.endpoint.spec import AutoScalerSpec, DeploymentSpec, InferenceSpec, LivenessSpec
from tidegate.findings import Finding
from tidegate.image.base import BaseDockerfileError, dockerfile_images
from tidegate.image.python import PythonEnvironment, read_conda, read_conda_document, read_requirements
from tidegate.image.reference import Reference, ReferenceFormatError
from tidegate.parse import key_path
from tidegate.paths import display, kind, locate

Resolved = tuple[InferenceSpec | None, list[Finding]]

_FILE = ("environment", "python", "condaDependenciesFile")
_INLINE = ("environment", "python", "condaDependencies")
_DEFAULT = DeploymentSpec()
_SCALER = AutoScalerSpec()


def resolve_inference(settings: Settings, root: Path, *, native: bool = False) -> Resolved:
    """Find the code and read the environment; None where that cannot be done, with the reasons.

    `native` says whether the target's environments can hold conda packages that are no Python packages.
    """
    source, findings = _source_directory(settings)
    if findings or not settings.sound("sourceDirectory"):
        return None, findings
    entry, findings = _entry_script(settings, source)
    python, more = _python(settings, source, root, native=native)
    steps, others = _docker_steps(settings, source)
    base, of_base = _base(settings, source)
    findings += more + others + of_base + _variables(settings)
    if entry is None:
        return None, findings
    environment = settings.value.environment
    spec = InferenceSpec(
        entry_script=entry.relative_to(source).as_posix() if source else entry.name,
        source=source or entry,
        python=python,
        python_file=_python_file(settings, source, root),
        docker_steps=steps,
        base_image=base.image,
        base_dockerfile=base.dockerfile,
        build_context=base.context,
        environment_variables=(environment.environment_variables if environment else None) or {},
    )
    return spec, findings


def resolve_deployment(settings: Settings) -> tuple[DeploymentSpec, list[Finding]]:
    """Fill in table D's defaults and check what one setting says of another."""
    value = settings.value
    resources, probe = value.container_resource_requirements, value.liveness_probe_requirements
    autoscaler, findings = _autoscaler(settings)
    spec = DeploymentSpec(
        num_replicas=None if autoscaler else value.num_replicas or 1,
        autoscaler=autoscaler,
        gpu_cores=value.gpu_cores,
        app_insights=bool(value.app_insights_enabled),
        data_collection=bool(value.data_collection and value.data_collection.storage_enabled),
        **_given(
            cpu=resources and resources.cpu,
            memory_gb=resources and resources.memory_in_gb,
            cpu_limit=resources and resources.cpu_limit,
            memory_gb_limit=resources and resources.memory_in_gb_limit,
            scoring_timeout_ms=value.scoring_timeout_ms,
            max_concurrent_requests=value.max_concurrent_requests_per_container,
            max_queue_wait_ms=value.max_queue_wait_ms,
        ),
        liveness=LivenessSpec(
            **_given(
                period_s=probe and probe.period_seconds,
                initial_delay_s=probe and probe.initial_delay_seconds,
                timeout_s=probe and probe.timeout_seconds,
                success_threshold=probe and probe.success_threshold,
                failure_threshold=probe and probe.failure_threshold,
            )
        ),
    )
    return spec, findings + _limits(settings, spec)


def _given(**values: object) -> dict[str, Any]:
    """The values that were written; a spec's defaults stand for the others."""
    return {name: value for name, value in values.items() if value is not None}


def _autoscaler(settings: Settings) -> tuple[AutoScalerSpec | None, list[Finding]]:
    scaler, fixed = settings.value.auto_scaler, settings.value.num_replicas
    enabled = scaler.autoscale_enabled if scaler else None
    if not settings.sound("autoScaler") or not settings.sound("numReplicas"):
        return _SCALER, []
    if enabled and fixed is not None:
        said = f"numReplicas is {fixed}, and the autoscaler is on"
        remedy = "Take numReplicas out, or set autoScaler.autoscaleEnabled to false"
        return None, [settings.origin("numReplicas").finding(("numReplicas",), said, remedy)]
    if enabled is False or fixed is not None:
        names = sorted((scaler.model_dump(exclude_none=True, by_alias=True) if scaler else {}).keys() - _SWITCH)
        if not names:
            return None, []
        problem = f"the autoscaler is off, so {', '.join(names)} counts for nothing"
        note = settings.origin("autoScaler").finding(("autoScaler",), problem, severity="warning")
        return None, [note]
    spec = AutoScalerSpec(
        **_given(
            min_replicas=scaler and scaler.min_replicas,
            max_replicas=scaler and scaler.max_replicas,
            refresh_period_s=scaler and scaler.refresh_period_in_seconds,
            target_utilization=scaler and scaler.target_utilization,
        )
    )
    if spec.min_replicas <= spec.max_replicas:
        return spec, []
    default = "" if scaler and scaler.max_replicas is not None else ", its default"
    problem = f"minReplicas {spec.min_replicas} is over maxReplicas {spec.max_replicas}{default}"
    loc = ("autoScaler", "minReplicas")
    return spec, [settings.origin(*loc).finding(loc, problem, "Raise maxReplicas or lower minReplicas")]


_SWITCH = {"autoscaleEnabled"}


def _limits(settings: Settings, spec: DeploymentSpec) -> list[Finding]:
    findings: list[Finding] = []
    group = "containerResourceRequirements"
    for name, asked, limit in (
        ("cpu", spec.cpu, spec.cpu_limit),
        ("memoryInGB", spec.memory_gb, spec.memory_gb_limit),
    ):
        if limit is not None and limit < asked and settings.sound(group, name):
            loc = (group, f"{name}Limit")
            problem = f"the limit {limit:g} is below {name} {asked:g}"
            findings.append(settings.origin(*loc).finding(loc, problem, f"Raise {name}Limit or lower {name}"))
    return findings


def _source_directory(settings: Settings) -> tuple[Path | None, list[Finding]]:
    text = settings.value.source_directory
    if text is None:
        return None, []
    loc = ("sourceDirectory",)
    origin = settings.origin(*loc)
    path = locate(origin.folder, text)
    if kind(path) == "folder":
        return path, []
    return None, [origin.finding(loc, f'there is no folder "{text}"', _where(origin))]


def _entry_script(settings: Settings, source: Path | None) -> tuple[Path | None, list[Finding]]:
    text = settings.value.entry_script
    loc = ("entryScript",)
    origin = settings.origin(*loc)
    if text is None:
        if not settings.sound(*loc):
            return None, []
        remedy = "Name the script with init() and run(), here or in the file under inference"
        return None, [origin.finding(loc, "there is no entry script", remedy)]
    path, findings = _file(settings, loc, text, source)
    if path and source and not path.is_relative_to(source):
        remedy = "Choose a sourceDirectory that holds it"
        return None, [origin.finding(loc, f'"{text}" is outside the source directory', remedy)]
    return path, findings


def _python(
    settings: Settings, source: Path | None, root: Path, *, native: bool
) -> tuple[PythonEnvironment, list[Finding]]:
    environment = settings.value.environment
    python = environment.python if environment else None
    text = python.conda_dependencies_file if python else None
    document = python.conda_dependencies if python else None
    if document is not None:
        origin = settings.origin(*_INLINE)
        if text is not None:
            problem = "condaDependencies and condaDependenciesFile are both given"
            return PythonEnvironment(), [origin.finding(_INLINE, problem, "Take one of them out")]
        place = key_path((*origin.base, *_INLINE))
        return read_conda_document(document, file=origin.file, path=place, native=native)
    if text is None:
        return PythonEnvironment(), []
    path, findings = _file(settings, _FILE, text, source)
    if path is None:
        return PythonEnvironment(), findings
    try:
        content = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        problem = f'"{text}" cannot be read as text in UTF-8'
        return PythonEnvironment(), [settings.origin(*_FILE).finding(_FILE, problem, "Save it as such")]
    file = display(path, root)
    return (
        read_requirements(content, file=file)
        if path.suffix == ".txt"
        else read_conda(content, file=file, native=native)
    )


def _python_file(settings: Settings, source: Path | None, root: Path) -> str:
    """The file of the packages, where one is named and there."""
    environment = settings.value.environment
    text = environment.python.conda_dependencies_file if environment and environment.python else None
    path = _file(settings, _FILE, text, source)[0] if text is not None else None
    return display(path, root) if path else ""


def _docker_steps(settings: Settings, source: Path | None) -> tuple[tuple[str, ...], list[Finding]]:
    text = settings.value.extra_docker_file_steps
    loc = ("extraDockerFileSteps",)
    if text is None:
        return (), []
    path, findings = _file(settings, loc, text, source)
    if path is None:
        return (), findings
    try:
        return tuple(line for line in path.read_text("utf-8-sig").splitlines() if line.strip()), []
    except (OSError, UnicodeDecodeError):
        problem = f'"{text}" cannot be read as text in UTF-8'
        return (), [settings.origin(*loc).finding(loc, problem, "Save it as such")]


def _file(
    settings: Settings, loc: tuple[str, ...], text: str, source: Path | None
) -> tuple[Path | None, list[Finding]]:
    origin = settings.origin(*loc)
    path = locate(source or origin.folder, text)
    if kind(path) == "file":
        return path, []
    place = "the source directory" if source else _place(origin)
    return None, [origin.finding(loc, f'there is no file "{text}"', f"Write a path from {place}")]


@dataclass(frozen=True)
class _Base:
    image: str = ""
    dockerfile: str = ""
    context: Path | None = None


def _base(settings: Settings, source: Path | None) -> tuple[_Base, list[Finding]]:
    """What the image is made on: exactly one of three, or none for the default (rule I5)."""
    environment = settings.value.environment
    docker = environment.docker if environment else None
    if docker is None:
        return _Base(), []
    written = [key for key in _BASES if settings.written(*_DOCKER, key)]
    if len(written) > 1:
        loc = (*_DOCKER, written[-1])
        problem = f"{', '.join(written[:-1])} and {written[-1]} are both given"
        return _Base(), [settings.origin(*loc).finding(loc, problem, "Leave one of them")]
    if docker.base_image is not None:
        return _base_image(settings, docker.base_image)
    if docker.base_dockerfile is not None:
        return _base_dockerfile(settings, docker.base_dockerfile, source)
    return _build_context(settings, source) if docker.build_context else (_Base(), [])


_DOCKER = ("environment", "docker")
_BASES = ("baseImage", "baseDockerfile", "buildContext")


def _base_image(settings: Settings, text: str) -> tuple[_Base, list[Finding]]:
    loc = (*_DOCKER, "baseImage")
    try:
        Reference.parse(text)
    except ReferenceFormatError as error:
        remedy = "Write registry/repository:tag, or registry/repository@sha256:..."
        return _Base(), [settings.origin(*loc).finding(loc, f'"{text}" {error}', remedy)]
    return _Base(image=text), []


def _base_dockerfile(settings: Settings, given: str, source: Path | None) -> tuple[_Base, list[Finding]]:
    loc = (*_DOCKER, "baseDockerfile")
    if re.match(r"\s*(FROM|ARG)\s|\s*#|[^\n]*\n", given, re.IGNORECASE):  # v1's files hold the text itself
        return _read_dockerfile(settings, loc, given, None)
    path, findings = _file(settings, loc, given, source)
    return _read_dockerfile(settings, loc, path, None) if path else (_Base(), findings)


def _build_context(settings: Settings, source: Path | None) -> tuple[_Base, list[Finding]]:
    environment = settings.value.environment
    given = environment.docker.build_context if environment and environment.docker else None
    location = given.location if given else None
    kind_of = given.location_type if given else None
    at = (*_DOCKER, "buildContext")
    loc = (*at, "location")
    origin = settings.origin(*at)
    if location is None:
        return _Base(), [origin.finding(at, "the folder is missing", "Write location: and a folder")]
    if (kind_of or "local").lower() != "local" or "://" in location:
        problem = "only a folder of this project can be a build context"
        return _Base(), [origin.finding(loc, problem, "Copy its files into the project, and name the folder")]
    folder = locate(source or origin.folder, location)
    if kind(folder) != "folder":
        return _Base(), [origin.finding(loc, f'there is no folder "{location}"', _where(origin))]
    name = (given.dockerfile_path if given else None) or "Dockerfile"
    path = locate(folder, name)
    if kind(path) != "file" or not path.is_relative_to(folder):
        place = (*at, "dockerfilePath")
        return _Base(), [origin.finding(place, f'there is no file "{name}" in "{location}"', "Write it from there")]
    return _read_dockerfile(settings, at, path, folder)


def _read_dockerfile(
    settings: Settings, loc: tuple[str, ...], given: Path | str, context: Path | None
) -> tuple[_Base, list[Finding]]:
    origin = settings.origin(*loc)
    try:
        text = given if isinstance(given, str) else given.read_text("utf-8-sig")
        dockerfile_images(text)
    except (OSError, UnicodeDecodeError):
        return _Base(), [origin.finding(loc, "the Dockerfile cannot be read as text in UTF-8", "Save it as such")]
    except BaseDockerfileError as error:
        return _Base(), [origin.finding(loc, f"line {error.line}: {error.problem}", error.remedy)]
    return _Base(dockerfile=text, context=context), []


def _variables(settings: Settings) -> list[Finding]:
    environment = settings.value.environment
    variables = (environment.environment_variables if environment else None) or {}
    findings: list[Finding] = []
    for name, value in variables.items():
        # Kubernetes' rule for the name; a null character is what no operating system hands to a process.
        if not re.fullmatch("[ -<>-~]+", name) or "\0" in value:
            loc = ("environment", "environmentVariables", name)
            problem = 'a name is printable ASCII without "=", and no value has a null character in it'
            findings.append(settings.origin(*loc).finding(loc, problem, "Write NAME: value"))
    return findings


def _where(origin: Layer) -> str:
    return f"Write a path from {_place(origin)}"


def _place(origin: Layer) -> str:
    return f"the folder {posixpath.dirname(origin.file) or '.'}" if origin.file else "the project's root"
