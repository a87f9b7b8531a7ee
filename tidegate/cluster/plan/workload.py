"""Who the pods of an endpoint are to Azure: an identity of their own, by the cluster's word for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.cluster.plan.monitoring import TOKEN_AUDIENCE

Plan = dict[str, Any]

LONGEST_IDENTITY = 128
"""Azure docs: azure-resource-manager/management/resource-name-rules.md, Microsoft.ManagedIdentity."""


@dataclass(frozen=True)
class WorkloadIdentity:
    """The identity of one endpoint's pods on one cluster."""

    name: str
    resource_group: str
    location: str
    namespace: str
    service_account: str
    tags: Mapping[str, str]


def identity_name(cluster: str, endpoint: str) -> str:
    """Unique in the resource group; 3-24 and 3-32 characters leave room."""
    return f"{cluster}-{endpoint}-scoring"[:LONGEST_IDENTITY]


def plan_workload_identity(spec: WorkloadIdentity) -> Plan:
    """A `UserAssignedIdentity`."""
    return {
        "resourceGroupName": spec.resource_group,
        "resourceName": spec.name,
        "location": spec.location,
        "tags": dict(sorted(spec.tags.items())),
    }


def plan_workload_federation(spec: WorkloadIdentity, *, issuer: object) -> Plan:
    """A `FederatedIdentityCredential`: `issuer`, the cluster, vouches for the service account."""
    return {
        "resourceGroupName": spec.resource_group,
        "resourceName": spec.name,
        "federatedIdentityCredentialResourceName": "scoring",
        "issuer": issuer,
        "subject": f"system:serviceaccount:{spec.namespace}:{spec.service_account}",
        "audiences": [TOKEN_AUDIENCE],
    }
