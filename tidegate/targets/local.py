"""An environment as one machine runs it: the inputs of the `tidegate-serving:local` resources, as plain dictionaries.

What one resource learns from another at apply time (a model's copy, a deployment's id, a key) is left out here; the
components put it in under the names that the resources give.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.cache import cache_folder
from tidegate.config import Environment
from tidegate.endpoint.keys import plan_keys
from tidegate.endpoint.spec import DEFAULT_REQUEST_MB, EndpointSpec, VersionSpec
from tidegate.image.inputs import ImageInputs, image_inputs
from tidegate.image.lock import FILE, Lock, read
from tidegate.image.record import Record, record
from tidegate.image.server import server_version
from tidegate.image.snapshot import take_snapshot
from tidegate.model.content import content_digest
from tidegate.model.spec import ModelSpec
from tidegate.report.record import Serving, serving_record
from tidegate.targets.local_paths import state_folder

Inputs = dict[str, Any]


@dataclass(frozen=True)
class DeploymentPlan:
    """One version's processes: what they run, and the models (`name:number`) and the environment (its key) for it.

    `contents` is what an image of the same would be made from.
    """

    inputs: Inputs
    models: tuple[str, ...]
    environment: str
    contents: Record


@dataclass(frozen=True)
class EndpointPlan:
    """One endpoint: its keys by name (none where nobody is asked for one), its versions, and the split between them."""

    name: str
    keys: Mapping[str, Inputs]
    deployments: Mapping[str, DeploymentPlan]
    route: Inputs
    serving: Serving


@dataclass(frozen=True)
class LocalPlan:
    """Everything that one stack runs on one machine."""

    host: Inputs
    gateway: Inputs
    tokens: Inputs | None
    """The issuer of tokens; None where no endpoint takes any."""
    models: Mapping[str, Inputs]
    environments: Mapping[str, Inputs]
    endpoints: tuple[EndpointPlan, ...]


def plan_local(environment: Environment, *, root: Path) -> LocalPlan:
    """What to run for `environment`; `root` is the project's folder, which holds the scoring server and the state."""
    environments = _Environments(root, read(root / FILE), environment.image_platform)
    models = {f"{model.name}:{model.number}": _model(model) for model in environment.models}
    endpoints = tuple(_endpoint(endpoint, environments, models) for endpoint in environment.endpoints)
    return LocalPlan(
        host={"state": str(state_folder(root, environment.stack))},
        gateway={"address": environment.gateway.address, "port": environment.gateway.port},
        tokens={"rotation": environment.gateway.token_rotation} if _takes_tokens(environment) else None,
        models=models,
        environments=environments.inputs,
        endpoints=endpoints,
    )


def _takes_tokens(environment: Environment) -> bool:
    return any(endpoint.auth == "token" for endpoint in environment.endpoints)


class _Environments:
    """The environments of a plan, each once, by its key: the key that its image has on other targets."""

    def __init__(self, root: Path, lock: Lock, platform: str) -> None:
        self.inputs: dict[str, Inputs] = {}
        self._runtime = root / "runtime"
        self._server = server_version(self._runtime)
        self._lock = lock
        self._platform = platform

    def add(self, version: VersionSpec) -> ImageInputs:
        """Add a version's environment and return what it is made from."""
        of_image = image_inputs(version, self._lock, self._platform, server=self._server)
        self.inputs[of_image.key] = {
            "key": of_image.key,
            "python": of_image.python.python,
            "requirements": list(of_image.python.requirements),
            "server": str(self._runtime),
        }
        return of_image


def _model(model: ModelSpec) -> Inputs:
    inputs: Inputs = {
        "name": model.name,
        "number": model.number,
        "path": str(model.path),
        "content": content_digest(model.path),
    }
    return inputs | _described(model.description, model.tags)


def _endpoint(endpoint: EndpointSpec, environments: _Environments, models: Mapping[str, Inputs]) -> EndpointPlan:
    deployments = {version.name: _deployment(endpoint, version, environments, models) for version in endpoint.versions}
    route: Inputs = {
        "endpoint": endpoint.name,
        "auth": endpoint.auth,
        "default": endpoint.default,
        "versions": {version.name: _share(version, endpoint.percents) for version in endpoint.versions},
    }
    if endpoint.token:
        route["token"] = {"audiences": list(endpoint.token.audiences), "role": endpoint.token.role}
    if endpoint.retry:
        route["attempts"] = endpoint.retry.attempts
    if endpoint.max_request_mb != DEFAULT_REQUEST_MB:
        route["maxRequestBytes"] = endpoint.max_request_mb << 20
    if endpoint.control:
        route["control"] = endpoint.control
    if endpoint.sample:
        route["sample"] = str(endpoint.sample)
    return EndpointPlan(
        name=endpoint.name,
        keys=plan_keys(endpoint),
        deployments=deployments,
        route=route | _described(endpoint.description, endpoint.tags),
        serving=serving_record(
            endpoint, {name: deployment.contents for name, deployment in deployments.items()}, target="local"
        ),
    )


def _share(version: VersionSpec, percents: Mapping[str, int]) -> Inputs:
    longest_ms = version.deployment.scoring_timeout_ms + version.deployment.max_queue_wait_ms
    share: Inputs = {"percent": percents[version.name], "timeoutMs": longest_ms}
    if version.shadow:
        share["shadow"] = version.shadow
    return share | _described(version.description, version.tags)


def _deployment(
    endpoint: EndpointSpec, version: VersionSpec, environments: _Environments, models: Mapping[str, Inputs]
) -> DeploymentPlan:
    inference, deployment = version.built_from, version.deployment
    source = take_snapshot(inference.source, cache=cache_folder(os.environ))
    inputs: Inputs = {
        "endpoint": endpoint.name,
        "version": version.name,
        "source": {"path": str(inference.source), "digest": source.digest},
        "entryScript": inference.entry_script,
        "arguments": list(version.arguments),
        "environmentVariables": dict(inference.environment_variables),
        "replicas": deployment.replicas,
        "maxConcurrentRequests": deployment.max_concurrent_requests,
        "maxQueueWaitMs": deployment.max_queue_wait_ms,
        "scoringTimeoutMs": deployment.scoring_timeout_ms,
        "startupSeconds": deployment.liveness.initial_delay_s,
    }
    if endpoint.max_request_mb > DEFAULT_REQUEST_MB:  # a smaller limit is the gateway's alone, and restarts nothing
        inputs["maxRequestBytes"] = endpoint.max_request_mb << 20
    of_image = environments.add(version)
    digests = {str(model): models[str(model)]["content"] for model in version.models}
    return DeploymentPlan(
        inputs={name: value for name, value in inputs.items() if value not in ([], {})},
        models=tuple(digests),
        environment=of_image.key,
        contents=record(of_image, code=source.digest, models=digests),
    )


def _described(description: str, tags: Mapping[str, str]) -> Inputs:
    found: Inputs = {"description": description, "tags": dict(tags)}
    return {name: value for name, value in found.items() if value}
