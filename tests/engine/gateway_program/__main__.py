"""A cluster with a gateway and no endpoint."""

import pulumi
from pulumi_azure_native import resources

from components.cluster import Cluster
from components.cluster_objects import ClusterObjects
from components.gateway import Gateway
from tidegate.cluster.spec import ClusterSpec, IssuedCertificate, MonitoringSpec, PoolSpec
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
objects = ClusterObjects(spec.name, spec, cluster.access)
plan = plan_gateway(spec, longest_request_s=config.get_float("longest") or 60)
gateway = Gateway(spec.name, objects, plan)
pulumi.export("address", gateway.address)
