"""The images of all versions of a stack, and the store from which pods fetch what is too large for them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pulumi
import pulumi_azure_native as azure_native

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
from components.model_store import ModelStore
from components.registry import Registry
from components.resources import Contents, StoredCode, StoredModel
from tidegate.azure.login import login_kind
from tidegate.azure.registry_access import SUFFIX, TOKEN_USER, RegistryAccess
from tidegate.cluster.spec import AzureSpec
from tidegate.findings import ConfigError, Finding
from tidegate.image.artifacts import ArtifactPlan
from tidegate.image.build import Build
from tidegate.image.context import drop_contexts, keep_context
from tidegate.image.credentials import CredentialsError
from tidegate.image.lookup import Registries, promoted, promoted_digest
from tidegate.image.plan import PlannedImage, PlannedModel, version_loc
from tidegate.image.record import Record
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryError
from tidegate.model.delivery import Address, content_order
from tidegate.parse import key_path
from tidegate.paths import display

CONTEXTS = Path(".tidegate/contexts")
"""Where builds find their files, relative to the project's folder: a folder a stack."""

_REGISTRY = "azure-native:containerregistry:Registry"


@dataclass(frozen=True)
class VersionArtifacts:
    """What the pods of one version run."""

    image: pulumi.Output[str]
    """The reference with its digest."""
    content: pulumi.Output[str] | None
    """What TIDEGATE_CONTENT says where code and models are fetched; None where the image has them."""
    contents: Record
    """What the image is made from, known in every preview; empty for an image that is given."""


class Artifacts(pulumi.ComponentResource):
    """Images, and what pods fetch when they start, for all versions of a stack.

    `versions` are by `endpoint/version`. `root` is the project's folder; `after` has to be there first.

    Raises:
        ConfigError: a registry that cannot be asked, or content that the stack to promote from never ran.
    """

    versions: Mapping[str, VersionArtifacts]
    store: ModelStore | None = None

    def __init__(
        self,
        name: str,
        azure: AzureSpec,
        plan: ArtifactPlan,
        *,
        root: Path,
        registry: Registry,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:Artifacts", name, None, opts)
        self._images = (
            _Promoted(plan, azure.promote_from, own=registry.spec.host)
            if azure.promote_from
            else _Built(name, plan, registry, azure.shared_registries, root=root, parent=self)
        )
        for image in plan.images:
            inputs = {"version": image.name, **image.contents}
            # Once the image is there, so that what failed is said again.
            options = pulumi.ResourceOptions(parent=self, depends_on=self._images.made(image))
            Contents(_child(name, image), inputs, options)
        content: Mapping[str, pulumi.Output[str]] = {}
        if azure.model_store:
            self.store = ModelStore(
                f"{name}.store", azure.model_store, after=after, opts=pulumi.ResourceOptions(parent=self)
            )
            login = azure_native.authorization.get_client_config_output(opts=pulumi.InvokeOutputOptions(parent=self))
            self.store.let_write(
                f"{name}.store.deployer",
                who="deployer",
                principal=azure.model_store.deployer_object_id or login.object_id,
                kind=azure.model_store.deployer_principal_type or login_kind(),
                parent=self.store,
            )
            content = _Stored(name, plan, self.store, root=root, parent=self).orders
        by_name = {image.name: image for image in plan.images}
        self.versions = {
            version: VersionArtifacts(self._images.of(by_name[image]), content.get(image), by_name[image].contents)
            for version, image in plan.runs.items()
        } | {
            given: VersionArtifacts(self._images.given(reference), None, {}) for given, reference in plan.given.items()
        }
        self.register_outputs({})

    def export(self, *, after: Sequence[pulumi.Resource]) -> None:
        """Export what this stack runs, for others to promote, once `after` is there: what rolls the images out."""
        export_images(self._images.named, after=after)


class _Images(ABC):
    """Where the images of versions come from; `named` is all of them by their names, for others to promote."""

    def __init__(self) -> None:
        self.named: dict[str, pulumi.Input[str]] = {}

    @abstractmethod
    def of(self, image: PlannedImage) -> pulumi.Output[str]:
        """The reference of a version's image, with its digest."""

    def made(self, image: PlannedImage) -> list[pulumi.Resource]:
        """What a version's image waits for."""
        return []

    def given(self, reference: Reference) -> pulumi.Output[str]:
        """The reference that a version names itself."""
        self.named[str(reference)] = str(reference)
        return pulumi.Output.from_input(str(reference))


class _Built(_Images):
    """Images that are found in a registry, or built."""

    def __init__(
        self,
        name: str,
        plan: ArtifactPlan,
        registry: Registry,
        shared: Sequence[str],
        *,
        root: Path,
        parent: pulumi.Resource,
    ) -> None:
        super().__init__()
        last, access = LastUpdate.read(), RegistryAccess()
        host = registry.spec.host
        exists = not registry.made or last.made(_REGISTRY, registry.made, registry.spec.name)
        source = ImageSource(
            Registries(host, own_exists=exists, shared=tuple(shared)),
            access.digest_of,
            last,
            registry.registry_id if registry.spec.builder == "acr" else None,
            cache(partial(_logins, registry, access, exists=exists)),
        )
        contexts = _Contexts(root)
        child = partial(pulumi.ResourceOptions, parent=parent)
        # Named by its key, so that another environment shows as a new one beside the old and not as another build.
        environments = {
            key: EnvironmentImage(f"{name}.{key[:11]}", contexts.build(build), source, after=[registry], opts=child())
            for key, build in plan.environments.items()
        }
        self._images: dict[str, EnvironmentImage | VersionImage] = {}
        for image in plan.images:
            environment = environments[image.inputs.key]
            build = plan.versions.get(image.name)
            self.named[plan.environments[image.inputs.key].name] = environment.reference
            if build is None:
                self._images[image.name] = environment
                continue
            made = VersionImage(
                f"{_child(name, image)}.image",
                contexts.build(build),
                source,
                environment=environment,
                after=[registry],
                opts=child(),
            )
            self._images[image.name] = made
            self.named[build.name] = made.reference
        contexts.drop_others()

    def of(self, image: PlannedImage) -> pulumi.Output[str]:
        return self._images[image.name].reference

    def made(self, image: PlannedImage) -> list[pulumi.Resource]:
        return [self._images[image.name]]


class _Promoted(_Images):
    """Images that another stack of the project ran: nothing is built, and no registry is asked (rule I7)."""

    def __init__(self, plan: ArtifactPlan, stack: str, *, own: str) -> None:
        super().__init__()
        ran = images_of(stack)
        self._images: dict[str, Reference] = {}
        findings: list[Finding] = []
        for image in plan.images:
            build = plan.versions.get(image.name) or plan.environments[image.inputs.key]
            try:
                found = promoted(build.repository, build.tag, ran, stack=stack, path=key_path(image.loc))
            except ConfigError as error:
                findings += error.findings
                continue
            self._images[image.name] = found.at(found.digest)
            self.named[build.name] = str(self._images[image.name])
        for version, reference in plan.given.items():
            try:
                promoted_digest(reference, ran, stack=stack, path=f"{_path(version)}.image")
            except ConfigError as error:
                findings += error.findings
        if findings:
            raise ConfigError(findings)
        if elsewhere := sorted({image.registry for image in self._images.values()} - {own}):
            pulumi.log.warn(
                f"the images of the stack {stack} are in {', '.join(elsewhere)}, and clusters here are only given the "
                f"right to pull from {own}"
            )

    def of(self, image: PlannedImage) -> pulumi.Output[str]:
        return pulumi.Output.from_input(str(self._images[image.name]))


class _Contexts:
    """The folders that this run's builds find their files in, each named by what is in it."""

    def __init__(self, root: Path) -> None:
        self._place = CONTEXTS / pulumi.get_stack()
        self._root = root
        self._used: set[str] = set()

    def build(self, build: Build) -> ImageBuild:
        """What docker-build is told of an image."""
        return ImageBuild(build.repository, build.tag, partial(self._lay_out, build), build.dockerfile, build.platform)

    def drop_others(self) -> None:
        """Remove those of earlier runs. A preview does not: an update may run beside it."""
        if not pulumi.runtime.is_dry_run():
            drop_contexts(self._root / self._place, self._used)

    def _lay_out(self, build: Build) -> str:
        self._used.add(build.tag)
        keep_context(build.files, self._root / self._place / build.tag)
        return (self._place / build.tag).as_posix()


class _Stored:
    """Registered models and fetched code in a store; `orders` is what each version that fetches is told to."""

    def __init__(
        self, name: str, plan: ArtifactPlan, store: ModelStore, *, root: Path, parent: pulumi.Resource
    ) -> None:
        self._name, self._store, self._root, self._parent = name, store, root, parent
        models = {number: self._model(number, model) for number, model in plan.models.items()}
        code: dict[str, StoredCode] = {}
        self.orders: dict[str, pulumi.Output[str]] = {}
        for image in plan.images:
            if image.delivery == "baked":
                continue
            if image.code.digest not in code:
                code[image.code.digest] = self._code(image)
            numbers = [f"{model.spec.name}:{model.spec.number}" for model in image.models]
            found = [_address(models[number]) for number in numbers]
            wanted = pulumi.Output.all(code=_address(code[image.code.digest]), models=pulumi.Output.all(*found))
            self.orders[image.name] = wanted.apply(self._order)

    def _order(self, wanted: Mapping[str, object]) -> str:
        models, code = wanted["models"], wanted["code"]
        if not isinstance(models, list) or not isinstance(code, Address):
            raise TypeError("addresses of what is stored")
        return content_order(self._store.location, models, code)

    def _model(self, number: str, model: PlannedModel) -> StoredModel:
        spec = model.spec
        inputs = {
            "store": self._store.location,
            "name": spec.name,
            "number": spec.number,
            "path": display(spec.path, self._root),
            "content": model.digest,
        }
        said = {"description": spec.description, "tags": dict(spec.tags)}
        inputs |= {key: value for key, value in said.items() if value}
        return StoredModel(f"{self._name}.{number}", inputs, self._options())

    def _code(self, image: PlannedImage) -> StoredCode:
        digest = image.code.digest
        inputs = {"store": self._store.location, "path": display(image.source, self._root), "digest": digest}
        return StoredCode(f"{self._name}.{digest[:15]}", inputs, self._options())

    def _options(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self._parent, depends_on=[self._store])


def _address(stored: StoredModel | StoredCode) -> pulumi.Output[Address]:
    return pulumi.Output.all(stored.output("place"), stored.output("manifest")).apply(lambda found: Address(*found))


def _logins(registry: Registry, access: RegistryAccess, *, exists: bool) -> Sequence[RegistryLogin]:
    """How docker-build logs in to the registry where `docker login` has not: by the Azure login."""
    host = registry.spec.host
    try:
        if access.has_docker_login(host) or not host.endswith(SUFFIX):
            return ()
        if pulumi.runtime.is_dry_run():  # which builds nothing, and a password is not compared
            return (RegistryLogin(host, TOKEN_USER, "asked for by the update"),)
        if exists:
            return (RegistryLogin(host, TOKEN_USER, access.token(host).get_secret_value()),)
    except (CredentialsError, RegistryError) as error:
        remedy = f"Log in with az login, or with docker login {host}"
        raise ConfigError([Finding("tidegate:registry", str(error), remedy)]) from error
    made = pulumi.Output.from_input(registry.registry_id)
    return (RegistryLogin(host, TOKEN_USER, made.apply(lambda _: access.token(host).get_secret_value())),)


def _child(name: str, image: PlannedImage) -> str:
    return f"{name}.{image.name.replace('/', '.')}"


def _path(version: str) -> str:
    endpoint, _, name = version.partition("/")
    return key_path(version_loc(endpoint, name))
