"""What the client does with registries that are slow, busy, broken or hostile."""

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from tidegate.image.credentials import Credentials
from tidegate.image.reference import Reference
from tidegate.image.registry import IMAGE_TYPES, INDEX_TYPES, MOST_BYTES, TRIES, RegistryClient, RegistryError

LOGIN = Credentials("reader", SecretStr("open sesame"))
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": IMAGE_TYPES[0], "config": {}, "layers": []})
DIGEST = f"sha256:{hashlib.sha256(MANIFEST.encode()).hexdigest()}"
OTHER = f"sha256:{'0' * 64}"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes | str = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Asked:
    line: str
    authorization: str | None


class Pretended:
    """A registry that answers as a test says."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[str], Answer] = lambda _: Answer(404)
        self.pauses: list[float] = []
        pretended = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                line = f"{self.command} {self.path}"
                pretended.asked.append(Asked(line, self.headers.get("authorization")))
                answer = pretended.answer(line)
                body = answer.body.encode() if isinstance(answer.body, str) else answer.body
                self.send_response(answer.status)
                for name, value in {"content-length": str(len(body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    with suppress(OSError):  # a client that has seen enough
                        self.wfile.write(body)

            do_GET = do_HEAD = do_DELETE = _serve  # noqa: N815 (the base class's names)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.reference = Reference.parse(f"{self.host}/team/a:1")

    def client(self, credentials: Credentials | None = None, timeout_s: float = 5) -> RegistryClient:
        return RegistryClient(self.host, credentials, timeout_s=timeout_s, pause=self.pauses.append)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def pretended() -> Iterator[Pretended]:
    made = Pretended()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Pretended]:
    made = Pretended()
    yield made
    made.close()


def refused(pretended: Pretended, credentials: Credentials | None = None) -> str:
    with pretended.client(credentials) as client, pytest.raises(RegistryError) as caught:
        client.manifest(pretended.reference)
    assert str(caught.value).startswith(f"registry {pretended.host}: ")
    assert LOGIN.password.get_secret_value() not in str(caught.value)
    return str(caught.value)


def test_a_busy_registry_is_asked_again_after_the_time_it_names(pretended: Pretended) -> None:
    answers = iter([Answer(503), Answer(429, headers={"retry-after": "7"}), Answer(200, MANIFEST)])
    pretended.answer = lambda _: next(answers)
    with pretended.client() as client:
        found = client.manifest(pretended.reference)
    assert found is not None
    assert found.digest == DIGEST
    assert pretended.pauses == [1, 7]


def test_tries_are_bounded_and_so_are_the_pauses(pretended: Pretended) -> None:
    said = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "pull rate limit"}]})
    pretended.answer = lambda _: Answer(429, said, {"retry-after": "86400"})
    assert "TOOMANYREQUESTS: pull rate limit (HTTP 429)" in refused(pretended)
    assert len(pretended.asked) == TRIES
    assert pretended.pauses == [20.0] * (TRIES - 1)


def test_a_refusal_is_told_in_the_registrys_words(pretended: Pretended) -> None:
    said = json.dumps({"errors": [{"code": "DENIED", "message": "no pull right"}, {"code": "UNKNOWN"}]})
    pretended.answer = lambda _: Answer(403, said)
    assert "127.0.0.1" in refused(pretended)
    assert "DENIED: no pull right; UNKNOWN (HTTP 403)" in refused(pretended)
    with pretended.client() as client, pytest.raises(RegistryError, match="no pull right") as caught:
        client.digest(pretended.reference)  # HEAD has no words: they are asked for
    assert caught.value.status == 403


@pytest.mark.parametrize("body", ["<html>\x1b[2J\nproxy  error</html>", b"\xff\xfe", "", "x" * 5000, '{"errors": 3}'])
def test_a_refusal_without_words_in_the_right_form_is_shown_as_plain_text(
    pretended: Pretended, body: bytes | str
) -> None:
    pretended.answer = lambda _: Answer(400, body)
    said = refused(pretended)
    assert said.isprintable()
    assert len(said) < 500
    assert "(HTTP 400)" in said


@pytest.mark.parametrize(
    ("body", "headers", "problem"),
    [
        ("<html>login</html>", {}, "no JSON object"),
        ("[]", {}, "no JSON object"),
        ("[" * 100_000, {}, "no JSON object"),
        (MANIFEST[:-1], {}, "no JSON object"),
        ('{"schemaVersion": 1, "mediaType": "application/x"}', {}, "its type is 'application/x'"),
        ("{}", {"content-type": "application/json; charset=utf-8"}, "its type is 'application/json'"),
        (MANIFEST, {"docker-content-digest": OTHER}, f"the registry says {OTHER}"),
        (b" " * (MOST_BYTES + 1), {}, "more than 4194304 bytes"),
        (b"no gzip", {"content-encoding": "gzip"}, "does not answer"),
    ],
)
def test_garbage_is_no_image(pretended: Pretended, body: bytes | str, headers: dict[str, str], problem: str) -> None:
    pretended.answer = lambda _: Answer(200, body, headers)
    assert problem in refused(pretended)


def test_another_image_than_the_one_asked_for_is_refused(pretended: Pretended) -> None:
    pretended.answer = lambda _: Answer(200, MANIFEST, {"docker-content-digest": DIGEST})
    wanted = pretended.reference.at(OTHER)
    with pretended.client() as client:
        for ask in (client.manifest, client.digest):
            with pytest.raises(RegistryError, match="was asked for"):
                ask(wanted)


def test_a_registry_that_leaves_the_digest_out_is_read(pretended: Pretended) -> None:
    pretended.answer = lambda _: Answer(200, MANIFEST, {"content-type": IMAGE_TYPES[0]})
    with pretended.client() as client:
        assert client.digest(pretended.reference) == DIGEST


def test_a_config_that_is_not_what_its_digest_says_is_refused(pretended: Pretended) -> None:
    manifest = json.dumps({"mediaType": IMAGE_TYPES[0], "config": {"digest": OTHER}})
    pretended.answer = lambda line: Answer(200, "{}" if "/blobs/" in line else manifest)
    with pretended.client() as client:
        found = client.manifest(pretended.reference)
        assert found is not None
        with pytest.raises(RegistryError, match="not what its digest says"):
            client.config(pretended.reference, found)


def test_an_index_without_a_media_type_inside_has_that_of_the_header(pretended: Pretended) -> None:
    pretended.answer = lambda _: Answer(200, '{"manifests": []}', {"content-type": INDEX_TYPES[1]})
    with pretended.client() as client:
        found = client.manifest(pretended.reference)
        assert found is not None
        assert found.is_index


def test_content_that_lies_elsewhere_is_fetched_there_without_the_login(pretended: Pretended, other: Pretended) -> None:
    def answer(line: str) -> Answer:
        if pretended.asked[-1].authorization is None:
            return Answer(401, headers={"www-authenticate": 'Basic realm="x"'})
        return Answer(307, headers={"location": f"http://{other.host}/content"})

    pretended.answer = answer
    other.answer = lambda _: Answer(200, MANIFEST)
    with pretended.client(LOGIN) as client:
        found = client.manifest(pretended.reference)
    assert found is not None
    assert [each.authorization for each in other.asked] == [None]


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("http://example.org/x", "leads to 'http://example.org/x', which is not safe"),
        ("ftp://127.0.0.1/x", "not safe"),
        ("file:///etc/passwd", "not safe"),
        ("//[::1", "Invalid URL"),
        ("http://[x]/", "Invalid URL"),
    ],
)
def test_nothing_leads_away_from_tls(pretended: Pretended, location: str, problem: str) -> None:
    pretended.answer = lambda _: Answer(302, headers={"location": location})
    assert problem in refused(pretended)
    assert {each.line for each in pretended.asked} == {"GET /v2/team/a/manifests/1"}


def test_a_circle_of_redirects_ends(pretended: Pretended) -> None:
    pretended.answer = lambda _: Answer(302, headers={"location": "/again"})
    assert "from one address to the next" in refused(pretended)


@pytest.mark.parametrize(
    ("challenge", "problem"),
    [
        ("", "a login of a kind that is not known"),
        ("Negotiate", "'Negotiate'"),
        ("Bearer", "leads to"),
        ('Bearer realm="http://example.org/token"', "not https"),
        ('Bearer realm="http://[x"', "leads to"),
    ],
)
def test_a_password_goes_to_no_odd_place(pretended: Pretended, challenge: str, problem: str) -> None:
    pretended.answer = lambda _: Answer(401, headers={"www-authenticate": challenge} if challenge else {})
    assert problem in refused(pretended, LOGIN)
    assert [each.authorization for each in pretended.asked] == [None]


@pytest.mark.parametrize("body", ["{}", '{"token": 1}', '{"token": "a\\nb"}', "[]", "", '{"token": "\\u00e9"}'])
def test_a_token_service_that_gives_no_token(pretended: Pretended, body: str) -> None:
    challenge = {"www-authenticate": f'Bearer realm="http://{pretended.host}/token",service="x"'}
    pretended.answer = lambda line: Answer(200, body) if "/token?" in line else Answer(401, headers=challenge)
    assert "token" in refused(pretended, LOGIN)


def test_lists_that_end_nowhere_or_elsewhere_are_refused(pretended: Pretended) -> None:
    for link, problem in (("/v2/team/a/tags/list?last=x", "does not end"), ("http://example.org/", "outside")):
        header = {"link": f'<{link}>; rel="next"'}
        pretended.answer = lambda _, header=header: Answer(200, '{"tags": ["a"]}', header)
        with pretended.client() as client, pytest.raises(RegistryError, match=problem):
            client.tags("team/a")
    pretended.answer = lambda _: Answer(200, '{"tags": [1]}')
    with pretended.client() as client, pytest.raises(RegistryError, match="is none"):
        client.tags("team/a")


def test_tags_are_read_page_by_page(pretended: Pretended) -> None:
    pages = {
        "GET /v2/team/a/tags/list?n=1000": Answer(
            200, '{"tags": ["b"]}', {"link": '</v2/team/a/tags/list?last=b>; rel="next"'}
        ),
        "GET /v2/team/a/tags/list?last=b": Answer(200, '{"tags": ["a"]}'),
    }
    pretended.answer = lambda line: pages[line]
    with pretended.client() as client:
        assert client.tags("team/a") == ("a", "b")
    pretended.answer = lambda _: Answer(200, '{"tags": null}')  # as the distribution registry says of none
    with pretended.client() as client:
        assert client.tags("team/a") == ()


def test_a_registry_that_takes_the_request_and_says_nothing_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        client = RegistryClient(host, timeout_s=0.05, pause=lambda _: None)
        with client, pytest.raises(RegistryError, match="does not answer"):
            client.digest(Reference.parse(f"{host}/a:1"))


def test_a_registry_that_drips_is_left_too() -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            while not stop.is_set():
                with suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                        while not stop.is_set():
                            connection.sendall(b" ")
                            time.sleep(0.01)

        server.settimeout(0.1)
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            host = f"127.0.0.1:{server.getsockname()[1]}"
            client = RegistryClient(host, timeout_s=0.2, pause=lambda _: None)
            with client, pytest.raises(RegistryError, match="no whole answer"):
                client.manifest(Reference.parse(f"{host}/a:1"))
        finally:
            stop.set()
            thread.join()
