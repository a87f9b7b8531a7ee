"""An endpoint as a stack's state keeps it, so that a preview can say what an update does to it."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tidegate.endpoint.spec import DeploymentSpec, EndpointSpec, VersionSpec
from tidegate.image.record import Record

Serving = dict[str, Any]
"""The inputs of a `tidegate-serving:index:Serving`: plain values, no secret among them."""

Target = Literal["kubernetes", "local"]

Settings = Iterator[tuple[str, str]]
"""Settings by their names in the config, with their values as texts; empty where there is none."""


def serving_record(
    endpoint: EndpointSpec,
    contents: Mapping[str, Record],
    *,
    strategies: Mapping[str, str] | None = None,
    target: Target = "kubernetes",
) -> Serving:
    """What an update can change of `endpoint` on `target`; settings that the target does not apply are left out.

    Args:
        endpoint: the endpoint.
        contents: what the image of a version is made from, by version; none for an image that is given.
        strategies: how a version's pods are replaced, by version: `RollingUpdate` or `Recreate`, and where wanted
            a colon and the reason. Rolling by default.
        target: where the endpoint runs.
    """
    return {
        "endpoint": endpoint.name,
        "target": target,
        "auth": endpoint.auth,
        "keys": _keys(endpoint) if endpoint.auth == "key" else {},
        "default": endpoint.default,
        "control": endpoint.control or "",
        "settings": _written(_endpoint_settings(endpoint, target)),
        "description": endpoint.description,
        "tags": dict(endpoint.tags),
        "versions": {
            version.name: {
                **_version(endpoint, version, target),
                "percent": endpoint.percents[version.name],
                "contents": dict(contents.get(version.name, {})),
                "strategy": (strategies or {}).get(version.name, "").rstrip(": "),
            }
            for version in endpoint.versions
        },
    }


def _keys(endpoint: EndpointSpec) -> dict[str, str]:
    """By name: the rotation number of a key that is made here, `given` for one that is not."""
    return {
        name: "given" if getattr(endpoint.keys, name) is not None else str(getattr(endpoint.key_rotation, name))
        for name in ("primary", "secondary")
    }


def _version(endpoint: EndpointSpec, version: VersionSpec, target: Target) -> Serving:
    return {
        "replicas": _replicas(version.deployment, target),
        "restarting": _written(_restarting(endpoint, version, target)),
        "inPlace": _written(_in_place(version, target)),
        "image": version.image,
        "description": version.description,
        "tags": dict(version.tags),
    }


def _replicas(deployment: DeploymentSpec, target: Target) -> str:
    """A number, or the autoscaler's limits."""
    scaler = deployment.autoscaler
    if scaler and target == "kubernetes":
        return f"{scaler.min_replicas}-{scaler.max_replicas}"
    return str(deployment.replicas)


def _endpoint_settings(endpoint: EndpointSpec, target: Target) -> Settings:
    yield "sample", endpoint.sample.name if endpoint.sample else ""
    yield "maxRequestSizeInMB", str(endpoint.max_request_mb)
    if token := endpoint.token:
        yield "auth.token.tenantId", token.tenant_id
        yield "auth.token.applicationId", token.application_id
        yield "auth.token.applicationIdUri", token.application_id_uri
        yield "auth.token.role", token.role
    if retry := endpoint.retry:
        yield "retry.on", ", ".join(map(str, retry.on))
        yield "retry.attempts", str(retry.attempts)
    if target == "kubernetes":
        yield "cluster", endpoint.cluster
        yield "namespace", endpoint.namespace


def _restarting(endpoint: EndpointSpec, version: VersionSpec, target: Target) -> Settings:
    """What stands in a version's pods or processes, so that another value makes those anew."""
    inference, deployment = version.inference, version.deployment
    yield "entryScript", inference.entry_script if inference else ""
    yield "arguments", " ".join(version.arguments)
    yield "maxConcurrentRequestsPerContainer", str(deployment.max_concurrent_requests)
    yield "maxQueueWaitMs", str(deployment.max_queue_wait_ms)
    yield "scoringTimeoutMs", str(deployment.scoring_timeout_ms)
    for name, value in inference.environment_variables.items() if inference else ():
        # A reader has to see that it changed; the value itself is nobody's business in a pull request.
        yield f"environmentVariables.{name}", f"#{hashlib.sha256(value.encode()).hexdigest()[:8]}"
    if target == "local":
        yield "numReplicas", str(deployment.replicas)
        return
    yield "serviceAccount", endpoint.service_account
    yield "identityClientId", endpoint.identity_client_id
    yield "nodePool", version.node_pool
    yield "delivery", version.delivery or ""
    yield "containerResourceRequirements.cpu", _number(deployment.cpu)
    yield "containerResourceRequirements.memoryInGB", _number(deployment.memory_gb)
    yield "containerResourceRequirements.cpuLimit", _number(deployment.cpu_limit)
    yield "containerResourceRequirements.memoryInGBLimit", _number(deployment.memory_gb_limit)
    yield "gpuCores", _number(deployment.gpu_cores)
    yield "appInsightsEnabled", "true" if deployment.app_insights else ""
    yield "dataCollection.storageEnabled", "true" if deployment.data_collection else ""
    for name, value in deployment.liveness.model_dump(by_alias=False).items():
        yield f"livenessProbeRequirements.{_PROBE[name]}", str(value)


def _in_place(version: VersionSpec, target: Target) -> Settings:
    """What changes while a version's pods or processes go on."""
    yield "shadow", f"{version.shadow} %" if version.shadow else ""
    if target == "local":
        yield "livenessProbeRequirements.initialDelaySeconds", str(version.deployment.liveness.initial_delay_s)
    elif scaler := version.deployment.autoscaler:
        yield "autoScaler.refreshPeriodInSeconds", str(scaler.refresh_period_s)
        yield "autoScaler.targetUtilization", str(scaler.target_utilization)


_PROBE = {
    "period_s": "periodSeconds",
    "initial_delay_s": "initialDelaySeconds",
    "timeout_s": "timeoutSeconds",
    "success_threshold": "successThreshold",
    "failure_threshold": "failureThreshold",
}


def _written(settings: Settings) -> dict[str, str]:
    return {name: value for name, value in settings if value}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
