"""What all endpoints of a local stack share."""

from collections.abc import Mapping

import pulumi

from components.resources import Environment, Gateway, Host, Model, TokenIssuer
from tidegate.targets.local import LocalPlan


class LocalMachine(pulumi.ComponentResource):
    """supervisord, Envoy, the models' copies and the Python environments of one stack on one machine."""

    state: pulumi.Output[str]
    gateway: Gateway
    tokens: TokenIssuer | None = None
    """Who signs tokens; None where no endpoint takes any."""
    models: Mapping[str, Model]
    environments: Mapping[str, Environment]

    def __init__(self, name: str, plan: LocalPlan, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tidegate:local:Machine", name, None, opts)
        host = Host(f"{name}.host", {**plan.host, "running": True}, pulumi.ResourceOptions(parent=self))
        self.state = host.output("state")
        self.gateway = Gateway(
            f"{name}.gateway", {**plan.gateway, "state": self.state}, pulumi.ResourceOptions(parent=self)
        )
        if plan.tokens:
            inputs = {**plan.tokens, "state": self.state, "url": self.issuer, "current": True}
            self.tokens = TokenIssuer(f"{name}.tokens", inputs, pulumi.ResourceOptions(parent=self))
        self.models = {
            model: Model(f"{name}.{model}", {**inputs, "state": self.state}, pulumi.ResourceOptions(parent=self))
            for model, inputs in plan.models.items()
        }
        # Named by its key, so that another environment shows as a new one beside the old and not as a replacement.
        self.environments = {
            key: Environment(f"{name}.{key[:11]}", {**inputs, "state": self.state}, pulumi.ResourceOptions(parent=self))
            for key, inputs in plan.environments.items()
        }
        self.register_outputs({"url": self.gateway.output("url")})

    @property
    def issuer(self) -> pulumi.Output[str]:
        """What tokens name as their issuer."""
        return pulumi.Output.concat(self.gateway.output("url"), "/tokens")
