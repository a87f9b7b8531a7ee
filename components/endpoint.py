"""An endpoint on a cluster."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pydantic import SecretStr

from components.artifacts import VersionArtifacts
from components.cluster_access import ClusterAccess
from components.cluster_objects import ClusterObjects
from components.endpoint_identity import EndpointIdentity
from components.gateway import Gateway
from components.keys import register_keys
from components.manifest import register_manifest
from components.resources import Rollout, Serving
from tidegate.endpoint.keys import plan_keys
from tidegate.endpoint.spec import EndpointSpec
from tidegate.observability.scrape import plan_scrape
from tidegate.report.record import serving_record
from tidegate.targets.kubernetes import ClusterFacts, EndpointPlan, Manifest, VersionPlan
from tidegate.targets.kubernetes.rollout import plan_rollout

_INSTALLED = ("gateway.networking.k8s.io", "gateway.envoyproxy.io", "keda.sh")


@dataclass(frozen=True)
class Place:
    """The cluster that an endpoint lives on."""

    facts: ClusterFacts
    objects: ClusterObjects
    gateway: Gateway
    access: ClusterAccess
    query_endpoint: pulumi.Input[str] | None = None
    """Where the autoscaler asks for metrics; None where replicas follow the CPU."""
    keda_client_id: pulumi.Input[str] | None = None
    """Who the autoscaler is when it asks."""
    insights: SecretStr | None = None
    """The connection string of Application Insights."""


class Endpoint(pulumi.ComponentResource):
    """The keys of an endpoint, the pods of its versions, and its routes through the gateway.

    In this order: the pods, and the routes by which a header reaches them; each version ready and its sample scored;
    the split. What goes, goes in reverse: first its share, then its pods once nothing is in flight.

    `artifacts` are by version; `identity` is who the pods are to Azure, None where they ask it for nothing.
    """

    keys: Mapping[str, pulumi.Output[str]]
    """By name, secret; empty where nobody is asked for one."""
    rolled_out: Sequence[pulumi.Resource]
    """What waits until each version serves."""

    def __init__(
        self,
        name: str,
        spec: EndpointSpec,
        plan: EndpointPlan,
        place: Place,
        artifacts: Mapping[str, VersionArtifacts],
        *,
        identity: EndpointIdentity | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:Endpoint", name, None, opts)
        self._spec, self._plan, self._place = spec, plan, place
        # Elsewhere they are other resources: the engine makes those before it takes these away, the routes first.
        self._prefix = f"{name}.{place.facts.name}.{plan.namespace_name}"
        self._namespace = place.objects.namespace(plan.namespace_name, pod_security="restricted")
        record = serving_record(
            spec,
            {version: each.contents for version, each in artifacts.items()},
            strategies={version: f"{each.strategy}: {each.strategy_reason}" for version, each in plan.versions.items()},
        )
        Serving(f"{name}.serving", record, pulumi.ResourceOptions(parent=self))
        self.keys = register_keys(name, plan_keys(spec), self)
        guarded = self._register_guards()
        needed = [*self._account(identity), *self._register_insights()]
        deployed = {
            version: self._register_version(each, artifacts[version], needed) for version, each in plan.versions.items()
        }
        everywhere = [each for resources in deployed.values() for each in resources]
        by_header = [self._object(route, *guarded, *everywhere) for route in plan.header_routes]
        self.rolled_out = [
            self._rollout(version, [*deployed[version], *by_header], artifacts[version]) for version in plan.versions
        ]
        self._object(plan.split, *guarded, *self.rolled_out)
        if place.query_endpoint is not None:
            self._object(plan_scrape(spec, production=place.facts.production))
        self.register_outputs({})

    def _register_guards(self) -> list[pulumi.Resource]:
        """Who may call, and within which bounds: there before the first route, and gone after the last one."""
        plan = self._plan
        manifests = [*plan.filters, *plan.traffic_policies, *plan.network_policies]
        guards: list[pulumi.Resource] = [self._object(manifest) for manifest in manifests]
        if plan.security_policy is None:
            return guards
        secrets: list[pulumi.Resource] = []
        if self.keys:
            values = {key: value.apply(_base64) for key, value in self.keys.items()}
            secrets = [self._object(plan.keys(values=values))]
        return [*guards, self._object(plan.security_policy, *secrets)]

    def _register_insights(self) -> list[pulumi.Resource]:
        """Where the pods report to, which they are told when they start."""
        given = self._place.insights
        if given is None:
            return []
        text = pulumi.Output.secret(given.get_secret_value()).apply(_base64)
        manifest = self._plan.insights(connection_string=text)
        return [self._object(manifest)] if manifest else []

    def _account(self, identity: EndpointIdentity | None) -> list[pulumi.Resource]:
        client_id = self._spec.identity_client_id or (identity.client_id if identity else None)
        account = self._object(self._plan.service_account(client_id=client_id or None))
        return [account, *([identity.ready] if identity else [])]

    def _register_version(
        self, plan: VersionPlan, artifacts: VersionArtifacts, needed: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        """The Deployment with what stands under it, and what says how many replicas it has."""
        service = self._object(plan.service)
        manifest = plan.deployment(image=artifacts.image, content=artifacts.content)
        # Left out of what is applied, replicas would fall to one before an autoscaler has taken them over.
        ignored = [] if "replicas" in manifest["spec"] else ["spec.replicas"]
        deployment = self._object(manifest, *needed, service, ignored=ignored)
        if plan.disruption_budget:
            self._object(plan.disruption_budget, deployment)
        place = self._place
        scaler = plan.scaler(query_endpoint=place.query_endpoint, client_id=place.keda_client_id)
        return [deployment, *(self._object(each, deployment) for each in scaler)]

    def _rollout(
        self,
        version: str,
        after: Sequence[pulumi.Resource],
        artifacts: VersionArtifacts,
    ) -> Rollout:
        inputs = {
            **plan_rollout(self._spec, self._plan.versions[version], self._place.facts),
            "kubeconfig": self._place.access.kubeconfig,
            "image": artifacts.image,
            **({"content": artifacts.content} if artifacts.content is not None else {}),
        }
        if "sample" in inputs and self.keys:
            inputs["sample"] = {**inputs["sample"], "key": self.keys["primary"]}
        options = pulumi.ResourceOptions(
            parent=self,
            depends_on=list(after),
            additional_secret_outputs=["kubeconfig", "sample"],
            deleted_with=self._place.access.cluster,
        )
        return Rollout(f"{self._prefix}.{inputs['deployment']}", inputs, options)

    def _object(
        self, manifest: Manifest, *after: pulumi.Resource, ignored: Sequence[str] = ()
    ) -> pulumi.CustomResource:
        group = manifest["apiVersion"].partition("/")[0]
        # Kinds that come with the gateway, and those of KEDA with what is installed beside it.
        ready = self._place.gateway.ready if group in _INSTALLED else []
        options = self._place.objects.options(self, self._namespace, *ready, *after)
        options.ignore_changes = list(ignored)
        return register_manifest(f"{self._prefix}.{manifest['metadata']['name']}", manifest, options)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
