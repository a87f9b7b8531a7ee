"""The README's example as the builds of a stack, on images that the tests' own registry has."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import uv
from ruamel.yaml import YAML

from tests.engine.harness import CHECKOUT
from tests.images.base import REPOSITORY, TAG
from tests.images.registry import RegistryServer
from tests.images.stack import ImageStack
from tests.standins.buildah import Buildah
from tidegate.config import load
from tidegate.digest import records_sha256
from tidegate.image.dockerfile import (
    Tools,
    VersionLayer,
    environment_dockerfile,
    environment_files,
    version_dockerfile,
)
from tidegate.image.inputs import PLATFORM, image_inputs
from tidegate.image.lock import Lock
from tidegate.image.reference import Reference
from tidegate.image.server import server_version
from tidegate.image.snapshot import take_snapshot
from tidegate.model.content import content_digest

ENVIRONMENT = "tidegate/environment"
RIDGE = "tidegate/diabetes-ridge"
RUNTIME = CHECKOUT / "runtime"


def push_tools(registry: RegistryServer, buildah: Buildah, folder: Path) -> Tools:
    """Push this environment's uv as its maker's image has it: a binary in an otherwise empty image."""
    folder.mkdir()
    shutil.copy(uv.find_uv_bin(), folder / "uv")
    reference = Reference(registry.address, "astral-sh/uv", "tests")
    dockerfile = "FROM scratch\nCOPY uv /uv\n"
    buildah.build(folder, dockerfile, tags=[str(reference)], platform=PLATFORM, build_args={}, labels={})
    return Tools(reference.at(buildah.push(str(reference))))


def describe_example(stack: ImageStack, registry: RegistryServer, tools: Tools) -> None:
    """The version `ridge` and its environment, by the keys and Dockerfiles that every target uses."""
    config = YAML(typ="safe").load((CHECKOUT / "Pulumi.local.yaml").read_text())["config"]
    loaded = load(json.loads(json.dumps(config)), root=CHECKOUT, stack="local")
    version = next(each for each in loaded.endpoints[0].versions if each.name == "ridge")
    inputs = image_inputs(version, Lock(), PLATFORM, server=server_version(RUNTIME))
    base = Reference(registry.address, REPOSITORY)
    inputs = replace(inputs, image=base.at(str(registry.digest(REPOSITORY, TAG))))

    code = take_snapshot(version.built_from.source)
    models = {(model.name, model.number): model.path for model in loaded.models if model.name == "diabetes-ridge"}
    records = [
        (inputs.key, code.digest, "baked"),
        *((name, content_digest(path)) for (name, _), path in models.items()),
    ]
    layer = VersionLayer(version.built_from.entry_script, tuple(models))
    stack.described["builds"] = {}
    stack.describe(
        "environment",
        ENVIRONMENT,
        inputs.key,
        environment_dockerfile(inputs, tools),
        environment_files(inputs, RUNTIME),
    )
    files = {f"code/{file.path}": code.root / file.path for file in code.files}
    files |= {f"models/{name}/{number}/{path.name}": path for (name, number), path in models.items()}
    stack.describe("ridge", RIDGE, f"v1-{records_sha256(records)}"[:40], version_dockerfile(layer), files)
