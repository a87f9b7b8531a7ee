"""An endpoint on Kubernetes, as plain manifests."""

from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.labels import Manifest
from tidegate.targets.kubernetes.names import object_name
from tidegate.targets.kubernetes.placement import check_room, demands
from tidegate.targets.kubernetes.plan import EndpointPlan, VersionPlan, plan_endpoint

__all__ = [
    "ClusterFacts",
    "EndpointPlan",
    "Manifest",
    "VersionPlan",
    "check_room",
    "demands",
    "object_name",
    "plan_endpoint",
]
