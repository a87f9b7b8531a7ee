"""The gateway with a certificate of its own, which is replaced while requests are answered."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509

from tests.engine.harness import ECHO, wait_until
from tests.gateway.target import TranslatedTarget, translated_target
from tests.unit.cluster import pki

pytestmark = pytest.mark.kubernetes

NAME = "scoring.example.com"


def leaf() -> pki.Signed:
    now = datetime.now(UTC)
    root = pki.issue("Root", authority=True, begins=now - timedelta(days=2), ends=now + timedelta(days=900))
    return pki.leaf(NAME, by=root, begins=now - timedelta(days=1), ends=now + timedelta(days=80))


def install(target: TranslatedTarget, signed: pki.Signed) -> None:
    (target.folder / "chain.pem").write_text(signed.pem)
    (target.folder / "key.pem").write_text(signed.key_pem)


@pytest.fixture
def target() -> Iterator[TranslatedTarget]:
    with translated_target() as made:
        made.cluster["tls"] = {"cname": NAME, "certificate": "chain.pem", "key": "key.pem"}
        made.endpoints = {"echo": {"auth": "none", "versions": {"one": made.version("one", ECHO)}}}
        install(made, leaf())
        made.start()
        yield made


def client(target: TranslatedTarget) -> httpx.Client:
    url = f"https://127.0.0.1:{target.proxy.port(443)}"
    return httpx.Client(base_url=url, headers={"host": NAME}, verify=False, timeout=30)


def score(client: httpx.Client) -> httpx.Response:
    return client.post("/echo/score", json=1, extensions={"sni_hostname": NAME})


def served(target: TranslatedTarget) -> int:
    """The serial number of the certificate that a new connection meets."""
    pem = ssl.get_server_certificate(("127.0.0.1", target.proxy.port(443)))
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def test_plain_http_is_sent_to_https(target: TranslatedTarget):
    answer = httpx.post(f"{target.url}/echo/score?a=b", json=1, headers={"host": NAME})
    assert (answer.status_code, answer.headers["location"]) == (301, f"https://{NAME}/echo/score?a=b")
    with client(target) as secure:
        assert score(secure).raise_for_status().json()["version"] == "one"
        other = secure.post("/echo/score", json=1, headers={"host": "other.example.com"})
        assert (other.status_code, other.json()) == (404, {"message": "no endpoint has this path"})


def test_a_certificate_is_replaced_while_requests_are_answered(target: TranslatedTarget):
    seen: list[object] = []
    done = threading.Event()

    def ask() -> None:
        with client(target) as secure:
            while not done.wait(0.004):
                try:
                    seen.append(score(secure).status_code)
                except httpx.HTTPError as error:
                    seen.append(repr(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(2):
            renewed = leaf()
            assert served(target) != renewed.certificate.serial_number
            install(target, renewed)
            target.apply()
            wait_until(lambda serial=renewed.certificate.serial_number: served(target) == serial)
    finally:
        done.set()
        thread.join()
    assert set(seen) == {200}
    assert not any(target.proxy.stats("listener_manager.listener_modified").values())
