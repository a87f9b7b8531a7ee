"""Azure Resource Manager over the pretended cloud: checks, prerequisites, conflicts, failures, and each type's ways."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.standins import aks, annotations, azure_resources, bicep, bodies
from tests.standins.cloud import ArmError, Body, Cloud, Failure, arm_type, not_found, parent_id
from tests.standins.kinds import Kind, by_arm

Put = Callable[[Cloud, str, Body | None, Body], Body]

_PUTS: Mapping[str, Put] = {
    aks.CLUSTERS: aks.put_cluster,
    aks.POOLS: aks.put_pool,
    f"{aks.CLUSTERS}/maintenanceConfigurations": aks.put_maintenance,
    "Microsoft.ManagedIdentity/userAssignedIdentities": azure_resources.put_identity,
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": azure_resources.put_federation,
    "Microsoft.Authorization/roleAssignments": azure_resources.put_role,
    "Microsoft.Network/virtualNetworks": azure_resources.put_network,
    azure_resources.SUBNETS: azure_resources.put_subnet,
    "Microsoft.Network/publicIPAddresses": azure_resources.put_public_ip,
    "Microsoft.Network/privateEndpoints": azure_resources.put_endpoint,
    azure_resources.REGISTRIES: azure_resources.put_registry,
    f"{azure_resources.REGISTRIES}/tokens": azure_resources.put_token,
    f"{azure_resources.REGISTRIES}/scopeMaps": azure_resources.put_scope_map,
    "Microsoft.MachineLearningServices/workspaces/computes": azure_resources.put_compute,
    "Microsoft.Monitor/accounts": azure_resources.put_monitor,
    "Microsoft.Insights/dataCollectionEndpoints": azure_resources.put_collection_endpoint,
    "Microsoft.Insights/dataCollectionRules": azure_resources.put_collection_rule,
    "Microsoft.Insights/dataCollectionRuleAssociations": azure_resources.put_association,
    "Microsoft.OperationalInsights/workspaces": azure_resources.put_log_analytics,
}


class HalfCreatedError(Exception):
    """The operation failed, and the resource is there all the same."""

    def __init__(self, error: ArmError, body: Body) -> None:
        super().__init__(str(error))
        self.error, self.body = error, body


def problems(kind: Kind, inputs: Mapping[str, Any]) -> list[bicep.Problem]:
    """Every fault of azure-native inputs, by the published types or, where they are not there, by the SDK's own."""
    missing = [bicep.Problem(name, "is required") for name in kind.path_inputs if inputs.get(name) is None]
    if inputs.get("location") == "":  # the types ask for text, Azure for a region
        missing.append(bicep.Problem("location", "is empty"))
    if kind.resource is None:
        return missing + annotations.check_inputs(f"azure-native:{kind.token}", inputs)
    if isinstance((inputs.get("identity") or {}).get(bodies.IDENTITIES), Mapping):
        missing.append(bicep.Problem(f"identity.{bodies.IDENTITIES}", "azure-native takes a list of ids"))
    given = {**kind.body(inputs), "name": inputs.get(kind.name)}
    body = bodies.nest(kind.resource, given) if kind.lifted else given
    return missing + [each for each in bicep.check(kind.resource, body) if each.path != "name" or not missing]


class Arm:
    """What PUT, GET and DELETE do."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def get(self, identity: str) -> Body:
        """A resource as it is answered; `ArmError` 404 where there is none."""
        self._meet(identity, "read")
        return self.view(self.cloud.require(identity))

    def view(self, body: Body) -> Body:
        """A stored resource with the parts that are resources of their own."""
        match body["type"]:
            case aks.CLUSTERS:
                return aks.view_cluster(self.cloud, body)
            case "Microsoft.Network/virtualNetworks":
                return azure_resources.view_network(self.cloud, body)
            case _:
                return body

    def put(self, identity: str, body: Body, *, create: bool) -> Body:
        """Create or change a resource; `create` refuses where it is there, as azure-native asks first."""
        with self.cloud.locked():
            old = self.cloud.get(identity)
            if create and old is not None:
                raise ArmError(409, "Conflict", f"cannot create already existing resource '{identity}'")
            self._require_parent(identity)
            operation = "create" if create else "update"
            self.cloud.note(operation, identity)
            failure = self.cloud.failure(identity, operation)
            if failure and not failure.half:
                raise _error(failure)
            answered = _PUTS.get(arm_type(identity), azure_resources.put_plain)(self.cloud, identity, old, body)
            if failure:
                answered = {**answered, "properties": {**answered["properties"], "provisioningState": "Failed"}}
            stored = self.view(self.cloud.put(identity, answered))
            if failure:
                raise HalfCreatedError(_error(failure), stored)
            return stored

    def delete(self, identity: str) -> None:
        """Remove a resource and what is in it; no error where it is gone."""
        with self.cloud.locked():
            body = self.cloud.get(identity)
            if body is None:
                return
            self.cloud.note("delete", identity)
            self._meet(identity, "delete")
            for each in [body, *self.cloud.all(under=identity)]:
                if arm_type(identity) != "Microsoft.Resources/resourceGroups":
                    azure_resources.refuse_in_use(self.cloud, each["id"])
            if body["type"] == aks.POOLS:
                aks.delete_pool(self.cloud, identity, body)
            self.cloud.delete(identity)

    def tag(self, identity: str, operation: str, tags: Mapping[str, str]) -> Body:
        """Microsoft.Resources/tags: Merge, Replace or Delete of exactly those pairs."""
        with self.cloud.locked():
            self.cloud.note("tags", identity)
            self._meet(identity, "tags")
            body = self.cloud.require(identity)
            before: dict[str, str] = body.get("tags") or {}
            match operation:
                case "Merge":
                    after = {**before, **tags}
                case "Replace":
                    after = dict(tags)
                case "Delete":
                    after = {key: value for key, value in before.items() if tags.get(key) != value}
                case _:
                    raise ArmError(400, "InvalidTagsOperation", f"{operation!r} is no operation on tags.")
            self.cloud.put(identity, {**body, "tags": after})
            return {"id": f"{identity}/providers/Microsoft.Resources/tags/default", "properties": {"tags": after}}

    def _require_parent(self, identity: str) -> None:
        parent = parent_id(identity)
        if parent.count("/") > 2 and self.cloud.get(parent) is None:
            if by_arm(arm_type(parent)) is None:
                raise ArmError(400, "InvalidResourceNamespace", f"{parent} is of no type that is known here.")
            raise not_found(parent)

    def _meet(self, identity: str, operation: Any) -> None:
        if failure := self.cloud.failure(identity, operation):
            raise _error(failure)


def _error(failure: Failure) -> ArmError:
    return ArmError(failure.status, failure.code, failure.message)
