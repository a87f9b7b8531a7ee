"""Pools of nodes: the one that a cluster is born with, and `AgentPool` resources."""

import hashlib
import json
from typing import Any

from tidegate.cluster.spec import SYSTEM_POOL, PoolSpec

Plan = dict[str, Any]

OVERLAY_MAX_PODS = 250
"""AKS's own default with Azure CNI overlay, sent so that it is not mistaken for a change (aks-docs:
concepts-network-azure-cni-overlay.md)."""

CHANGED_IN_PLACE = (
    "count",
    "enableAutoScaling",
    "maxCount",
    "minCount",
    "nodeLabels",
    "nodeTaints",
    "tags",
    "upgradeSettings",
)
"""What can change in a pool that is there, beside its version (AgentPool's PUT; aks-docs: manage-node-pools.md)."""

_BASE_LENGTH = 8
_HASH_LENGTH = 4


def azure_name(pool: PoolSpec) -> str:
    """The pool's name on Azure: what the config calls it and a hash of what Azure cannot change in a pool.

    A change of such a field gives another name: the new pool stands before the old one goes. At most 12 characters, as
    AKS has it.
    """
    if pool.name == SYSTEM_POOL:
        return SYSTEM_POOL
    text = json.dumps(immutable_fields(pool), sort_keys=True)
    return pool.name[:_BASE_LENGTH] + hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


def immutable_fields(pool: PoolSpec) -> Plan:
    """What Azure fixes when a pool is made, by ARM's names (aks-docs: manage-node-pools.md; AgentPool's PUT)."""
    return {
        "vmSize": pool.vm_size,
        "maxPods": pool.max_pods or OVERLAY_MAX_PODS,
        "osSKU": pool.os_sku,
        "osDiskType": pool.os_disk_type,
        "osDiskSizeGB": pool.os_disk_size_gb,
        "availabilityZones": sorted(pool.availability_zones),
        "vnetSubnetID": pool.subnet_id,
        "enableEncryptionAtHost": pool.encryption_at_host,
        "enableFIPS": pool.fips,
        "scaleSetPriority": "Spot" if pool.spot else "Regular",
        "scaleSetEvictionPolicy": pool.spot.eviction_policy if pool.spot else None,
        "spotMaxPrice": pool.spot.max_price if pool.spot else None,
        "gpuDriver": pool.gpu_driver,
        "gpuInstanceProfile": pool.mig_profile,
    }


def plan_system_pool(pool: PoolSpec, *, subnet: object = None) -> Plan:
    """The entry of `agentPoolProfiles` with which a cluster is born; `subnet` is the id of the cluster's own."""
    return {"name": azure_name(pool), **_profile(pool, subnet)}


def plan_system_pool_changes(pool: PoolSpec, *, version: str | None) -> Plan:
    """What Azure changes of the first pool while it is there, by ARM's names; empty where there shall be none.

    The autoscaler owns the count where there is one. `version` is the Kubernetes version that the pool follows.
    """
    profile = _profile(pool, None)
    changes: Plan = {name: profile.get(name, "") for name in CHANGED_IN_PLACE}
    if pool.autoscaled:
        del changes["count"]
    return changes | ({"orchestratorVersion": version} if version else {})


def plan_pool(
    pool: PoolSpec, *, cluster: str, resource_group: str, version: str | None = None, subnet: object = None
) -> Plan:
    """An `AgentPool` of the named cluster. `version` is the Kubernetes version that it follows, None: the cluster's."""
    return {
        "resourceGroupName": resource_group,
        "resourceName": cluster,
        "agentPoolName": azure_name(pool),
        **_profile(pool, subnet),
        **({"orchestratorVersion": version} if version else {}),
    }


def _profile(pool: PoolSpec, subnet: object) -> Plan:
    where = pool.subnet_id or subnet
    plan: Plan = {
        "mode": pool.mode,
        "type": "VirtualMachineScaleSets",
        "vmSize": pool.vm_size,
        "count": pool.count,
        "enableAutoScaling": pool.autoscaled,
        "minCount": pool.min_count,
        "maxCount": pool.max_count,
        "maxPods": pool.max_pods or OVERLAY_MAX_PODS,
        "osType": "Linux",
        "osSKU": pool.os_sku,
        "osDiskType": pool.os_disk_type,
        "osDiskSizeGB": pool.os_disk_size_gb,
        "kubeletDiskType": "OS",
        "availabilityZones": sorted(pool.availability_zones) or None,
        "vnetSubnetID": where,
        "nodeLabels": dict(sorted(pool.node_labels.items())) or None,
        "nodeTaints": sorted(pool.node_taints) or None,
        "enableNodePublicIP": False,
        "enableEncryptionAtHost": pool.encryption_at_host,
        "enableFIPS": pool.fips,
        "enableUltraSSD": False,
        "scaleDownMode": "Delete",
        "scaleSetPriority": "Spot" if pool.spot else "Regular",
        "tags": dict(sorted(pool.tags.items())) or None,
    }
    if pool.spot:
        plan["scaleSetEvictionPolicy"] = pool.spot.eviction_policy
        plan["spotMaxPrice"] = pool.spot.max_price
    else:
        # AKS takes no surge for Spot nodes: it could not promise that they are to be had.
        plan["upgradeSettings"] = {"maxSurge": pool.max_surge}
    if pool.gpus:
        plan["gpuProfile"] = {"driver": pool.gpu_driver or "Install"}
        plan["gpuInstanceProfile"] = pool.mig_profile
    return {name: value for name, value in plan.items() if value is not None}
