"""What goes into an environment's image, put together the same way for every target."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from tidegate.endpoint.spec import InferenceSpec, VersionSpec
from tidegate.findings import Finding
from tidegate.image.base import DEFAULT_BASE, MICROMAMBA, UV, dockerfile_images, pinned_dockerfile
from tidegate.image.key import environment_key
from tidegate.image.lock import Lock
from tidegate.image.python import PythonEnvironment
from tidegate.image.reference import Reference
from tidegate.image.snapshot import Snapshot, take_snapshot

PLATFORM = "linux/amd64"
"""The platform of images where the config names none; never the host's."""


@dataclass(frozen=True)
class ImageInputs:
    """Everything that an environment's image is made from; its key is over all of it but names."""

    image: Reference | None
    """The base image; by digest where the lock knows it. None where a Dockerfile is given."""
    dockerfile: str
    """The given Dockerfile, its images by digest where the lock knows them; empty where there is none."""
    context: Snapshot | None
    """The files for that Dockerfile, where a folder is given."""
    docker_steps: tuple[str, ...]
    python: PythonEnvironment
    platform: str
    server: str
    """Version of the scoring server (`server_version`), and `.telemetry` where that is in it."""

    @property
    def telemetry(self) -> bool:
        """Whether the scoring server has what it sends requests to Application Insights with."""
        return self.server.endswith(_TELEMETRY)

    @property
    def base(self) -> str:
        """The base image as it enters the key: its digest; where it is not known its name, empty for the default."""
        if self.image is None or self.image == DEFAULT_BASE:
            return ""
        return self.image.digest or str(self.image)

    @cached_property
    def key(self) -> str:
        """The environment's key."""
        return environment_key(
            self.python,
            base=self.base,
            docker_steps=self.docker_steps,
            platform=self.platform,
            server=self.server,
            dockerfile=self.dockerfile,
            context=self.context.digest if self.context else "",
        )


def image_inputs(version: VersionSpec, lock: Lock, platform: str, *, server: str) -> ImageInputs:
    """What the environment of a version is made from; `server` is what `server_version` returns.

    An image that the lock does not know keeps its name: `missing_images` says so, for targets that build images.

    Raises:
        SnapshotError: the build context cannot be packed.
    """
    inference = version.built_from
    named = _named(lock, platform)
    given = inference.base_dockerfile
    return ImageInputs(
        image=None if given else named(_base(inference)),
        dockerfile=pinned_dockerfile(given, lambda reference: str(named(reference))) if given else "",
        context=take_snapshot(inference.build_context) if inference.build_context else None,
        docker_steps=inference.docker_steps,
        python=inference.python,
        platform=platform,
        server=f"{server}{_TELEMETRY}" if version.deployment.app_insights else server,
    )


def base_images(version: VersionSpec) -> tuple[Reference, ...]:
    """The images that the environment of a version is made on, by name, sorted."""
    inference = version.built_from
    return dockerfile_images(inference.base_dockerfile) if inference.base_dockerfile else (_base(inference),)


def needed_images(version: VersionSpec) -> tuple[Reference, ...]:
    """All images that a build of the version's environment takes from registries, by name, sorted: its tools too."""
    tools = (UV, MICROMAMBA) if version.built_from.python.native else (UV,)
    return tuple(sorted({*base_images(version), *tools}))


def missing_images(version: VersionSpec, lock: Lock, platform: str, *, path: str) -> list[Finding]:
    """What the lock has to know before the version's environment can be built; `path` is the version's key path."""
    return [finding for reference in needed_images(version) for finding in lock.check(reference, platform, path=path)]


_TELEMETRY = ".telemetry"


def _base(inference: InferenceSpec) -> Reference:
    return Reference.parse(inference.base_image) if inference.base_image else DEFAULT_BASE


def _named(lock: Lock, platform: str) -> Callable[[Reference], Reference]:
    def named(reference: Reference) -> Reference:
        digest = lock.digest(reference, platform)
        return reference.at(digest) if digest else reference

    return named
