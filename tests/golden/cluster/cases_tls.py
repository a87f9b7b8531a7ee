"""What the rules over TLS say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.unit.cluster.pki import leaf
from tests.unit.cluster.tls_inputs import OWN, files, resolve
from tidegate.findings import Finding


def of(tls: Mapping[str, Any] | None, **settings: Any) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(tls, files(), **settings)[1]


def keyed(tls: Mapping[str, Any] | None) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(tls, files(), key=leaf().key_pem)[1]


LABEL = {"leafDomainLabel": "scoring"}
CLOSED = {"addressSpace": "10.0.0.0/8", "allowedSourceRanges": ["203.0.113.0/24"]}

CASES = [
    ("tls-form", "Nothing under it", of({})),
    ("tls-form", "Both forms", of(OWN | LABEL)),
    ("tls-form", "A label beside a secret key", keyed(LABEL)),
    ("tls-form", "Settings of a label without one", of({"acmeEmail": "ops@example.com"})),
    ("tls-complete", "A name alone", of({"cname": "scoring.example.com"})),
    ("tls-complete", "No name", of({"certificate": "tls/chain.pem", "key": "tls/key.pem"})),
    ("tls-complete", "A secret key alone", keyed(None)),
    ("tls-key-once", "A key as a path and as a secret", keyed(OWN)),
    ("tls-key-once", "A key in its path's place", lambda: resolve(OWN | {"key": leaf().key_pem}, files())[1]),
    ("tls-file", "No such file", of(OWN | {"certificate": "tls/cert.pem"})),
    ("tls-file", "A file that is too large", lambda: resolve(OWN, files() | {"tls/key.pem": "x" * 1048577})[1]),
    (
        "tls-file",
        "A certificate in its path's place",
        lambda: resolve(OWN | {"certificate": leaf().pem}, files())[1],
    ),
    ("tls-cname", "An address with a scheme", of(OWN | {"cname": "https://scoring.example.com"})),
    ("leaf-domain-label", "A label with a capital", of({"leafDomainLabel": "Scoring"})),
    ("leaf-domain-public", "An internal front", of(LABEL, loadBalancer={"type": "InternalLoadBalancer"})),
    ("leaf-domain-public", "A front that is not open to all", of(LABEL, network=CLOSED)),
    ("acme-email", "A name without a host", of(LABEL | {"acmeEmail": "ops"})),
]
