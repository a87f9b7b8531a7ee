"""A certificate that is issued for the gateway's name, and renewed, by cert-manager."""

from tidegate.cluster.plan.objects import CERTIFICATE, GATEWAY_NAMESPACE
from tidegate.cluster.spec import IssuedCertificate
from tidegate.gateway.names import GATEWAY, HTTP, Manifest, manifest

ISSUER = "tidegate-acme"
ACME_SERVER = "https://acme-v02.api.letsencrypt.org/directory"

_API = "cert-manager.io/v1"


def plan_issuer(certificate: IssuedCertificate) -> Manifest:
    """A `ClusterIssuer`: ACME, whose challenges are answered on the gateway's port 80."""
    parent = {"name": GATEWAY, "namespace": GATEWAY_NAMESPACE, "kind": "Gateway", "sectionName": HTTP}
    acme: Manifest = {
        "server": ACME_SERVER,
        "privateKeySecretRef": {"name": f"{ISSUER}-account"},
        "solvers": [{"http01": {"gatewayHTTPRoute": {"parentRefs": [parent]}}}],
    }
    if certificate.acme_email:
        acme["email"] = certificate.acme_email
    wait = {"pulumi.com/waitFor": "condition=Ready"}
    return manifest(_API, "ClusterIssuer", ISSUER, annotations=wait, spec={"acme": acme})


def plan_issued(certificate: IssuedCertificate) -> Manifest:
    """A `Certificate` into the Secret that the gateway's listener names."""
    spec: Manifest = {
        "secretName": CERTIFICATE,
        "dnsNames": [certificate.domain],
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": ISSUER},
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
    }
    wait = {"pulumi.com/waitFor": "condition=Ready"}
    return manifest(_API, "Certificate", CERTIFICATE, GATEWAY_NAMESPACE, annotations=wait, spec=spec)
