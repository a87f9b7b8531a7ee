"""`deploymentconfig.json` of Azure Machine Learning v1, and the same keys beside a version in the stack config."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from tidegate.parse import Amount, Count, Input, PositivePercent, Whole


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class AutoScaler(Input):
    """Limits and pace of the autoscaler."""

    autoscale_enabled: bool | None = Field(None, description="On unless numReplicas is given.")
    min_replicas: Count | None = Field(None, description="Default 1.")
    max_replicas: Count | None = Field(None, description="Default 10.")
    refresh_period_in_seconds: Count | None = Field(None, description="How often the autoscaler looks; default 1.")
    target_utilization: PositivePercent | None = Field(
        None, description="Percent: (in flight + queued) / (ready replicas x concurrent requests); default 70."
    )


class ContainerResourceRequirements(Input):
    """What each replica asks for, and what it may take at most."""

    cpu: Amount | None = Field(None, description="Cores asked for; default 0.1.")
    memory_in_gb: Amount | None = Field(None, alias="memoryInGB", description="Memory asked for; default 0.5.")
    cpu_limit: Amount | None = Field(None, description="Cores at most.")
    memory_in_gb_limit: Amount | None = Field(None, alias="memoryInGBLimit", description="Memory at most.")


class DataCollection(Input):
    """Collection of inputs and outputs."""

    storage_enabled: bool | None = Field(None, description="Default false.")


class LivenessProbeRequirements(Input):
    """The liveness probe."""

    period_seconds: Count | None = Field(None, description="Default 10.")
    initial_delay_seconds: Count | None = Field(
        None, description="How long init() may take before the version counts as failed; default 310."
    )
    timeout_seconds: Count | None = Field(None, description="Default 2.")
    success_threshold: Count | None = Field(None, description="Default 1.")
    failure_threshold: Count | None = Field(None, description="Default 3.")


class DeploymentSettings(Input):
    """What a version may set for itself: in v1's file, or beside the version in the stack config."""

    compute_type: Annotated[Literal["aks", "aci", "local"], BeforeValidator(_lower)] | None = Field(
        None, description="Read, never followed: the environment's target decides."
    )
    auto_scaler: AutoScaler | None = None
    num_replicas: Count | None = Field(None, description="A fixed number of replicas, without autoscaling.")
    container_resource_requirements: ContainerResourceRequirements | None = None
    gpu_cores: Whole | None = Field(None, description="GPUs of each replica; none unless given.")
    data_collection: DataCollection | None = None
    app_insights_enabled: bool | None = Field(None, description="Default false.")
    scoring_timeout_ms: Count | None = Field(None, description="Default 60000.")
    max_concurrent_requests_per_container: Count | None = Field(
        None, description="Requests that a replica runs at the same time; default 1."
    )
    max_queue_wait_ms: Whole | None = Field(
        None, description="How long a request may wait for its turn before the answer is 503; default 500."
    )
    liveness_probe_requirements: LivenessProbeRequirements | None = None
    location: str | None = Field(None, description="Azure Container Instances only.")
    dns_name_label: str | None = Field(None, description="Azure Container Instances only.")
    port: Whole | None = Field(None, description="v1's local target only: the gateway's port is in tidegate:gateway.")


class Keys(Input):
    """Keys that v1's file gives in plain text."""

    primary_key: SecretStr | None = None
    secondary_key: SecretStr | None = None


class DeploymentConfig(DeploymentSettings):
    """All of v1's file: a version's settings, and those that belong to its endpoint."""

    auth_enabled: bool | None = None
    token_auth_enabled: bool | None = None
    keys: Keys | None = None
    namespace: str | None = None
    ssl_enabled: bool | None = None
    ssl_certificate: str | None = None
    ssl_key: SecretStr | None = None
    cname: str | None = None
