"""What is built for the versions of a stack: the image of an environment, and the thin one of a version over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.digest import records_sha256
from tidegate.image.context import ContextFile, KnownFile
from tidegate.image.dockerfile import (
    Tools,
    VersionLayer,
    environment_dockerfile,
    environment_files,
    version_dockerfile,
)
from tidegate.image.inputs import ImageInputs
from tidegate.image.plan import PlannedImage

ENVIRONMENTS = "tidegate/environment"
"""The repository of all environments."""


@dataclass(frozen=True)
class Build:
    """One image: its name in a registry, which says what it is made from, and how it is made."""

    repository: str
    tag: str
    dockerfile: str
    files: Mapping[str, ContextFile]
    platform: str

    @property
    def name(self) -> str:
        """`repository:tag`"""
        return f"{self.repository}:{self.tag}"


def environment_build(inputs: ImageInputs, tools: Tools, runtime: Path) -> Build:
    """The image of an environment; `runtime` is the folder of the scoring server's distribution."""
    files = environment_files(inputs, runtime)
    return Build(ENVIRONMENTS, inputs.key, environment_dockerfile(inputs, tools), files, inputs.platform)


def version_build(image: PlannedImage) -> Build:
    """The image of a version with its code and its models in it, over the one of its environment.

    Its tag is `v1-` and the SHA-256 over the environment's key, the code's digest, the entry script, and the models by
    name and number with their files' names and digests, and the labels: all that goes into it, so that one tag is one
    image.
    """
    models = sorted(image.models, key=lambda model: (model.spec.name, model.spec.number))
    records = [
        (image.inputs.key, image.code.digest, image.entry_script),
        *sorted(image.labels.items()),
        *((model.spec.name, str(model.spec.number), model.title, model.digest) for model in models),
    ]
    layer = VersionLayer(
        image.entry_script,
        tuple((model.spec.name, model.spec.number) for model in models),
        image.labels,
    )
    files: dict[str, ContextFile] = {
        f"code/{file.path}": KnownFile(image.code.root / file.path, file.sha256, file.executable)
        for file in image.code.files
    }
    for model in models:
        place = f"models/{model.spec.name}/{model.spec.number}"
        files |= {f"{place}/{path}": KnownFile(file.source, file.sha256) for path, file in model.laid_out()}
    return Build(
        image.repository,
        f"v1-{records_sha256(records)}",
        version_dockerfile(layer),
        files,
        image.inputs.platform,
    )
