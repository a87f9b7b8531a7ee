"""Certificates as an authority issues them: a root, an intermediate, and what they sign."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BEGINS = datetime(2026, 10, 1, tzinfo=UTC)
ENDS = datetime(2027, 1, 1, tzinfo=UTC)
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Signed:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return key_pem(self.key)


def key_pem(key: Any, form: Any = serialization.PrivateFormat.PKCS8, passphrase: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def issue(
    subject: str,
    *,
    by: Signed | None = None,
    names: Sequence[str] = (),
    begins: datetime = BEGINS,
    ends: datetime = ENDS,
    key: Any = None,
    authority: bool = False,
    usages: Sequence[ObjectIdentifier] = (SERVER,),
) -> Signed:
    """A certificate for the common name `subject`, signed by itself unless by another."""
    key = key or new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(alternatives, critical=False)
    if usages and not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    signer = by.key if by else key
    return Signed(builder.sign(signer, hashes.SHA256()), key)


@cache
def root() -> Signed:
    return issue("Root", authority=True, ends=NOW + timedelta(days=3650))


@cache
def intermediate() -> Signed:
    return issue("Intermediate", by=root(), authority=True, ends=NOW + timedelta(days=1000))


def leaf(*names: str, **settings: Any) -> Signed:
    """A server's certificate, by the intermediate, for scoring.example.com unless for others."""
    names = names or ("scoring.example.com",)
    return issue(names[0], **{"by": intermediate(), "names": names} | settings)


def chain(*signed: Signed) -> str:
    return "".join(each.pem for each in signed)
