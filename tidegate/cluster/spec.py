"""What an Azure environment is made of, complete and checked. Every value is plain and known before anything exists."""

from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from tidegate.model.storage import ModelStoreSpec

Purpose = Literal["FastProd", "DevTest"]
OutboundType = Literal["loadBalancer", "managedNATGateway", "userAssignedNATGateway", "userDefinedRouting", "none"]

Installed = Literal["gatewayApi", "envoyGateway"]
"""Parts of the gateway that a cluster may have before it is attached; Envoy Gateway comes with the Gateway API."""

SYSTEM_POOL = "system"
"""The name of every cluster's first pool. Azure refuses to rename it."""

PRODUCTION_TAG = "tidegate-production"
"""The tag, with the value `true`, of everything that is part of a production environment."""


class Spec(BaseModel):
    """Base of what is complete: frozen, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SpotSpec(Spec):
    """A pool of Spot nodes."""

    max_price: float = -1.0
    eviction_policy: Literal["Delete", "Deallocate"] = "Delete"


class PoolSpec(Spec):
    """A pool of nodes."""

    name: str
    """As the config says it; the name on Azure is `plan.pools.azure_name`."""
    vm_size: str
    count: int
    """Nodes; with the autoscaler what the pool begins with."""
    min_count: int | None = None
    max_count: int | None = None
    """Both or none: with them the autoscaler owns the count."""
    mode: Literal["System", "User"] = "User"
    availability_zones: tuple[str, ...] = ()
    node_labels: dict[str, str] = {}
    """All labels, with those that Azure and this product add (Spot)."""
    node_taints: tuple[str, ...] = ()
    """All taints, with those that Azure and this product add (Spot, GPU, critical add-ons)."""
    max_pods: int | None = None
    os_sku: Literal["Ubuntu", "AzureLinux"] = "Ubuntu"
    os_disk_type: Literal["Managed", "Ephemeral"] | None = None
    os_disk_size_gb: int | None = None
    max_surge: str | None = "10%"
    """Nodes more than needed during an upgrade; None on Spot, where AKS refuses one."""
    encryption_at_host: bool = False
    fips: bool = False
    subnet_id: str | None = None
    """A subnet of its own; None: the cluster's."""
    spot: SpotSpec | None = None
    gpus: int = 0
    """GPUs of one node, as Kubernetes offers them: a part of one counts as one."""
    gpu_driver: Literal["Install", "None"] | None = None
    mig_profile: str | None = None
    tags: dict[str, str] = {}

    @property
    def autoscaled(self) -> bool:
        """Whether the autoscaler owns the count."""
        return self.max_count is not None

    @property
    def least(self) -> int:
        """The nodes that the pool has at any time."""
        return self.count if self.min_count is None else self.min_count

    @property
    def most(self) -> int:
        """The nodes that the pool can grow to."""
        return self.count if self.max_count is None else self.max_count

    @property
    def surge(self) -> int:
        """The nodes beyond `most` while the pool is upgraded; AKS rounds a percentage up."""
        if self.max_surge is None:
            return 0
        number = int(self.max_surge.removesuffix("%"))
        return ceil(self.most * number / 100) if self.max_surge.endswith("%") else number

    @property
    def takes_scoring_pods(self) -> bool:
        """Whether ordinary pods may run there: not where only critical add-ons may."""
        return not any(taint.startswith("CriticalAddonsOnly") for taint in self.node_taints)


class Subnet(Spec):
    """A subnet of a virtual network made here."""

    name: Literal["nodes", "gateway", "endpoints", "apiserver", "scoring"]
    cidr: str
    delegation: str = ""
    """The service that it is delegated to, empty for none."""


class CreatedNetwork(Spec):
    """A virtual network made here, with its address plan."""

    address_space: str
    subnets: tuple[Subnet, ...]
    """`nodes` always; `scoring` for an internal load balancer's address, `endpoints` for private endpoints,
    `apiserver` for VNet integration, `gateway` for what stands before the scoring front (an application gateway)."""
    allowed_source_ranges: tuple[str, ...] = ()
    """Who may reach the scoring front; empty: the Internet, or only the network where the front is internal."""
    next_hop_ip_address: str | None = None
    """The firewall that 0.0.0.0/0 is routed to, with user-defined routes."""


class ExistingNetwork(Spec):
    """A virtual network that exists."""

    vnet_name: str
    resource_group: str
    subnet_name: str


class NetworkSpec(Spec):
    """Addresses and ways out. `place` None: AKS makes a virtual network of its own."""

    place: CreatedNetwork | ExistingNetwork | None = None
    service_cidr: str = "10.0.0.0/16"
    dns_service_ip: str = "10.0.0.10"
    pod_cidr: str = "10.244.0.0/16"
    outbound_type: OutboundType = "loadBalancer"
    """`none` is a network-isolated cluster: its nodes start from a private registry (bootstrapProfile Cache)."""
    nat_managed_outbound_ip_count: int = 1
    nat_idle_timeout_in_minutes: int = 4


class PrivateSpec(Spec):
    """An API server without a public address."""

    private_dns_zone: str = "system"
    """`system`, `none`, or the id of a zone."""
    vnet_integration: bool = False
    subnet_id: str | None = None
    """The subnet of the API server in an existing network; None where the network is made here or by AKS."""

    @property
    def public_fqdn(self) -> bool:
        """Whether its name stands in public DNS, with the private address: without a zone AKS knows no other way."""
        return self.private_dns_zone == "none"


class ApiServerSpec(Spec):
    """Who may reach the API server."""

    authorized_ip_ranges: tuple[str, ...] = ()
    """Normalised, merged and sorted; what is found out at run time (deployer, service tags) comes on top."""
    include_deployer: bool = False
    private: PrivateSpec | None = None
    disable_run_command: bool = False


class LoadBalancerSpec(Spec):
    """The front of the scoring endpoints."""

    type: Literal["PublicIp", "InternalLoadBalancer"] = "PublicIp"
    subnet_name: str | None = None
    """Of an internal one: the subnet of its address; None: the nodes' own."""


class OwnCertificate(Spec):
    """TLS by the user's own certificate."""

    cname: str
    chain: str
    """PEM, the leaf first."""
    key: SecretStr
    """PEM."""
    expires: str
    """ISO 8601, UTC."""


class IssuedCertificate(Spec):
    """TLS by a domain label of Azure's, with a certificate from an ACME issuer."""

    leaf_domain_label: str
    domain: str
    """`<label>.<region>.cloudapp.azure.com`"""
    overwrite_existing_domain: bool = False
    acme_email: str = ""


class EntraSpec(Spec):
    """Who administers the cluster."""

    tenant_id: str | None = None
    admin_group_object_ids: tuple[str, ...] = ()
    deployer_object_id: str | None = None
    deployer_principal_type: Literal["User", "ServicePrincipal"] | None = None
    """None: by the login that runs pulumi."""
    kubeconfig: Literal["azurecli", "workloadidentity", "spn"] = "azurecli"


class Window(Spec):
    """When Azure may upgrade, once in `interval_weeks`."""

    day_of_week: str = "Sunday"
    start_time: str = "00:00"
    utc_offset: str = "+00:00"
    duration_hours: int = 4
    interval_weeks: int = 1


class UpgradeSpec(Spec):
    """How the cluster and its nodes keep up."""

    channel: Literal["none", "patch", "stable", "rapid", "node-image"] = "patch"
    node_os_channel: Literal["None", "NodeImage", "SecurityPatch", "Unmanaged"] = "NodeImage"
    window: Window = Window()
    node_os_window: Window = Window()


class MonitoringSpec(Spec):
    """What is measured and where it goes."""

    prometheus: bool = True
    container_insights: bool = False
    log_analytics_workspace_id: str | None = None


class ClusterSpec(Spec):
    """A cluster made here."""

    name: str
    purpose: Purpose
    location: str
    resource_group: str
    kubernetes_version: str | None = None
    tier: Literal["Free", "Standard", "Premium"] = "Standard"
    support_plan: Literal["KubernetesOfficial", "AKSLongTermSupport"] = "KubernetesOfficial"
    dns_prefix: str
    node_resource_group: str | None = None
    system_pool: PoolSpec
    pools: tuple[PoolSpec, ...] = ()
    """Sorted by name."""
    network: NetworkSpec = NetworkSpec()
    api_server: ApiServerSpec = ApiServerSpec()
    load_balancer: LoadBalancerSpec = LoadBalancerSpec()
    gateway_images: str = ""
    """Registry and path, e.g. `scoring.azurecr.io/cache`; empty: where their publishers have them."""
    tls: OwnCertificate | IssuedCertificate | None = None
    entra: EntraSpec = EntraSpec()
    upgrade: UpgradeSpec = UpgradeSpec()
    autoscaler: dict[str, str | bool] = {}
    """The profile by ARM's names in camelCase; what is absent is AKS's default."""
    monitoring: MonitoringSpec = MonitoringSpec()
    tags: dict[str, str] = {}
    """The environment's tags with the cluster's own on top."""
    production: bool = False
    """Whether it is protected."""
    replacement_allowed: bool = False
    """Whether tidegate:allowReplacement lists it."""

    @property
    def all_pools(self) -> tuple[PoolSpec, ...]:
        """The system pool, then the others."""
        return (self.system_pool, *self.pools)


class AttachedClusterSpec(Spec):
    """A cluster that exists and is used."""

    name: str
    purpose: Purpose
    subscription_id: str | None
    """None: the login's."""
    resource_group: str
    cluster_name: str
    installed: tuple[Installed, ...] = ()
    """What of the gateway somebody else put there: it is used and not touched."""
    load_balancer: LoadBalancerSpec = LoadBalancerSpec()
    gateway_images: str = ""
    tls: OwnCertificate | None = None


class RegistrySpec(Spec):
    """The registry made here."""

    name: str
    resource_group: str
    location: str
    sku: Literal["Basic", "Standard", "Premium"] = "Standard"
    zone_redundancy: bool = False
    public_network_access: bool = True
    pull_role: Literal["AcrPull", "Container Registry Repository Reader"] = "AcrPull"
    pull_token: bool = False
    builder: Literal["docker", "acr"] = "docker"
    """Who builds images: BuildKit where pulumi runs, or the registry itself (ACR Tasks)."""
    tags: dict[str, str] = {}
    production: bool = False

    @property
    def host(self) -> str:
        """Where it answers, in the public cloud."""
        return f"{self.name.lower()}.azurecr.io"


class ExistingRegistrySpec(Spec):
    """A registry that exists."""

    subscription_id: str
    resource_group: str
    name: str
    pull_role: Literal["AcrPull", "Container Registry Repository Reader"] = "AcrPull"
    pull_token: bool = False
    builder: Literal["docker", "acr"] = "docker"
    """Who builds images: BuildKit where pulumi runs, or the registry itself (ACR Tasks)."""

    @property
    def host(self) -> str:
        """Where it answers, in the public cloud."""
        return f"{self.name.lower()}.azurecr.io"


class WorkspaceSpec(Spec):
    """The Azure ML workspace in which the clusters are compute targets."""

    name: str
    resource_group: str
    location: str
    service_tags: Path | None = None


class AzureSpec(Spec):
    """Everything of an environment that only Azure has."""

    location: str
    resource_groups: tuple[str, ...] = ()
    """Those that are made here, sorted."""
    clusters: tuple[ClusterSpec | AttachedClusterSpec, ...] = ()
    """Sorted by name."""
    registry: RegistrySpec | ExistingRegistrySpec | None = None
    shared_registries: tuple[str, ...] = ()
    """Hosts in which images are looked for, in their order; nothing is pushed there."""
    promote_from: str = ""
    """The stack whose images are run here; empty where this one builds its own."""
    model_store: ModelStoreSpec | None = None
    workspace: WorkspaceSpec | None = None
    insights: SecretStr | None = None
    """The connection string of Application Insights."""
    tags: dict[str, str] = {}
    production: bool = False
