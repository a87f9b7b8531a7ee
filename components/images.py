"""Images by content: looked up first, built and pushed by docker-build where nobody has them (rules I2, I6, I7)."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_docker_build as docker_build

from components.resources import RegistryBuild
from tidegate.image.dockerfile import SOURCE_DATE_EPOCH
from tidegate.image.lookup import DigestOf, Registries, Remembered, find_image
from tidegate.image.reference import Reference

TYPES = "tidegate:image"
CACHE = "cache"
"""The tag under which a repository has the layers of earlier builds."""


@dataclass(frozen=True)
class ImageBuild:
    """What one image is built from."""

    repository: str
    """Path in the registry, such as `tidegate/environment`."""
    tag: str
    """The content's own name."""
    context: Callable[[], str]
    """Makes the folder and names it, relative to the project: the engine compares it as text. Asked only for builds."""
    dockerfile: str
    """The text."""
    platform: str = "linux/amd64"
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class RegistryLogin:
    """A login that the builder cannot find by itself; without one it uses what `docker login` has left."""

    address: str
    username: pulumi.Input[str]
    password: pulumi.Input[str] = field(repr=False)
    """Made secret here."""


class LastUpdate:
    """What the last update of this stack left behind, read from its state."""

    def __init__(self, images: Mapping[str, Remembered], names: Mapping[str, str] | None = None) -> None:
        """Take the images, and what all resources are called by their provider, by `TYPE::NAME`."""
        self._images = images
        self._names = names or {}

    @classmethod
    def read(cls) -> "LastUpdate":
        """Ask the engine, which reads the whole state: one call for all images, and no request to a registry."""
        parts = (pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack())
        found: dict[str, Remembered] = {}
        names: dict[str, str] = {}
        for urn, resource in _read("pulumi:pulumi:readStackResourceOutputs", {"stackName": "/".join(parts)}).items():
            key = f"{resource['type']}::{urn.rpartition('::')[2]}"
            if key.startswith(f"{TYPES}:") and (remembered := _remembered(resource["outputs"])):
                found[key] = remembered
            names[key] = str(resource["outputs"].get("name", ""))
        return cls(found, names)

    def made(self, kind: str, name: str, called: str) -> bool:
        """Whether the resource `name` is there and has the name `called` on Azure."""
        return self._names.get(f"{kind}::{name}", "").lower() == called.lower()

    def image(self, kind: str, name: str) -> Remembered | None:
        """What is left of one image."""
        return self._images.get(f"{kind}::{name}")


@dataclass(frozen=True)
class ImageSource:
    """What all images of a stack share: where they are looked for, and how they are pushed."""

    registries: Registries
    digest_of: DigestOf
    last: LastUpdate
    builds_in: pulumi.Input[str] | None = None
    """The id of the registry, where it builds by itself (ACR Tasks); None where docker-build does."""
    logins: Callable[[], Sequence[RegistryLogin]] = tuple
    """Asked only where something is built."""


class _Image(pulumi.ComponentResource):
    """An image by content.

    `reference` is what a pod names, with the digest; `built` says whether this stack declares the build.
    """

    reference: pulumi.Output[str]
    digest: pulumi.Output[str]
    built: bool

    def __init__(
        self,
        kind: str,
        name: str,
        build: ImageBuild,
        source: ImageSource,
        *,
        build_args: Mapping[str, pulumi.Input[str]],
        after: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None,
    ) -> None:
        super().__init__(kind, name, None, opts)
        last = source.last.image(kind, name)
        found = find_image(build.repository, build.tag, source.registries, last, source.digest_of)
        self.built = found is None
        if found:
            self.digest = pulumi.Output.from_input(found.digest)
        else:
            there = last is not None and last.built and last.reference.tag == build.tag
            self.digest = (
                self._build_here(name, build, source, build_args, after, there=there)
                if source.builds_in is None
                else self._build_there(name, build, source.builds_in, build_args, after)
            )
        place = Reference(found.registry if found else source.registries.own, build.repository)
        self.reference = self.digest.apply(lambda digest: str(place.at(digest)))
        self.register_outputs(
            {
                "tag": build.tag,
                "digest": self.digest,
                "reference": self.reference,
                "built": self.built,
            }
        )

    def _build_there(
        self,
        name: str,
        build: ImageBuild,
        registry_id: pulumi.Input[str],
        build_args: Mapping[str, pulumi.Input[str]],
        after: Sequence[pulumi.Resource],
    ) -> pulumi.Output[str]:
        image = RegistryBuild(
            f"{name}.run",
            {
                "registryId": registry_id,
                "repository": build.repository,
                "tag": build.tag,
                "context": build.context(),
                "dockerfile": build.dockerfile,
                "platform": build.platform,
                "buildArgs": {**build_args, "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH)},
            },
            pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        return image.output("digest")

    def _build_here(
        self,
        name: str,
        build: ImageBuild,
        source: ImageSource,
        build_args: Mapping[str, pulumi.Input[str]],
        after: Sequence[pulumi.Resource],
        *,
        there: bool,
    ) -> pulumi.Output[str]:
        repository = f"{source.registries.own}/{build.repository}"
        cache = f"{repository}:{CACHE}"
        image = docker_build.Image(
            f"{name}.build",
            push=True,
            build_on_preview=False,  # it defaults to true, and a preview would then write the cache
            tags=[f"{repository}:{build.tag}"],
            context=docker_build.BuildContextArgs(location=build.context()),
            dockerfile=docker_build.DockerfileArgs(inline=build.dockerfile),
            platforms=[docker_build.Platform(build.platform)],
            # The same time in every build, so that two of one content can be one digest.
            build_args={**build_args, "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH)},
            labels=dict(build.labels) or None,
            cache_from=[docker_build.CacheFromArgs(registry=docker_build.CacheFromRegistryArgs(ref=cache))],
            cache_to=[
                docker_build.CacheToArgs(
                    registry=docker_build.CacheToRegistryArgs(
                        ref=cache, mode=docker_build.CacheMode.MAX, ignore_error=True
                    )
                )
            ],
            registries=[
                docker_build.RegistryArgs(
                    address=login.address, username=login.username, password=pulumi.Output.secret(login.password)
                )
                for login in source.logins()
            ]
            or None,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(after),
                # A delete would take the digest out of the registry, though others may run it: issue 606 of
                # pulumi-docker-build. `tidegate image prune` knows who does.
                retain_on_delete=True,
                # The tag is the content: what else differs, such as the tool that installs packages, builds nothing.
                ignore_changes=["buildArgs", "context", "dockerfile", "labels"] if there else None,
            ),
        )
        return image.digest


class EnvironmentImage(_Image):
    """The image of an environment: base, packages and scoring server, without code and models.

    `after` has to be there first, such as the registry.
    """

    TYPE = f"{TYPES}:EnvironmentImage"

    def __init__(
        self,
        name: str,
        build: ImageBuild,
        source: ImageSource,
        *,
        build_args: Mapping[str, pulumi.Input[str]] | None = None,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TYPE, name, build, source, build_args=build_args or {}, after=after, opts=opts)


class VersionImage(_Image):
    """The image of a version: a thin layer with code and models over its environment's image.

    Its Dockerfile names that image by the build argument `ENVIRONMENT`.
    """

    TYPE = f"{TYPES}:VersionImage"

    def __init__(
        self,
        name: str,
        build: ImageBuild,
        source: ImageSource,
        *,
        environment: EnvironmentImage,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments = {"ENVIRONMENT": environment.reference}
        super().__init__(self.TYPE, name, build, source, build_args=arguments, after=after, opts=opts)


def export_images(images: Mapping[str, pulumi.Input[str]], *, after: Sequence[pulumi.Resource]) -> None:
    """Export what this stack runs, for others to promote: `repository:tag` to the reference with the digest.

    It waits for `after`, what rolls the images out: where that fails the stack keeps the output of the update before,
    so an image that was built and never ran is not in it.
    """
    rolled_out = pulumi.Output.all(*(resource.urn for resource in after))
    pulumi.export("images", rolled_out.apply(lambda _: dict(images)))


def images_of(stack: str) -> Mapping[str, str]:
    """What another stack of this project ran: its output `images`; empty where it never ran any."""
    parts = (pulumi.get_organization(), pulumi.get_project(), stack)
    return _read("pulumi:pulumi:readStackOutputs", {"name": "/".join(parts)}).get("images") or {}


def _read(function: str, arguments: Mapping[str, str]) -> Mapping[str, Any]:
    """Ask the engine for what a state holds; again where it is being written at that moment."""
    for pause_s in (0.1, 0.2, 0.4, 0.8, 1.6, None):
        try:
            return pulumi.runtime.invoke(function, dict(arguments)).value["outputs"]
        except Exception as error:  # the SDK raises no narrower one
            # A state in a folder is not written in one piece, and the engine writes it while the program runs.
            if pause_s is None or "failed to load checkpoint" not in str(error):
                raise
            time.sleep(pause_s)
    raise AssertionError("the last try has returned or raised")


def _remembered(outputs: Mapping[str, Any]) -> Remembered | None:
    """What a component registered; None where its last update did not come so far."""
    reference, tag = outputs.get("reference"), outputs.get("tag")
    if not reference or not tag:
        return None
    parsed = Reference.parse(reference)
    return Remembered(Reference(parsed.registry, parsed.repository, tag, parsed.digest), bool(outputs.get("built")))
