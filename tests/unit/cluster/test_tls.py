"""TLS at the scoring front: an own certificate or a domain label, never half of one."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cluster.pki import ENDS, NOW, chain, leaf, new_key, root
from tests.unit.cluster.tls_inputs import OWN, files, own, resolve
from tidegate.cluster.spec import IssuedCertificate, OwnCertificate
from tidegate.findings import Finding

FILES = files()
LABEL = {"leafDomainLabel": "scoring"}


def found(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [
        (finding.severity, finding.rule, finding.path.removeprefix("tidegate:clusters.main."))
        for finding in sorted(findings)
    ]


def test_without_tls_there_is_none() -> None:
    assert resolve(None) == (None, [])


def test_an_own_certificate_is_read_with_its_chain_and_its_key() -> None:
    spec, findings = own(FILES)
    assert findings == []
    assert isinstance(spec, OwnCertificate)
    assert spec.cname == "scoring.example.com"
    assert spec.chain == FILES["tls/chain.pem"]
    assert spec.key.get_secret_value() == FILES["tls/key.pem"]
    assert spec.expires == ENDS.isoformat() == "2027-01-01T00:00:00+00:00"


def test_the_chain_expires_when_its_first_certificate_does() -> None:
    spec, _ = own(files(ends=NOW + timedelta(days=1001)))
    assert isinstance(spec, OwnCertificate)
    assert spec.expires == (NOW + timedelta(days=1000)).isoformat()


def test_the_key_may_be_a_secret_of_the_config() -> None:
    tls = {"cname": "scoring.example.com", "certificate": "tls/chain.pem"}
    spec, findings = resolve(tls, FILES, key=FILES["tls/key.pem"])
    assert findings == []
    assert isinstance(spec, OwnCertificate)
    assert spec.key.get_secret_value() == FILES["tls/key.pem"]


def test_a_wrong_secret_key_is_told_where_it_stands() -> None:
    tls = {"cname": "scoring.example.com", "certificate": "tls/chain.pem"}
    _, (other,) = resolve(tls, FILES, key=leaf().key_pem)
    assert (other.rule, other.path) == ("tls-key-match", "tidegate:tlsKeys.main")
    _, (nonsense,) = resolve(tls, FILES, key="s3cret")
    assert (nonsense.rule, nonsense.path) == ("tls-key-form", "tidegate:tlsKeys.main")
    assert "s3cret" not in str(nonsense)


def test_a_key_is_given_once() -> None:
    spec, findings = own(FILES, key=FILES["tls/key.pem"])
    assert spec is None
    assert found(findings) == [("error", "tls-key-once", "tls.key")]


def test_a_key_without_a_certificate_is_told() -> None:
    _, (finding,) = resolve(None, key=leaf().key_pem)
    assert (finding.rule, finding.path) == ("tls-complete", "tidegate:tlsKeys.main")


@pytest.mark.parametrize("missing", ["cname", "certificate", "key"])
def test_all_three_belong_together(missing: str) -> None:
    spec, findings = resolve({key: value for key, value in OWN.items() if key != missing}, FILES)
    assert spec is None
    assert found(findings) == [("error", "tls-complete", "tls")]
    assert findings[0].problem == f"{missing} is missing"


def test_two_of_three_missing_are_one_finding() -> None:
    _, (finding,) = resolve({"cname": "scoring.example.com"})
    assert finding.problem == "certificate, key are missing"


def test_what_was_refused_already_is_not_missing() -> None:
    spec, findings = resolve(OWN | {"cname": 5}, FILES)
    assert (spec, findings) == (None, [])


def test_a_key_that_cannot_be_read_is_neither_missing_nor_compared() -> None:
    tls = {"cname": "scoring.example.com", "certificate": "tls/chain.pem"}
    assert resolve(tls, FILES, unread=(("tidegate:tlsKeys", "main"),)) == (None, [])
    assert found(resolve(tls, FILES, unread=(("tidegate:tlsKeys", "other"),))[1]) == [("error", "tls-complete", "tls")]


def test_empty_tls_is_told() -> None:
    assert found(resolve({})[1]) == [("error", "tls-form", "tls")]


@pytest.mark.parametrize("tls", [OWN | LABEL, {"cname": "a.example.com", "acmeEmail": "a@example.com"}])
def test_one_form_or_the_other(tls: dict[str, Any]) -> None:
    assert found(resolve(tls, FILES)[1]) == [("error", "tls-form", "tls")]


def test_a_label_beside_a_secret_key_is_two_forms() -> None:
    assert found(resolve(LABEL, key="x")[1]) == [("error", "tls-form", "tls")]


def test_every_fault_of_a_certificate_is_told_at_once() -> None:
    server = leaf("other.example.com", ends=NOW - timedelta(days=1))
    broken = {"tls/chain.pem": chain(server, root()), "tls/key.pem": leaf().key_pem}
    assert sorted(finding.rule for finding in own(broken)[1]) == [
        "certificate-chain",
        "certificate-name",
        "certificate-validity",
        "tls-key-match",
    ]


def test_a_warning_does_not_stop_it() -> None:
    spec, findings = own(FILES, now=ENDS - timedelta(days=1))
    assert spec is not None
    assert found(findings) == [("warning", "certificate-expiry", "tls.certificate")]


@pytest.mark.parametrize(
    "cname",
    ["scoring.example.com", "Scoring.Example.COM", "scoring.example.com.", "a-1.example.com", "1.example.com"],
)
def test_a_cname_is_a_dns_name(cname: str) -> None:
    name = cname.lower().removesuffix(".")
    spec, findings = resolve(OWN | {"cname": cname}, files(names=[name]))
    assert findings == []
    assert isinstance(spec, OwnCertificate)
    assert spec.cname == name


@pytest.mark.parametrize(
    "cname",
    [
        "",
        "localhost",
        "https://scoring.example.com",
        "scoring.example.com:443",
        "scoring.example.com/score",
        "*.example.com",
        "10.0.0.1",
        "-a.example.com",
        "a-.example.com",
        "a..example.com",
        "a_b.example.com",
        "bücher.example.com",
        f"{'a' * 64}.example.com",
        ".".join(["a" * 60] * 5),
    ],
)
def test_anything_else_is_none(cname: str) -> None:
    assert found(resolve(OWN | {"cname": cname}, FILES)[1]) == [("error", "tls-cname", "tls.cname")]


def test_files_are_there_and_not_too_large() -> None:
    assert found(own({})[1]) == [
        ("error", "tls-file", "tls.certificate"),
        ("error", "tls-file", "tls.key"),
    ]
    padded = {"tls/chain.pem": FILES["tls/chain.pem"].ljust(1024 * 1024)}
    assert own(FILES | padded)[1] == []
    larger = {"tls/chain.pem": FILES["tls/chain.pem"].ljust(1024 * 1024 + 1)}
    assert found(own(FILES | larger)[1]) == [("error", "tls-file", "tls.certificate")]


def test_a_folder_is_no_file() -> None:
    assert found(resolve(OWN | {"certificate": "tls"}, FILES)[1]) == [("error", "tls-file", "tls.certificate")]


@pytest.mark.parametrize("text", [leaf().key_pem, leaf().key_pem.replace("\n", " "), "MIGHAgEA" * 40])
def test_a_key_in_its_paths_place_is_not_shown(text: str) -> None:
    spec, (finding,) = resolve(OWN | {"key": text}, FILES)
    assert spec is None
    assert finding.rule == "tls-key-once"
    assert "MIG" not in str(finding)


def test_a_certificate_in_its_paths_place_is_told() -> None:
    assert found(resolve(OWN | {"certificate": leaf().pem}, FILES)[1]) == [("error", "tls-file", "tls.certificate")]


def test_no_key_shows_in_a_spec_or_a_finding() -> None:
    other = new_key()
    spec, _ = own(FILES)
    _, findings = own(FILES | {"tls/key.pem": leaf(key=other).key_pem})
    lines = (FILES["tls/key.pem"] + leaf(key=other).key_pem).splitlines()
    said = repr(spec) + str(spec) + "".join(str(finding) for finding in findings)
    assert findings
    assert not any(line in said for line in lines if not line.startswith("-----"))


def test_a_label_gets_a_domain_of_the_region() -> None:
    tls = LABEL | {"overwriteExistingDomain": True, "acmeEmail": "ops@example.com"}
    spec, findings = resolve(tls)
    assert findings == []
    assert spec == IssuedCertificate(
        leaf_domain_label="scoring",
        domain="scoring.westeurope.cloudapp.azure.com",
        overwrite_existing_domain=True,
        acme_email="ops@example.com",
    )


@pytest.mark.parametrize("label", ["abc", "a1b", "a-b", "a" + "b" * 61 + "c"])
def test_labels_at_the_bounds(label: str) -> None:
    assert resolve({"leafDomainLabel": label})[1] == []


@pytest.mark.parametrize("label", ["", "ab", "1ab", "ab-", "Abc", "a_b", "a.b", "a" + "b" * 62 + "c", "abc\n"])
def test_labels_past_the_bounds(label: str) -> None:
    assert found(resolve({"leafDomainLabel": label})[1]) == [("error", "leaf-domain-label", "tls.leafDomainLabel")]


@pytest.mark.parametrize("email", ["ops", "ops@example", "a b@example.com", "a@example.com,b@example.com", "@a.de"])
def test_a_mail_address_has_its_form(email: str) -> None:
    assert found(resolve(LABEL | {"acmeEmail": email})[1]) == [("error", "acme-email", "tls.acmeEmail")]


def test_settings_of_a_label_need_one() -> None:
    assert found(resolve({"overwriteExistingDomain": True})[1]) == [("error", "tls-form", "tls")]
    assert resolve({"leafDomainLabel": 5, "overwriteExistingDomain": True})[1] == []


def test_a_label_needs_a_public_front_that_the_issuer_reaches() -> None:
    internal: dict[str, Any] = {"loadBalancer": {"type": "InternalLoadBalancer"}}
    assert found(resolve(LABEL, **internal)[1]) == [("error", "leaf-domain-public", "tls")]
    assert resolve(LABEL, loadBalancer={"type": "PublicIp"})[1] == []
    closed: dict[str, Any] = {"network": {"addressSpace": "10.0.0.0/8", "allowedSourceRanges": ["203.0.113.0/24"]}}
    spec, findings = resolve(LABEL, **closed)
    assert spec is not None
    assert found(findings) == [("warning", "leaf-domain-public", "tls")]


def test_without_a_region_there_is_no_domain() -> None:
    assert resolve(LABEL, location="") == (None, [])


VALUES = st.none() | st.text(max_size=20) | st.sampled_from([*OWN.values(), "scoring", "tls", "a\0b", "x" * 300])


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("cname", "certificate", "key", "leafDomainLabel", "acmeEmail"), VALUES)
        | {"overwriteExistingDomain": st.booleans()},
    ),
    st.none() | st.text(max_size=20) | st.just(FILES["tls/key.pem"]),
)
def test_whatever_is_written_gives_a_spec_or_a_finding(tls: dict[str, Any], key: str | None) -> None:
    written = {name: value for name, value in tls.items() if value is not None}
    spec, findings = resolve(written, FILES, key=key)
    assert (spec is None) == any(finding.severity == "error" for finding in findings)
