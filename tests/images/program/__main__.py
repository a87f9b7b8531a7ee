"""The images that `images.json` describes, as a stack on Azure has them."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pulumi

from components.images import (
    EnvironmentImage,
    ImageBuild,
    ImageSource,
    LastUpdate,
    RegistryLogin,
    VersionImage,
    export_images,
    images_of,
)
from tidegate.findings import ConfigError
from tidegate.image.credentials import find_credentials
from tidegate.image.lookup import Registries, promoted, promoted_digest
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryClient


def ask(reference: Reference) -> str | None:
    credentials = find_credentials(reference.registry, os.environ)
    with RegistryClient(reference.registry, credentials, timeout_s=1, pause=lambda _: None) as client:
        return client.digest(reference)


def main() -> None:
    written: dict[str, Any] = json.loads(Path("images.json").read_text())
    builds = {
        name: ImageBuild(**{**build, "context": partial(str, build["context"])})
        for name, build in written["builds"].items()
    }
    if stack := written.get("promoteFrom"):
        ran = images_of(stack)
        paths = {name: f"tidegate:endpoints.e.versions.{name}" for name in builds}
        found = [
            promoted(build.repository, build.tag, ran, stack=stack, path=paths[name]) for name, build in builds.items()
        ]
        if digest := written.get("digest"):
            found.append(promoted_digest(Reference.parse(digest), ran, stack=stack, path=paths["environment"]))
        export_images({f"{each.repository}:{each.tag}": str(each) for each in found}, after=[])
        return
    source = ImageSource(
        Registries(written["registry"], shared=tuple(written.get("shared", ()))),
        ask,
        LastUpdate.read(),
        logins=lambda: [RegistryLogin(**login) for login in written.get("logins", [])],
    )
    environment = EnvironmentImage("environment", builds.pop("environment"), source)
    images = [environment]
    images += [VersionImage(name, build, source, environment=environment) for name, build in builds.items()]
    # In place of what rolls the images out: it fails once they are there, since there is no such stack.
    rollouts = (
        [pulumi.StackReference("organization/images/nowhere", opts=pulumi.ResourceOptions(depends_on=images))]
        if written.get("fails")
        else []
    )
    named = zip(written["builds"].values(), images, strict=True)
    export_images({f"{build['repository']}:{build['tag']}": image.reference for build, image in named}, after=rollouts)


try:
    main()
except ConfigError as error:
    pulumi.log.error(str(error))
    raise SystemExit(32) from None
