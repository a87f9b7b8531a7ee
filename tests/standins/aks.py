"""What AKS accepts, refuses and answers: clusters, their pools and their maintenance windows.

The texts follow AKS's own error codes. Rules that the published types cannot say are here: versions move one minor at a
time, a new pool cannot come in through its cluster, a count stands between its bounds, ranges and a private API server
exclude each other, prerequisites are there.
"""

import copy
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from tests.standins.cloud import TENANT, ArmError, Body, Cloud, guid, parent_id

CLUSTERS = "Microsoft.ContainerService/managedClusters"
POOLS = f"{CLUSTERS}/agentPools"

VERSIONS = {"1.34": "1.34.9", "1.35": "1.35.6", "1.36": "1.36.3", "1.37": "1.37.1"}
"""The newest patch of every minor that can be had."""
DEFAULT_VERSION = "1.36.3"
MOST_RANGES = 200

# Ids of built-in roles: learn.microsoft.com, "Azure built-in roles".
MANAGED_IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
PRIVATE_DNS_ZONE_CONTRIBUTOR = "b12aa53e-6015-4669-85d0-8515ebb3ae7f"

_FIXED = ("dnsPrefix", "fqdnSubdomain", "nodeResourceGroup", "diskEncryptionSetID")
_FIXED_NETWORK = ("serviceCidr", "dnsServiceIP", "networkPlugin", "podCidr")
_FIXED_POOL = (
    "vmSize",
    "maxPods",
    "osDiskSizeGB",
    "osDiskType",
    "osType",
    "scaleSetPriority",
    "spotMaxPrice",
    "availabilityZones",
    "vnetSubnetID",
    "enableEncryptionAtHost",
    "gpuInstanceProfile",
    "gpuProfile",
)


def bad_request(message: str, code: str = "BadRequest") -> ArmError:
    """AKS's 400."""
    return ArmError(400, code, message)


# -- clusters


def put_cluster(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """Create a cluster with its inline pools, or change it."""
    body = copy.deepcopy(body)
    given: Body = body.setdefault("properties", {})
    profiles = given.pop("agentPoolProfiles", None) or []
    _check_identities(cloud, body, given)
    _check_network(cloud, given, profiles, body)
    _check_access(cloud, given, body)
    _check_settings(body, given)
    version = _version(given.get("kubernetesVersion"), old)
    if old is None:
        if not any(each.get("mode") == "System" for each in profiles):
            raise bad_request("Must define at least one system pool.", "MustDefineAtLeastOneSystemPool")
    else:
        _check_change(cloud, identity, old["properties"], given, profiles)
    answered = _answered(identity, old, body, version)
    answered["properties"]["agentPoolProfiles"] = [{"name": profile["name"]} for profile in profiles]
    pools: dict[str, Body] = {}
    for profile in profiles:
        pool_id = f"{identity}/agentPools/{profile['name']}"
        pool = {"properties": {key: value for key, value in profile.items() if key != "name"}}
        pools[pool_id] = _answered_pool(cloud, cloud.get(pool_id), pool, answered["properties"])
    for pool_id, pool in pools.items():
        cloud.put(pool_id, pool)
    return answered


def view_cluster(cloud: Cloud, body: Body) -> Body:
    """A cluster as a GET shows it: with all of its pools, also those that did not come in through it."""
    inline = [each["name"] for each in body["properties"].get("agentPoolProfiles") or []]
    pools = sorted(cloud.all(POOLS, under=body["id"]), key=lambda pool: pool["name"] not in inline)
    profiles = [{"name": pool["name"], **pool["properties"]} for pool in pools]
    return {**body, "properties": {**body["properties"], "agentPoolProfiles": profiles}}


def _check_identities(cloud: Cloud, body: Body, given: Body) -> None:
    identities = (body.get("identity") or {}).get("userAssignedIdentities") or {}
    for each in [*identities, *_kubelet_ids(given)]:
        if cloud.get(each) is None:
            raise bad_request(f"User assigned identity {each} could not be found.", "ResourceMissing")
    if _kubelet_ids(given) and not identities:
        raise bad_request(
            "Custom kubelet identity is only supported on user assigned MSI cluster.",
            "CustomKubeletIdentityOnlySupportedOnUserAssignedMSICluster",
        )
    for kubelet in _kubelet_ids(given):
        if not _allowed(cloud, identities, MANAGED_IDENTITY_OPERATOR, kubelet):
            raise bad_request(
                "The cluster using user-assigned managed identity must be granted 'Managed Identity Operator' role to "
                f"assign kubelet identity {kubelet}.",
                "CustomKubeletIdentityMissingPermissionError",
            )


def _check_network(cloud: Cloud, given: Body, profiles: Iterable[Body], body: Body) -> None:
    network: Body = given.get("networkProfile") or {}
    if network.get("loadBalancerSku") == "basic":
        raise bad_request("Basic load balancer is retired since 2025-09-30.", "BasicLoadBalancerNotSupported")
    ranges = {key: _cidr(key, network[key]) for key in ("serviceCidr", "podCidr") if network.get(key)}
    subnets = [cloud.require(each["vnetSubnetID"]) for each in profiles if each.get("vnetSubnetID")]
    for subnet in subnets:
        ranges[f"subnet {subnet['name']}"] = _cidr("addressPrefix", subnet["properties"]["addressPrefix"])
    _check_disjoint(ranges)
    service, dns = ranges.get("serviceCidr"), network.get("dnsServiceIP")
    if service and dns:
        address = ipaddress.ip_address(dns)
        if address not in service or address == service.network_address + 1:
            raise bad_request(
                f"DNS service IP {dns} must be in the service CIDR {service} and not its first address.",
                "InvalidDNSServiceIP",
            )
    _check_outbound(cloud, network.get("outboundType") or "loadBalancer", subnets)
    if network.get("networkPlugin") == "kubenet":
        _check_routes(cloud, subnets, (body.get("identity") or {}).get("userAssignedIdentities") or {})


def _check_disjoint(ranges: Mapping[str, Any]) -> None:
    seen: list[tuple[str, Any]] = []
    for name, network in ranges.items():
        for other, taken in seen:
            if network.overlaps(taken) and network != taken:
                raise bad_request(
                    f"{name} {network} overlaps {other} {taken}.", "ServiceCidrOverlapExistingSubnetsCidr"
                )
        seen.append((name, network))


def _check_outbound(cloud: Cloud, kind: str, subnets: Sequence[Body]) -> None:
    for subnet in subnets:
        if kind == "userDefinedRouting" and not _default_route(cloud, subnet):
            raise bad_request(
                f"Subnet {subnet['id']} has no route table with a default route.",
                "UserDefinedRoutingMissingDefaultRoute",
            )
        if kind == "userAssignedNATGateway" and not subnet["properties"].get("natGateway"):
            raise bad_request(f"Subnet {subnet['id']} has no NAT gateway.", "SubnetNotAssociatedWithNatGateway")
        if kind == "managedNATGateway":
            raise bad_request("managedNATGateway cannot be used with an own virtual network.", "InvalidOutboundType")
    if kind in ("userDefinedRouting", "userAssignedNATGateway") and not subnets:
        raise bad_request(f"{kind} needs an own virtual network.", "InvalidOutboundType")


def _default_route(cloud: Cloud, subnet: Body) -> bool:
    table = subnet["properties"].get("routeTable")
    routes = cloud.require(table["id"])["properties"].get("routes") or [] if table else []
    return any(route["properties"].get("addressPrefix") == "0.0.0.0/0" for route in routes)


def _check_routes(cloud: Cloud, subnets: Iterable[Body], identities: Iterable[str]) -> None:
    # kubenet alone writes routes into the table: aks-docs egress-outboundtype.md, configure-kubenet.md.
    for subnet in subnets:
        table = subnet["properties"].get("routeTable")
        if table and not _allowed(cloud, identities, NETWORK_CONTRIBUTOR, table["id"]):
            raise bad_request(
                f"Managed identity must be given permission to read and write to custom route table {table['id']}.",
                "CustomRouteTableMissingPermission",
            )


def _check_access(cloud: Cloud, given: Body, body: Body) -> None:
    access: Body = given.get("apiServerAccessProfile") or {}
    ranges = access.get("authorizedIPRanges") or []
    if ranges and access.get("enablePrivateCluster"):
        raise bad_request("Authorized IP ranges are not allowed for a private cluster.", "InvalidParameter")
    if len(ranges) > MOST_RANGES:
        raise bad_request(f"{len(ranges)} authorized IP ranges; at most {MOST_RANGES}.", "InvalidParameter")
    for each in ranges:
        _cidr("authorizedIPRanges", each)
    zone = access.get("privateDNSZone") or "system"
    identities = (body.get("identity") or {}).get("userAssignedIdentities") or {}
    if zone not in ("system", "none"):
        cloud.require(zone)
        if not _allowed(cloud, identities, PRIVATE_DNS_ZONE_CONTRIBUTOR, zone):
            raise bad_request(
                f"The cluster's identity has no permission on the private DNS zone {zone}.",
                "CustomPrivateDNSZoneMissingPermissionError",
            )
    if access.get("subnetId"):
        subnet = cloud.require(access["subnetId"])
        services = [each["properties"]["serviceName"] for each in subnet["properties"].get("delegations") or []]
        if services != [CLUSTERS]:
            raise bad_request(f"Subnet {subnet['id']} is not delegated to {CLUSTERS}.", "InvalidSubnetDelegation")


def _check_settings(body: Body, given: Body) -> None:
    if given.get("disableLocalAccounts") and not (given.get("aadProfile") or {}).get("managed"):
        raise bad_request("Local accounts can only be disabled with Entra integration.", "InvalidParameter")
    security = given.get("securityProfile") or {}
    if (security.get("workloadIdentity") or {}).get("enabled") and not (given.get("oidcIssuerProfile") or {}).get(
        "enabled"
    ):
        raise bad_request("Workload identity needs the OIDC issuer.", "WorkloadIdentityRequiresOIDCIssuer")
    long_term = given.get("supportPlan") == "AKSLongTermSupport"
    if long_term != ((body.get("sku") or {}).get("tier") == "Premium"):
        raise bad_request("AKSLongTermSupport and tier Premium go together.", "InvalidParameter")


def _check_change(cloud: Cloud, identity: str, old: Body, new: Body, profiles: Iterable[Body]) -> None:
    for name in _FIXED:
        if new.get(name) not in (None, old.get(name)):
            raise _fixed(name)
    for name in _FIXED_NETWORK:
        before, after = old["networkProfile"].get(name), (new.get("networkProfile") or {}).get(name)
        if after not in (None, before):
            raise _fixed(f"networkProfile.{name}")
    before, after = (each.get("apiServerAccessProfile") or {} for each in (old, new))
    for name in ("enablePrivateCluster", "privateDNSZone"):
        if bool(before.get(name)) != bool(after.get(name)):
            raise _fixed(f"apiServerAccessProfile.{name}")
    if (old.get("oidcIssuerProfile") or {}).get("enabled") and not (new.get("oidcIssuerProfile") or {}).get("enabled"):
        raise bad_request("OIDC issuer feature cannot be disabled.", "OIDCIssuerFeatureCannotBeDisabled")
    for each in profiles:
        if cloud.get(f"{identity}/agentPools/{each['name']}") is None:
            raise bad_request(
                f"A new agent pool was introduced: {each['name']}. Adding agent pools to an existing cluster is not "
                "allowed through managed cluster operations.",
                "OperationNotAllowed",
            )


def _version(wanted: str | None, old: Body | None) -> str:
    """The full version that a cluster runs from now on."""
    current = old["properties"]["currentKubernetesVersion"] if old else None
    full = VERSIONS.get(wanted, wanted) if wanted else current or DEFAULT_VERSION
    minor = full.rpartition(".")[0]
    if minor not in VERSIONS or _numbers(full) > _numbers(VERSIONS[minor]):
        offered = ", ".join(VERSIONS.values())
        raise bad_request(
            f"Version {wanted} is not supported in this region. Offered: {offered}", "K8sVersionNotSupported"
        )
    if current is None:
        return full
    if minor == current.rpartition(".")[0] and wanted in VERSIONS:
        return current  # naming the minor again moves nothing
    before, after = _numbers(current), _numbers(full)
    if after < before or after[1] > before[1] + 1:
        raise bad_request(
            f"Upgrading Kubernetes version {current} to {full} is not allowed. Available upgrades: "
            f"{', '.join(each for each in VERSIONS.values() if before < _numbers(each) <= (1, before[1] + 1, 99))}.",
            "OperationNotAllowed",
        )
    return full


def _answered(identity: str, old: Body | None, body: Body, version: str) -> Body:
    """The cluster as the service answers: what was given, its own defaults, and what it computes."""
    name, group = identity.rpartition("/")[2], parent_id(identity).rpartition("/")[2]
    location, given = body["location"], body["properties"]
    # A cluster that is made again under its name is another cluster, with other addresses and another issuer.
    born = old["properties"]["resourceUID"] if old else uuid4().hex[:24]
    host = f"{given.get('dnsPrefix') or name}-{guid(born, 'host')[:8]}"
    access = given.get("apiServerAccessProfile") or {}
    computed: Body = {
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "kubernetesVersion": given.get("kubernetesVersion") or version,
        "currentKubernetesVersion": version,
        "nodeResourceGroup": given.get("nodeResourceGroup") or f"MC_{group}_{name}_{location}",
        "enableRBAC": given.get("enableRBAC", True),
        "supportPlan": given.get("supportPlan") or "KubernetesOfficial",
        "maxAgentPools": 100,
        "resourceUID": born,
        "azurePortalFQDN": f"{host}.portal.hcp.{location}.azmk8s.io",
        "servicePrincipalProfile": {"clientId": "msi"},
        "networkProfile": _network_defaults(identity, given.get("networkProfile") or {}),
        "identityProfile": {"kubeletidentity": _kubelet(identity, given)},
    }
    if access.get("enablePrivateCluster"):
        computed["privateFQDN"] = f"{host}.{guid(born, 'zone')}.privatelink.{location}.azmk8s.io"
    if not access.get("enablePrivateCluster") or access.get("enablePrivateClusterPublicFQDN"):
        computed["fqdn"] = f"{host}.hcp.{location}.azmk8s.io"
    if (given.get("oidcIssuerProfile") or {}).get("enabled"):
        url = f"https://{location}.oic.prod-aks.azure.com/{TENANT}/{guid(born, 'oidc')}/"
        computed["oidcIssuerProfile"] = {"enabled": True, "issuerURL": url}
    if given.get("aadProfile"):
        computed["aadProfile"] = {"tenantID": TENANT, **given["aadProfile"]}
    if old and old["properties"].get("nodeResourceGroup"):
        computed["nodeResourceGroup"] = old["properties"]["nodeResourceGroup"]
    return {
        **body,
        "sku": {"name": "Base", "tier": "Free", **(body.get("sku") or {})},
        "identity": _identity(identity, body.get("identity") or {"type": "None"}),
        "properties": {**given, **computed},
    }


def _network_defaults(identity: str, given: Body) -> Body:
    answered = {
        "networkPlugin": "azure",
        "serviceCidr": "10.0.0.0/16",
        "dnsServiceIP": "10.0.0.10",
        "outboundType": "loadBalancer",
        "loadBalancerSku": "standard",
        **given,
    }
    if answered["outboundType"] == "loadBalancer":
        group = f"{parent_id(identity)}/providers/Microsoft.Network/publicIPAddresses/{guid(identity, 'outbound')}"
        profile = {"managedOutboundIPs": {"count": 1}, **(given.get("loadBalancerProfile") or {})}
        answered["loadBalancerProfile"] = {**profile, "effectiveOutboundIPs": [{"id": group}]}
    return answered


def _identity(identity: str, given: Body) -> Body:
    if given.get("type") == "SystemAssigned":
        return {**given, "principalId": guid(identity, "principal"), "tenantId": TENANT}
    users = {each: principal(each) for each in given.get("userAssignedIdentities") or {}}
    return {**given, "userAssignedIdentities": users} if users else given


def principal(identity: str) -> Body:
    """What a user-assigned identity is known by."""
    return {"clientId": guid(identity, "client"), "principalId": guid(identity, "principal")}


def _kubelet(identity: str, given: Body) -> Body:
    group, name = parent_id(identity), identity.rpartition("/")[2]
    own = _kubelet_ids(given) or [
        f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}-agentpool"
    ]
    known = principal(own[0])
    return {"resourceId": own[0], "clientId": known["clientId"], "objectId": known["principalId"]}


def _kubelet_ids(given: Body) -> list[str]:
    profile = (given.get("identityProfile") or {}).get("kubeletidentity") or {}
    return [profile["resourceId"]] if profile.get("resourceId") else []


def _allowed(cloud: Cloud, identities: Iterable[str], role: str, scope: str) -> bool:
    """Whether one of the identities has a role at a scope or above it."""
    principals = {principal(each)["principalId"] for each in identities}
    for each in cloud.all("Microsoft.Authorization/roleAssignments"):
        given = each["properties"]
        if (
            given["principalId"] in principals
            and given["roleDefinitionId"].lower().endswith(role)
            and scope.lower().startswith(given["scope"].lower())
        ):
            return True
    return False


# -- pools


def put_pool(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """The pool as the service answers; `old` is what it was."""
    return _answered_pool(cloud, old, body, cloud.require(parent_id(identity))["properties"])


def _answered_pool(cloud: Cloud, old: Body | None, body: Body, cluster: Body) -> Body:
    given: Body = body.get("properties") or {}
    before: Body = old["properties"] if old else {}
    _check_pool(cloud, given, before)
    version = given.get("orchestratorVersion")
    current = VERSIONS.get(version, version) if version else None
    current = current or before.get("currentOrchestratorVersion") or cluster["currentKubernetesVersion"]
    if _numbers(current) > _numbers(cluster["currentKubernetesVersion"]):
        raise bad_request(
            f"Node pool version {current} and control plane version {cluster['currentKubernetesVersion']} are "
            "incompatible: a pool cannot be newer.",
            "NodePoolMcVersionIncompatible",
        )
    answered: Body = {
        "type": "VirtualMachineScaleSets",
        "mode": "User",
        "osType": "Linux",
        "osSKU": "Ubuntu",
        "osDiskSizeGB": 128,
        "osDiskType": "Managed",
        "kubeletDiskType": "OS",
        "maxPods": 250 if cluster["networkProfile"].get("networkPluginMode") == "overlay" else 30,
        "scaleDownMode": "Delete",
        "enableAutoScaling": False,
        "enableNodePublicIP": False,
        "enableEncryptionAtHost": False,
        "enableFIPS": False,
        **given,
        "orchestratorVersion": version or current,
        "currentOrchestratorVersion": current,
        "nodeImageVersion": "AKSUbuntu-2404gen2containerd-202611.10.0",
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
    }
    if answered.get("scaleSetPriority") == "Spot":
        _add_spot_marks(answered)
    else:
        answered["upgradeSettings"] = {"maxSurge": "10%", **(given.get("upgradeSettings") or {})}
    if before.get("enableAutoScaling") and answered["enableAutoScaling"]:
        # From its birth on the count belongs to the autoscaler.
        answered["count"] = min(max(before["count"], given["minCount"]), given["maxCount"])
    return {"properties": answered}


def delete_pool(cloud: Cloud, identity: str, body: Body) -> None:
    """A cluster keeps a system pool."""
    others = [each for each in cloud.all(POOLS, under=parent_id(identity)) if each["id"] != body["id"]]
    if body["properties"]["mode"] == "System" and not any(each["properties"]["mode"] == "System" for each in others):
        raise bad_request("There has to be at least one system agent pool.", "OperationNotAllowed")


def _check_pool(cloud: Cloud, given: Body, before: Body) -> None:
    for name in _FIXED_POOL:
        if before and given.get(name) not in (None, before.get(name)):
            raise _fixed(name)
    least, most, count = given.get("minCount"), given.get("maxCount"), given.get("count")
    if given.get("enableAutoScaling"):
        if least is None or most is None or count is None:
            raise bad_request(
                "minCount, maxCount and count are needed when enableAutoScaling is true.", "InvalidParameter"
            )
        if not least <= count <= most:
            raise bad_request(
                f"count {count} must be between minCount {least} and maxCount {most}.", "InvalidParameter"
            )
    elif least is not None or most is not None:
        raise bad_request("minCount and maxCount need enableAutoScaling.", "InvalidParameter")
    elif count is None:
        raise bad_request("count is needed.", "InvalidParameter")
    system, spot = given.get("mode") == "System", given.get("scaleSetPriority") == "Spot"
    if system and (spot or count == 0 or least == 0):
        raise bad_request("A system pool has at least one node and is not Spot.", "InvalidSystemPool")
    if spot and (given.get("upgradeSettings") or {}).get("maxSurge"):
        raise bad_request("Spot pools can't set max surge.", "InvalidParameter")
    for name in ("vnetSubnetID", "podSubnetID"):
        if given.get(name):
            cloud.require(given[name])
    if given.get("maxPods", 30) > 250 or given.get("maxPods", 30) < 10:
        raise bad_request(f"maxPods {given['maxPods']} is not in 10..250.", "InvalidParameter")


def _add_spot_marks(pool: Body) -> None:
    taint, label = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule", "kubernetes.azure.com/scalesetpriority"
    taints = pool.get("nodeTaints") or []
    pool["nodeTaints"] = taints if taint in taints else [*taints, taint]
    pool["nodeLabels"] = {**(pool.get("nodeLabels") or {}), label: "spot"}


# -- maintenance windows


def put_maintenance(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A maintenance window; AKS knows three names."""
    name = identity.rpartition("/")[2]
    if name not in ("default", "aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"):
        raise bad_request(f"{name} is not the name of a maintenance configuration.", "InvalidMaintenanceConfigName")
    return body


# -- values


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _cidr(name: str, text: str) -> ipaddress.IPv4Network:
    # The published patterns let a CIDR without its mask pass, and one with host bits.
    try:
        if "/" not in text:
            raise ValueError("it has no mask")
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise bad_request(f"{name} {text} is not a CIDR: {error}.", "InvalidCIDRNotation") from None


def _fixed(name: str) -> ArmError:
    return bad_request(f"Changing property 'properties.{name}' is not allowed.", "PropertyChangeNotAllowed")
