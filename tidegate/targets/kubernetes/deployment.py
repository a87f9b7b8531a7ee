"""The Deployment of a version."""

import json
from typing import Any

from tidegate.digest import records_sha256
from tidegate.endpoint.spec import EndpointSpec, VersionSpec
from tidegate.image.dockerfile import USER_ID
from tidegate.parse import LARGEST
from tidegate.targets.kubernetes.container import grace_s, plan_container, plan_volumes
from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.labels import MANAGED, Manifest, described, labels, manifest, metadata, selector
from tidegate.targets.kubernetes.names import object_name
from tidegate.targets.kubernetes.placement import SURGE_PERCENT, Strategy, plan_placement

WORKLOAD_IDENTITY = {"azure.workload.identity/use": "true"}
"""The label by which a pod is given a token of its service account for Entra ID."""
IDENTITY_ANNOTATION = "tidegate.dev/identity"
"""On pods: the client ID of the identity that was given for them."""

_DEADLINE_S = 600
_HISTORY = 3


def plan_deployment(
    endpoint: EndpointSpec,
    version: VersionSpec,
    cluster: ClusterFacts,
    strategy: Strategy,
    *,
    image: object,
    content: object | None,
) -> Manifest:
    """The Deployment; `image` and `content` are not looked into. An autoscaler, where one is, owns the replicas."""
    deployment = version.deployment
    replicas: Manifest = {} if deployment.autoscaler else {"replicas": deployment.replicas}
    return manifest(
        "apps/v1",
        "Deployment",
        metadata(
            object_name(endpoint.name, version.name),
            endpoint.namespace,
            labels(endpoint.name, version.name, production=cluster.production),
            described(version.description, version.tags),
        ),
        spec={
            **replicas,
            "revisionHistoryLimit": _HISTORY,
            "progressDeadlineSeconds": min(deployment.liveness.initial_delay_s + _DEADLINE_S, LARGEST),
            "selector": {"matchLabels": selector(endpoint.name, version.name)},
            "strategy": _strategy(strategy),
            "template": plan_template(endpoint, version, cluster, image=image, content=content),
        },
    )


def plan_template(
    endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts, *, image: object, content: object | None
) -> Manifest:
    """The template of a version's pods: nothing but what needs new pods to change."""
    asks = content is not None or cluster.records or endpoint.identity_client_id
    identity = WORKLOAD_IDENTITY if asks else {}
    template: Manifest = {"labels": {**MANAGED, **selector(endpoint.name, version.name), **identity}}
    if endpoint.identity_client_id:  # a pod is told when it starts who it is, by its service account
        template["annotations"] = {IDENTITY_ANNOTATION: endpoint.identity_client_id}
    return {
        "metadata": template,
        "spec": {
            "serviceAccountName": endpoint.service_account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": grace_s(version),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER_ID,
                "runAsGroup": USER_ID,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **plan_placement(endpoint, version, cluster.pools),
            "containers": [plan_container(endpoint, version, cluster, image=image, content=content)],
            "volumes": plan_volumes(content=content is not None),
        },
    }


def generation(template: Any) -> str:
    """A short text that is another one whenever pods of `template` have to be."""
    return records_sha256([(json.dumps(template, sort_keys=True),)])[:12]


def _strategy(strategy: Strategy) -> Manifest:
    if strategy == "Recreate":
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": f"{SURGE_PERCENT}%"}}
