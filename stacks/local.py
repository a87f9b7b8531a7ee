"""A stack on one machine: no cloud, no Docker."""

from pathlib import Path
from typing import Any

import pulumi

from components.local_endpoint import LocalEndpoint
from components.local_machine import LocalMachine
from tidegate.config import Environment
from tidegate.endpoint.spec import EndpointSpec
from tidegate.targets.envoy import paths
from tidegate.targets.local import plan_local


def deploy(environment: Environment, root: Path) -> None:
    """Register the stack's resources and export its outputs."""
    plan = plan_local(environment, root=root)
    machine = LocalMachine("local", plan)
    endpoints = {endpoint.name: LocalEndpoint(endpoint.name, endpoint, machine) for endpoint in plan.endpoints}
    url = machine.gateway.output("url")
    pulumi.export("address", url)
    pulumi.export("endpoints", {spec.name: _described(spec, url) for spec in environment.endpoints})
    # One secret value each, so that `pulumi stack output` can show everything else.
    pulumi.export("keys", pulumi.Output.secret({name: endpoint.keys for name, endpoint in endpoints.items()}))


def _described(spec: EndpointSpec, url: pulumi.Output[str]) -> dict[str, Any]:
    score, swagger = (path for path in paths(spec.name) if path.startswith("/api/"))
    return {
        "address": pulumi.Output.concat(url, score),
        "swagger": pulumi.Output.concat(url, swagger),
        "auth": spec.auth,
        "default": spec.default,
        "control": spec.control,
        "versions": dict(spec.percents),
    }
