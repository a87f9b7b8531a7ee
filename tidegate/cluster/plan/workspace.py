"""A cluster as a compute target of an Azure ML workspace."""

from typing import Any

from tidegate.cluster.spec import LoadBalancerSpec, Purpose, WorkspaceSpec

Plan = dict[str, Any]


def plan_compute(
    workspace: WorkspaceSpec,
    *,
    name: str,
    cluster: object,
    location: object,
    purpose: Purpose,
    front: LoadBalancerSpec | None = None,
    front_subnet: object = None,
) -> Plan:
    """A `Compute` of type AKS: the cluster, by id, is used and not made by the workspace.

    `front` is the load balancer of a cluster made here, None where it is not known, `front_subnet` its subnet's id.
    """
    properties: Plan = {"clusterPurpose": purpose}
    if front is not None:
        properties["loadBalancerType"] = front.type
    if front_subnet is not None:
        properties["loadBalancerSubnet"] = front_subnet
    return {
        "resourceGroupName": workspace.resource_group,
        "workspaceName": workspace.name,
        "computeName": name,
        "location": workspace.location,
        "properties": {
            "computeType": "AKS",
            "resourceId": cluster,
            "computeLocation": location,
            "properties": properties,
        },
    }


def plan_detachment(workspace: WorkspaceSpec, *, name: str, cluster: object, subscription: str | None = None) -> Plan:
    """A `ComputeDetachment` of the target `name`; without a `subscription` the workspace is in the login's own."""
    plan: Plan = {
        "resourceGroup": workspace.resource_group,
        "workspace": workspace.name,
        "compute": name,
        "cluster": cluster,
    }
    return plan | ({"subscriptionId": subscription} if subscription else {})
