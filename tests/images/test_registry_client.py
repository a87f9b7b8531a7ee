"""The client against Debian's docker-registry, with each kind of login."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from tests.standins.registry import (
    PASSWORD,
    USER,
    Registry,
    TokenIssuer,
    htpasswd,
    push_image,
    push_index,
    registry,
)
from tidegate.image.credentials import Credentials
from tidegate.image.lock import Lock
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryClient, RegistryError
from tidegate.image.update import resolve, update

pytestmark = pytest.mark.images

TODAY, LATER = date(2026, 3, 1), date(2026, 4, 1)
LOGIN = Credentials(USER, SecretStr(PASSWORD))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def client(server: Registry) -> Iterator[RegistryClient]:
    with RegistryClient(server.host) as made:
        yield made


def named(host: str, name: str) -> Reference:
    return Reference.parse(f"{host}/{name}")


def test_an_image_is_found_by_tag_and_by_digest(server: Registry, client: RegistryClient) -> None:
    digest = push_image(server.host, "found/a", "1", said="hello")
    reference = named(server.host, "found/a:1")
    assert client.digest(reference) == digest
    assert client.digest(reference.at(digest)) == digest
    manifest = client.manifest(reference)
    assert manifest is not None
    assert (manifest.digest, manifest.is_index) == (digest, False)
    assert client.config(reference, manifest)["config"] == {"Labels": {"said": "hello"}}


def test_what_is_not_there_is_none(server: Registry, client: RegistryClient) -> None:
    push_image(server.host, "there/a", "1")
    for name in ("there/a:2", "absent/a:1", f"there/a@sha256:{'0' * 64}"):
        reference = named(server.host, name)
        assert client.digest(reference) is None
        assert client.manifest(reference) is None
    assert client.tags("absent/a") == ()


def test_a_look_up_is_one_request(server: Registry, client: RegistryClient) -> None:
    push_image(server.host, "one/a", "1")
    before = server.log.read_text().count("one/a")
    client.digest(named(server.host, "one/a:1"))
    lines = [line for line in server.log.read_text().splitlines() if "HEAD /v2/one/a/manifests/1" in line]
    assert before
    assert len(lines) == 1


def test_tags_are_all_listed(server: Registry, client: RegistryClient) -> None:
    for tag in ("b", "a", "c"):
        push_image(server.host, "tags/a", tag, said=tag)
    assert client.tags("tags/a") == ("a", "b", "c")


def test_a_deletion_takes_one_digest_and_leaves_the_others(server: Registry, client: RegistryClient) -> None:
    gone = push_image(server.host, "delete/a", "1", said="1")
    stays = push_image(server.host, "delete/a", "2", said="2")
    reference = named(server.host, "delete/a:1")
    assert client.delete(reference.at(gone))
    assert client.digest(reference) is None
    assert client.digest(named(server.host, "delete/a:2")) == stays
    assert not client.delete(reference.at(gone))
    with pytest.raises(ValueError, match="no digest"):
        client.delete(reference)


def test_an_index_is_resolved_by_platform(server: Registry, client: RegistryClient) -> None:
    images = {
        platform: push_image(server.host, "index/a", platform.replace("/", "-"), platform=platform)
        for platform in ("linux/amd64", "linux/arm64/v8", "linux/arm/v7", "unknown/unknown")
    }
    digest = push_index(server.host, "index/a", "1", images)
    found = resolve(client, named(server.host, "index/a:1"), today=TODAY)
    assert found.digest == digest
    assert found.platforms == {
        "linux/amd64": images["linux/amd64"],
        "linux/arm/v7": images["linux/arm/v7"],
        "linux/arm64": images["linux/arm64/v8"],
    }


def test_an_image_alone_has_the_platform_of_its_config(server: Registry, client: RegistryClient) -> None:
    digest = push_image(server.host, "alone/a", "1", platform="linux/arm64")
    found = resolve(client, named(server.host, "alone/a:1"), today=TODAY)
    assert (found.digest, found.platforms) == (digest, {"linux/arm64": digest})


def test_a_tag_that_moved_is_seen_and_what_is_gone_keeps_its_entry(server: Registry) -> None:
    moved, stays, gone, unused = (named(server.host, f"update/{name}:1") for name in ("moved", "stays", "gone", "no"))
    digests = {
        each: push_image(server.host, each.repository, "1", said=each.repository) for each in (moved, stays, gone)
    }
    push_image(server.host, unused.repository, "1")
    lock, seen = update(Lock(), [moved, stays, gone, unused, moved], RegistryClient, today=TODAY)
    assert [(each.reference, each.moved) for each in seen] == [
        (each, False) for each in sorted([moved, stays, gone, unused])
    ]
    assert {each: lock.digest(each, "linux/amd64") for each in digests} == digests

    after = push_image(server.host, moved.repository, "1", said="after")
    with RegistryClient(server.host) as client:
        client.delete(gone.at(digests[gone]))
    new, seen = update(lock, [moved, stays, gone, stays.at(digests[stays])], RegistryClient, today=LATER)
    by_name = {each.reference: each for each in seen}
    assert by_name[moved].moved
    assert not by_name[stays].moved
    assert "there is no image" in by_name[gone].problem
    assert new.digest(moved, "linux/amd64") == after
    assert new.digest(gone, "linux/amd64") == digests[gone]
    assert str(unused) not in new.images
    assert (new.images[str(moved)].resolved, new.images[str(stays)].resolved) == (LATER, TODAY)


def test_a_registry_that_is_down_is_named_and_the_others_are_asked(server: Registry) -> None:
    digest = push_image(server.host, "up/a", "1")
    here = named(server.host, "up/a:1")
    down = Reference.parse("127.0.0.1:1/a:1")

    def connect(host: str) -> RegistryClient:
        return RegistryClient(host, pause=lambda _: None)

    lock, (first, second) = update(Lock(), [here, down], connect, today=TODAY)
    assert (first.reference, first.new) == (down, None)
    assert "registry 127.0.0.1:1: does not answer" in first.problem
    assert second.new is not None
    assert list(lock.images) == [str(here)]
    assert lock.digest(here, "linux/amd64") == digest


def test_a_user_and_a_password(tmp_path: Path) -> None:
    with registry(tmp_path, auth=htpasswd(tmp_path / "auth")) as running:
        reference = named(running.host, "a:1")
        with RegistryClient(running.host, LOGIN) as client:
            assert client.digest(reference) is None
            assert client.tags("a") == ()
        with RegistryClient(running.host) as client, pytest.raises(RegistryError, match="docker login") as caught:
            client.digest(reference)
        assert caught.value.status == 401
        wrong = Credentials(USER, SecretStr("wrong password"))
        with (
            RegistryClient(running.host, wrong) as client,
            pytest.raises(RegistryError, match="UNAUTHORIZED") as caught,
        ):
            client.digest(reference)
        assert "wrong password" not in str(caught.value)


class TokenService:
    """Hands out tokens as the distribution project's protocols have it: by Basic login, and for an identity token."""

    IDENTITY = "identity-token"

    def __init__(self, issuer: TokenIssuer, port_of: list[int]) -> None:
        self.asked: list[tuple[str, str]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                self._answer(query, self.headers.get("authorization") == f"Basic {expected}", "token")

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                right = form["grant_type"] == ["refresh_token"] and form["refresh_token"] == [service.IDENTITY]
                self._answer(form, right, "access_token")

            def _answer(self, given: dict[str, list[str]], right: bool, name: str) -> None:
                service.asked.append((self.command, given["scope"][0]))
                assert given["service"] == [issuer.SERVICE]
                document = {name: issuer.token(given["scope"][0])}
                if not right:
                    document = {"errors": [{"code": "UNAUTHORIZED", "message": "wrong user"}]}
                body = json.dumps(document).encode()
                self.send_response(200 if right else 401)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        port_of.append(self.server.server_port)


@contextmanager
def with_tokens(folder: Path) -> Iterator[tuple[Registry, TokenService]]:
    issuer, ports = TokenIssuer(folder), list[int]()
    service = TokenService(issuer, ports)
    thread = threading.Thread(target=service.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with registry(folder, auth=issuer.auth(f"http://127.0.0.1:{ports[0]}/token?given=1")) as running:
            yield running, service
    finally:
        service.server.shutdown()
        service.server.server_close()
        thread.join()


def test_a_token_is_asked_for_once_a_scope(tmp_path: Path) -> None:
    identity = Credentials("00000000-0000-0000-0000-000000000000", SecretStr(TokenService.IDENTITY), identity=True)
    with with_tokens(tmp_path) as (running, service):
        assert httpx.get(f"http://{running.host}/v2/", trust_env=False).status_code == 401
        for credentials, method in ((LOGIN, "GET"), (identity, "POST")):
            service.asked.clear()
            with RegistryClient(running.host, credentials) as client:
                assert client.digest(named(running.host, "a:1")) is None
                assert client.tags("a") == ()
                assert client.digest(named(running.host, "b:1")) is None
                assert not client.delete(named(running.host, f"a@sha256:{'0' * 64}"))
            scopes = ["repository:a:pull", "repository:b:pull", "repository:a:delete"]
            assert service.asked == [(method, scope) for scope in scopes]
        for wrong in (None, Credentials(USER, SecretStr("no"))):
            with RegistryClient(running.host, wrong) as client, pytest.raises(RegistryError, match="wrong user"):
                client.digest(named(running.host, "a:1"))
