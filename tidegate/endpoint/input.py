"""What a user writes under `tidegate:endpoints`, `tidegate:gateway` and `tidegate:keys`."""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from tidegate.parse import Count, Input, Percent, Port
from tidegate.v1.deployment import DeploymentSettings
from tidegate.v1.inference import InferenceConfig

_AUTH = "Write it once at the endpoint, as auth: key or auth: none"
_TLS = "Write it once at the endpoint; no target offers TLS there yet, so leave it out"


class VersionInput(InferenceConfig, DeploymentSettings):
    """One version: its share, its models and its two files; any key of those files may stand here too, and wins."""

    refused: ClassVar = {
        "auth": _AUTH,
        "authEnabled": _AUTH,
        "tokenAuthEnabled": _AUTH,
        "keys": "Write it once at the endpoint: given keys stand under tidegate:keys",
        "namespace": "Write it once at the endpoint, as namespace",
        "sslEnabled": _TLS,
        "sslCertificate": _TLS,
        "sslKey": _TLS,
        "cname": _TLS,
    }

    traffic: Percent | None = Field(
        None, description="Whole percent; absent is 0. What is not given away goes to the default version."
    )
    default: bool | None = Field(None, description="Needed on exactly one version as soon as there are several.")
    control: bool | None = Field(None, description="The version that the others are compared with; at most one.")
    models: list[str] | None = Field(
        None, description='"name:number", "name" (its highest number), or a path that contains "/" or begins with ".".'
    )
    arguments: list[str] | None = Field(None, description="Arguments for the entry script.")
    tags: dict[str, str] | None = None
    description: str | None = None
    inference: str | None = Field(None, description="v1's inferenceconfig.json, from the project's root.")
    deployment: str | None = Field(None, description="v1's deploymentconfig.json, from the project's root.")


class KeyRotationInput(Input):
    """Raising a number makes a new key in place of the generated one."""

    primary: Count | None = None
    secondary: Count | None = None


class EndpointInput(Input):
    """One address with one to twenty versions behind it."""

    refused: ClassVar = {"keys": "Given keys stand under tidegate:keys, which is secret"}

    auth: Literal["key", "none"] | None = Field(None, description="key is the default; none lets everyone in.")
    key_rotation: KeyRotationInput | None = None
    sample: str | None = Field(
        None, description="A request body that a new version must answer before it gets traffic."
    )
    namespace: str | None = Field(None, description="The Kubernetes namespace; the endpoint's name by default.")
    tags: dict[str, str] | None = None
    description: str | None = None
    versions: dict[str, VersionInput] | None = Field(None, description="One to twenty, by name.")


class GatewayInput(Input):
    """Where the gateway of a local environment listens."""

    address: str | None = Field(None, description="Default 127.0.0.1: this machine only.")
    port: Port | None = Field(None, description="Default 8080.")


class GivenKeysInput(Input):
    """The keys of one endpoint, where they are not to be generated."""

    primary: SecretStr | None = None
    secondary: SecretStr | None = None
