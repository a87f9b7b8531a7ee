"""A team's platform of its own: Tidegate's network, registry and cluster beside whatever else the team has."""

from ipaddress import IPv4Network

import pulumi
from pulumi_azure_native import resources

from components.cluster import Cluster
from components.cluster_network import ClusterNetwork
from components.registry import Registry
from tidegate.cluster.addresses import plan_subnets
from tidegate.cluster.capacity import check_capacity
from tidegate.cluster.naming import owner_mark
from tidegate.cluster.spec import (
    SYSTEM_POOL,
    ApiServerSpec,
    ClusterSpec,
    CreatedNetwork,
    MonitoringSpec,
    NetworkSpec,
    PoolSpec,
    RegistrySpec,
)
from tidegate.findings import ConfigError

GROUP, LOCATION, SIZE = "vision", "westeurope", "Standard_D4s_v5"
ZONES = ("1", "2", "3")
SPACE = "10.40.0.0/16"
OFFICES = ("203.0.113.0/24",)

spec = ClusterSpec(
    name="vision",
    purpose="FastProd",
    location=LOCATION,
    resource_group=GROUP,
    dns_prefix="vision",
    system_pool=PoolSpec(name=SYSTEM_POOL, mode="System", vm_size=SIZE, count=3, availability_zones=ZONES),
    pools=(PoolSpec(name="cpu", vm_size=SIZE, count=2, min_count=2, max_count=6, availability_zones=ZONES),),
    network=NetworkSpec(
        place=CreatedNetwork(
            address_space=SPACE, subnets=plan_subnets(IPv4Network(SPACE), scoring=False, apiserver=False)
        )
    ),
    api_server=ApiServerSpec(authorized_ip_ranges=OFFICES),
    monitoring=MonitoringSpec(prometheus=False),
)
# A spec is checked for its types alone. The rules are functions of their own, and a program asks those that it needs.
if findings := check_capacity((spec.name,), spec.all_pools, ()):
    raise ConfigError(findings)

group = resources.ResourceGroup("vision", resource_group_name=GROUP, location=LOCATION)
registry = Registry(
    "images", RegistrySpec(name="visionimages7421", resource_group=GROUP, location=LOCATION), after=[group]
)
network = ClusterNetwork("vision", spec, after=[group])
cluster = Cluster(
    "vision",
    spec,
    owner=owner_mark(pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack()),
    network=network,
    registry=registry,
    after=[group],
)

pulumi.export("issuer", cluster.oidc_issuer)
pulumi.export("loginServer", registry.login_server)
pulumi.export("kubeconfig", cluster.kubeconfig)
