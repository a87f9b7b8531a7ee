"""From the stack's config to an `Environment`: one strict loader for the engine's program and for the command."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tidegate.endpoint.forwarding import check_shadows, resolve_retry
from tidegate.endpoint.input import EndpointInput, VersionInput
from tidegate.endpoint.layers import Settings, file_layer, stack_layer
from tidegate.endpoint.placement import (
    Clusters,
    check_accounts,
    check_identity,
    check_namespace,
    check_pool,
    resolve_cluster,
)
from tidegate.endpoint.resolve import resolve_deployment, resolve_inference
from tidegate.endpoint.rules import (
    check_anonymous,
    check_image,
    check_name,
    check_target,
    check_tls,
    check_versions,
    only_in_a_cluster,
    resolve_auth,
    resolve_keys,
    resolve_namespace,
)
from tidegate.endpoint.spec import EndpointSpec, GatewaySpec, GivenKeys, KeyRotation, VersionSpec
from tidegate.findings import ConfigError, Finding
from tidegate.image.input import ImageInput
from tidegate.image.inputs import PLATFORM
from tidegate.image.registered import IMAGES, NAME, NUMBER, check_reference, refer
from tidegate.image.spec import ImageSpec
from tidegate.model.rules import MOST_MODELS, Registry
from tidegate.model.spec import ModelRef, ModelSpec
from tidegate.names import ENDPOINT, namesake
from tidegate.parse import Broken, Loc, Parsed, key_path, known_keys, parse
from tidegate.paths import kind, locate
from tidegate.stack_input import AZURE_KEYS, StackInput, Target
from tidegate.v1.deployment import DeploymentConfig
from tidegate.v1.inference import InferenceConfig

if TYPE_CHECKING:  # a local stack does without the types of Azure
    from tidegate.cluster.spec import AzureSpec

_PLAIN_ONLY = "Only tidegate:keys and tidegate:tlsKeys take secrets; let the script read others where they are kept"

GIVEN_KEYS = "tidegate:keys"
TLS_KEYS = "tidegate:tlsKeys"
INSIGHTS = "tidegate:applicationInsights"
SECRETS = (GIVEN_KEYS, TLS_KEYS, INSIGHTS)
"""What may be encrypted in a stack's config, and should be."""
NAMESPACE = "tidegate:"
"""The project's own keys begin so; those of others are not looked at."""


@dataclass(frozen=True)
class Environment:
    """Everything that one stack describes, complete and free of errors."""

    stack: str
    target: Target
    production: bool = False
    gateway: GatewaySpec = field(default_factory=GatewaySpec)
    models: tuple[ModelSpec, ...] = ()
    """Sorted by name and number."""
    images: tuple[ImageSpec, ...] = ()
    """Sorted by name and number."""
    endpoints: tuple[EndpointSpec, ...] = ()
    """Sorted by name."""
    image_platform: str = PLATFORM
    """What images are for: `linux/amd64`, whatever the machine is."""
    azure: "AzureSpec | None" = None
    """What stands under the endpoints on Azure; None for other targets."""
    notes: tuple[Finding, ...] = ()
    """Warnings and notes, for the user to see."""


def load(
    values: Mapping[str, object], *, root: Path, stack: str, now: datetime | None = None, unread: Collection[Loc] = ()
) -> Environment:
    """Check a stack's config and complete it.

    `values` has full keys (`tidegate:endpoints`) and parsed values; keys of other namespaces are left aside. Relative
    paths begin at `root`, the project's folder. `now` is the moment at which certificates are looked at, by default
    this one; `unread` are places where something stands that could not be read. Raises ConfigError with all findings
    where one of them is an error.
    """
    own = {key: value for key, value in values.items() if key.startswith(NAMESPACE)}
    unused: list[str] = []
    model: type[StackInput] = StackInput
    if own.get("tidegate:target") == "azure":
        from tidegate.cluster.stack_input import AzureStackInput  # noqa: PLC0415 (a local stack does without)

        model = AzureStackInput
    else:
        unused = sorted(own.keys() & AZURE_KEYS)
    parsed = parse(model, {key: value for key, value in own.items() if key not in unused})
    parsed = replace(parsed, broken=Broken(parsed.broken.places | frozenset(unread)))
    return _Loader(parsed, unused, root.absolute(), now or datetime.now(UTC)).environment(stack)


def from_engine(config_json: str, *, root: Path, stack: str, secret_keys: Collection[str] = ()) -> Environment:
    """Load what the engine hands to a program in `PULUMI_CONFIG`: an object whose values are text, some of it JSON.

    `secret_keys` names the values that are encrypted in the stack's config: given keys that are not get a warning, and
    whatever else is gets refused, since it would stand in plain text in the state.
    """
    try:
        values: object = json.loads(config_json)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ConfigError([Finding("PULUMI_CONFIG", "the engine's config is no JSON object", "Run this with pulumi")])
    hidden = sorted(key for key in secret_keys if key.startswith(NAMESPACE) and key not in SECRETS)
    if hidden:
        raise ConfigError(
            Finding(key, "an encrypted value in it would be plain in the state", _PLAIN_ONLY) for key in hidden
        )
    decoded = _decoded(cast(dict[str, object], values))
    environment = load(decoded, root=root, stack=stack)
    warnings = tuple(
        Finding(key, "the keys stand in plain text in the stack's config", way_out, severity="warning")
        for key, path in (
            (GIVEN_KEYS, f"{GIVEN_KEYS}.ENDPOINT.primary"),
            (TLS_KEYS, f"{TLS_KEYS}.CLUSTER"),
            (INSIGHTS, INSIGHTS),
        )
        if key in decoded and key not in secret_keys
        for way_out in (f"Set them by pulumi config set --secret --path '{path}', and rotate them",)
    )
    return replace(environment, notes=(*warnings, *environment.notes))


def from_file(stack_file: Path, *, root: Path) -> Environment:
    """Load `Pulumi.<stack>.yaml` without the engine.

    What is encrypted stays unread: keys under `tidegate:keys` are then as if not given, and nothing is said of a
    certificate whose key is under `tidegate:tlsKeys`. Elsewhere an encrypted value is
    an error, since the engine would make the whole top-level key a secret.
    """
    values = {key if ":" in key else NAMESPACE + key: value for key, value in _config(stack_file).items()}
    findings: list[Finding] = []
    plain = cast(dict[str, object], _without_ciphertext(values, (), findings))
    if findings:
        raise ConfigError(findings)
    stack = stack_file.name.removeprefix("Pulumi.").removesuffix(".yaml")
    unread = {loc for key in (TLS_KEYS, INSIGHTS) for loc in _encrypted(values.get(key), (key,))}
    return load(_decoded(plain), root=root, stack=stack, unread=unread)


def target_of(stack_file: Path) -> str | None:
    """The target that a stack's file names, None where it names none or cannot be read."""
    try:
        values = _config(stack_file)
    except ConfigError:
        return None
    target = values.get("tidegate:target", values.get("target"))
    return target if isinstance(target, str) else None


def subscription_of(stack_file: Path) -> str | None:
    """The subscription that a stack's file names for azure-native, None where it names none."""
    subscription = _config(stack_file).get("azure-native:subscriptionId")
    return subscription if isinstance(subscription, str) else None


class _Loader:
    """One run over one config; collects findings as it goes."""

    def __init__(self, parsed: Parsed[StackInput], unused: Sequence[str], root: Path, now: datetime) -> None:
        self._parsed = parsed
        self._unused = unused
        self._now = now
        self._input = parsed.value
        self._broken = parsed.broken
        self._root = root
        self._findings = list(parsed.findings)
        self._registry = Registry(root)
        self._images: tuple[ImageSpec, ...] = ()
        self._holes = set(parsed.broken.places)

    def environment(self, stack: str) -> Environment:
        target = self._input.target
        if target is None and self._broken.sound("tidegate:target"):
            problem, remedy = "the target is missing", "Write tidegate:target: local, or azure"
            self._findings.append(Finding("tidegate:target", problem, remedy))
        self._register_models()
        self._images = self._registered_images()
        production, azure = self._azure()
        entries = sorted((self._input.endpoints or {}).items())
        clusters = self._clusters(azure)
        endpoints = [self._endpoint(name, entry, clusters, production=production) for name, entry in entries]
        self._check_lists()
        complete = tuple(endpoint for endpoint in endpoints if endpoint)
        if azure:
            self._findings.extend(check_accounts(complete))
        if azure and not self._failed():
            self._findings += self._room(azure, complete) + self._telemetry(azure, complete)
        # A file or a setting that several versions share is wrong once.
        findings = sorted(set(self._findings))
        if target is None or self._failed():
            raise ConfigError(findings)
        gateway = self._input.gateway
        return Environment(
            stack=stack,
            target=target,
            production=production,
            image_platform=self._input.image_platform or PLATFORM,
            azure=azure,
            gateway=GatewaySpec(**gateway.model_dump(exclude_none=True) if gateway else {}),
            models=self._registry.models,
            images=self._images,
            endpoints=complete,
            notes=tuple(findings),
        )

    def _azure(self) -> tuple[bool, "AzureSpec | None"]:
        """Whether the environment is production, and what stands on Azure."""
        written = self._input.production
        if self._input.target != "azure":
            if self._unused and self._input.target is not None:
                problem = f"not applied on the {self._input.target} target: {', '.join(self._unused)}"
                self._findings.append(Finding("tidegate:target", problem, severity="note"))
            return bool(written), None
        from tidegate.cluster.input import AzureInput  # noqa: PLC0415 (as above)
        from tidegate.cluster.resolve import is_production, resolve_azure  # noqa: PLC0415

        given = cast(AzureInput, self._input)
        production = is_production(given) if written is None else written
        spec, findings = resolve_azure(
            given,
            self._parsed.broken,
            production=production,
            serves=bool(self._input.endpoints),
            root=self._root,
            now=self._now,
        )
        self._findings += findings
        return production, spec

    def _clusters(self, azure: "AzureSpec | None") -> Clusters | None:
        """The clusters that endpoints can run on; None where the target has none."""
        if self._input.target != "azure":
            return None
        from tidegate.cluster.resolve import CLUSTERS, answers_by_tls, pools_for_scoring  # noqa: PLC0415 (as above)

        given = cast(Mapping[str, object], self._parsed.tree.get(CLUSTERS) or {})
        made = {cluster.name: pools_for_scoring(cluster) for cluster in azure.clusters} if azure else {}
        by_tls = frozenset(cluster.name for cluster in azure.clusters if answers_by_tls(cluster)) if azure else given
        complete = self._broken.sound_in_each((CLUSTERS,), "")
        return Clusters({name: made.get(name, ()) for name in given}, frozenset(by_tls), complete=complete)

    def _telemetry(self, azure: "AzureSpec", endpoints: Sequence[EndpointSpec]) -> list[Finding]:
        """What versions report or collect, and nobody takes."""
        from tidegate.cluster.telemetry import check_telemetry  # noqa: PLC0415 (as above)

        reports = azure.insights is not None or not self._broken.sound(INSIGHTS)
        return [
            finding
            for endpoint in endpoints
            for version in endpoint.versions
            for finding in check_telemetry(
                ("tidegate:endpoints", endpoint.name, "versions", version.name),
                version.deployment,
                reports=reports,
                collects=azure.model_store is not None,
            )
        ]

    def _failed(self) -> bool:
        return any(finding.severity == "error" for finding in self._findings)

    def _room(self, azure: "AzureSpec", endpoints: Sequence[EndpointSpec]) -> list[Finding]:
        """Whether clusters have room for their endpoints (rule G3).

        Asked where all else is right: what is refused has a default in its place, and a sum of those would be wrong.
        """
        from tidegate.cluster.spec import ClusterSpec  # noqa: PLC0415 (as above)
        from tidegate.targets.kubernetes import check_room  # noqa: PLC0415 (as above)

        return check_room(endpoints, [cluster for cluster in azure.clusters if isinstance(cluster, ClusterSpec)])

    def _register_models(self) -> None:
        place = "tidegate:models"
        for hole in self._broken.places:
            if hole[:1] == (place,):
                self._registry.doubt(str(hole[1]) if len(hole) > 1 else None)
        for name, entry in sorted((self._input.models or {}).items()):
            self._findings += self._registry.register((place, name), name, entry)

    def _registered_images(self) -> tuple[ImageSpec, ...]:
        found: list[ImageSpec] = []
        for name, entry in sorted((self._input.images or {}).items()):
            if problem := NAME.problem(name):
                self._findings.append(Finding(key_path((IMAGES, name)), problem, "Choose another name"))
            several = not isinstance(entry, ImageInput)
            for number, given in entry.items() if several else [("1", entry)]:
                loc: Loc = (IMAGES, name, number) if several else (IMAGES, name)
                if not re.fullmatch(NUMBER, number):
                    problem = f'"{number}" is no number of an image'
                    self._findings.append(Finding(key_path(loc), problem, "Count from 1"))
                elif image := self._image(loc, name, int(number), given):
                    found.append(image)
                else:
                    self._holes |= {loc}
        return tuple(sorted(found, key=lambda image: (image.name, image.number)))

    def _image(self, loc: Loc, name: str, number: int, given: ImageInput) -> ImageSpec | None:
        layers = [stack_layer(self._parsed, loc, self._root)]
        unread = not self._broken.sound(*loc, "inference")
        if given.inference is not None:
            layer, findings = file_layer(InferenceConfig, given.inference, (*loc, "inference"), self._root)
            self._findings += findings
            layers += [layer] if layer else []
            unread = unread or layer is None
        settings = Settings(reversed(layers), unread=unread)
        inference = None
        if given.reference is None and not self._broken.sound(*loc, "reference"):
            return None
        if given.reference is None:
            inference, findings = resolve_inference(settings, self._root, native=True)
        else:
            findings = check_reference((*loc, "reference"), given.reference)
            written = [key for key in known_keys(InferenceConfig) if key != "description" and settings.written(key)]
            if beside := [*written, *(["models"] if given.models else [])]:
                problem = f"{', '.join(beside)} beside reference: an image that exists is left as it is"
                findings.append(Finding(key_path(loc), problem, "Take them out, or take reference out"))
        models = self._models((*loc, "models"))
        self._findings += findings
        if (inference is None and given.reference is None) or any(each.severity == "error" for each in findings):
            return None
        return ImageSpec(
            name=name,
            number=number,
            reference=given.reference or "",
            inference=inference,
            models=models,
            tags=given.tags or {},
            description=settings.value.description or "",
        )

    def _endpoint(
        self, name: str, entry: EndpointInput, clusters: Clusters | None, *, production: bool
    ) -> EndpointSpec | None:
        loc: Loc = ("tidegate:endpoints", name)
        inputs = dict(sorted((entry.versions or {}).items()))
        self._findings += check_name(loc, name) + check_versions(loc, inputs, self._broken)
        settings = {version: self._settings(loc, version, given) for version, given in inputs.items()}
        versions = [
            self._version((*loc, "versions", version), inputs[version], settings[version]) for version in inputs
        ]
        auth, token, findings = resolve_auth(loc, entry, settings, self._broken)
        namespace, more = resolve_namespace(loc, namesake(name), entry, settings, self._broken)
        findings += more
        allowed = self._input.allow_anonymous or []
        if production and self._broken.sound("tidegate:allowAnonymous"):
            findings += check_anonymous(loc, name, auth=auth, allowed=allowed)
        cluster = ""
        if clusters:
            cluster, more = resolve_cluster(loc, entry, clusters)
            findings += more + check_namespace(loc, namespace)
            for version, given in inputs.items():
                findings += check_pool((*loc, "versions", version), given, cluster, clusters)
        by_tls = clusters is None or cluster in clusters.with_tls
        findings += check_tls(settings, target=self._input.target, cluster=cluster, by_tls=by_tls)
        retry, more = resolve_retry(loc, entry)
        findings += more + check_identity(loc, entry) + check_shadows(loc, inputs, self._broken)
        if self._input.target == "local":
            findings += only_in_a_cluster(loc, entry)
        given = (self._input.keys or {}).get(name)
        primary, secondary, more = resolve_keys(("tidegate:keys", name), given, settings)
        if given and auth != "key":
            problem = f"nobody is asked for a key: the endpoint's auth is {auth}"
            more.append(Finding(key_path(("tidegate:keys", name)), problem, severity="note"))
        self._findings += findings + more
        sample = self._sample((*loc, "sample"), entry.sample)
        complete = tuple(version for version in versions if version)
        if not complete:
            return None
        rotation = entry.key_rotation
        return EndpointSpec(
            name=name,
            auth=auth,
            token=token,
            keys=GivenKeys(primary=primary, secondary=secondary),
            key_rotation=KeyRotation(**rotation.model_dump(exclude_none=True) if rotation else {}),
            sample=sample,
            namespace=namespace,
            cluster=cluster,
            service_account=entry.service_account or namesake(name),
            identity_client_id=entry.identity_client_id or "",
            retry=retry,
            **({"max_request_mb": size} if (size := entry.max_request_size_in_mb) else {}),
            tags=entry.tags or {},
            description=entry.description or "",
            versions=complete,
        )

    def _settings(self, endpoint: Loc, name: str, version: VersionInput) -> Settings:
        loc = (*endpoint, "versions", name)
        layers = [stack_layer(self._parsed, loc, self._root)]
        unread = not (self._broken.sound(*loc, "inference") and self._broken.sound(*loc, "deployment"))
        for model, key, text in (
            (DeploymentConfig, "deployment", version.deployment),
            (InferenceConfig, "inference", version.inference),
        ):
            if text is not None:
                layer, findings = file_layer(model, text, (*loc, key), self._root)
                self._findings += findings
                layers += [layer] if layer else []
                unread = unread or layer is None
        return Settings(reversed(layers), unread=unread)

    def _version(self, loc: Loc, version: VersionInput, settings: Settings) -> VersionSpec | None:
        image = ""
        if version.image is None:
            inference, findings = resolve_inference(settings, self._root, native=self._input.target != "local")
        else:
            image, findings = refer((*loc, "image"), version.image, self._images, self._holes)
            inference, more = None, check_image(loc, version, settings)
            findings += more
        deployment, more = resolve_deployment(settings)
        findings += more
        if self._input.target is not None:
            findings += check_target(loc, version, settings, self._input.target)
        models = self._models((*loc, "models"))
        self._findings += findings
        if inference is None and version.image is None:
            return None
        return VersionSpec(
            name=str(loc[-1]),
            traffic=version.traffic,
            default=bool(version.default),
            control=bool(version.control),
            tags=version.tags or {},
            description=settings.value.description or "",
            models=models,
            arguments=tuple(version.arguments or ()),
            inference=inference,
            deployment=deployment,
            shadow=version.shadow or 0,
            image=image,
            delivery=version.delivery,
            node_pool=version.node_pool or "",
        )

    def _models(self, loc: Loc) -> tuple[ModelRef, ...]:
        entries = self._parsed.original(loc)
        models: list[ModelRef] = []
        if isinstance(entries, Sequence) and len(cast(Sequence[object], entries)) > MOST_MODELS:
            problem = f"{len(cast(Sequence[object], entries))} models are too many"
            self._findings.append(Finding(key_path(loc), problem, f"A version serves at most {MOST_MODELS}"))
            return ()
        for index, entry in enumerate(cast(Sequence[object], entries) if isinstance(entries, list) else ()):
            if not isinstance(entry, str):
                continue
            model, findings = self._registry.refer((*loc, index), entry)
            if model in models:
                problem = f'"{model}" stands here twice'
                findings.append(Finding(key_path((*loc, index)), problem, "Take one of them out"))
            self._findings += findings
            models += [model] if model else []
        return tuple(models)

    def _sample(self, loc: Loc, text: str | None) -> Path | None:
        if text is None:
            return None
        path = locate(self._root, text)
        if kind(path) == "file":
            return path
        problem = f'there is no file "{text}"'
        self._findings.append(Finding(key_path(loc), problem, "Write a path from the project's root"))
        return None

    def _check_lists(self) -> None:
        """Names of endpoints elsewhere in the config must be endpoints."""
        if not self._broken.sound_in_each(("tidegate:endpoints",), ""):
            return
        known = sorted(self._input.endpoints or {})
        remedy = f"Known endpoints: {', '.join(known)}" if known else "There is none under tidegate:endpoints"
        for name in sorted((self._input.keys or {}).keys() - known):
            # What is no name may be a key in the wrong place.
            loc: Loc = ("tidegate:keys", name) if ENDPOINT.problem(name) is None else ("tidegate:keys",)
            self._findings.append(Finding(key_path(loc), "keys are given for an endpoint that is not there", remedy))
        for index, name in enumerate(self._input.allow_anonymous or []):
            if name not in known:
                loc = ("tidegate:allowAnonymous", index)
                self._findings.append(Finding(key_path(loc), f'there is no endpoint "{name}"', remedy))


def _config(stack_file: Path) -> dict[str, object]:
    name = stack_file.name
    try:
        text = stack_file.read_text("utf-8-sig")
        document: object = YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType]  # untyped
    except OSError:
        problem, remedy = "the stack's file cannot be read", "Make it with: pulumi stack init"
        raise ConfigError([Finding("", problem, remedy, name)]) from None
    except DuplicateKeyError as error:
        raise ConfigError([_yaml_finding(error, "a key is written twice", name)]) from None
    except MarkedYAMLError as error:
        # Behind its first quote the parser's text shows the file's content, which may be a key.
        said = re.split("['\"]", str(cast(object, getattr(error, "problem", None))))[0].strip()
        raise ConfigError([_yaml_finding(error, f"this is no YAML: {said}", name)]) from None
    except (YAMLError, ValueError, RecursionError):
        raise ConfigError([Finding("", "this is no YAML text in UTF-8", "Save it as such", name)]) from None
    config = cast(dict[object, object], document).get("config") if isinstance(document, dict) else document
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise ConfigError([Finding("config", "this is no mapping", "Write keys and values under it", name)])
    return {str(key): value for key, value in cast(dict[object, object], config).items()}


def _yaml_finding(error: MarkedYAMLError, problem: str, name: str) -> Finding:
    line: object = getattr(cast(object, getattr(error, "problem_mark", None)), "line", None)
    return Finding("", problem, "Correct the line", name, line + 1 if isinstance(line, int) else 0)


def _decoded(values: Mapping[str, object]) -> dict[str, object]:
    """Objects, lists and booleans that arrive as JSON text, from the engine or by `pulumi config set`, as values."""
    return {key: _from_text(value) if isinstance(value, str) else value for key, value in values.items()}


def _from_text(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return cast(object, value) if isinstance(value, dict | list | bool) else text


def _without_ciphertext(value: object, loc: Loc, findings: list[Finding]) -> object:
    """`value` without its encrypted parts, and with dates as the text that the engine sees."""
    if len(loc) > _DEEPEST:
        return None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        items = cast(list[object], value)
        return [_without_ciphertext(item, (*loc, index), findings) for index, item in enumerate(items)]
    if not isinstance(value, dict):
        return value
    plain: dict[str, object] = {}
    for key, child in cast(dict[object, object], value).items():
        here = (*loc, str(key))
        if not _is_ciphertext(child):
            plain[str(key)] = _without_ciphertext(child, here, findings)
        elif str(here[0]).startswith(NAMESPACE) and here[0] not in SECRETS:
            problem = "an encrypted value makes its whole top-level key a secret"
            findings.append(Finding(key_path(here), problem, _PLAIN_ONLY))
    return plain


_DEEPEST = 64


def _encrypted(value: object, loc: Loc) -> set[Loc]:
    """The places at and right under `loc` where an encrypted value stands."""
    if _is_ciphertext(value):
        return {loc}
    children = cast(dict[object, object], value) if isinstance(value, dict) else {}
    return {(*loc, str(key)) for key, child in children.items() if _is_ciphertext(child)}


def _is_ciphertext(value: object) -> bool:
    return isinstance(value, dict) and list(cast(dict[object, object], value)) == ["secure"]
