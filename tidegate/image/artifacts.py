"""What has to be built and stored for the versions of a stack before pods can run them; decided from plain values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.cluster.delivery import without_store
from tidegate.config import Environment
from tidegate.findings import ConfigError, Finding
from tidegate.image.build import Build, environment_build, version_build
from tidegate.image.dockerfile import Tools
from tidegate.image.inputs import missing_images
from tidegate.image.lock import FILE, Lock, read
from tidegate.image.plan import PlannedImage, PlannedModel, built, plan_images, plan_models
from tidegate.image.reference import Reference
from tidegate.parse import key_path


@dataclass(frozen=True)
class ArtifactPlan:
    """Everything that may have to be made before the versions' pods can run."""

    images: tuple[PlannedImage, ...]
    """Those that do not run a given image, in the order of the config."""
    environments: Mapping[str, Build]
    """By the environment's key: versions share them."""
    versions: Mapping[str, Build]
    """Of what is baked, by `endpoint/version`."""
    models: Mapping[str, PlannedModel]
    """All registered numbers, by `name:number`."""
    runs: Mapping[str, str]
    """Which of the images each version runs that is not given one, by `endpoint/version`."""
    given: Mapping[str, Reference]
    """The images that exist already, with their digests, of versions that run one, by `endpoint/version`."""


def plan_artifacts(environment: Environment, *, root: Path) -> ArtifactPlan:
    """Settle what is built and stored; `root` is the project's folder. Reads code and models.

    Raises:
        ConfigError: bases that are not in images.lock, files that cannot be packed, no store for what is fetched.
    """
    lock = read(root / FILE)
    if missing := list(_missing(environment, lock)):
        raise ConfigError(missing)
    models = plan_models(environment)
    images = plan_images(environment, models, root=root)
    if homeless := list(_homeless(environment, images)):
        raise ConfigError(homeless)
    tools = Tools.locked(lock, environment.image_platform)
    return ArtifactPlan(
        images,
        {image.inputs.key: environment_build(image.inputs, tools, root / "runtime") for image in images},
        {image.name: version_build(image) for image in images if image.delivery == "baked"},
        models,
        *_chosen(environment),
    )


def _chosen(environment: Environment) -> tuple[dict[str, str], dict[str, Reference]]:
    registered = {str(image): image for image in environment.images}
    runs: dict[str, str] = {}
    given: dict[str, Reference] = {}
    for endpoint in environment.endpoints:
        for version in endpoint.versions:
            name, image = f"{endpoint.name}/{version.name}", registered.get(version.image)
            if image and not image.reference:
                runs[name] = str(image)
            elif version.image:
                given[name] = Reference.parse(image.reference if image else version.image)
            else:
                runs[name] = name
    return runs, given


def _missing(environment: Environment, lock: Lock) -> Iterator[Finding]:
    for loc, version in built(environment):
        yield from missing_images(version, lock, environment.image_platform, path=key_path(loc))


def _homeless(environment: Environment, images: tuple[PlannedImage, ...]) -> Iterator[Finding]:
    if environment.azure is None or environment.azure.model_store is not None:
        return
    for image in images:
        if image.delivery == "fetched":
            yield without_store(image.loc, image.size)
