"""The container registry."""

from collections.abc import Sequence

import pulumi
import pulumi_azure_native as azure_native

from components.azure import assign_role, register
from components.cluster_network import ClusterNetwork
from tidegate.cluster.plan.access import PULL_ROLES
from tidegate.cluster.plan.registry import (
    PULL,
    plan_endpoint,
    plan_registry,
    plan_scope_map,
    plan_token,
    plan_zone,
    plan_zone_group,
    plan_zone_link,
    registry_id,
)
from tidegate.cluster.spec import ClusterSpec, ExistingRegistrySpec, RegistrySpec


class Registry(pulumi.ComponentResource):
    """A registry that is made here, or one that exists.

    `after` has to be there first.
    """

    registry_id: pulumi.Input[str]
    login_server: pulumi.Output[str]
    made: str = ""
    """The name of the resource that is made here; empty for a registry that exists."""

    def __init__(
        self,
        name: str,
        spec: RegistrySpec | ExistingRegistrySpec,
        *,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:Registry", name, None, opts)
        self.spec = spec
        self._name = name
        made: list[pulumi.Resource] = []
        if isinstance(spec, RegistrySpec):
            options = pulumi.ResourceOptions(parent=self, depends_on=list(after), protect=spec.production)
            self.made = f"{name}.registry"
            registry = register(azure_native.containerregistry.Registry, self.made, plan_registry(spec), options)
            made = [registry]
            self.registry_id = registry.id
        else:
            self.registry_id = registry_id(spec)
        # A registry's name with the suffix of a cloud is its address, so it is known in every preview.
        self.login_server = pulumi.Output.from_input(spec.host)
        if spec.pull_token:
            self._register_token(made)
        self.register_outputs({"id": self.registry_id, "loginServer": self.login_server})

    @property
    def needs_endpoint(self) -> bool:
        """Whether it is only reached through private endpoints."""
        return isinstance(self.spec, RegistrySpec) and not self.spec.public_network_access

    def let_pull(self, name: str, *, cluster: str, principal: pulumi.Input[str], parent: pulumi.Resource) -> None:
        """Let a cluster's kubelet, by its object id, pull from here."""
        spec = self.spec
        if isinstance(spec, ExistingRegistrySpec):
            subscription: pulumi.Input[str] = spec.subscription_id
        else:
            own = pulumi.InvokeOutputOptions(parent=self)
            subscription = azure_native.authorization.get_client_config_output(opts=own).subscription_id
        assign_role(
            name,
            parent=parent,
            subscription=subscription,
            unique=(self.spec.resource_group, self.spec.name, cluster, "pull"),
            role=PULL_ROLES[self.spec.pull_role],
            scope=self.registry_id,
            principal=principal,
        )

    def _register_token(self, after: Sequence[pulumi.Resource]) -> None:
        registry = azure_native.containerregistry
        options = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        scope_map = register(registry.ScopeMap, f"{self._name}.{PULL}", plan_scope_map(self.spec), options)
        plan = plan_token(self.spec, scope_map=scope_map.id)
        register(registry.Token, f"{self._name}.{PULL}", plan, pulumi.ResourceOptions(parent=self))


class RegistryEndpoint(pulumi.ComponentResource):
    """The way from a cluster's network, made here, to a registry without a public address.

    `after` has to be there first.
    """

    def __init__(
        self,
        name: str,
        registry: Registry,
        spec: ClusterSpec,
        network: ClusterNetwork,
        *,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:RegistryEndpoint", name, None, opts)
        own = registry.spec.name
        first = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        zone = register(azure_native.privatedns.PrivateZone, f"{name}.zone", plan_zone(spec), first)
        link = register(
            azure_native.privatedns.VirtualNetworkLink,
            f"{name}.link",
            plan_zone_link(spec, network=network.network_id),
            pulumi.ResourceOptions(parent=self, depends_on=[zone]),
        )
        endpoint = register(
            azure_native.network.PrivateEndpoint,
            f"{name}.endpoint",
            plan_endpoint(spec, registry=own, registry_id=registry.registry_id, subnet=network.subnets["endpoints"]),
            first,
        )
        register(
            azure_native.network.PrivateDnsZoneGroup,
            f"{name}.group",
            plan_zone_group(spec, registry=own, zone=zone.id),
            pulumi.ResourceOptions(parent=self, depends_on=[endpoint, link]),
        )
        self.register_outputs({})
