"""A cluster's gateway as plain manifests, from nothing but the cluster's spec."""

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.cluster.spec import (
    AttachedClusterSpec,
    ClusterSpec,
    Installed,
    IssuedCertificate,
    OwnCertificate,
)
from tidegate.gateway.bundles import BundleName
from tidegate.gateway.certificates import plan_issued, plan_issuer
from tidegate.gateway.isolation import plan_isolation
from tidegate.gateway.listeners import (
    plan_answers,
    plan_class,
    plan_client_policy,
    plan_gateway_object,
    plan_redirect,
    plan_unknown_path,
)
from tidegate.gateway.names import CONTROLLER_NAMESPACE, Manifest
from tidegate.gateway.proxies import plan_proxies, service_annotations

CERT_MANAGER_NAMESPACE = "cert-manager"

DEFAULT_REQUEST_S = 60.0


@dataclass(frozen=True)
class GatewayPlan:
    """Everything of a gateway, in the order of its creation. The gateway's own namespace has to be there first."""

    namespaces: tuple[str, ...]
    """Those of the controllers that are installed here."""
    bundles: tuple[BundleName, ...]
    """What others publish and the cluster does not have yet."""
    mirror: str
    """Where the images of the bundles are; empty: where their publishers have them."""
    gateway_class: Manifest
    proxies: Manifest
    policies: tuple[Manifest, ...]
    """What applies to the gateway itself: how requests are read, its own answers and routes, who may reach its pods."""
    gateway: Manifest
    issuer: Manifest | None
    certificate: Manifest | None
    """Both where the certificate is issued: it comes once the gateway can answer the challenge."""
    host: str
    """The name that endpoints are reached by; empty: the load balancer's address alone."""
    tls: bool

    @property
    def manifests(self) -> Iterator[Manifest]:
        """Its own objects, without the bundles."""
        yield from (self.gateway_class, self.proxies, *self.policies, self.gateway)
        yield from (each for each in (self.issuer, self.certificate) if each is not None)


def plan_gateway(
    spec: ClusterSpec | AttachedClusterSpec, *, longest_request_s: float = DEFAULT_REQUEST_S
) -> GatewayPlan:
    """Plan the gateway of a cluster whose endpoints work on a request for at most `longest_request_s`."""
    installed: tuple[Installed, ...] = () if isinstance(spec, ClusterSpec) else spec.installed
    issued = spec.tls if isinstance(spec.tls, IssuedCertificate) else None
    encrypted = spec.tls is not None
    bundles: list[BundleName] = []
    if not installed:
        bundles.append("gateway-api")
    namespaces: list[str] = []
    if "envoyGateway" not in installed:
        bundles.extend(("envoy-gateway-crds", "envoy-gateway"))
        namespaces.append(CONTROLLER_NAMESPACE)
    if issued:
        bundles.append("cert-manager")
        namespaces.append(CERT_MANAGER_NAMESPACE)
    return GatewayPlan(
        namespaces=tuple(namespaces),
        bundles=tuple(bundles),
        mirror=spec.gateway_images,
        gateway_class=plan_class(),
        proxies=plan_proxies(
            service_annotations(spec.load_balancer, issued),
            longest_request_s=longest_request_s,
            mirror=spec.gateway_images,
        ),
        policies=(
            plan_client_policy(tls=encrypted),
            plan_answers(tls=encrypted),
            *plan_unknown_path(tls=encrypted),
            *((plan_redirect(),) if encrypted else ()),
            *plan_isolation(controller="envoyGateway" not in installed),
        ),
        gateway=plan_gateway_object(tls=encrypted),
        issuer=plan_issuer(issued) if issued else None,
        certificate=plan_issued(issued) if issued else None,
        host=_host(spec.tls),
        tls=encrypted,
    )


def _host(tls: OwnCertificate | IssuedCertificate | None) -> str:
    match tls:
        case OwnCertificate():
            return tls.cname
        case IssuedCertificate():
            return tls.domain
        case None:
            return ""
