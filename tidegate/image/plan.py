"""What images the versions of a stack need, what goes into each, and where in the user's files it is written."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from tidegate.cache import cache_folder
from tidegate.config import Environment
from tidegate.endpoint.spec import VersionSpec
from tidegate.image.changes import Change, changes
from tidegate.image.inputs import ImageInputs, image_inputs
from tidegate.image.lock import FILE, read
from tidegate.image.record import Record, record
from tidegate.image.server import server_version
from tidegate.image.snapshot import take_snapshot
from tidegate.model.content import content_digest


@dataclass(frozen=True)
class PlannedImage:
    """The image of one version: the environment's, and the layer with code and models over it."""

    endpoint: str
    version: str
    inputs: ImageInputs
    contents: Record
    python_file: str
    """Relative to the project's root; empty where no file names the packages."""

    @property
    def name(self) -> str:
        """`endpoint/version`"""
        return f"{self.endpoint}/{self.version}"

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


def plan_images(environment: Environment, *, root: Path) -> tuple[PlannedImage, ...]:
    """The images of all versions, in the order of the config; `root` is the project's folder.

    Reads code and models to name them by content.

    Raises:
        ConfigError: `images.lock` is damaged.
        SnapshotError: code that cannot be packed.
        ContentError: a model that cannot be read.
    """
    lock, server = read(root / FILE), server_version(root / "runtime")
    digests = {f"{model.name}:{model.number}": content_digest(model.path) for model in environment.models}

    def planned(endpoint: str, version: VersionSpec) -> PlannedImage:
        inputs = image_inputs(version, lock, environment.image_platform, server=server)
        code = take_snapshot(version.inference.source, cache=cache_folder(os.environ)).digest
        models = {str(model): digests[str(model)] for model in version.models}
        contents = record(inputs, code=code, models=models)
        return PlannedImage(endpoint, version.name, inputs, contents, version.inference.python_file)

    return tuple(planned(endpoint.name, version) for endpoint in environment.endpoints for version in endpoint.versions)


def package_line(text: str, package: str) -> int:
    """The line, from 1, on which a conda file or a requirements file names `package` (canonical); 0 where none does."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = re.match(r"\s*(?:-\s*)?[\"']?([A-Za-z0-9][A-Za-z0-9._-]*)", line)
        if words and canonicalize_name(words[1]) == package:
            return number
    return 0
