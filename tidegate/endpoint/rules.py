"""What is refused in an endpoint, and what is warned of."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from tidegate.endpoint.input import EndpointInput, GivenKeysInput, TokenAuthInput, TokenInput, VersionInput
from tidegate.endpoint.layers import Layer, Settings, has
from tidegate.endpoint.spec import Auth, TokenSpec
from tidegate.endpoint.traffic import WHOLE, effective_percents
from tidegate.findings import Finding, Severity
from tidegate.guid import GUID
from tidegate.names import ENDPOINT, NAMESPACE, VERSION
from tidegate.parse import Broken, Loc, at, key_path, known_keys
from tidegate.v1.deployment import DeploymentConfig
from tidegate.v1.inference import InferenceConfig, left_aside

MOST_VERSIONS = 20
MOST_WITH_TRAFFIC = 16
"""A route on Kubernetes splits over so many backends."""
SHORT_KEY = 32
HOW_TO_TAKE_TOKENS = "Write auth: {token: {tenantId: GUID, applicationId: GUID}} at the endpoint"


@dataclass(frozen=True)
class Stance:
    """What one version's file says about something that belongs to the endpoint."""

    layer: Layer
    loc: Loc
    value: str = field(repr=False)
    shown: str


def check_versions(loc: Loc, versions: Mapping[str, VersionInput], broken: Broken) -> list[Finding]:
    """Rules E1-E4: how many versions, one default, at most one control, percents that fit."""
    place = (*loc, "versions")
    if not versions:
        problem, remedy = "the endpoint has no version", "Write one under versions"
        return [Finding(key_path(place), problem, remedy)] if broken.sound(*place) else []
    findings = [
        Finding(key_path((*place, name)), problem, "Choose another name")
        for name in versions
        if (problem := VERSION.problem(name))
    ]
    if len(versions) > MOST_VERSIONS:
        problem = f"{len(versions)} versions are too many"
        findings.append(Finding(key_path(place), problem, f"An endpoint has 1-{MOST_VERSIONS}"))
    findings += (
        _one_default(place, versions, broken) + _one_control(place, versions) + _percents(place, versions, broken)
    )
    return findings


def check_name(loc: Loc, name: str) -> list[Finding]:
    """The endpoint's name."""
    problem = ENDPOINT.problem(name)
    return [Finding(key_path(loc), problem, "Choose another name")] if problem else []


def resolve_auth(
    loc: Loc, endpoint: EndpointInput, versions: Mapping[str, Settings], broken: Broken
) -> tuple[Auth, TokenSpec | None, list[Finding]]:
    """Settle who may call: the endpoint's own word, else what the files of all versions say together (table D)."""
    findings: list[Finding] = []
    stances: list[Stance] = []
    for layer, config in _files(versions.values()):
        stance, more = _auth_stance(layer, config, decided=endpoint.auth is not None or not broken.sound(*loc, "auth"))
        findings += more
        stances += [stance] if stance else []
    if isinstance(endpoint.auth, TokenAuthInput):
        token, more = _token((*loc, "auth", "token"), endpoint.auth.token)
        return "token", token, findings + more
    if endpoint.auth is not None or not broken.sound(*loc, "auth"):
        return endpoint.auth or "key", None, findings
    disagree = _agree(stances, "Write it once at the endpoint, as auth: key, auth: none or auth: {token: ...}")
    if not disagree and stances and stances[0].value == "token":
        problem = "the files ask for tokens, and do not say whose"
        findings.append(Finding(key_path((*loc, "auth")), problem, HOW_TO_TAKE_TOKENS))
    auth: Auth = "none" if stances and stances[0].value == "none" else "key"
    return auth, None, findings + disagree


def resolve_namespace(
    loc: Loc, name: str, endpoint: EndpointInput, versions: Mapping[str, Settings], broken: Broken
) -> tuple[str, list[Finding]]:
    """Settle the namespace: the endpoint's own word, else the files', else the endpoint's name."""
    findings: list[Finding] = []
    stances: list[Stance] = []
    for layer, config in _files(versions.values()):
        if config.namespace is not None:
            place: Loc = ("namespace",)
            stances.append(Stance(layer, place, config.namespace, f'"{config.namespace}"'))
            if problem := NAMESPACE.problem(config.namespace):
                findings.append(layer.finding(place, problem, "Choose another namespace"))
    if endpoint.namespace is not None:
        if problem := NAMESPACE.problem(endpoint.namespace):
            findings.append(Finding(key_path((*loc, "namespace")), problem, "Choose another namespace"))
        return endpoint.namespace, findings
    if broken.sound(*loc, "namespace"):
        findings += _agree(stances, "Write it once at the endpoint, as namespace")
    return stances[0].value if stances else name, findings


def check_tls(
    versions: Mapping[str, Settings], *, target: str | None, cluster: str = "", by_tls: bool = True
) -> list[Finding]:
    """TLS stands in v1's files: they must agree; one machine has none, and in a cluster it is the cluster's.

    `by_tls` says whether the gateway of `cluster` has a certificate.
    """
    findings: list[Finding] = []
    stances: dict[str, list[Stance]] = {"sslEnabled": [], "cname": [], "sslCertificate": [], "sslKey": []}
    for layer, config in _files(versions.values()):
        values = (config.ssl_enabled, config.cname, config.ssl_certificate, config.ssl_key)
        for (key, found), value in zip(stances.items(), values, strict=True):
            if value is not None:
                plain = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                found.append(Stance(layer, (key,), plain, "another value"))
                if cluster and key != "sslEnabled":
                    problem = f"not applied in a cluster: {key}, which is written at the cluster, under tls"
                    findings.append(layer.finding((key,), problem, severity="note"))
        if config.ssl_enabled and target == "local":
            problem = "TLS cannot be had on the local target, which answers on this machine alone"
            findings.append(layer.finding(("sslEnabled",), problem, "Set it to false, or choose another target"))
        if config.ssl_enabled and cluster and not by_tls:
            problem = f"TLS is asked for, and cluster {cluster} has no certificate"
            remedy = f"Write tidegate:clusters.{cluster}.tls, or set this to false"
            findings.append(layer.finding(("sslEnabled",), problem, remedy))
    for found in stances.values():
        findings += _agree(found, "TLS belongs to the endpoint: write the same in all files")
    return findings


def resolve_keys(
    loc: Loc, given: GivenKeysInput | None, versions: Mapping[str, Settings]
) -> tuple[SecretStr | None, SecretStr | None, list[Finding]]:
    """Settle the primary and the secondary key: those given at `loc`, else those of v1's files; rule A1 for each."""
    primary, findings = _key(loc, "primary", given.primary if given else None, versions)
    secondary, more = _key(loc, "secondary", given.secondary if given else None, versions)
    findings += more
    wrong = [finding for key in (primary, secondary) if key for finding in _check_key(key)]
    findings += wrong
    if primary and secondary and primary.text == secondary.text and not any(f.severity == "error" for f in wrong):
        problem = "the primary and the secondary key are the same"
        findings.append(secondary.finding(problem, "Give two different ones"))
    return (
        SecretStr(primary.text) if primary else None,
        SecretStr(secondary.text) if secondary else None,
        findings,
    )


def check_anonymous(loc: Loc, name: str, *, auth: Auth, allowed: Iterable[str]) -> list[Finding]:
    """Rule A3 in production: an open endpoint is listed by name as well."""
    if auth != "none" or name in allowed:
        return []
    problem = "an endpoint of a production environment is open to everyone"
    remedy = f'Write auth: key, or list "{name}" under tidegate:allowAnonymous'
    return [Finding(key_path((*loc, "auth")), problem, remedy)]


def only_in_a_cluster(loc: Loc, endpoint: EndpointInput) -> list[Finding]:
    """An endpoint's own settings that one machine has no use for, each with a note."""
    values = {
        "namespace": endpoint.namespace,
        "cluster": endpoint.cluster,
        "serviceAccount": endpoint.service_account,
        "identityClientId": endpoint.identity_client_id,
    }
    return [
        Finding(key_path((*loc, key)), f"not applied on the local target: {key}", severity="note")
        for key, value in values.items()
        if value is not None
    ]


def check_image(loc: Loc, version: VersionInput, settings: Settings) -> list[Finding]:
    """A version that runs a given image: nothing is built beside it."""
    findings: list[Finding] = []
    image = version.image or ""
    built = {key: settings.origin(key) for key in known_keys(InferenceConfig) if settings.written(key)}
    built.pop("description", None)
    for key, origin in built.items():
        problem = f"{key} says what is built, and the version runs the image {image}"
        findings.append(origin.finding((key,), problem, "Take one of them out"))
    for key, value in (("models", version.models), ("delivery", version.delivery), ("arguments", version.arguments)):
        if value:
            problem = f"{key} goes into what is built, and the version runs the image {image}"
            findings.append(Finding(key_path((*loc, key)), problem, "Take one of them out"))
    return findings


def check_target(loc: Loc, version: VersionInput, settings: Settings, target: str) -> list[Finding]:
    """What a target does with a version's settings: refused, or said to be without effect there (table D)."""
    findings: list[Finding] = []
    for layer in settings.layers:
        if aside := left_aside(layer.tree):
            problem = f"environment is set, so the older form's {', '.join(aside)} is left aside"
            findings.append(layer.finding(("environment",), problem, severity="note"))
        for part in ("spark", "databricks"):
            if has(layer.settings, ("environment", part)):
                place: Loc = ("environment", part)
                findings.append(layer.finding(place, f"{part} has no use here and is left aside", severity="note"))
    compute = settings.value.compute_type
    if compute and (compute == "local") != (target == "local"):
        place = ("computeType",)
        problem = f'computeType "{compute}" is not followed: the environment\'s target is {target}'
        findings.append(settings.origin(*place).finding(place, problem, severity="note"))
    if target != "local":
        if unused := [key_path(place) for place in NOT_IN_A_CLUSTER if _asks(settings, place)]:
            problem = f"not applied in a cluster: {', '.join(unused)}"
            findings.append(Finding(key_path(loc), problem, severity="note"))
        return findings
    if settings.value.gpu_cores:
        place = ("gpuCores",)
        problem = f"{settings.value.gpu_cores} GPUs are asked for, and the local target has none"
        findings.append(settings.origin(*place).finding(place, problem, "Set it to 0, or choose another target"))
    if version.image is not None:
        problem = "the local target runs processes, and no images"
        findings.append(Finding(key_path((*loc, "image")), problem, "Write entryScript and the rest, or leave it out"))
    own = [key for key, value in (("nodePool", version.node_pool), ("delivery", version.delivery)) if value]
    if unused := own + [key_path(place) for place in NOT_ON_ONE_MACHINE if _asks(settings, place)]:
        problem = f"not applied on the local target: {', '.join(unused)}"
        findings.append(Finding(key_path(loc), problem, severity="note"))
    return findings


NOT_IN_A_CLUSTER: tuple[tuple[str, ...], ...] = (
    ("location",),
    ("dnsNameLabel",),
    ("port",),
    ("runtime",),
    ("enableGpu",),
    ("cudaVersion",),
    ("environment", "inferencingStackVersion"),
    ("environment", "docker", "baseImageRegistry"),
    ("environment", "docker", "arguments"),
    ("environment", "docker", "sharedVolumes"),
    ("environment", "docker", "shmSize"),
    ("environment", "python", "userManagedDependencies"),
    ("environment", "python", "interpreterPath"),
    ("environment", "python", "baseCondaEnvironment"),
)
"""Settings of v1's other targets, and of how it built and started containers."""

NOT_ON_ONE_MACHINE: tuple[tuple[str, ...], ...] = (
    ("autoScaler", "autoscaleEnabled"),
    ("autoScaler", "maxReplicas"),
    ("autoScaler", "refreshPeriodInSeconds"),
    ("autoScaler", "targetUtilization"),
    ("containerResourceRequirements", "cpu"),
    ("containerResourceRequirements", "memoryInGB"),
    ("containerResourceRequirements", "cpuLimit"),
    ("containerResourceRequirements", "memoryInGBLimit"),
    ("dataCollection", "storageEnabled"),
    ("appInsightsEnabled",),
    ("livenessProbeRequirements", "periodSeconds"),
    ("livenessProbeRequirements", "timeoutSeconds"),
    ("livenessProbeRequirements", "successThreshold"),
    ("livenessProbeRequirements", "failureThreshold"),
    ("namespace",),
    ("location",),
    ("dnsNameLabel",),
    ("port",),
    ("cname",),
    ("sslCertificate",),
    ("sslKey",),
    ("runtime",),
    ("enableGpu",),
    ("cudaVersion",),
    ("extraDockerFileSteps",),
    ("environment", "inferencingStackVersion"),
    ("environment", "docker", "baseImage"),
    ("environment", "docker", "baseDockerfile"),
    ("environment", "docker", "buildContext"),
    ("environment", "docker", "baseImageRegistry"),
    ("environment", "docker", "arguments"),
    ("environment", "docker", "sharedVolumes"),
    ("environment", "docker", "shmSize"),
    ("environment", "docker", "enabled"),
    ("environment", "python", "userManagedDependencies"),
    ("environment", "python", "interpreterPath"),
    ("environment", "python", "baseCondaEnvironment"),
)
"""Settings without effect where processes run without containers, a scaler and a cluster."""


def _asks(settings: Settings, loc: tuple[str, ...]) -> bool:
    """Say whether a value is written that asks for something: what is switched off is off everywhere."""
    value = at(settings.tree, loc)
    return bool(value) and (loc, value) != (("runtime",), "python")


def _files(versions: Iterable[Settings]) -> Iterable[tuple[Layer, DeploymentConfig]]:
    """Each deployment file of an endpoint, once."""
    seen: set[str] = set()
    for settings in versions:
        for layer in settings.layers:
            if layer.deployment is not None and layer.file not in seen:
                seen.add(layer.file)
                yield layer, layer.deployment


def _auth_stance(layer: Layer, config: DeploymentConfig, *, decided: bool) -> tuple[Stance | None, list[Finding]]:
    keys, tokens = config.auth_enabled, config.token_auth_enabled
    if not (layer.broken.sound("authEnabled") and layer.broken.sound("tokenAuthEnabled")):
        return None, []
    if keys and tokens:
        problem = "authEnabled and tokenAuthEnabled are both true"
        return None, [layer.finding(("tokenAuthEnabled",), problem, "Take one of them out")]
    if decided:
        return None, []
    if tokens:
        return Stance(layer, ("tokenAuthEnabled",), "token", "tokens"), []
    if keys is False and tokens is None:
        problem = "authEnabled: false alone does not open an endpoint to everyone"
        remedy = "Write auth: none at the endpoint, or tokenAuthEnabled: false beside it"
        return None, [layer.finding(("authEnabled",), problem, remedy)]
    mode = "none" if keys is False else "key"
    place: Loc = ("authEnabled",) if keys is not None else ()
    return Stance(layer, place, mode, f"auth: {mode}"), []


def _token(loc: Loc, given: TokenInput) -> tuple[TokenSpec, list[Finding]]:
    findings = [
        Finding(key_path((*loc, key)), f'"{value}" is no GUID', f"Entra ID shows it as the {shown}")
        for key, value, shown in (
            ("tenantId", given.tenant_id, "directory (tenant) ID"),
            ("applicationId", given.application_id, "application (client) ID"),
        )
        if not re.fullmatch(GUID, value)
    ]
    uri = given.application_id_uri
    if uri is not None and not re.fullmatch(r"(api|https)://[^\s\"]+", uri):
        problem = f'"{uri}" is no application ID URI'
        remedy = "Write what Entra ID shows under Expose an API: api://..., or https://..."
        findings.append(Finding(key_path((*loc, "applicationIdUri")), problem, remedy))
    if given.role is not None and not re.fullmatch(r"[!-~]{1,120}", given.role):
        problem = f'"{given.role}" is no application role: 1-120 printable ASCII characters without white space'
        findings.append(Finding(key_path((*loc, "role")), problem, "Write the role's value, as Entra ID shows it"))
    written = {"application_id_uri": uri, "role": given.role}
    spec = TokenSpec(
        tenant_id=given.tenant_id.lower(),
        application_id=given.application_id.lower(),
        **{name: value for name, value in written.items() if value is not None},
    )
    return spec, findings


def _agree(stances: list[Stance], remedy: str) -> list[Finding]:
    findings: list[Finding] = []
    for stance in stances[1:]:
        first = stances[0]
        if stance.value != first.value:
            problem = f"this says {stance.shown}, and {first.layer.file} says {first.shown}"
            if stance.shown == first.shown:
                problem = f"this is not what {first.layer.file} says"
            findings.append(stance.layer.finding(stance.loc, problem, remedy))
    return findings


@dataclass(frozen=True)
class _Key:
    layer: Layer
    loc: Loc
    text: str = field(repr=False)

    def finding(self, problem: str, remedy: str, severity: Severity = "error") -> Finding:
        return self.layer.finding(self.loc, problem, remedy, severity=severity)


def _key(
    loc: Loc, name: str, given: SecretStr | None, versions: Mapping[str, Settings]
) -> tuple[_Key | None, list[Finding]]:
    findings: list[Finding] = []
    stances: list[Stance] = []
    for layer, config in _files(versions.values()):
        written = config.keys and (config.keys.primary_key if name == "primary" else config.keys.secondary_key)
        if written is not None:
            place: Loc = ("keys", f"{name}Key")
            stances.append(Stance(layer, place, written.get_secret_value(), "another key"))
            remedy = f"Move it to {key_path((*loc, name))}, by pulumi config set --secret --path"
            findings.append(layer.finding(place, "a key stands here in plain text", remedy, severity="warning"))
    if given is not None:
        return _Key(Layer({}, Path(), base=loc), (name,), given.get_secret_value()), findings
    if not stances:
        return None, findings
    findings += _agree(stances, "Give the endpoint's keys once, under tidegate:keys")
    return _Key(stances[0].layer, stances[0].loc, stances[0].value), findings


def _check_key(key: _Key) -> list[Finding]:
    if not key.text or any(not "!" <= character <= "~" for character in key.text):
        problem = "the key is empty or holds something else than printable ASCII without white space"
        return [key.finding(problem, "Give another, or none: then one is generated")]
    if len(key.text) < SHORT_KEY:
        problem = f"the key is shorter than {SHORT_KEY} characters"
        return [key.finding(problem, "Give a longer one, or none: then one is generated", "warning")]
    return []


def _one_default(place: Loc, versions: Mapping[str, VersionInput], broken: Broken) -> list[Finding]:
    marked = sorted(name for name, version in versions.items() if version.default)
    if len(marked) > 1:
        problem = f"{len(marked)} versions are the default: {', '.join(marked)}"
        return [Finding(key_path(place), problem, "Leave default: true on one of them")]
    if marked or len(versions) == 1 or not broken.sound_in_each(place, "default"):
        return []
    problem = "no version is the default"
    return [Finding(key_path(place), problem, f"Write default: true on one of {', '.join(sorted(versions))}")]


def _one_control(place: Loc, versions: Mapping[str, VersionInput]) -> list[Finding]:
    marked = sorted(name for name, version in versions.items() if version.control)
    if len(marked) < 2:
        return []
    problem = f"{len(marked)} versions are the control: {', '.join(marked)}"
    return [Finding(key_path(place), problem, "Leave control: true on one of them")]


def _percents(place: Loc, versions: Mapping[str, VersionInput], broken: Broken) -> list[Finding]:
    traffic = {name: versions[name].traffic for name in sorted(versions)}
    given = [percent for percent in traffic.values() if percent]
    if sum(given) > WHOLE:
        terms = " + ".join(f"{percent} ({name})" for name, percent in traffic.items() if percent)
        problem = f"the percents sum to {sum(given)}: {terms}"
        return [Finding(key_path(place), problem, "Lower them to 100 or less; the default version gets the rest")]
    defaults = [name for name, version in versions.items() if version.default or len(versions) == 1]
    if len(defaults) != 1 or not broken.sound_in_each(place, "traffic"):
        return []
    live = sum(1 for percent in effective_percents(traffic, defaults[0]).values() if percent)
    if live <= MOST_WITH_TRAFFIC:
        return []
    problem = f"{live} versions get traffic"
    return [Finding(key_path(place), problem, f"Leave at most {MOST_WITH_TRAFFIC} of them above 0 percent")]
