"""One endpoint of a local stack."""

from collections.abc import Mapping

import pulumi

from components.keys import register_keys
from components.local_machine import LocalMachine
from components.resources import Deployment, Route, Serving
from tidegate.targets.local import DeploymentPlan, EndpointPlan


class LocalEndpoint(pulumi.ComponentResource):
    """An endpoint's keys, the processes of its versions, and its routes in the gateway.

    `keys` holds the values by name, secret; it is empty where the endpoint asks nobody for one.
    """

    keys: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, plan: EndpointPlan, machine: LocalMachine, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:local:Endpoint", name, None, opts)
        # A dot cannot stand in a name, so `a-b` with `c` and `a` with `b-c` stay apart.
        Serving(f"{name}.serving", plan.serving, pulumi.ResourceOptions(parent=self))
        self.keys = register_keys(name, plan.keys, self)
        deployments = {
            version: self._deployment(f"{name}.{version}", deployment, machine)
            for version, deployment in plan.deployments.items()
        }
        versions = {
            version: {**share, "deployment": deployments[version].output("deployment")}
            for version, share in plan.route["versions"].items()
        }
        # A sample is scored with a token, so its issuer has to be there.
        issuers = [machine.tokens] if machine.tokens and "token" in plan.route else []
        Route(
            f"{name}.route",
            {
                **plan.route,
                "versions": versions,
                "state": machine.state,
                "gateway": machine.gateway.output("url"),
                **{f"{key}Key": value for key, value in self.keys.items()},
            },
            pulumi.ResourceOptions(parent=self, depends_on=issuers),
        )
        self.register_outputs({})

    def _deployment(self, name: str, plan: DeploymentPlan, machine: LocalMachine) -> Deployment:
        models = [machine.models[model] for model in plan.models]
        inputs = {
            **plan.inputs,
            "state": machine.state,
            "interpreter": machine.environments[plan.environment].output("interpreter"),
            "models": [
                {"name": model.output("name"), "number": model.output("number"), "copy": model.output("copy")}
                for model in models
            ],
        }
        # The gateway is no input of a deployment, but has to be there to be told of its beginning and of its end.
        return Deployment(name, inputs, pulumi.ResourceOptions(parent=self, depends_on=[machine.gateway]))
