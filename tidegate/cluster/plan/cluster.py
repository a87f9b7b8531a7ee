"""The managed cluster itself, and when Azure may upgrade it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.cluster.plan.names import node_resource_group
from tidegate.cluster.plan.pools import plan_system_pool, plan_system_pool_changes
from tidegate.cluster.ranges import normalise
from tidegate.cluster.replacement import guarded, unplanned
from tidegate.cluster.spec import SYSTEM_POOL, ApiServerSpec, ClusterSpec, NetworkSpec, UpgradeSpec, Window

Plan = dict[str, Any]

OWNER_TAG = "tidegate-owner"
"""The ARM tag that names the stack to which a cluster belongs."""

CLUSTER_WINDOW = "aksManagedAutoUpgradeSchedule"
NODE_OS_WINDOW = "aksManagedNodeOSUpgradeSchedule"
"""The only names by which AKS finds the two (aks-docs: planned-maintenance.md)."""

_OWN_MINOR = ("stable", "rapid")
"""Channels by which Azure chooses the minor version; the one in the config only counts when the cluster is made."""


def plan_cluster(
    spec: ClusterSpec,
    *,
    identity: object,
    kubelet: Mapping[str, object],
    tenant: object,
    owner: str,
    further_ranges: Sequence[str] = (),
    nat_addresses: Sequence[object] = (),
    node_subnet: object = None,
    api_server_subnet: object = None,
    log_analytics: object = None,
) -> Plan:
    """A `ManagedCluster`.

    `identity` is the id of the cluster's own identity, `kubelet` the kubelet's (`resourceId`, `clientId`, `objectId`);
    `further_ranges` may reach the API server beside those of the spec, and so may `nat_addresses`, each a /32 of the
    nodes' own way out; the two subnets are ids, None where there is
    none; `log_analytics` is the id of the workspace that takes container logs.
    """
    group = spec.node_resource_group or node_resource_group(spec.resource_group, spec.name, spec.location)
    plan: Plan = {
        "resourceGroupName": spec.resource_group,
        "resourceName": spec.name,
        "location": spec.location,
        "tags": dict(sorted({**spec.tags, OWNER_TAG: owner}.items())),
        "sku": {"name": "Base", "tier": spec.tier},
        "supportPlan": spec.support_plan,
        "kubernetesVersion": kubernetes_version(spec),
        "dnsPrefix": spec.dns_prefix,
        "nodeResourceGroup": group,
        "enableRBAC": True,
        "disableLocalAccounts": True,
        "aadProfile": {
            "managed": True,
            "enableAzureRBAC": True,
            "tenantID": spec.entra.tenant_id or tenant,
            "adminGroupObjectIDs": sorted(spec.entra.admin_group_object_ids),
        },
        "identity": {"type": "UserAssigned", "userAssignedIdentities": [identity]},
        "identityProfile": {"kubeletidentity": dict(kubelet)},
        "oidcIssuerProfile": {"enabled": True},
        "securityProfile": {
            "workloadIdentity": {"enabled": True},
            "imageCleaner": {"enabled": True, "intervalHours": 168},
        },
        "apiServerAccessProfile": _api_server(spec.api_server, further_ranges, nat_addresses, api_server_subnet),
        "networkProfile": _network(spec.network),
        "bootstrapProfile": {"artifactSource": "Cache"} if spec.network.outbound_type == "none" else None,
        "autoUpgradeProfile": {
            "upgradeChannel": spec.upgrade.channel,
            "nodeOSUpgradeChannel": spec.upgrade.node_os_channel,
        },
        "autoScalerProfile": dict(sorted(spec.autoscaler.items())) or None,
        "azureMonitorProfile": {"metrics": _metrics(enabled=spec.monitoring.prometheus)},
        "workloadAutoScalerProfile": {
            "keda": {"enabled": spec.monitoring.prometheus},
            "verticalPodAutoscaler": {"enabled": False},
        },
        "addonProfiles": _addons(log_analytics),
        "nodeProvisioningProfile": {"mode": "Manual"},
        "storageProfile": {
            "blobCSIDriver": {"enabled": False},
            "diskCSIDriver": {"enabled": True},
            "fileCSIDriver": {"enabled": True},
            "snapshotController": {"enabled": True},
        },
        "agentPoolProfiles": [plan_system_pool(spec.system_pool, subnet=node_subnet)],
    }
    return {name: value for name, value in plan.items() if value is not None}


def kubernetes_version(spec: ClusterSpec) -> str | None:
    """The version to ask for, None where AKS chooses.

    On the channel `patch` only its minor: the patch is the channel's, and asking for an older one would be refused as a
    downgrade, while the minor that already runs changes nothing (aks-docs: supported-kubernetes-versions.md).
    """
    version = spec.kubernetes_version
    if version and spec.upgrade.channel == "patch":
        return ".".join(version.split(".")[:2])
    return version


def pool_version(spec: ClusterSpec) -> str | None:
    """The version that the pools follow; None where a channel moves them with the cluster."""
    return None if spec.upgrade.channel in _OWN_MINOR else kubernetes_version(spec)


def ignored(spec: ClusterSpec) -> list[str]:
    """What of a cluster the program leaves to Azure once it is there, by schema paths.

    `agentPoolProfiles`: touching an entry moves every pool, and all pools but the first are resources of their own.
    """
    pools = ["agentPoolProfiles"]
    if spec.replacement_allowed:
        pools = ["agentPoolProfiles[0].count"] if spec.system_pool.autoscaled else []
    return pools + (["kubernetesVersion"] if spec.upgrade.channel in _OWN_MINOR else [])


def replaced(spec: ClusterSpec) -> list[str]:
    """What replaces a cluster that the user allows to be replaced, beside what azure-native itself replaces it for."""
    return unplanned() if spec.replacement_allowed else []


def plan_guard(spec: ClusterSpec, cluster: Mapping[str, object], *, subscription: str | None = None) -> Plan:
    """A `ReplacementGuard` of a planned cluster; without a `subscription` it asks in the login's own."""
    guard: Plan = {"cluster": spec.name, "immutable": guarded(cluster), "allowed": spec.replacement_allowed}
    if subscription:
        guard["subscriptionId"] = subscription
    version = cluster.get("kubernetesVersion")
    if version and "kubernetesVersion" not in ignored(spec):
        guard["kubernetesVersion"] = version
    return guard


def plan_first_pool(spec: ClusterSpec, cluster: Mapping[str, object], *, subscription: str | None = None) -> Plan:
    """A `SystemPool` of a planned cluster; without a `subscription` it is one of the login's own."""
    sent = {name: value for name, value in cluster.items() if name != "agentPoolProfiles"}
    # What is only known later does not change by itself: a word stands in for it.
    text = json.dumps(sent, sort_keys=True, default=lambda _: "later")
    plan: Plan = {
        "resourceGroup": spec.resource_group,
        "cluster": spec.name,
        "name": SYSTEM_POOL,
        "pool": plan_system_pool_changes(spec.system_pool, version=pool_version(spec)),
        "clusterRevision": hashlib.sha256(text.encode()).hexdigest()[:16],
    }
    return plan | ({"subscriptionId": subscription} if subscription else {})


def plan_windows(upgrade: UpgradeSpec, *, cluster: str, resource_group: str) -> dict[str, Plan]:
    """The `MaintenanceConfiguration`s by AKS's names for them; none for what Azure does not do by itself."""
    windows: dict[str, Window] = {}
    if upgrade.channel != "none":
        windows[CLUSTER_WINDOW] = upgrade.window
    if upgrade.node_os_channel in ("NodeImage", "SecurityPatch"):
        windows[NODE_OS_WINDOW] = upgrade.node_os_window
    return {
        name: {
            "resourceGroupName": resource_group,
            "resourceName": cluster,
            "configName": name,
            "maintenanceWindow": _window(window),
        }
        for name, window in windows.items()
    }


def _api_server(
    spec: ApiServerSpec, further_ranges: Sequence[str], nat_addresses: Sequence[object], subnet: object
) -> Plan:
    private = spec.private
    plan: Plan = {"enablePrivateCluster": private is not None, "disableRunCommand": spec.disable_run_command}
    if private:
        plan["privateDNSZone"] = private.private_dns_zone
        plan["enablePrivateClusterPublicFQDN"] = private.public_fqdn
        plan["enableVnetIntegration"] = private.vnet_integration or None
        plan["subnetId"] = (private.subnet_id or subnet) if private.vnet_integration else None
    else:
        ranges = normalise([*spec.authorized_ip_ranges, *further_ranges])
        # Where there are none everybody is let in, and a first one would shut out all the others.
        plan["authorizedIPRanges"] = [*ranges, *nat_addresses] if ranges else []
    return {name: value for name, value in plan.items() if value is not None}


def _network(spec: NetworkSpec) -> Plan:
    plan: Plan = {
        "networkPlugin": "azure",
        "networkPluginMode": "overlay",
        "networkDataplane": "cilium",
        "networkPolicy": "cilium",
        "ipFamilies": ["IPv4"],
        "serviceCidr": spec.service_cidr,
        "dnsServiceIP": spec.dns_service_ip,
        "podCidr": spec.pod_cidr,
        "loadBalancerSku": "standard",
        "outboundType": spec.outbound_type,
    }
    if spec.outbound_type == "managedNATGateway":
        plan["natGatewayProfile"] = {
            "managedOutboundIPProfile": {"count": spec.nat_managed_outbound_ip_count},
            "idleTimeoutInMinutes": spec.nat_idle_timeout_in_minutes,
        }
    if spec.outbound_type == "loadBalancer":
        plan["loadBalancerProfile"] = {
            "managedOutboundIPs": {"count": 1},
            "allocatedOutboundPorts": 0,
            "idleTimeoutInMinutes": 30,
            "backendPoolType": "NodeIPConfiguration",
        }
    return plan


def _metrics(*, enabled: bool) -> Plan:
    if not enabled:
        return {"enabled": False}
    return {"enabled": True, "kubeStateMetrics": {"metricLabelsAllowlist": "", "metricAnnotationsAllowList": ""}}


def _addons(log_analytics: object) -> Plan | None:
    if log_analytics is None:
        return None
    config = {"logAnalyticsWorkspaceResourceID": log_analytics, "useAADAuth": "true"}
    return {"omsagent": {"enabled": True, "config": config}}


def _window(window: Window) -> Plan:
    return {
        "schedule": {"weekly": {"dayOfWeek": window.day_of_week, "intervalWeeks": window.interval_weeks}},
        "durationHours": window.duration_hours,
        "startTime": window.start_time,
        "utcOffset": window.utc_offset,
    }
