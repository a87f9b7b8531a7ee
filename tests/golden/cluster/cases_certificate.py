"""What the rules over certificates and keys say."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from tests.unit.cluster.pki import CLIENT, ENDS, NOW, chain, intermediate, issue, key_pem, leaf, new_key, root
from tests.unit.cluster.tls_inputs import files, own
from tidegate.findings import Finding


def with_chain(*signed: Any) -> Callable[[], Sequence[Finding]]:
    """The files of the first certificate's key and of this chain."""
    return lambda: own({"tls/chain.pem": chain(*signed), "tls/key.pem": signed[0].key_pem})[1]


def of(**settings: Any) -> Callable[[], Sequence[Finding]]:
    return lambda: own(files(**settings))[1]


def at(moment: Any) -> Callable[[], Sequence[Finding]]:
    return lambda: own(files(), now=moment)[1]


def key(text: str) -> Callable[[], Sequence[Finding]]:
    return lambda: own(files() | {"tls/key.pem": text})[1]


STRANGER = issue("Stranger", authority=True, ends=NOW + timedelta(days=999))
IMPOSTOR = issue("Intermediate", authority=True, ends=NOW + timedelta(days=999))
SERVER = leaf("upper.example.com")

CASES = [
    ("certificate-form", "No PEM", lambda: own(files() | {"tls/chain.pem": "0\x82"})[1]),
    ("certificate-form", "A store", lambda: own(files() | {"tls/chain.pem": root().pem * 11})[1]),
    ("certificate-chain", "The root first", with_chain(root(), leaf(), intermediate())),
    ("certificate-chain", "A stranger", with_chain(leaf(), STRANGER)),
    ("certificate-chain", "An issuer's name without its key", with_chain(leaf(), IMPOSTOR)),
    ("certificate-chain", "An issuer that is no authority", with_chain(leaf(by=SERVER), SERVER)),
    ("certificate-validity", "Expired", at(ENDS)),
    ("certificate-validity", "Not yet valid", of(begins=NOW + timedelta(days=1))),
    ("certificate-expiry", "30 days before the end", at(ENDS - timedelta(days=30))),
    ("certificate-expiry", "A day before the end", at(ENDS - timedelta(days=1))),
    ("certificate-expiry", "An hour before the end", at(ENDS - timedelta(hours=1))),
    ("certificate-name", "Another name", of(names=["a.example.com", "b.example.com"])),
    (
        "certificate-name",
        "The common name alone",
        with_chain(issue("scoring.example.com", by=intermediate()), intermediate()),
    ),
    ("certificate-usage", "For clients", of(usages=[CLIENT])),
    ("certificate-trust", "Signed by itself", with_chain(leaf(by=None))),
    ("certificate-trust", "Without its issuer", with_chain(leaf())),
    ("tls-key-type", "A short RSA key", lambda: own(files(key=rsa.generate_private_key(65537, 1024)))[1]),
    ("tls-key-type", "A curve that Envoy does not load", of(key=ec.generate_private_key(ec.SECP256K1()))),
    ("tls-key-type", "A type that Envoy does not load", of(key=ed448.Ed448PrivateKey.generate())),
    ("tls-key-form", "No key", key("s3cret")),
    ("tls-key-form", "An encrypted key", key(key_pem(new_key(), passphrase=b"secret"))),
    ("tls-key-match", "The key of another certificate", key(leaf().key_pem)),
]
