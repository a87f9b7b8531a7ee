"""A certificate chain and its key: what clients accept and what the gateway can serve. Nothing here shows a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import SecretStr

from tidegate.cluster.rule import Rule
from tidegate.findings import Finding
from tidegate.parse import Loc

if TYPE_CHECKING:
    from cryptography import x509

FORM = Rule(
    "certificate-form",
    "a certificate chain is served from PEM blocks, each an X.509 certificate",
    "RFC 7468 section 5; Kubernetes docs: TLS Secrets",
)
CHAIN = Rule(
    "certificate-chain",
    "a server sends its own certificate first, and each further one signs the one before it",
    "RFC 8446 section 4.4.2",
)
VALIDITY = Rule(
    "certificate-validity",
    "clients refuse a certificate outside its period, and the gateway does not serve it",
    "RFC 5280 section 4.1.2.5; Envoy Gateway: internal/gatewayapi/tls.go",
)
EXPIRY = Rule(
    "certificate-expiry",
    "a certificate of 90 days is due for renewal when 30 are left",
    "Let's Encrypt: Integration Guide, When to Renew",
)
NAME = Rule(
    "certificate-name",
    "clients look for the name that they call among the subject alternative names, never in the common name",
    "RFC 9525 sections 2 and 6.3 (before: RFC 6125)",
)
USAGE = Rule(
    "certificate-usage",
    "a certificate that lists its uses serves TLS only with serverAuth among them",
    "RFC 5280 section 4.2.1.12",
)
TRUST = Rule(
    "certificate-trust",
    "a client follows the chain up to a root that it has",
    "RFC 5280 section 6.1; RFC 8446 section 4.4.2",
)
KEY_TYPE = Rule(
    "tls-key-type",
    "Envoy loads RSA keys from 2048 bits on, ECDSA keys on the curves P-256, P-384 and P-521, and Ed25519 keys",
    "Envoy 1.40, run with --mode validate and a key of each type: tests/unit/cluster/test_certificate.py",
)
KEY_FORM = Rule(
    "tls-key-form",
    "the gateway reads a key from PEM and has no passphrase for it",
    "Envoy Gateway: internal/gatewayapi/tls.go",
)
KEY_MATCH = Rule(
    "tls-key-match",
    "a server proves that it has the key whose public half its certificate carries",
    "RFC 8446 section 4.4.3",
)
RULES: tuple[Rule, ...] = (FORM, CHAIN, VALIDITY, EXPIRY, NAME, USAGE, TRUST, KEY_TYPE, KEY_FORM, KEY_MATCH)

RENEW = timedelta(days=30)
MOST_CERTIFICATES = 10
"""A chain has two to four; each pair of a long one costs a signature check."""
RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True)
class Certificate:
    """A certificate that has been read."""

    parsed: "x509.Certificate"
    subject: str
    """As a finding shows it."""
    issued_to: "x509.Name"
    issued_by: "x509.Name"
    names: tuple[str, ...]
    """Its DNS names, in lower case."""
    begins: datetime
    ends: datetime
    authority: bool
    """Whether it may sign others."""
    for_servers: bool
    public_key: bytes
    """DER."""
    key_problem: str
    """Why Envoy does not load its type of key; empty where it does."""
    pem: str


@dataclass(frozen=True)
class Key:
    """A private key that has been read."""

    pem: SecretStr
    """PKCS #8, whatever form it was given in."""
    public_key: bytes
    """DER, of its public half."""


def read_chain(loc: Loc, name: str, data: bytes) -> tuple[tuple[Certificate, ...], list[Finding]]:
    """Read a PEM chain, called `name` in findings; empty where something in it cannot be read."""
    from cryptography import x509  # noqa: PLC0415 (0.1 s, needed only where there is a certificate)
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    remedy = "Give the chain as PEM, -----BEGIN CERTIFICATE----- and what follows, the server's own certificate first"
    refused = (ValueError, TypeError)  # the latter for a name whose parts are of types that no name has
    try:
        parsed = x509.load_pem_x509_certificates(data)
    except (*refused, x509.InvalidVersion):
        return (), [FORM.error(loc, f"{name} holds no certificate that can be read", remedy)]
    if len(parsed) > MOST_CERTIFICATES:
        problem = f"{name} holds {len(parsed)} certificates, which is no chain but a store"
        return (), [FORM.error(loc, problem, "Leave the server's own and those between it and its root")]
    chain: list[Certificate] = []
    for number, certificate in enumerate(parsed, 1):
        try:
            chain.append(_certificate(certificate))
        except (*refused, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            return (), [FORM.error(loc, f"certificate {number} in {name} cannot be read in full", remedy)]
    return tuple(chain), []


def check_chain(
    loc: Loc, name: str, chain: Sequence[Certificate], *, cname: str | None, now: datetime
) -> tuple[Certificate, list[Finding]]:
    """Return the server's own certificate, and what is wrong with the chain. `cname` is what clients call."""
    ordered, findings = _order(loc, name, chain)
    leaf = ordered[0]
    findings += _check_validity(loc, name, ordered, now)
    if leaf.key_problem:
        remedy = "Make a new key, RSA of 2048 bits or ECDSA on P-256, and have a certificate issued for it"
        findings.append(KEY_TYPE.error(loc, f"{name} is for {leaf.key_problem}", remedy))
    if not leaf.for_servers:
        problem = f"{name} lists its uses, and serving TLS is none of them"
        findings.append(USAGE.error(loc, problem, "Have one issued with the extended key usage serverAuth"))
    if cname and not any(covers(pattern, cname) for pattern in leaf.names):
        listed = ", ".join(leaf.names[:10])
        has = f"its subject alternative names are {listed}" if listed else "it has no subject alternative names"
        problem = f"{name} does not cover {cname}: {has}"
        findings.append(NAME.error(loc, problem, f"Have one issued for {cname}, or write another cname"))
    return leaf, findings + _check_trust(loc, name, ordered)


def read_key(loc: Loc, name: str, data: bytes) -> tuple[Key | None, list[Finding]]:
    """Read a PEM key, called `name` in findings."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 (see read_chain)
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        parsed = serialization.load_pem_private_key(data, password=None)
        pem = parsed.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    except TypeError:
        remedy = "Decrypt it by openssl pkey -in KEY, and keep the result as a secret under tidegate:tlsKeys"
        return None, [KEY_FORM.error(loc, f"{name} is encrypted", remedy)]
    except (ValueError, UnsupportedAlgorithm):
        remedy = "Give the key as PEM, -----BEGIN PRIVATE KEY----- and what follows"
        return None, [KEY_FORM.error(loc, f"{name} is no private key that can be read", remedy)]
    public = parsed.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Key(SecretStr(pem.decode("ascii")), public), []


def check_key(loc: Loc, name: str, key: Key, leaf: Certificate) -> list[Finding]:
    """Say whether `key` belongs to the server's own certificate."""
    if key.public_key == leaf.public_key:
        return []
    problem = f"{name} is not the key of the certificate for {leaf.subject}"
    return [KEY_MATCH.error(loc, problem, "Give the key with which that certificate was requested")]


def covers(pattern: str, name: str) -> bool:
    """Say whether a certificate's DNS name covers `name`; `*` stands for the whole first label and for no dot."""
    if pattern == name:
        return True
    star, _, parent = pattern.partition(".")
    label, _, rest = name.partition(".")
    return star == "*" and "." in parent and bool(label) and rest == parent


def _certificate(parsed: "x509.Certificate") -> Certificate:
    from cryptography import x509  # noqa: PLC0415 (see read_chain)
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    names: list[str] = []
    authority = False
    for_servers = True
    for extension in parsed.extensions:
        match extension.value:
            case x509.SubjectAlternativeName() as alternatives:
                names = alternatives.get_values_for_type(x509.DNSName)
            case x509.BasicConstraints() as constraints:
                authority = constraints.ca
            case x509.ExtendedKeyUsage() as usages:
                allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
                for_servers = not allowed.isdisjoint(usages)
            case _:
                pass
    # Each of these is only decoded, and may only fail, when it is asked for.
    subject = parsed.subject.rfc4514_string() or "nobody"
    return Certificate(
        parsed=parsed,
        subject=subject if len(subject) <= 60 else f"{subject[:57]}...",
        issued_to=parsed.subject,
        issued_by=parsed.issuer,
        names=tuple(name.lower().rstrip(".") for name in names),
        begins=parsed.not_valid_before_utc,
        ends=parsed.not_valid_after_utc,
        authority=authority,
        for_servers=for_servers,
        public_key=parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        key_problem=_key_problem(parsed),
        pem=parsed.public_bytes(Encoding.PEM).decode("ascii"),
    )


def _key_problem(parsed: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 (see read_chain)

    match parsed.public_key():
        case rsa.RSAPublicKey() as key:
            return "" if key.key_size >= RSA_BITS else f"an RSA key of {key.key_size} bits"
        case ec.EllipticCurvePublicKey() as key:
            return "" if key.curve.name in CURVES else f"an ECDSA key on the curve {key.curve.name}"
        case ed25519.Ed25519PublicKey():
            return ""
        case _:
            return "a key of another type than RSA, ECDSA and Ed25519"


def _order(loc: Loc, name: str, chain: Sequence[Certificate]) -> tuple[Sequence[Certificate], list[Finding]]:
    """Return the chain in the order that its signatures say; as it is where they say none."""
    broken = [(number, link, why) for number, link in enumerate(pairwise(chain), 1) if (why := _link_problem(*link))]
    if not broken:
        return chain, []
    if ordered := _sorted(chain):
        numbers = ", ".join(str(chain.index(certificate) + 1) for certificate in ordered)
        problem = f"the certificates in {name} are in the wrong order"
        return ordered, [CHAIN.error(loc, problem, f"Write them in the order {numbers}")]
    number, (lower, _), why = broken[0]
    problem = f"in {name}, certificate {number} ({lower.subject}) is not signed by the next: {why}"
    remedy = "Put the issuer's certificate after each, and take out what does not belong there"
    return chain, [CHAIN.error(loc, problem, remedy)]


def _sorted(chain: Sequence[Certificate]) -> list[Certificate]:
    """The certificates from the server's own upwards; empty where they are not one chain."""
    rest = list(chain)
    leaves = [one for one in rest if not any(_signed(other, one) for other in rest if other is not one)]
    if len(leaves) != 1:
        return []
    ordered = leaves
    rest.remove(leaves[0])
    while rest:
        upper = next((one for one in rest if _signed(ordered[-1], one)), None)
        if upper is None:
            return []
        ordered.append(upper)
        rest.remove(upper)
    return ordered


def _signed(certificate: Certificate, issuer: Certificate) -> bool:
    return not _link_problem(certificate, issuer)


def _link_problem(certificate: Certificate, issuer: Certificate) -> str:
    """Why `issuer` did not sign `certificate`; empty where it did."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415 (see read_chain)

    if certificate.issued_by != issuer.issued_to:
        return f"its issuer is another than {issuer.subject}"
    if not issuer.authority:
        return f"{issuer.subject} may not sign certificates"
    try:
        certificate.parsed.verify_directly_issued_by(issuer.parsed)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return f"the signature is not one of {issuer.subject}"
    return ""


def _check_validity(loc: Loc, name: str, chain: Sequence[Certificate], now: datetime) -> list[Finding]:
    findings: list[Finding] = []
    for certificate in chain:
        if certificate.ends <= now:
            problem = f"the certificate for {certificate.subject} in {name} expired on {_day(certificate.ends)}"
            findings.append(VALIDITY.error(loc, problem, "Have it renewed"))
        elif certificate.begins > now:
            problem = f"the certificate for {certificate.subject} in {name} begins on {_day(certificate.begins)}"
            findings.append(VALIDITY.error(loc, problem, "Use it from then on, or have one issued that begins now"))
    first = min(chain, key=lambda certificate: certificate.ends)
    if not findings and first.ends - now <= RENEW:
        days = (first.ends - now).days
        left = "in less than a day" if not days else f"in {days} day{'s' if days > 1 else ''}"
        problem = f"the certificate for {first.subject} in {name} expires on {_day(first.ends)}, {left}"
        findings.append(EXPIRY.warning(loc, problem, "Have it renewed"))
    return findings


def _check_trust(loc: Loc, name: str, chain: Sequence[Certificate]) -> list[Finding]:
    leaf = chain[0]
    if len(chain) > 1:
        return []
    if leaf.issued_by == leaf.issued_to:
        problem = f"{name} is signed by itself: only clients that are given it accept it"
        return [TRUST.warning(loc, problem, "Have one issued by an authority that your clients trust")]
    problem = f"{name} holds the server's own certificate alone"
    return [TRUST.note(loc, problem, "Add those between it and its root, unless the root itself signed it")]


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
