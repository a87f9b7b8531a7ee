"""An endpoint on Kubernetes: every object of it, from plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.endpoint.spec import EndpointSpec, VersionSpec
from tidegate.findings import Finding
from tidegate.targets.kubernetes.container import longest_s
from tidegate.targets.kubernetes.deployment import generation, plan_deployment, plan_template
from tidegate.targets.kubernetes.facts import ClusterFacts
from tidegate.targets.kubernetes.labels import Manifest
from tidegate.targets.kubernetes.network import plan_network_policies
from tidegate.targets.kubernetes.placement import Strategy, choose_strategy
from tidegate.targets.kubernetes.policies import plan_security_policy, plan_traffic_policy
from tidegate.targets.kubernetes.routes import plan_filters, plan_split, plan_unknown_route, plan_version_route
from tidegate.targets.kubernetes.scaling import plan_scaler, scaling_notes
from tidegate.targets.kubernetes.service import (
    plan_disruption_budget,
    plan_insights,
    plan_keys,
    plan_namespace,
    plan_service,
    plan_service_account,
)


@dataclass(frozen=True)
class VersionPlan:
    """The objects of one version."""

    name: str
    service: Manifest
    disruption_budget: Manifest | None
    strategy: Strategy
    strategy_reason: str
    generation: str
    """A hash of all that makes pods new but the image and what is fetched."""
    replicas: int
    """How many there are at least."""
    startup_s: int
    """How long `init()` may take before the version counts as failed."""
    drain_s: int
    """The longest that a request may take in it."""
    _endpoint: EndpointSpec = field(repr=False)
    _version: VersionSpec = field(repr=False)
    _cluster: ClusterFacts = field(repr=False)

    def deployment(self, *, image: object, content: object | None = None) -> Manifest:
        """The Deployment of `image`, a reference with a digest; `content` is the text of TIDEGATE_CONTENT, if any.

        Both may be known only when they are applied: they are not looked into.
        """
        return plan_deployment(
            self._endpoint, self._version, self._cluster, self.strategy, image=image, content=content
        )

    def scaler(self, *, query_endpoint: object | None, client_id: object | None = None) -> tuple[Manifest, ...]:
        """The autoscaler, none where the number of replicas is given.

        `query_endpoint` is Prometheus' address, `client_id` the identity by which KEDA may ask it.
        """
        return plan_scaler(
            self._endpoint, self._version, self._cluster, query_endpoint=query_endpoint, client_id=client_id
        )


@dataclass(frozen=True)
class EndpointPlan:
    """The objects of an endpoint. In this order: policies and filters, versions, header routes, split."""

    name: str
    namespace_name: str
    namespace: Manifest
    """The same for all endpoints in it."""
    versions: Mapping[str, VersionPlan]
    header_routes: tuple[Manifest, ...]
    """By which each version is reached by its name, and unknown names are refused."""
    filters: tuple[Manifest, ...]
    """What the routes refer to."""
    split: Manifest
    """The route of all requests that name no version."""
    security_policy: Manifest | None
    """None where anybody may call."""
    traffic_policies: tuple[Manifest, ...]
    network_policies: tuple[Manifest, ...]
    notes: tuple[Finding, ...]
    """What is not done as it was asked for."""
    _endpoint: EndpointSpec = field(repr=False)
    _cluster: ClusterFacts = field(repr=False)

    def service_account(self, *, client_id: object | None) -> Manifest:
        """The pods' service account; `client_id` is that of the managed identity whose tokens it gets, if any."""
        return plan_service_account(self._endpoint, self._cluster, client_id=client_id)

    def keys(self, *, values: Mapping[str, object]) -> Manifest:
        """The Secret with the keys: base64 texts by client name, `primary` and `secondary`."""
        return plan_keys(self._endpoint, self._cluster, values)

    def insights(self, *, connection_string: object) -> Manifest | None:
        """The Secret by which pods report to Application Insights, a base64 text in it; None where none does."""
        if not (self._cluster.insights and any(each.deployment.app_insights for each in self._endpoint.versions)):
            return None
        return plan_insights(self._endpoint, self._cluster, connection_string)


def plan_endpoint(endpoint: EndpointSpec, cluster: ClusterFacts) -> EndpointPlan:
    """Plan the objects of an endpoint in a cluster."""
    return EndpointPlan(
        name=endpoint.name,
        namespace_name=endpoint.namespace,
        namespace=plan_namespace(endpoint, cluster),
        versions={version.name: _plan_version(endpoint, version, cluster) for version in endpoint.versions},
        header_routes=(
            *(plan_version_route(endpoint, version, cluster) for version in endpoint.versions),
            plan_unknown_route(endpoint, cluster),
        ),
        filters=plan_filters(endpoint, cluster),
        split=plan_split(endpoint, cluster),
        security_policy=plan_security_policy(endpoint, cluster),
        traffic_policies=(plan_traffic_policy(endpoint, cluster),),
        network_policies=plan_network_policies(endpoint, cluster),
        notes=scaling_notes(endpoint),
        _endpoint=endpoint,
        _cluster=cluster,
    )


def _plan_version(endpoint: EndpointSpec, version: VersionSpec, cluster: ClusterFacts) -> VersionPlan:
    strategy, reason = choose_strategy(endpoint, version, cluster.pools)
    return VersionPlan(
        name=version.name,
        service=plan_service(endpoint, version, cluster),
        disruption_budget=plan_disruption_budget(endpoint, version, cluster),
        strategy=strategy,
        strategy_reason=reason,
        generation=generation(plan_template(endpoint, version, cluster, image="", content=None)),
        replicas=version.deployment.replicas,
        startup_s=version.deployment.liveness.initial_delay_s,
        drain_s=longest_s(version),
        _endpoint=endpoint,
        _version=version,
        _cluster=cluster,
    )
