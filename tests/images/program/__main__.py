"""The images that `images.json` describes, as a stack on Azure has them."""

import json
import os
from pathlib import Path

import pulumi

from components.images import (
    EnvironmentImage,
    ImageBuild,
    ImageSource,
    LastUpdate,
    RegistryLogin,
    VersionImage,
    images_of,
)
from tidegate.findings import ConfigError
from tidegate.image.credentials import find_credentials
from tidegate.image.lookup import Registries, promoted, promoted_digest
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryClient


def ask(reference: Reference) -> str | None:
    credentials = find_credentials(reference.registry, os.environ)
    with RegistryClient(reference.registry, credentials, timeout_s=5, pause=lambda _: None) as client:
        return client.digest(reference)


def main() -> None:
    written = json.loads(Path("images.json").read_text())
    builds = {name: ImageBuild(**build) for name, build in written["builds"].items()}
    if stack := written.get("promoteFrom"):
        ran = images_of(stack)
        paths = {name: f"tidegate:endpoints.e.versions.{name}" for name in builds}
        found = [
            promoted(build.repository, build.tag, ran, stack=stack, path=paths[name]) for name, build in builds.items()
        ]
        if digest := written.get("digest"):
            found.append(promoted_digest(Reference.parse(digest), ran, stack=stack, path=paths["environment"]))
        pulumi.export("images", {str(each.tagged): str(each) for each in found})
        return
    source = ImageSource(
        Registries(written["registry"], shared=tuple(written.get("shared", ()))),
        ask,
        LastUpdate.read(),
        [RegistryLogin(**login) for login in written.get("logins", [])],
    )
    environment = EnvironmentImage("environment", builds.pop("environment"), source)
    images = [environment]
    images += [VersionImage(name, build, source, environment=environment) for name, build in builds.items()]
    named = zip(written["builds"].values(), images, strict=True)
    pulumi.export("images", {f"{build['repository']}:{build['tag']}": image.reference for build, image in named})
    if written.get("fails"):
        pulumi.Output.from_input(images[-1].digest).apply(_fail)


def _fail(_: str) -> None:
    raise RuntimeError("the rollout failed")


try:
    main()
except ConfigError as error:
    pulumi.log.error(str(error))
    raise SystemExit(32) from None
