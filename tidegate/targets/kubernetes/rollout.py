"""What the `Rollout` of a version is told: which pods to wait for, and what they have to score first."""

from typing import Any

from tidegate.endpoint.spec import EndpointSpec
from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.names import object_name
from tidegate.targets.kubernetes.plan import VersionPlan

Inputs = dict[str, Any]


def plan_rollout(endpoint: EndpointSpec, version: VersionPlan, cluster: ClusterFacts) -> Inputs:
    """The inputs of a `Rollout`, without what is only known at apply time: `kubeconfig`, `image`, the sample's `key`.

    The sample goes through the gateway, as a client's request does; where tokens are asked for straight to a pod, since
    whoever deploys need not have the role that clients have.

    Raises:
        OSError, UnicodeDecodeError: the sample cannot be read as text.
    """
    inputs: Inputs = {
        "namespace": endpoint.namespace,
        "deployment": object_name(endpoint.name, version.name),
        "endpoint": endpoint.name,
        "version": version.name,
        "generation": version.generation,
        # An autoscaler comes after the Deployment, and may not have seen it when the wait for pods begins.
        "replicas": version.replicas,
        "startupSeconds": version.startup_s,
        "drainSeconds": version.drain_s,
    }
    if endpoint.sample is None:
        return inputs
    sample: Inputs = {
        "body": endpoint.sample.read_text("utf-8"),
        "path": endpoint.sample.name,
        "through": "pod" if endpoint.auth == "token" else "gateway",
        "tls": cluster.tls,
    }
    if cluster.host:
        sample["host"] = cluster.host
    return {**inputs, "sample": sample}
