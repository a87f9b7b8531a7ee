"""What Azure accepts, refuses and answers for everything around a cluster: identities, roles, network, registry, ..."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from tests.standins.aks import CLUSTERS, POOLS, principal
from tests.standins.cloud import DEPLOYER, TENANT, ArmError, Body, Cloud, arm_type, guid, parent_id

SUBNETS = "Microsoft.Network/virtualNetworks/subnets"
REGISTRIES = "Microsoft.ContainerRegistry/registries"

IN_USE: Mapping[str, tuple[str, frozenset[str]]] = {
    SUBNETS: (
        "InUseSubnetCannotBeDeleted",
        frozenset({POOLS, CLUSTERS, "Microsoft.Network/privateEndpoints"}),
    ),
    "Microsoft.Network/networkSecurityGroups": ("InUseNetworkSecurityGroupCannotBeDeleted", frozenset({SUBNETS})),
    "Microsoft.Network/routeTables": ("InUseRouteTableCannotBeDeleted", frozenset({SUBNETS})),
    "Microsoft.Network/natGateways": ("InUseNatGatewayCannotBeDeleted", frozenset({SUBNETS})),
    "Microsoft.Network/publicIPAddresses": (
        "PublicIPAddressCannotBeDeleted",
        frozenset({"Microsoft.Network/natGateways"}),
    ),
    f"{REGISTRIES}/scopeMaps": ("ScopeMapInUse", frozenset({f"{REGISTRIES}/tokens"})),
    "Microsoft.Insights/dataCollectionEndpoints": (
        "InUse",
        frozenset({"Microsoft.Insights/dataCollectionRules"}),
    ),
}
"""What cannot be deleted while resources of these types name it, and Azure's code for that."""


def refuse_in_use(cloud: Cloud, identity: str) -> None:
    """Refuse a delete while something else needs the resource."""
    code, users = IN_USE.get(arm_type(identity), ("", frozenset()))
    for body in cloud.all() if users else ():
        if body["type"] in users and identity.lower() in (text.lower() for text in texts(body["properties"])):
            raise ArmError(400, code, f"{identity} is in use by {body['id']} and cannot be deleted.")


def texts(value: Any) -> Iterator[str]:
    """Every text inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def put_identity(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A user-assigned identity with its two ids."""
    return {**body, "properties": {**principal(identity), "tenantId": TENANT}}


def put_federation(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A federated credential: exactly one audience, at most 20 an identity."""
    given = body["properties"]
    if len(given["audiences"]) != 1:
        raise ArmError(400, "BadRequest", "Audience must be exactly one.")
    if old is None and len(cloud.all(arm_type(identity), under=parent_id(identity))) >= 20:
        raise ArmError(400, "BadRequest", "Too many federated credentials; at most 20.")
    return body


def put_role(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A role assignment: named by a GUID, for a principal that the directory knows or whose type is said."""
    given: Body = body["properties"]
    try:
        UUID(identity.rpartition("/")[2])
    except ValueError:
        raise ArmError(400, "InvalidRoleAssignmentId", f"{identity} does not end in a GUID.") from None
    if not given["roleDefinitionId"].startswith("/subscriptions/"):
        raise ArmError(400, "InvalidRoleDefinitionId", f"{given['roleDefinitionId']} is no full id.")
    known = {
        each["properties"]["principalId"] for each in cloud.all("Microsoft.ManagedIdentity/userAssignedIdentities")
    }
    if given["principalId"] not in known | {DEPLOYER} and not given.get("principalType"):
        raise ArmError(400, "PrincipalNotFound", f"Principal {given['principalId']} does not exist in the directory.")
    answered = {**given, "scope": parent_id(identity)}
    for other in cloud.all("Microsoft.Authorization/roleAssignments"):
        same = all(other["properties"][key] == answered[key] for key in ("principalId", "roleDefinitionId", "scope"))
        if same and other["id"].lower() != identity.lower():
            raise ArmError(409, "RoleAssignmentExists", f"The role assignment already exists: {other['id']}.")
    if old and any(old["properties"][key] != answered[key] for key in ("principalId", "roleDefinitionId")):
        raise ArmError(400, "RoleAssignmentUpdateNotPermitted", "Principal and role of an assignment cannot change.")
    return {**body, "properties": {"principalType": "ServicePrincipal", **answered}}


def put_network(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A virtual network with those of its subnets that stand in it; those that were made apart stay."""
    given: Body = body["properties"]
    subnets = given.pop("subnets", None) or []
    answered = _done(body, resourceGuid=guid(identity, "resource"))
    cloud.put(identity, answered)
    for subnet in subnets:
        subnet_id = f"{identity}/subnets/{subnet['name']}"
        cloud.put(subnet_id, put_subnet(cloud, subnet_id, cloud.get(subnet_id), {"properties": subnet["properties"]}))
    return answered


def view_network(cloud: Cloud, body: Body) -> Body:
    """A virtual network as a GET shows it: with all of its subnets."""
    subnets = cloud.all(SUBNETS, under=body["id"])
    return {**body, "properties": {**body["properties"], "subnets": subnets}}


def put_subnet(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A subnet: inside its network's address space, apart from its siblings, with what it refers to in place."""
    given: Body = body["properties"]
    network = cloud.require(parent_id(identity))
    try:
        own = ipaddress.IPv4Network(given["addressPrefix"])
    except ValueError as error:
        raise ArmError(400, "InvalidCIDRNotation", str(error)) from None
    spaces = [ipaddress.IPv4Network(each) for each in network["properties"]["addressSpace"]["addressPrefixes"]]
    if not any(own.subnet_of(space) for space in spaces):
        raise ArmError(400, "NetcfgInvalidSubnet", f"Subnet {own} is not within virtual network {network['name']}.")
    for sibling in cloud.all(SUBNETS, under=network["id"]):
        taken = ipaddress.IPv4Network(sibling["properties"]["addressPrefix"])
        if sibling["id"].lower() != identity.lower() and own.overlaps(taken):
            raise ArmError(400, "NetcfgSubnetRangesOverlap", f"Subnet {own} overlaps {sibling['name']} {taken}.")
    for name in ("networkSecurityGroup", "routeTable", "natGateway"):
        if given.get(name):
            cloud.require(given[name]["id"])
    defaults = {"privateEndpointNetworkPolicies": "Disabled", "privateLinkServiceNetworkPolicies": "Enabled"}
    return _done({**body, "properties": {**defaults, **given}})


def put_public_ip(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A public address out of a range for documentation."""
    number = int(guid(identity)[:2], 16) % 254 + 1
    address = {"ipAddress": f"203.0.113.{number}"} if _static(body) else {}
    return _done(body, **address, resourceGuid=guid(identity, "resource"))


def _static(body: Body) -> bool:
    properties = body.get("properties") or {}
    if (body.get("sku") or {}).get("name") == "Standard" and properties.get("publicIPAllocationMethod") != "Static":
        raise ArmError(400, "StandardSkuPublicIPAddressesMustBeStatic", "Standard addresses must be Static.")
    return properties.get("publicIPAllocationMethod") == "Static"


def put_endpoint(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A private endpoint: its subnet and what it leads to have to be there."""
    given: Body = body["properties"]
    cloud.require(given["subnet"]["id"])
    for each in given.get("privateLinkServiceConnections") or []:
        cloud.require(each["properties"]["privateLinkServiceId"])
    card = f"{parent_id(identity)}/providers/Microsoft.Network/networkInterfaces/{identity.rpartition('/')[2]}.nic"
    return _done(body, networkInterfaces=[{"id": card}])


def put_registry(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A registry; its name is unique in all of Azure, and some settings need Premium."""
    name, given = identity.rpartition("/")[2], body.get("properties") or {}
    for other in cloud.all(REGISTRIES):
        if other["name"].lower() == name.lower() and other["id"].lower() != identity.lower():
            raise ArmError(409, "AlreadyInUse", f"The registry DNS name {name}.azurecr.io is already in use.")
    premium = body["sku"]["name"] == "Premium"
    if not premium and (given.get("zoneRedundancy") == "Enabled" or given.get("publicNetworkAccess") == "Disabled"):
        raise ArmError(400, "InvalidParameter", "Zone redundancy and private access need sku Premium.")
    body = {**body, "sku": {**body["sku"], "tier": body["sku"]["name"]}}
    return _done(body, loginServer=f"{name.lower()}.azurecr.io", creationDate="2026-11-20T00:00:00Z")


def put_token(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A registry's token; its scope map has to be there."""
    cloud.require(body["properties"]["scopeMapId"])
    return _done(body, creationDate="2026-11-20T00:00:00Z")


def put_scope_map(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A scope map: each action is `repositories/<pattern>/<content|metadata>/<verb>` or a gateway's."""
    for action in body["properties"]["actions"]:
        parts = action.split("/")
        if parts[0] not in ("repositories", "gateway") or "/".join(parts[-2:]) not in _SCOPES:
            raise ArmError(400, "InvalidScopeMapAction", f"{action} is no action of a scope map.")
    return _done(body, type="UserDefined", creationDate="2026-11-20T00:00:00Z")


_SCOPES = frozenset(
    f"{part}/{verb}"
    for part, verbs in {"content": ("read", "write", "delete"), "metadata": ("read", "write")}.items()
    for verb in verbs
)


def put_compute(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A cluster as compute target of a workspace; it can be the target of one."""
    given: Body = body["properties"]
    cluster = cloud.require(given["resourceId"])
    for other in cloud.all(arm_type(identity)):
        taken = other["properties"]["resourceId"].lower() == cluster["id"].lower()
        if taken and other["id"].lower() != identity.lower():
            raise ArmError(409, "ComputeAlreadyAttached", f"{cluster['id']} is attached as {other['id']}.")
    return _done(body, computeLocation=cluster["location"], isAttachedCompute=True)


def put_monitor(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """An Azure Monitor workspace with the address of its Prometheus API and its own collection rule."""
    name, location = identity.rpartition("/")[2], body["location"]
    managed = (
        f"{parent_id(parent_id(identity))}/resourceGroups/MA_{name}_{location}_managed/providers/Microsoft.Insights"
    )
    return _done(
        body,
        accountId=guid(identity, "account"),
        metrics={
            "prometheusQueryEndpoint": f"https://{name.lower()}-{guid(identity)[:4]}.{location}.prometheus.monitor.azure.com",
            "internalId": f"mac_{guid(identity)}",
        },
        defaultIngestionSettings={
            "dataCollectionRuleResourceId": f"{managed}/dataCollectionRules/{name}",
            "dataCollectionEndpointResourceId": f"{managed}/dataCollectionEndpoints/{name}",
        },
    )


def put_collection_endpoint(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A data collection endpoint with its addresses."""
    host = f"{identity.rpartition('/')[2].lower()}-{guid(identity)[:4]}.{body['location']}-1"
    return _done(
        body,
        immutableId=f"dce-{guid(identity).replace('-', '')}",
        configurationAccess={"endpoint": f"https://{host}.handler.control.monitor.azure.com"},
        logsIngestion={"endpoint": f"https://{host}.ingest.monitor.azure.com"},
        metricsIngestion={"endpoint": f"https://{host}.metrics.ingest.monitor.azure.com"},
    )


def put_collection_rule(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A data collection rule: it flows into destinations that it names, by endpoints and accounts that are there."""
    given: Body = body["properties"]
    if given.get("dataCollectionEndpointId"):
        cloud.require(given["dataCollectionEndpointId"])
    destinations: Body = given.get("destinations") or {}
    names = {
        each["name"] for group in destinations.values() for each in (group if isinstance(group, list) else [group])
    }
    for flow in given.get("dataFlows") or []:
        if missing := set(flow["destinations"]) - names:
            raise ArmError(
                400, "InvalidPayload", f"Data flow names unknown destinations: {', '.join(sorted(missing))}."
            )
    for each in destinations.get("monitoringAccounts") or []:
        cloud.require(each["accountResourceId"])
    for each in destinations.get("logAnalytics") or []:
        cloud.require(each["workspaceResourceId"])
    return _done(body, immutableId=f"dcr-{guid(identity).replace('-', '')}")


def put_association(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A data collection rule's or endpoint's association; that of an endpoint has a name of its own."""
    given: Body = body["properties"]
    own_name = identity.rpartition("/")[2] == "configurationAccessEndpoint"
    if own_name != bool(given.get("dataCollectionEndpointId")):
        raise ArmError(400, "InvalidPayload", "configurationAccessEndpoint is the name for an endpoint's association.")
    cloud.require(given.get("dataCollectionEndpointId") or given["dataCollectionRuleId"])
    return _done(body)


def put_log_analytics(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A Log Analytics workspace."""
    given = {"retentionInDays": 30, "sku": {"name": "PerGB2018"}, **(body.get("properties") or {})}
    return _done({**body, "properties": given}, customerId=guid(identity, "customer"))


def put_plain(cloud: Cloud, identity: str, old: Body | None, body: Body) -> Body:
    """A resource of which nothing is computed but its state."""
    return _done(body)


def _done(body: Body, **computed: Any) -> Body:
    return {**body, "properties": {**(body.get("properties") or {}), **computed, "provisioningState": "Succeeded"}}
