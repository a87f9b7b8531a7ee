"""What a user writes under `tidegate:endpoints`, `tidegate:gateway` and `tidegate:keys`."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, SecretStr, Tag
from pydantic_core import PydanticCustomError

from tidegate.parse import Attempts, Count, Input, Percent, Port, RequestSize, Whole
from tidegate.v1.deployment import DeploymentSettings
from tidegate.v1.inference import InferenceConfig

_AUTH = "Write it once at the endpoint, as auth: key, auth: none or auth: {token: ...}"
_TLS = "TLS belongs to the cluster: write it under tidegate:clusters.CLUSTER.tls; one machine has none"


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
    shadow: Percent | None = Field(
        None, description="Percent of the live requests copied to this version, which has no traffic of its own."
    )
    image: str | None = Field(
        None, description='"name:number" or "registry/repository@sha256:...": run it as it is, build nothing.'
    )
    delivery: Literal["baked", "fetched"] | None = Field(
        None, description="How code and models reach a pod; by default baked into its image under 512 MB."
    )
    node_pool: str | None = Field(None, description="A pool of the cluster; by default any that takes the pods.")
    inference: str | None = Field(None, description="v1's inferenceconfig.json, from the project's root.")
    deployment: str | None = Field(None, description="v1's deploymentconfig.json, from the project's root.")


class KeyRotationInput(Input):
    """Raising a number makes a new key in place of the generated one."""

    primary: Count | None = None
    secondary: Count | None = None


class TokenInput(Input):
    """Whose tokens of Entra ID are taken."""

    tenant_id: str = Field(description="The directory's GUID.")
    application_id: str = Field(description="The GUID of the application that stands for the endpoint.")
    application_id_uri: str | None = Field(
        None, description="api://...: given where callers hold v1 tokens, whose audience it is."
    )
    role: str | None = Field(None, description="The application role that a caller must have; default Score.Invoke.")


class TokenAuthInput(Input):
    """Tokens in place of keys."""

    token: TokenInput


def _auth_form(value: object) -> str:
    return "word" if isinstance(value, str) else "block"


def _no_bare_token(value: object) -> object:
    if value == "token":
        raise PydanticCustomError("bare_token", "does not say whose tokens are taken")
    return value


AuthInput = Annotated[
    Annotated[Literal["key", "none"], Tag("word")] | Annotated[TokenAuthInput, Tag("block")],
    Discriminator(_auth_form),
    BeforeValidator(_no_bare_token),
]
"""`key`, `none`, or `{token: {...}}`."""


class RetryInput(Input):
    """A request that one replica refuses is tried again on another."""

    on: Whole | None = Field(None, description="503, the default, and the only status that may be tried again.")
    attempts: Attempts | None = Field(None, description="How often, 1-3; default 1.")


class EndpointInput(Input):
    """One address with one to twenty versions behind it."""

    refused: ClassVar = {"keys": "Given keys stand under tidegate:keys, which is secret"}

    auth: AuthInput | None = Field(None, description="key is the default; none lets everyone in.")
    key_rotation: KeyRotationInput | None = None
    sample: str | None = Field(
        None, description="A request body that a new version must answer before it gets traffic."
    )
    namespace: str | None = Field(None, description="The Kubernetes namespace; the endpoint's name by default.")
    cluster: str | None = Field(None, description="A name under tidegate:clusters; by default the only one there.")
    service_account: str | None = Field(
        None, description="The name of the pods' service account; the endpoint's name by default."
    )
    identity_client_id: str | None = Field(
        None, description="A managed identity that exists, for the pods; by default one is made when needed."
    )
    retry: RetryInput | None = Field(None, description="Default: nothing is tried again.")
    max_request_size_in_mb: RequestSize | None = Field(
        None, alias="maxRequestSizeInMB", description="Largest request body, 1-1024; default 100."
    )
    tags: dict[str, str] | None = None
    description: str | None = None
    versions: dict[str, VersionInput] | None = Field(None, description="One to twenty, by name.")


class GatewayInput(Input):
    """Where the gateway of a local environment listens."""

    address: str | None = Field(None, description="Default 127.0.0.1: this machine only.")
    port: Port | None = Field(None, description="Default 8080.")
    token_rotation: Count | None = Field(
        None, description="Raising it makes the local issuer of tokens sign with a new key; default 1."
    )


class GivenKeysInput(Input):
    """The keys of one endpoint, where they are not to be generated."""

    primary: SecretStr | None = None
    secondary: SecretStr | None = None
