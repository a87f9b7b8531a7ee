"""What a user writes about clusters, their network, the registry and the workspace. Fields are named as ARM names them.

Every field may be absent; `resolve.py` gives defaults. Rules beyond a value's type are in the modules beside this one.
"""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from tidegate.parse import Count, Input, NumberOrText, Whole

Purpose = Literal["FastProd", "DevTest"]
Installed = Literal["gatewayApi", "envoyGateway"]


class SpotInput(Input):
    """A pool of Spot nodes, which Azure may take away at any time."""

    max_price: float | None = Field(None, description="US dollars an hour; -1, the default, is up to the normal price.")
    eviction_policy: Literal["Delete", "Deallocate"] | None = Field(None, description="Default Delete.")


class GpuInput(Input):
    """How the GPUs of a pool are offered."""

    driver: Literal["Install", "None"] | None = Field(None, description="Default Install.")
    mig_profile: Literal["MIG1g", "MIG2g", "MIG3g", "MIG4g", "MIG7g"] | None = Field(
        None, description="Slices of an A100, H100 or H200, fixed when the pool is made."
    )


class NodesInput(Input):
    """The nodes of a pool. minCount and maxCount together switch the cluster autoscaler on for them."""

    vm_size: str | None = Field(None, description="Default Standard_D4s_v5.")
    count: Whole | None = Field(None, description="Nodes; with the autoscaler only what it begins with.")
    min_count: Whole | None = None
    max_count: Count | None = None
    availability_zones: list[str] | None = None
    node_labels: dict[str, str] | None = None
    node_taints: list[str] | None = Field(None, description="key=value:Effect")
    max_pods: Count | None = None
    os_sku: Literal["Ubuntu", "AzureLinux"] | None = Field(None, alias="osSKU", description="Default Ubuntu.")
    os_disk_type: Literal["Managed", "Ephemeral"] | None = None
    os_disk_size_gb: Count | None = Field(None, alias="osDiskSizeGB")
    max_surge: NumberOrText | None = Field(None, description="Nodes more than needed during an upgrade: 1, or 33%.")
    enable_encryption_at_host: bool | None = None
    enable_fips: bool | None = Field(None, alias="enableFIPS")
    vnet_subnet_id: str | None = Field(None, alias="vnetSubnetID", description="A subnet of its own for this pool.")
    critical_addons_only: bool | None = Field(None, description="System pools: keep scoring pods away.")
    tags: dict[str, str] | None = None


class PoolInput(NodesInput):
    """A further pool of a cluster."""

    mode: Literal["System", "User"] | None = Field(None, description="Default User.")
    spot: SpotInput | None = None
    gpu: GpuInput | None = None


class SystemPoolInput(NodesInput):
    """The pool that a cluster is born with; it is never renamed, and keeps its shape."""

    refused: ClassVar = {
        "mode": "The system pool is always of mode System; further pools stand under pools",
        "spot": "Azure takes Spot nodes away, so the system pool cannot be one; put a Spot pool under pools",
        "gpu": "Put GPUs into a pool under pools",
    }


class NatGatewayInput(Input):
    """A NAT gateway for outgoing traffic."""

    managed_outbound_ip_count: Count | None = Field(None, description="1 to 16; default 1.")
    idle_timeout_in_minutes: Count | None = Field(None, description="4 to 120; default 4.")


class NetworkInput(Input):
    """Where the nodes are. Without any key, AKS makes a virtual network that belongs to it.

    `addressSpace` makes one here; `vnetName`, `vnetResourceGroupName`, `subnetName`, `serviceCidr` and `dnsServiceIP`
    together use one that exists (v1's names in ARM's spelling).
    """

    address_space: str | None = Field(None, description="A range to make a virtual network with, e.g. 10.224.0.0/16.")
    vnet_name: str | None = None
    vnet_resource_group_name: str | None = None
    subnet_name: str | None = None
    service_cidr: str | None = Field(None, description="Addresses of Kubernetes services. Default 10.0.0.0/16.")
    dns_service_ip: str | None = Field(None, alias="dnsServiceIP", description="In serviceCidr, not its first address.")
    pod_cidr: str | None = Field(None, description="Addresses of pods (overlay). Default 10.244.0.0/16.")
    docker_bridge_cidr: str | None = Field(None, description="v1's sixth value; AKS has it no longer.")
    subnet_cidr: str | None = Field(None, description="The range of the existing subnet, to check the others against.")
    outbound_type: (
        Literal["loadBalancer", "managedNATGateway", "userAssignedNATGateway", "userDefinedRouting", "none"] | None
    ) = Field(None, description="Default loadBalancer.")
    nat_gateway: NatGatewayInput | None = None
    next_hop_ip_address: str | None = Field(
        None, description="userDefinedRouting in a network made here: the firewall to which 0.0.0.0/0 is routed."
    )
    default_route_exists: bool | None = Field(
        None, description="userDefinedRouting in an existing network: say that its subnet has a default route."
    )
    allowed_source_ranges: list[str] | None = Field(
        None, description="Who may reach the scoring front, by the network security group. Default: the Internet."
    )


class PrivateInput(Input):
    """An API server without a public address."""

    private_dns_zone: str | None = Field(
        None, alias="privateDNSZone", description="system (the default), none, or the id of a zone."
    )
    enable_vnet_integration: bool | None = Field(None, description="Put the API server into a subnet of its own.")
    subnet_id: str | None = Field(None, description="That subnet, delegated to it, in an existing network.")


class ApiServerInput(Input):
    """Who may reach the API server."""

    authorized_ip_ranges: list[str] | None = Field(
        None, alias="authorizedIPRanges", description="CIDR ranges; at most 200 after merging neighbours."
    )
    include_deployer: bool | None = Field(None, description="Add the address from which pulumi runs.")
    private: PrivateInput | None = None
    disable_run_command: bool | None = Field(None, description="Default true in production.")


class LoadBalancerInput(Input):
    """The front of the scoring endpoints (v1's load_balancer_type and load_balancer_subnet)."""

    sku: str | None = Field(None, description="Standard.")
    type: Literal["PublicIp", "InternalLoadBalancer"] | None = Field(None, description="Default PublicIp.")
    subnet_name: str | None = Field(None, description="InternalLoadBalancer: the subnet of its address.")


class TlsInput(Input):
    """TLS at the scoring front: an own certificate, or a domain label of Azure's with one from an ACME issuer."""

    cname: str | None = Field(None, description="The name that clients call.")
    certificate: str | None = Field(None, description="Path of the PEM chain, from the project's root.")
    key: str | None = Field(None, description="Path of its PEM key; or its text under tidegate:tlsKeys.")
    leaf_domain_label: str | None = Field(None, description="<label>.<region>.cloudapp.azure.com")
    overwrite_existing_domain: bool | None = None
    acme_email: str | None = Field(None, description="Where the ACME issuer writes to.")


class EntraInput(Input):
    """Who administers the cluster."""

    tenant_id: str | None = Field(None, description="Default: the tenant of the login.")
    admin_group_object_ids: list[str] | None = Field(None, alias="adminGroupObjectIDs")
    deployer_object_id: str | None = Field(None, description="Default: the login that runs pulumi.")
    deployer_principal_type: Literal["User", "ServicePrincipal"] | None = Field(
        None, description="Default: ServicePrincipal with deployerObjectId, else the login's."
    )
    kubeconfig: Literal["azurecli", "workloadidentity", "spn"] | None = Field(
        None, description="How kubelogin logs in: a person, CI, a service principal. Default azurecli."
    )


class WindowInput(Input):
    """When Azure may upgrade."""

    day_of_week: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] | None = None
    start_time: str | None = Field(None, description="HH:MM")
    utc_offset: str | None = Field(None, description="+HH:MM or -HH:MM; default +00:00.")
    duration_hours: Count | None = Field(None, description="4 to 24.")
    interval_weeks: Count | None = Field(None, description="1 to 4.")


class UpgradeInput(Input):
    """How the cluster and its nodes keep up."""

    channel: Literal["none", "patch", "stable", "rapid", "node-image"] | None = Field(
        None, description="Default patch."
    )
    node_os_channel: Literal["None", "NodeImage", "SecurityPatch", "Unmanaged"] | None = Field(
        None, alias="nodeOSChannel", description="Default NodeImage."
    )
    window: WindowInput | None = Field(None, description="Default Sunday 00:00 UTC, 4 hours, each week.")
    node_os_window: WindowInput | None = Field(None, alias="nodeOSWindow", description="The same by default.")


class AutoscalerInput(Input):
    """The cluster autoscaler's profile, by ARM's names in camelCase; what is absent is AKS's default."""

    expander: Literal["least-waste", "most-pods", "priority", "random"] | None = None
    scan_interval: str | None = None
    scale_down_delay_after_add: str | None = None
    scale_down_delay_after_delete: str | None = None
    scale_down_delay_after_failure: str | None = None
    scale_down_unneeded_time: str | None = None
    scale_down_unready_time: str | None = None
    scale_down_utilization_threshold: str | None = None
    max_graceful_termination_sec: str | None = None
    max_node_provision_time: str | None = None
    max_empty_bulk_delete: str | None = None
    max_total_unready_percentage: str | None = None
    ok_total_unready_count: str | None = None
    new_pod_scale_up_delay: str | None = None
    balance_similar_node_groups: Literal["true", "false"] | None = None
    skip_nodes_with_local_storage: Literal["true", "false"] | None = None
    skip_nodes_with_system_pods: Literal["true", "false"] | None = None
    ignore_daemonsets_utilization: bool | None = None
    daemonset_eviction_for_empty_nodes: bool | None = None
    daemonset_eviction_for_occupied_nodes: bool | None = None


class MonitoringInput(Input):
    """What is measured and where it goes."""

    prometheus: bool | None = Field(
        None, description="Azure Monitor's managed Prometheus, and KEDA, which scales endpoints by it. Default true."
    )
    container_insights: bool | None = Field(None, description="Logs of nodes and pods. Default false.")
    log_analytics_workspace_id: str | None = Field(
        None, alias="logAnalyticsWorkspaceID", description="Where they go; without it, one is made."
    )


class AttachInput(Input):
    """A cluster that exists. Destroying the stack lets go of it and leaves it as it is."""

    resource_id: str | None = Field(None, description="Its whole id; or resourceGroup and name.")
    resource_group: str | None = None
    name: str | None = None
    purpose: Purpose | None = Field(None, description="Default FastProd.")
    installed: list[Installed] | None = Field(
        None, description="What of the gateway is there already, and is used and not touched."
    )


class ClusterInput(Input):
    """A cluster: made here by default, or one that exists, by attach."""

    attach: AttachInput | None = Field(
        None, description="Use a cluster that exists; then only tls and loadBalancer stand beside it."
    )
    purpose: Purpose | None = Field(None, description="Default FastProd.")
    location: str | None = Field(None, description="Default: the environment's.")
    resource_group: str | None = Field(None, description="Default: the environment's.")
    kubernetes_version: str | None = Field(None, description='"1.36" or "1.36.2"; without it, what AKS offers first.')
    tier: Literal["Free", "Standard", "Premium"] | None = Field(None, description="Standard in FastProd, else Free.")
    support_plan: Literal["KubernetesOfficial", "AKSLongTermSupport"] | None = None
    dns_prefix: str | None = None
    node_resource_group: str | None = None
    system_pool: SystemPoolInput | None = None
    pools: dict[str, PoolInput] | None = Field(None, description="Further pools by name.")
    network: NetworkInput | None = None
    api_server: ApiServerInput | None = None
    load_balancer: LoadBalancerInput | None = None
    gateway_images: str | None = Field(
        None,
        description="Where the gateway's images are instead of docker.io and quay.io: a registry, and a path in it.",
    )
    tls: TlsInput | None = None
    entra: EntraInput | None = None
    upgrade: UpgradeInput | None = None
    autoscaler: AutoscalerInput | None = None
    monitoring: MonitoringInput | None = None
    tags: dict[str, str] | None = None


class RegistryInput(Input):
    """The container registry: made here by `name`, or an existing one by `resourceId`."""

    name: str | None = Field(None, description="5-50 letters and digits, unique in all of Azure.")
    resource_id: str | None = Field(None, description="A registry that exists, in any group or subscription.")
    resource_group: str | None = Field(None, description="Default: the environment's.")
    sku: Literal["Basic", "Standard", "Premium"] | None = Field(None, description="Default Standard.")
    zone_redundancy: bool | None = None
    public_network_access: bool | None = Field(None, description="Default true; false needs Premium.")
    pull_role: Literal["AcrPull", "Container Registry Repository Reader"] | None = Field(
        None, description="Registries with role assignments by repository need the second. Default AcrPull."
    )
    pull_token: bool | None = Field(
        None, description="Make a token that may only pull, for targets that need a user and a password."
    )
    builder: Literal["docker", "acr"] | None = Field(
        None, description="Who builds images: docker (BuildKit, the default), or acr, the registry itself (ACR Tasks)."
    )


class ModelStoreInput(Input):
    """A storage account with a container, made here, from which pods fetch models and code."""

    account: str | None = Field(None, description="3-24 lower-case letters and digits, unique in Azure. Required.")
    container: str | None = Field(None, description="Default models.")
    resource_group: str | None = Field(None, description="Default: the environment's.")
    sku: Literal["Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_GZRS"] | None = Field(
        None, description="Default Standard_ZRS."
    )
    kept_days: Count | None = Field(None, description="How long what was deleted can be had back; default 14.")
    deployer_object_id: str | None = Field(
        None, description="Who uploads, by object id: the same for all who run pulumi. Default: the login."
    )
    deployer_principal_type: Literal["User", "ServicePrincipal"] | None = None


class WorkspaceInput(Input):
    """An Azure ML workspace in which the clusters are registered as compute targets."""

    name: str | None = None
    resource_group: str | None = Field(None, description="Default: the environment's.")
    location: str | None = Field(None, description="Default: the environment's.")
    service_tags: str | None = Field(
        None, description="Path of Microsoft's service-tag file; without it, the login asks Azure."
    )


class AzureInput(Input):
    """The keys of a stack's config that only mean something on Azure."""

    location: str | None = Field(None, alias="tidegate:location", description="The region, e.g. westeurope. Required.")
    resource_group: str | None = Field(
        None,
        alias="tidegate:resourceGroup",
        description="What has no resource group of its own is in this one. Required.",
    )
    existing_resource_groups: list[str] | None = Field(
        None, alias="tidegate:existingResourceGroups", description="Those that are there; any other is made here."
    )
    clusters: dict[str, ClusterInput] | None = Field(None, alias="tidegate:clusters", description="Clusters by name.")
    registry: RegistryInput | None = Field(None, alias="tidegate:registry")
    shared_registries: list[str] | None = Field(
        None, alias="tidegate:sharedRegistries", description="Hosts in which images are looked for before one is built."
    )
    promote_from: str | None = Field(
        None, alias="tidegate:promoteFrom", description="The stack whose images are run here; nothing is built then."
    )
    model_store: ModelStoreInput | None = Field(None, alias="tidegate:modelStore")
    workspace: WorkspaceInput | None = Field(None, alias="tidegate:workspace")
    tags: dict[str, str] | None = Field(None, alias="tidegate:tags", description="Tags of everything that has tags.")
    tls_keys: dict[str, SecretStr] | None = Field(
        None,
        alias="tidegate:tlsKeys",
        description="PEM keys of certificates by cluster, kept as a secret: pulumi config set --secret.",
    )
    application_insights: SecretStr | None = Field(
        None,
        alias="tidegate:applicationInsights",
        description="Connection string of the component that versions with appInsightsEnabled report to; a secret.",
    )
    allow_replacement: list[str] | None = Field(
        None,
        alias="tidegate:allowReplacement",
        description="Clusters that a change may replace, which takes everything on them down.",
    )
