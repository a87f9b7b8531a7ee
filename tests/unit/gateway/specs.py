"""The gateways that tests plan."""

from collections.abc import Mapping

from pydantic import SecretStr

from tests.unit.cluster.specs import CREATED, cluster
from tidegate.cluster.spec import (
    AttachedClusterSpec,
    ClusterSpec,
    IssuedCertificate,
    LoadBalancerSpec,
    NetworkSpec,
    OwnCertificate,
)

OWN = OwnCertificate(cname="a.example.com", chain="CHAIN", key=SecretStr("KEY"), expires="2027-01-01T00:00:00Z")
ISSUED = IssuedCertificate(
    leaf_domain_label="scores", domain="scores.westeurope.cloudapp.azure.com", acme_email="ops@example.com"
)
INTERNAL = LoadBalancerSpec(type="InternalLoadBalancer", subnet_name="scoring")


def attached(**changes: object) -> AttachedClusterSpec:
    """A cluster that exists, with changes."""
    given = {"name": "them", "purpose": "DevTest", "subscription_id": None, "resource_group": "others"}
    return AttachedClusterSpec.model_validate({**given, "cluster_name": "theirs", **changes})


SPECS: Mapping[str, ClusterSpec | AttachedClusterSpec] = {
    "dev": cluster(name="dev", purpose="DevTest"),
    "prod": cluster(tls=ISSUED, production=True),
    "internal": cluster(tls=OWN, load_balancer=INTERNAL, network=NetworkSpec(place=CREATED)),
    "attached": attached(installed=("gatewayApi",)),
    "attached-with-envoy-gateway": attached(installed=("gatewayApi", "envoyGateway")),
}
