"""What images the versions of a stack need, what goes into each, and where in the user's files it is written."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from tidegate.cache import cache_folder
from tidegate.config import Environment
from tidegate.endpoint.spec import Delivery, DeploymentSpec, VersionSpec
from tidegate.findings import ConfigError, Finding
from tidegate.image.changes import Change, changes
from tidegate.image.dockerfile import KEY_LABEL, TITLE_LABEL, image_labels
from tidegate.image.inputs import ImageInputs, image_inputs
from tidegate.image.lock import FILE, read
from tidegate.image.record import Record, record
from tidegate.image.server import server_version
from tidegate.image.snapshot import Snapshot, SnapshotError, take_snapshot
from tidegate.model.content import ContentError, ContentFile, content_files, digest_of
from tidegate.model.spec import ModelSpec
from tidegate.parse import Loc, key_path

BAKED_BELOW_BYTES = 512 * 1024 * 1024
"""Where nothing is said, code and models of less go into an image, and of more are fetched by each pod."""


@dataclass(frozen=True)
class PlannedModel:
    """One number of a model, and its files as they are now."""

    spec: ModelSpec
    files: tuple[ContentFile, ...]
    digest: str

    @property
    def title(self) -> str:
        """The name of its file or folder, by which scripts open it."""
        return self.spec.path.name

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)

    def laid_out(self) -> Iterator[tuple[str, ContentFile]]:
        """Its files by their path below `<name>/<number>`, where v1 put them."""
        folder = self.spec.path.is_dir()
        yield from ((f"{self.title}/{file.path}" if folder else self.title, file) for file in self.files)


@dataclass(frozen=True)
class PlannedImage:
    """One image: its environment's, and the layer with code and models over it."""

    name: str
    """`endpoint/version`, or of a registered one `name:number`."""
    loc: Loc
    """Where it stands in the config."""
    repository: str
    labels: Mapping[str, str]
    """What the image says of itself."""
    inputs: ImageInputs
    source: Path
    """The source directory, or the entry script alone."""
    code: Snapshot
    entry_script: str
    models: tuple[PlannedModel, ...]
    """In the order of the config."""
    delivery: Delivery
    contents: Record
    python_file: str
    """Relative to the project's root; empty where no file names the packages."""

    @property
    def size(self) -> int:
        """Bytes of code and models."""
        return self.code.size + sum(model.size for model in self.models)

    def changes(self, last: Mapping[str, object] | None) -> tuple[Change, ...]:
        """What differs from the last deployment's contents, as far as the state knows those."""
        if last is None:
            return ()
        known = {name: value for name, value in self.contents.items() if name in last}
        found = changes(last, known)
        if last.get("key") != self.contents["key"] and not any(change.part == "environment" for change in found):
            text = "the base image, a Docker step or the scoring server is another one"
            return (Change("environment", text), *found)
        return found


def plan_models(environment: Environment) -> Mapping[str, PlannedModel]:
    """All registered numbers by `name:number`, in their order, and their files; reads those.

    Raises:
        ConfigError: models that cannot be read; all of them.
    """
    found: dict[str, PlannedModel] = {}
    findings: list[Finding] = []
    for spec in environment.models:
        try:
            files = content_files(spec.path, cache=cache_folder(os.environ))
        except (ContentError, OSError) as error:
            findings.append(Finding(key_path(("tidegate:models", spec.name, str(spec.number))), str(error)))
            continue
        digest = digest_of(files, folder=spec.path.is_dir())
        found[f"{spec.name}:{spec.number}"] = PlannedModel(spec, files, digest)
    if findings:
        raise ConfigError(findings)
    return found


def plan_images(
    environment: Environment, models: Mapping[str, PlannedModel], *, root: Path
) -> tuple[PlannedImage, ...]:
    """The images of all versions, in the order of the config, and the registered ones that versions run.

    Those of versions that run a given image are not among them. Reads the code to name it by content; `models` are
    those of `plan_models`, `root` is the project's folder.

    Raises:
        ConfigError: `images.lock` is damaged, or code cannot be packed; all that is wrong.
    """
    planner = _Planner(environment, models, root)
    findings: list[Finding] = []
    images: list[PlannedImage] = []
    for wanted in _wanted(environment):
        try:
            images.append(planner.image(wanted))
        except SnapshotError as error:
            findings += [_within(wanted.loc, each) for each in error.findings]
    if findings:
        raise ConfigError(findings)
    return tuple(images)


def built(environment: Environment) -> Iterator[tuple[Loc, VersionSpec]]:
    """What is built for an environment, each with its place in the config: versions, and registered images they run."""
    yield from ((wanted.loc, wanted.version) for wanted in _wanted(environment))


def version_loc(endpoint: str, version: str) -> Loc:
    """Where a version stands in the config."""
    return ("tidegate:endpoints", endpoint, "versions", version)


def package_line(text: str, package: str) -> int:
    """The line, from 1, on which a conda file or a requirements file names `package` (canonical); 0 where none does."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = re.match(r"\s*(?:-\s*)?[\"']?([A-Za-z0-9][A-Za-z0-9._-]*)", line)
        if words and canonicalize_name(words[1]) == package:
            return number
    return 0


@dataclass(frozen=True)
class _Wanted:
    """An image that is built here; `version` says from what, also of a registered one."""

    name: str
    loc: Loc
    repository: str
    labels: Mapping[str, str]
    version: VersionSpec


def _wanted(environment: Environment) -> Iterator[_Wanted]:
    run = {version.image for endpoint in environment.endpoints for version in endpoint.versions}
    several = Counter(image.name for image in environment.images)
    for endpoint in environment.endpoints:
        for version in endpoint.versions:
            if not version.image:
                name = f"{endpoint.name}/{version.name}"
                # No part of a path in a registry may end in a hyphen.
                repository = f"tidegate/{endpoint.name.rstrip('-')}/{version.name.rstrip('-')}"
                loc = version_loc(endpoint.name, version.name)
                yield _Wanted(name, loc, repository, {TITLE_LABEL: name}, version)
    for image in environment.images:
        if str(image) in run and image.inference:
            loc = ("tidegate:images", image.name, *([str(image.number)] if several[image.name] > 1 else []))
            labels = image_labels(image.name, image.number, tags=image.tags, description=image.description)
            version = VersionSpec(
                name=image.name,
                inference=image.inference,
                models=image.models,
                delivery="baked",
                deployment=DeploymentSpec(app_insights=True),  # whoever runs it may want telemetry
            )
            yield _Wanted(str(image), loc, f"tidegate/images/{image.name}", labels, version)


class _Planner:
    """What all images of one environment are planned with."""

    def __init__(self, environment: Environment, models: Mapping[str, PlannedModel], root: Path) -> None:
        self._platform, self._models = environment.image_platform, models
        self._lock, self._server = read(root / FILE), server_version(root / "runtime")

    def image(self, wanted: "_Wanted") -> PlannedImage:
        version = wanted.version
        runs = version.built_from
        inputs = image_inputs(version, self._lock, self._platform, server=self._server)
        code = take_snapshot(runs.source, cache=cache_folder(os.environ))
        models = tuple(self._models[str(model)] for model in version.models)
        size = code.size + sum(model.size for model in models)
        digests = {f"{model.spec.name}:{model.spec.number}": model.digest for model in models}
        return PlannedImage(
            wanted.name,
            wanted.loc,
            wanted.repository,
            {**wanted.labels, KEY_LABEL: inputs.key},
            inputs,
            runs.source,
            code,
            runs.entry_script,
            models,
            version.delivery or ("baked" if size < BAKED_BELOW_BYTES else "fetched"),
            record(inputs, code=code.digest, models=digests),
            runs.python_file,
        )


def _within(loc: Loc, finding: Finding) -> Finding:
    """What is wrong with a file, at the version that it belongs to."""
    return replace(finding, path=key_path(loc), problem=": ".join(filter(None, (finding.path, finding.problem))))
