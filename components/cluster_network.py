"""The network of one cluster."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_azure_native as azure_native

from components.azure import register
from tidegate.cluster.plan.network import (
    NAT_GATEWAY,
    NETWORK,
    ROUTE_TABLE,
    SECURITY_GROUP,
    existing_network_id,
    plan_nat_addresses,
    plan_nat_gateway,
    plan_network,
    plan_route_table,
    plan_security_group,
    plan_subnet,
    subnet_ids,
)
from tidegate.cluster.spec import ClusterSpec, CreatedNetwork, ExistingNetwork
from tidegate.findings import ConfigError, Finding


class ClusterNetwork(pulumi.ComponentResource):
    """The virtual network that a cluster's spec asks for; nothing where AKS makes one of its own.

    A network that exists only gives its ids. `after` has to be there first.
    """

    network_id: pulumi.Input[str] | None
    subnets: Mapping[str, pulumi.Input[str]]
    """Ids by use: `nodes`, `scoring` and what else is planned."""
    route_table_id: pulumi.Input[str] | None = None
    """Of the routes of the nodes' subnet, where those are the user's."""
    nat_addresses: Sequence[pulumi.Output[str]] = ()
    """By which the nodes reach the outside, each as a range; of a NAT gateway that is made here."""

    def __init__(
        self,
        name: str,
        spec: ClusterSpec,
        *,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:ClusterNetwork", name, None, opts)
        self._name = name
        self._spec = spec
        self._after = list(after)
        match spec.network.place:
            case CreatedNetwork() as place:
                self._create(place)
            case ExistingNetwork() as place:
                self._look_up(place)
            case None:
                self.network_id, self.subnets = None, {}
        self.register_outputs({"networkId": self.network_id, "subnets": dict(self.subnets)})

    def _look_up(self, place: ExistingNetwork) -> None:
        login = azure_native.authorization.get_client_config_output(opts=pulumi.InvokeOutputOptions(parent=self))
        network = login.apply(lambda known: existing_network_id(known.subscription_id, place))
        ids = network.apply(lambda known: subnet_ids(self._spec, place, known))
        self.network_id = network
        self.subnets = {use: ids[use] for use in subnet_ids(self._spec, place, "")}
        if self._spec.network.outbound_type == "userDefinedRouting":
            self.route_table_id = self._routes_of(place)

    def _routes_of(self, place: ExistingNetwork) -> str | None:
        """The route table of the nodes' subnet; None where its routes come from elsewhere."""
        try:
            subnet = azure_native.network.get_subnet(
                resource_group_name=place.resource_group,
                virtual_network_name=place.vnet_name,
                subnet_name=place.subnet_name,
                opts=pulumi.InvokeOptions(parent=self),
            )
        except Exception as error:  # the SDK has no narrower one for what a function's plugin answers
            problem = f"the subnet {place.subnet_name} of {place.vnet_name} cannot be read: {error}"
            remedy = "Make it first, or let a network be made here by addressSpace"
            raise ConfigError([Finding(f"tidegate:clusters.{self._spec.name}.network", problem, remedy)]) from error
        return subnet.route_table.id if subnet.route_table else None

    def _create(self, place: CreatedNetwork) -> None:
        spec, network = self._spec, azure_native.network
        vnet = register(network.VirtualNetwork, self._child(NETWORK), plan_network(spec, place), self._options())
        group = register(
            network.NetworkSecurityGroup, self._child(SECURITY_GROUP), plan_security_group(spec, place), self._options()
        )
        routes = plan_route_table(spec, place)
        table = register(network.RouteTable, self._child(ROUTE_TABLE), routes, self._options()) if routes else None
        self.route_table_id = table.id if table else None
        gateway = self._nat_gateway()
        self.network_id = vnet.id
        subnets: dict[str, pulumi.Input[str]] = {}
        before: pulumi.CustomResource = vnet
        for subnet in place.subnets:
            plan = plan_subnet(
                spec,
                subnet,
                security_group=group.id,
                route_table=self.route_table_id,
                nat_gateway=gateway.id if gateway else None,
            )
            # One after the other: Azure refuses two changes of a network at once.
            before = register(network.Subnet, self._child(subnet.name), plan, self._options(before))
            subnets[subnet.name] = before.id
        self.subnets = subnets

    def _nat_gateway(self) -> pulumi.CustomResource | None:
        spec, network = self._spec, azure_native.network
        plans = plan_nat_addresses(spec)
        if not plans:
            return None
        addresses = {
            use: register(network.PublicIPAddress, self._child(use), plan, self._options())
            for use, plan in plans.items()
        }
        # Asked by name, so that they stay known while a tag of theirs is updated.
        found = [
            network.get_public_ip_address_output(
                resource_group_name=plan["resourceGroupName"],
                public_ip_address_name=plan["publicIpAddressName"],
                opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[addresses[use]]),
            )
            for use, plan in plans.items()
        ]
        self.nat_addresses = [each.apply(lambda known: f"{known.ip_address}/32") for each in found]
        plan = plan_nat_gateway(spec, {use: address.id for use, address in addresses.items()})
        return register(network.NatGateway, self._child(NAT_GATEWAY), plan, self._options())

    def _child(self, use: str) -> str:
        return f"{self._name}.{use}"

    def _options(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=[*self._after, *after])
