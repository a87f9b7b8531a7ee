"""A cluster that a stack has made or attached."""

from dataclasses import dataclass

import pulumi

from components.cluster_access import ClusterAccess
from tidegate.cluster.spec import AttachedClusterSpec, ClusterSpec


@dataclass(frozen=True)
class UsedCluster:
    """What the endpoints on a cluster need of it."""

    spec: ClusterSpec | AttachedClusterSpec
    access: ClusterAccess
    oidc_issuer: pulumi.Input[str]
    """Who signs the tokens of its service accounts."""
    query_endpoint: pulumi.Input[str] | None = None
    """Where its metrics are asked for; None where there are none."""
    keda_client_id: pulumi.Input[str] | None = None
    """Who KEDA is when it asks for them."""
