"""An endpoint with its versions, complete: files read, defaults filled in, rules passed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from tidegate.endpoint.traffic import effective_percents
from tidegate.image.python import PythonEnvironment
from tidegate.model.spec import ModelRef

Auth = Literal["key", "none"]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GatewaySpec(_Spec):
    """Where the gateway of a local environment listens."""

    address: str = "127.0.0.1"
    port: int = 8080


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
    inference: InferenceSpec
    deployment: DeploymentSpec = DeploymentSpec()


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
    keys: GivenKeys = GivenKeys()
    key_rotation: KeyRotation = KeyRotation()
    sample: Path | None = None
    """Absolute: a request body that a new version must answer before it gets traffic."""
    namespace: str
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
