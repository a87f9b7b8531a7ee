"""A stack on one machine: no cloud, no Docker."""

from pathlib import Path

import pulumi

from components.local_endpoint import LocalEndpoint
from components.local_machine import LocalMachine
from stacks.outputs import describe_endpoint
from tidegate.config import Environment
from tidegate.targets.local import plan_local


def deploy(environment: Environment, root: Path) -> None:
    """Register the stack's resources and export its outputs."""
    plan = plan_local(environment, root=root)
    machine = LocalMachine("local", plan)
    endpoints = {endpoint.name: LocalEndpoint(endpoint.name, endpoint, machine) for endpoint in plan.endpoints}
    url = machine.gateway.output("url")
    pulumi.export("address", url)
    described = {spec.name: describe_endpoint(spec, url, issuer=machine.issuer) for spec in environment.endpoints}
    pulumi.export("endpoints", described)
    # One secret value each, so that `pulumi stack output` can show everything else.
    pulumi.export("keys", pulumi.Output.secret({name: endpoint.keys for name, endpoint in endpoints.items()}))
