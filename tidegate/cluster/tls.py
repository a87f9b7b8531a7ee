"""TLS at the scoring front: the user's own certificate, or a domain label of Azure's with an issued one."""

import re
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from tidegate.cluster.certificate import Certificate, Key, check_chain, check_key, read_chain, read_key
from tidegate.cluster.input import ClusterInput, TlsInput
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import IssuedCertificate, OwnCertificate
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc
from tidegate.paths import kind, locate

FORM = Rule(
    "tls-form",
    "a scoring front has one certificate: the user's own, or one that is issued for a domain label",
    "azureml-core 1.61: AksProvisioningConfiguration.enable_ssl, ssl_cname and leaf_domain_label",
)
COMPLETE = Rule(
    "tls-complete",
    "an own certificate is served under its name, with its chain and its key",
    "azureml-core 1.61: AksProvisioningConfiguration.enable_ssl, ssl_cname",
)
KEY_ONCE = Rule(
    "tls-key-once",
    "a certificate has one key, and a key in a stack's config is there as a secret",
    "Pulumi docs: Concepts, Secrets",
)
FILE = Rule(
    "tls-file",
    "a certificate and its key are read from PEM files in the project, up to a megabyte",
    "Kubernetes docs: Secrets, 1 MiB each",
)
CNAME = Rule(
    "tls-cname",
    "a certificate is for a DNS name: labels of letters, digits and hyphens with dots between",
    "RFC 1123 section 2.1; RFC 9525 section 6.3",
)
LABEL = Rule(
    "leaf-domain-label",
    "Azure takes domain labels of 3-63 lower-case letters, digits and hyphens, the first a letter, the last no hyphen",
    "Azure docs: azure-resource-manager/management/resource-name-rules.md, Microsoft.Network; PSRule for Azure: "
    "Azure.PublicIP.DNSLabel",
)
LABEL_PUBLIC = Rule(
    "leaf-domain-public",
    "a domain label belongs to a public IP address, and the issuer calls it from the Internet on port 80",
    "Azure REST: publicIPAddresses 2024-05-01, dnsSettings; Let's Encrypt: Challenge Types, HTTP-01",
)
ACME_EMAIL = Rule(
    "acme-email",
    "an ACME issuer writes to one mail address",
    "RFC 8555 section 7.3",
)
RULES: tuple[Rule, ...] = (
    FORM, COMPLETE, KEY_ONCE, FILE, CNAME, LABEL, LABEL_PUBLIC, ACME_EMAIL,
)  # fmt: skip

LARGEST = 1024 * 1024
LONGEST_PATH = 255
KEYS = "tidegate:tlsKeys"
OWN = ("cname", "certificate", "key")
ISSUED = ("leafDomainLabel", "overwriteExistingDomain", "acmeEmail")


def resolve_tls(
    loc: Loc,
    entry: ClusterInput,
    *,
    location: str,
    root: Path,
    key_text: SecretStr | None,
    now: datetime,
    broken: Broken,
) -> tuple[OwnCertificate | IssuedCertificate | None, list[Finding]]:
    """Settle the TLS of the cluster at `loc`; None without TLS, and where it cannot be built.

    `location` is the region's name ("" where it is not known), `key_text` the cluster's key under `tidegate:tlsKeys`.
    Paths begin at `root`; `now` decides what has expired.
    """
    place: Loc = (*loc, "tls")
    given = entry.tls
    if given is None or not (written := given.model_dump(by_alias=True, exclude_none=True)):
        findings: list[Finding] = []
        if given is not None and broken.sound(*place):
            remedy = "Write cname, certificate and key, or leafDomainLabel, or take tls out"
            findings.append(FORM.error(place, "tls is empty", remedy))
        elif key_text is not None and broken.sound(*place):
            problem = "a key is given for a cluster without a certificate"
            findings.append(COMPLETE.error((KEYS, loc[-1]), problem, "Write cname and certificate under its tls"))
        return None, findings
    own = [key for key in OWN if key in written]
    issued = [key for key in ISSUED if key in written]
    if issued and (own or key_text is not None):
        beside = own or [f"a key under {KEYS}"]
        problem = f"both forms of TLS are written: {', '.join(beside)} of an own certificate, and {', '.join(issued)}"
        return None, [FORM.error(place, problem, "Leave one of them")]
    if issued:
        return _issued(place, entry, given, location, broken)
    return _Own(loc, given, key_text=key_text, root=root, now=now, broken=broken).resolve()


def _issued(
    place: Loc, entry: ClusterInput, tls: TlsInput, location: str, broken: Broken
) -> tuple[IssuedCertificate | None, list[Finding]]:
    findings: list[Finding] = []
    label = tls.leaf_domain_label
    if label is None:
        if broken.sound(*place, "leafDomainLabel"):
            remedy = "Write the label of <label>.<region>.cloudapp.azure.com"
            findings.append(FORM.error(place, "leafDomainLabel is missing", remedy))
    elif not re.fullmatch(r"[a-z][a-z0-9-]{1,61}[a-z0-9]", label):
        remedy = "Write 3-63 lower-case letters, digits and hyphens, the first a letter, the last no hyphen"
        findings.append(LABEL.error((*place, "leafDomainLabel"), f'"{label}" is no domain label', remedy))
    if tls.acme_email is not None and not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+", tls.acme_email):
        problem, remedy = f'"{tls.acme_email}" is no mail address', "Write one, or leave it out"
        findings.append(ACME_EMAIL.error((*place, "acmeEmail"), problem, remedy))
    if entry.load_balancer and entry.load_balancer.type == "InternalLoadBalancer":
        problem = "the scoring front is internal, so no domain label of Azure's leads to it"
        remedy = "Give an own certificate by cname, certificate and key, or make the front public"
        findings.append(LABEL_PUBLIC.error(place, problem, remedy))
    elif entry.network and entry.network.allowed_source_ranges:
        problem = "network.allowedSourceRanges keeps the issuer away, which calls from addresses that nobody lists"
        remedy = "Give an own certificate, or leave allowedSourceRanges out"
        findings.append(LABEL_PUBLIC.warning(place, problem, remedy))
    if label is None or not location or any(finding.severity == "error" for finding in findings):
        return None, findings
    spec = IssuedCertificate(
        leaf_domain_label=label,
        domain=f"{label}.{location}.cloudapp.azure.com",
        overwrite_existing_domain=bool(tls.overwrite_existing_domain),
        acme_email=tls.acme_email or "",
    )
    return spec, findings


class _Own:
    """One look at an own certificate; collects findings as it goes."""

    def __init__(
        self, loc: Loc, tls: TlsInput, *, key_text: SecretStr | None, root: Path, now: datetime, broken: Broken
    ) -> None:
        self._place: Loc = (*loc, "tls")
        self._own_key: Loc = (KEYS, loc[-1])
        self._tls = tls
        self._key_text = key_text
        self._root = root
        self._now = now
        self._broken = broken
        self._findings: list[Finding] = []

    def resolve(self) -> tuple[OwnCertificate | None, list[Finding]]:
        self._check_complete()
        cname = self._cname()
        chain = self._chain()
        key, key_loc, key_name = self._key()
        leaf: Certificate | None = None
        if chain:
            loc: Loc = (*self._place, "certificate")
            leaf, findings = check_chain(loc, self._tls.certificate or "", chain, cname=cname, now=self._now)
            self._findings += findings
        if leaf and key:
            self._findings += check_key(key_loc, key_name, key, leaf)
        if not (cname and chain and key) or any(finding.severity == "error" for finding in self._findings):
            return None, self._findings
        spec = OwnCertificate(
            cname=cname,
            chain="".join(one.pem for one in chain),
            key=key.pem,
            expires=min(one.ends for one in chain).isoformat(),
        )
        return spec, self._findings

    def _check_complete(self) -> None:
        values = (self._tls.cname, self._tls.certificate, self._tls.key or self._key_text)
        missing = [
            name
            for name, value in zip(OWN, values, strict=True)
            if value is None and self._broken.sound(*self._place, name)
        ]
        if not self._broken.sound(*self._own_key):
            # A key that stands there encrypted is not missing where nobody can read it.
            missing = [name for name in missing if name != "key"]
        if missing:
            remedy = "Write cname, certificate and key"
            if "key" in missing:
                remedy += f", the key as a path or by pulumi config set --secret --path '{KEYS}.{self._own_key[-1]}'"
            verb = "is" if len(missing) == 1 else "are"
            self._findings.append(COMPLETE.error(self._place, f"{', '.join(missing)} {verb} missing", remedy))
        if self._tls.key is not None and self._key_text is not None:
            problem = f"the key is given here and under {KEYS}"
            self._findings.append(KEY_ONCE.error((*self._place, "key"), problem, "Leave one of them"))

    def _cname(self) -> str | None:
        given = self._tls.cname
        if given is None:
            return None
        name = given.lower().removesuffix(".")
        label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
        if len(name) <= 253 and re.fullmatch(rf"({label}\.)+(?![0-9]+$){label}", name):
            return name
        remedy = "Write the name that clients call, without scheme, port and path: scoring.example.com"
        self._findings.append(CNAME.error((*self._place, "cname"), f'"{given[:80]}" is no DNS name', remedy))
        return None

    def _chain(self) -> tuple[Certificate, ...]:
        text = self._tls.certificate
        if text is None:
            return ()
        loc: Loc = (*self._place, "certificate")
        if _is_content(text):
            problem = "the certificate itself stands here"
            self._findings.append(FILE.error(loc, problem, "Put it into a file and write the file's path"))
            return ()
        data = self._read(loc, text)
        if data is None:
            return ()
        chain, findings = read_chain(loc, text, data)
        self._findings += findings
        return chain

    def _key(self) -> tuple[Key | None, Loc, str]:
        path = self._tls.key
        loc: Loc = (*self._place, "key") if path is not None else self._own_key
        name = path if path is not None else "the key"
        data: bytes | None = None
        if path is None and self._key_text is not None:
            data = self._key_text.get_secret_value().encode("utf-8", "replace")
        elif path is not None and _is_content(path):
            problem = "the key itself stands here, in plain text"
            remedy = f"Make a new one and set it by pulumi config set --secret --path '{KEYS}.{self._own_key[-1]}'"
            self._findings.append(KEY_ONCE.error(loc, problem, remedy))
        elif path is not None:
            data = self._read(loc, path)
        if data is None:
            return None, loc, name
        key, findings = read_key(loc, name, data)
        self._findings += findings
        return key, loc, name

    def _read(self, loc: Loc, text: str) -> bytes | None:
        path = locate(self._root, text)
        problem = ""
        if kind(path) != "file":
            problem = f"there is no file {text}"
        else:
            try:
                if path.stat().st_size <= LARGEST:
                    return path.read_bytes()
                problem = f"{text} is larger than a megabyte"
            except OSError as error:
                problem = f"{text} cannot be read: {error.strerror}"
        self._findings.append(FILE.error(loc, problem, "Write the path of a PEM file, from the project's root"))
        return None


def _is_content(text: str) -> bool:
    """Say whether the content of a file was put where its path belongs: such text must not be shown."""
    return "\n" in text or "-----" in text or len(text) > LONGEST_PATH
