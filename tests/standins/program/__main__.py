"""A cluster with a pool, and objects on it in the same update."""

import base64

import pulumi
import pulumi_kubernetes
from pulumi_azure_native import containerservice, managedidentity, resources
from pulumi_kubernetes.core import v1 as core

config = pulumi.Config()
login = config.get("login") or "azurecli"
group = resources.ResourceGroup("group", resource_group_name="scoring", location="westeurope")
identity = managedidentity.UserAssignedIdentity(
    "identity", resource_group_name=group.name, resource_name_="scoring", location="westeurope"
)
cluster = containerservice.ManagedCluster(
    "cluster",
    resource_group_name=group.name,
    resource_name_="scoring",
    location=config.get("location") or "westeurope",
    identity=containerservice.ManagedClusterIdentityArgs(
        type=containerservice.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
    ),
    dns_prefix="scoring",
    kubernetes_version=config.get("version") or "1.35",
    agent_pool_profiles=[
        {"name": "system", "mode": "System", "count": 2, "vm_size": "Standard_D4s_v5", "os_type": "Linux"}
    ],
    network_profile={"network_plugin": "azure", "outbound_type": config.get("outbound") or "loadBalancer"},
    oidc_issuer_profile={"enabled": True},
    tags={"team": config.get("team") or "a"},
    opts=pulumi.ResourceOptions(ignore_changes=["agentPoolProfiles"]),
)
containerservice.AgentPool(
    "pool",
    resource_group_name=group.name,
    resource_name_=cluster.name,
    agent_pool_name="scoring",
    count=config.get_int("count") or 1,
    vm_size=config.get("size") or "Standard_D4s_v5",
    mode="User",
)
credentials = containerservice.list_managed_cluster_user_credentials_output(
    format="exec",
    resource_group_name="scoring",
    resource_name="scoring",
    opts=pulumi.InvokeOutputOptions(depends_on=[cluster]),
)
kubeconfig = pulumi.Output.secret(credentials).apply(
    lambda found: base64.b64decode(found.kubeconfigs[0].value).decode().replace("devicecode", login)
)
kubernetes = pulumi_kubernetes.Provider(
    "kubernetes",
    kubeconfig=kubeconfig,
    cluster_identifier="scoring",
    skip_update_unreachable=True,
)
within = pulumi.ResourceOptions(provider=kubernetes)
namespace = core.Namespace("namespace", metadata={"name": "scoring"}, opts=within)
core.Secret(
    "tls",
    metadata={"name": "tls", "namespace": namespace.metadata.name},
    string_data={"key": config.get("key") or "a"},
    opts=within,
)
pulumi.export("issuer", cluster.oidc_issuer_profile.issuer_url)
pulumi.export("kubeconfig", kubeconfig)
