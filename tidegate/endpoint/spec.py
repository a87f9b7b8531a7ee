"""An endpoint with its versions, complete: files read, defaults filled in, rules passed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from tidegate.endpoint.traffic import effective_percents
from tidegate.image.python import PythonEnvironment
from tidegate.model.spec import ModelRef

Auth = Literal["key", "token", "none"]
"""Who may call: holders of one of two keys, holders of a token, or everybody."""
Delivery = Literal["baked", "fetched"]
"""How code and models reach a pod: in a layer of the image, or from the model store when it starts."""
DEFAULT_REQUEST_MB = 100
"""Azure ML v1's payload limit."""


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GatewaySpec(_Spec):
    """Where the gateway of a local environment listens, and what it takes."""

    address: str = "127.0.0.1"
    port: int = 8080
    token_rotation: int = 1
    """A higher number than before makes the issuer of tokens sign with a new key."""


class TokenSpec(_Spec):
    """Whose tokens are taken: those of Entra ID for an application, with a role in it.

    The local target's own issuer signs tokens for the same audiences and the same role.
    """

    tenant_id: str
    application_id: str
    application_id_uri: str = ""
    """Given where callers hold v1 tokens, whose audience it is."""
    role: str = "Score.Invoke"

    @property
    def issuers(self) -> tuple[str, ...]:
        """Who may have issued a token: Entra's v2 endpoint, and its v1 endpoint where v1 tokens are taken."""
        v2 = f"https://login.microsoftonline.com/{self.tenant_id}/v2.0"
        return (v2, f"https://sts.windows.net/{self.tenant_id}/") if self.application_id_uri else (v2,)

    @property
    def audiences(self) -> tuple[str, ...]:
        """Whom a token may be for: v2 tokens name the application's id, v1 tokens its URI."""
        return tuple(name for name in (self.application_id, self.application_id_uri) if name)

    @property
    def jwks_uri(self) -> str:
        """Where the tenant publishes the keys that it signs with."""
        return f"https://login.microsoftonline.com/{self.tenant_id}/discovery/v2.0/keys"

    @property
    def scope(self) -> str:
        """What a client asks Entra ID for."""
        return f"{self.application_id_uri or f'api://{self.application_id}'}/.default"


class RetrySpec(_Spec):
    """A request that one replica answers with one of the statuses `on` is tried again on another replica."""

    on: tuple[int, ...] = (503,)
    attempts: int = 1
    """How often it is tried again."""


class AutoScalerSpec(_Spec):
    """Limits and pace of the autoscaler; `target_utilization` is a percent."""

    min_replicas: int = 1
    max_replicas: int = 10
    refresh_period_s: int = 1
    target_utilization: int = 70


class LivenessSpec(_Spec):
    """The liveness probe; `initial_delay_s` is how long `init()` may take before the version counts as failed."""

    period_s: int = 10
    initial_delay_s: int = 310
    timeout_s: int = 2
    success_threshold: int = 1
    failure_threshold: int = 3


class DeploymentSpec(_Spec):
    """How a version runs: replicas, resources of each, and the bounds of a request (table D)."""

    num_replicas: int | None = None
    """Given only without autoscaling."""
    autoscaler: AutoScalerSpec | None = AutoScalerSpec()
    cpu: float = 0.1
    """Cores that a replica asks for."""
    memory_gb: float = 0.5
    cpu_limit: float | None = None
    memory_gb_limit: float | None = None
    gpu_cores: int | None = None
    scoring_timeout_ms: int = 60000
    max_concurrent_requests: int = 1
    """Requests that a replica runs at the same time."""
    max_queue_wait_ms: int = 500
    liveness: LivenessSpec = LivenessSpec()
    app_insights: bool = False
    data_collection: bool = False

    @property
    def replicas(self) -> int:
        """How many replicas to start with."""
        if self.num_replicas is not None:
            return self.num_replicas
        return self.autoscaler.min_replicas if self.autoscaler else 1


class InferenceSpec(_Spec):
    """What a version runs: the code, and what its environment is made of."""

    entry_script: str
    """Posix path relative to `source`; the file's own name where `source` is that file."""
    source: Path
    """Absolute: the source directory, or the entry script alone where no directory is given."""
    python: PythonEnvironment = PythonEnvironment()
    python_file: str = ""
    """The file that the packages were read from, relative to the project's root; empty where there is none."""
    docker_steps: tuple[str, ...] = ()
    base_image: str = ""
    """Empty for the default one, and where `base_dockerfile` is given."""
    base_dockerfile: str = ""
    """The text of a Dockerfile, given alone or with its folder."""
    build_context: Path | None = None
    """Absolute: the folder with the files for `base_dockerfile`, where one is given."""
    environment_variables: Mapping[str, str] = {}


class VersionSpec(_Spec):
    """One version of an endpoint: its models, its code, its settings and its share of the traffic."""

    name: str
    traffic: int | None = None
    """The percent as written; what the version really gets is in `EndpointSpec.percents`."""
    default: bool = False
    control: bool = False
    tags: Mapping[str, str] = {}
    description: str = ""
    models: tuple[ModelRef, ...] = ()
    arguments: tuple[str, ...] = ()
    """For the entry script's `sys.argv`."""
    inference: InferenceSpec | None = None
    """What it runs; None exactly where `image` names an image that holds it."""
    deployment: DeploymentSpec = DeploymentSpec()
    shadow: int = 0
    """Percent of the live requests that are copied to this version; nobody waits for its answers to those."""
    image: str = ""
    """A registered image, `name:number`, or a reference with a digest, which holds code, environment and models."""
    delivery: Delivery | None = None
    """None where the size decides."""
    node_pool: str = ""
    """The pool that its pods run in; empty for any that takes them."""

    @property
    def built_from(self) -> InferenceSpec:
        """What its environment is built from. Raises ValueError for a version that runs a given image."""
        if self.inference is None:
            raise ValueError(f"version {self.name} runs the image {self.image}: nothing is built for it")
        return self.inference


class GivenKeys(_Spec):
    """Keys that the user chose; None where one is to be generated."""

    primary: SecretStr | None = None
    secondary: SecretStr | None = None


class KeyRotation(_Spec):
    """A higher number than before makes a new key in place of the generated one."""

    primary: int = 1
    secondary: int = 1


class EndpointSpec(_Spec):
    """One address with one to twenty versions behind it."""

    name: str
    auth: Auth = "key"
    token: TokenSpec | None = None
    """Given exactly where `auth` is "token"."""
    keys: GivenKeys = GivenKeys()
    key_rotation: KeyRotation = KeyRotation()
    sample: Path | None = None
    """Absolute: a request body that a new version must answer before it gets traffic."""
    namespace: str
    cluster: str = ""
    """The cluster that it runs on; empty on other targets than Azure."""
    service_account: str
    """The name of the pods' service account, which is made here."""
    identity_client_id: str = ""
    """The client id of a managed identity that exists, for the pods; empty where one is made when needed."""
    retry: RetrySpec | None = None
    max_request_mb: int = DEFAULT_REQUEST_MB
    """The largest request body in MB (2**20 bytes); a larger one is answered 413."""
    tags: Mapping[str, str] = {}
    description: str = ""
    versions: tuple[VersionSpec, ...]
    """Sorted by name."""

    @property
    def default(self) -> str:
        """The version that gets what is not given away: the only one, or the one marked so (rule E3)."""
        if len(self.versions) == 1:
            return self.versions[0].name
        return next(version.name for version in self.versions if version.default)

    @property
    def control(self) -> str | None:
        """The version that the others are compared with, if one is marked so (rule E4)."""
        return next((version.name for version in self.versions if version.control), None)

    @property
    def percents(self) -> Mapping[str, int]:
        """What each version really gets, in whole percent; sums to 100 (rule E2)."""
        return effective_percents({version.name: version.traffic for version in self.versions}, self.default)

    @property
    def shadows(self) -> Mapping[str, int]:
        """The versions that get copies of live requests, each with its percent, above 0 (rule E7)."""
        return {version.name: version.shadow for version in self.versions if version.shadow}
