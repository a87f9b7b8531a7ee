"""The container in which a version's scoring server runs, and the volumes under it.

What the server is told is what the local target tells it (`providers.local.deployment`), and what only a pod has.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any

from tidegate.endpoint.spec import DEFAULT_REQUEST_MB, EndpointSpec, LivenessSpec, VersionSpec
from tidegate.image.dockerfile import APP_ROOT, PREFIX
from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.names import object_name

Json = dict[str, Any]

NAME = "scoring"
INSIGHTS_KEY = "connectionString"
"""Of the endpoint's Secret for Application Insights."""
HTTP_PORT = 5001
METRICS_PORT = 5002
"""Answers from the main process's memory: health there needs no turn among the requests."""

PRE_STOP_S = 10
"""How long a pod that is to end goes on serving: until then every gateway has been told to leave it out."""
STOP_MARGIN_S = 10
"""Beyond the last run: the server gives a worker eight seconds for its last records, and its outputs are kept."""
STARTUP_PERIOD_S = 2
READINESS_PERIOD_S = 5

SCRATCH = "2Gi"
"""Of /tmp and of ./outputs, each: a replica that writes more is evicted, before the node's disk is full."""
CONTENT = "64Gi"
"""Of models and code that are fetched at start."""
CONTENT_FOLDER = "/var/tidegate/content"

_MEMORY_HEADROOM = 2
"""The limit where none is given, as a multiple of the request: loading a model takes more than keeping it."""


def plan_container(
    endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts, *, image: object, content: object | None
) -> Json:
    """The container; `content` is the text of TIDEGATE_CONTENT where the server fetches models or code."""
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "outputs", "mountPath": f"{APP_ROOT}/outputs"}]  # noqa: S108 (in a pod)
    if content is not None:
        mounts.append({"name": "content", "mountPath": CONTENT_FOLDER})
    container: Json = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": [*_environment(endpoint, version, cluster, content), *_secrets(endpoint, version, cluster)],
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": _resources(version),
        **_probes(version.deployment.liveness),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_S}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": mounts,
    }
    if version.arguments:  # else the image's own command
        container["command"] = [f"{PREFIX}/bin/tidegate-score"]
        container["args"] = ["--", *map(_literal, version.arguments)]
    return container


def plan_volumes(*, content: bool) -> list[Json]:
    """What the container may write to: the image itself is read-only."""
    sizes = {"tmp": SCRATCH, "outputs": SCRATCH, **({"content": CONTENT} if content else {})}
    return [{"name": name, "emptyDir": {"sizeLimit": size}} for name, size in sizes.items()]


def longest_s(version: VersionSpec) -> int:
    """The longest that a request may take in a replica, waiting included, in whole seconds."""
    return ceil((version.deployment.scoring_timeout_ms + version.deployment.max_queue_wait_ms) / 1000)


def grace_s(version: VersionSpec) -> int:
    """How long a pod is given to end: no request that it has begun is cut off."""
    return PRE_STOP_S + longest_s(version) + STOP_MARGIN_S


def cores(cpu: float) -> str:
    """A quantity of CPU as the API server writes it back."""
    milli = max(round(cpu * 1000), 1)
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def gigabytes(size: float) -> str:
    """A quantity of memory as the API server writes it back. v1's GB are GiB here, as Docker has them."""
    mebibytes = max(round(size * 1024), 1)
    return f"{mebibytes}Mi" if mebibytes % 1024 else f"{mebibytes // 1024}Gi"


def _environment(
    endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts, content: object | None
) -> list[Json]:
    bounds = version.deployment
    given: Mapping[str, str] = version.inference.environment_variables if version.inference else {}
    settings: dict[str, object] = {
        **{name: _literal(text) for name, text in given.items()},
        "PYTHONUNBUFFERED": "1",
        "SERVER_PORT": str(HTTP_PORT),
        "SERVICE_NAME": endpoint.name,
        "SERVICE_VERSION": version.name,
        "SCORING_TIMEOUT_MS": str(bounds.scoring_timeout_ms),
        "TIDEGATE_HOST": "0.0.0.0",  # noqa: S104 (a pod's address is its own)
        "TIDEGATE_MAX_CONCURRENT_REQUESTS": str(bounds.max_concurrent_requests),
        "TIDEGATE_MAX_QUEUE_WAIT_MS": str(bounds.max_queue_wait_ms),
        "TIDEGATE_METRICS_PORT": str(METRICS_PORT),
    }
    if endpoint.max_request_mb > DEFAULT_REQUEST_MB:  # a smaller limit is the gateway's alone, and restarts nothing
        settings["TIDEGATE_MAX_REQUEST_BYTES"] = str(endpoint.max_request_mb << 20)
    if cluster.records:
        settings["TIDEGATE_OUTPUTS_DESTINATION"] = f"{cluster.records}/outputs"
        if bounds.data_collection:
            settings["AML_MODEL_DC_STORAGE_ENABLED"] = "true"
            settings["TIDEGATE_COLLECTION_DESTINATION"] = f"{cluster.records}/modeldata"
    if content is not None:
        settings |= {"TIDEGATE_CONTENT": content, "TIDEGATE_CONTENT_DIR": CONTENT_FOLDER}
    return [{"name": name, "value": settings[name]} for name in sorted(settings)]


def _secrets(endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts) -> list[Json]:
    if not (cluster.insights and version.deployment.app_insights):
        return []
    reference = {"name": object_name(endpoint.name, "insights"), "key": INSIGHTS_KEY}
    return [{"name": "APPLICATIONINSIGHTS_CONNECTION_STRING", "valueFrom": {"secretKeyRef": reference}}]


def _literal(text: str) -> str:
    """Text that Kubernetes puts no variable into: it replaces `$(NAME)`."""
    return text.replace("$(", "$$(")


def _resources(version: VersionSpec) -> Json:
    wanted = version.deployment
    limits: Json = {"memory": gigabytes(wanted.memory_gb_limit or wanted.memory_gb * _MEMORY_HEADROOM)}
    if wanted.cpu_limit:
        limits["cpu"] = cores(wanted.cpu_limit)
    if wanted.gpu_cores:
        limits["nvidia.com/gpu"] = str(wanted.gpu_cores)
    return {"requests": {"cpu": cores(wanted.cpu), "memory": gigabytes(wanted.memory_gb)}, "limits": limits}


def _probes(liveness: LivenessSpec) -> Json:
    health = {"path": "/", "port": "metrics", "scheme": "HTTP"}
    return {
        "startupProbe": {
            "httpGet": health,
            "periodSeconds": STARTUP_PERIOD_S,
            "timeoutSeconds": liveness.timeout_s,
            "failureThreshold": max(ceil(liveness.initial_delay_s / STARTUP_PERIOD_S), 1),
        },
        "livenessProbe": {
            "httpGet": health,
            "periodSeconds": liveness.period_s,
            "timeoutSeconds": liveness.timeout_s,
            "failureThreshold": liveness.failure_threshold,
        },
        # How often it has to succeed counts here: Kubernetes takes no other number than one for liveness.
        "readinessProbe": {
            "httpGet": health,
            "periodSeconds": READINESS_PERIOD_S,
            "timeoutSeconds": liveness.timeout_s,
            "successThreshold": liveness.success_threshold,
            "failureThreshold": 2,
        },
    }
