"""A cluster with a gateway and no endpoint."""

from dataclasses import replace

import pulumi
from pulumi_azure_native import resources

from components.cluster import Cluster
from components.cluster_objects import ClusterObjects
from components.gateway import Gateway
from tidegate.cluster.spec import AttachedClusterSpec, ClusterSpec, IssuedCertificate, MonitoringSpec, PoolSpec
from tidegate.gateway.plan import plan_gateway

config = pulumi.Config("tidegate")
group = resources.ResourceGroup("scoring", resource_group_name="scoring", location="westeurope")
spec = ClusterSpec(
    name="main",
    purpose="DevTest",
    location="westeurope",
    resource_group="scoring",
    dns_prefix="main",
    system_pool=PoolSpec(name="system", vm_size="Standard_D4s_v5", count=3, mode="System"),
    monitoring=MonitoringSpec(prometheus=False),
    tls=IssuedCertificate(leaf_domain_label="scores", domain="scores.westeurope.cloudapp.azure.com"),
    tags={"team": config.get("team") or "a"},
)
if config.get_bool("plain"):
    spec = spec.model_copy(update={"tls": None})
cluster = Cluster(spec.name, spec, owner="tests", after=[group])
used: ClusterSpec | AttachedClusterSpec = spec
access = cluster.access
if config.get_bool("attached"):  # the same cluster, as somebody sees it who has not made it
    used = AttachedClusterSpec(
        name="main",
        purpose="DevTest",
        subscription_id=None,
        resource_group="scoring",
        cluster_name="main",
        installed=("gatewayApi",),
    )
    access = replace(access, cluster=None, uid=None)
objects = ClusterObjects(spec.name, used, access)
plan = plan_gateway(used, longest_request_s=config.get_float("longest") or 60)
gateway = Gateway(spec.name, objects, plan)
pulumi.export("address", gateway.address)
