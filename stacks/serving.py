"""The endpoints of a stack on Azure: on each cluster a gateway, and the endpoints behind it."""

from collections.abc import Mapping, Sequence

import pulumi

from components.artifacts import Artifacts, VersionArtifacts
from components.cluster_objects import ClusterObjects
from components.endpoint import Endpoint, Place
from components.endpoint_identity import EndpointIdentity
from components.gateway import Gateway
from stacks.outputs import Described, describe_endpoint
from stacks.used_cluster import UsedCluster
from tidegate.cluster.plan.workload import WorkloadIdentity, identity_name
from tidegate.cluster.spec import AzureSpec, ClusterSpec
from tidegate.endpoint.spec import EndpointSpec
from tidegate.gateway.plan import plan_gateway
from tidegate.targets.kubernetes import ClusterFacts, object_name, plan_endpoint


class ClusterServing:
    """A cluster's gateway and endpoints."""

    described: dict[str, Described]
    """By endpoint, for the stack's output."""
    keys: dict[str, Mapping[str, pulumi.Output[str]]]
    """By endpoint; secret."""
    rolled_out: list[pulumi.Resource]
    """What waits until each version serves."""

    def __init__(
        self,
        azure: AzureSpec,
        used: UsedCluster,
        objects: ClusterObjects,
        endpoints: Sequence[EndpointSpec],
        artifacts: Artifacts,
    ) -> None:
        self._used, self._artifacts = used, artifacts
        name, spec = used.spec.name, used.spec
        longest_s = max(_longest_s(endpoint) for endpoint in endpoints)
        plan = plan_gateway(spec, longest_request_s=longest_s)
        gateway = Gateway(name, objects, plan)
        facts = ClusterFacts(
            name=name,
            host=plan.host,
            tls=plan.tls,
            production=azure.production,
            keda=used.query_endpoint is not None,
            records=artifacts.store.spec.records_url if artifacts.store else "",
            insights=azure.insights is not None,
            pools=spec.all_pools if isinstance(spec, ClusterSpec) else (),
        )
        self._place = Place(
            facts, objects, gateway, used.access, used.query_endpoint, used.keda_client_id, azure.insights
        )
        self.described, self.keys, self.rolled_out = {}, {}, []
        for endpoint in endpoints:
            self._add(endpoint)

    def _add(self, spec: EndpointSpec) -> None:
        plan = plan_endpoint(spec, self._place.facts)
        for note in plan.notes:
            pulumi.log.info(str(note))
        artifacts = {version.name: self._artifacts.versions[f"{spec.name}/{version.name}"] for version in spec.versions}
        identity = self._identity(spec, artifacts)
        endpoint = Endpoint(spec.name, spec, plan, self._place, artifacts, identity=identity)
        self.keys[spec.name] = endpoint.keys
        self.rolled_out += endpoint.rolled_out
        self.described[spec.name] = describe_endpoint(spec, self._place.gateway.address) | {
            "cluster": self._used.spec.name,
            "namespace": spec.namespace,
            "deployments": {version.name: object_name(spec.name, version.name) for version in spec.versions},
        }

    def _identity(self, spec: EndpointSpec, artifacts: Mapping[str, VersionArtifacts]) -> EndpointIdentity | None:
        """Who the pods are where there is a store; a given identity has its rights from whoever gave it."""
        store = self._artifacts.store
        if store is None or spec.identity_client_id:
            return None
        workload = WorkloadIdentity(
            name=identity_name(self._used.spec.name, spec.name),
            resource_group=store.spec.resource_group,
            location=store.spec.location,
            namespace=spec.namespace,
            service_account=spec.service_account,
            tags=store.spec.tags,
        )
        identity = EndpointIdentity(f"{spec.name}.identity", workload, issuer=self._used.oidc_issuer, after=[store])
        name, who = f"{spec.name}.identity", f"{self._used.spec.name}/{spec.name}"
        store.let_keep(f"{name}.keeps", who=who, principal=identity.object_id, parent=identity)
        if any(each.content is not None for each in artifacts.values()):
            store.let_read(f"{name}.reads", who=who, principal=identity.object_id, parent=identity)
        return identity


def _longest_s(endpoint: EndpointSpec) -> float:
    return max(
        (version.deployment.scoring_timeout_ms + version.deployment.max_queue_wait_ms) / 1000
        for version in endpoint.versions
    )
