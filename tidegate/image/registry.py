"""What is in a registry, asked by the OCI distribution API, version 1.1.

Logins follow the distribution project's "Docker Registry v2 authentication" (token and OAuth2) and RFC 7617 (Basic).
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import cast
from urllib.parse import urljoin, urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

from tidegate.image.credentials import Credentials
from tidegate.image.reference import DOCKER_HUB, Reference, is_digest, is_loopback

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MOST_BYTES = 4 * 1024 * 1024
"""The most that a manifest may have, by the specification; configs are kept to it too."""
TRIES = 4
"""How often a request is sent to a registry that is too busy, or does not answer."""
LONGEST_PAUSE_S = 20.0
MOST_PAGES = 1000
MOST_TEXT = 300

Json = Mapping[str, object]

_BUSY = frozenset({429, 502, 503, 504})
_CLIENT_ID = "tidegate"


class RegistryError(Exception):
    """A registry that refuses, does not answer, or answers what is none; says which, with the registry's words."""

    def __init__(self, registry: str, problem: str, *, status: int = 0) -> None:
        """Take the HTTP status too, 0 where there was no answer that could be used."""
        super().__init__(f"registry {registry}: {problem}")
        self.status = status


@dataclass(frozen=True)
class Manifest:
    """A manifest as the registry gave it, its digest computed from the bytes."""

    digest: str
    media_type: str
    document: Json

    @property
    def is_index(self) -> bool:
        """Whether it is a list of images for several platforms."""
        return self.media_type in INDEX_TYPES


class RegistryClient:
    """One registry; a context manager. Every call raises `RegistryError`, and its tries and times are bounded.

    Only a registry on this machine is talked to without TLS. A password goes to the registry and to the token service
    that it names over TLS, and nowhere else.
    """

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None = None,
        *,
        timeout_s: float = 30,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take the host as references have it (`Reference.registry`), and the login where there is one."""
        self.registry = registry
        scheme = "http" if is_loopback(registry) else "https"
        self._base = f"{scheme}://{'registry-1.docker.io' if registry == DOCKER_HUB else registry}"
        self._credentials = credentials
        self._pause = pause
        self._authorization: dict[str, str] = {}
        self._timeout_s = timeout_s
        # No proxy stands between a registry on this machine and its user.
        self._client = httpx.Client(timeout=timeout_s, trust_env=not is_loopback(registry))

    def __enter__(self) -> "RegistryClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def digest(self, reference: Reference) -> str | None:
        """The digest of what a tag or a digest names; None where there is no such image. One request, no content."""
        answer = self._send("HEAD", _manifest_path(reference), _pull(reference), accept=(*INDEX_TYPES, *IMAGE_TYPES))
        if answer.status_code == 404:
            return None
        digest = answer.headers.get("docker-content-digest", "")
        if answer.is_success and is_digest(digest):
            return self._expected(digest, reference)
        found = self.manifest(reference)  # has the registry's words, or the content where that header is left out
        return found.digest if found else None

    def manifest(self, reference: Reference) -> Manifest | None:
        """The manifest of an image or an index; None where there is none."""
        answer = self._send("GET", _manifest_path(reference), _pull(reference), accept=(*INDEX_TYPES, *IMAGE_TYPES))
        if answer.status_code == 404:
            return None
        self._require(answer, reference)
        document = self._json(answer, reference)
        digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        claimed = answer.headers.get("docker-content-digest", digest)
        if claimed != digest:
            raise self._error(f"{reference} has the digest {digest}, and the registry says {claimed}")
        media_type = document.get("mediaType") or answer.headers.get("content-type", "").partition(";")[0].strip()
        if media_type not in (*INDEX_TYPES, *IMAGE_TYPES):
            raise self._error(f"{reference} is no image that can be used here: its type is {media_type!r}")
        return Manifest(self._expected(digest, reference), str(media_type), document)

    def config(self, reference: Reference, manifest: Manifest) -> Json:
        """The configuration of an image (not of an index): labels, platform, environment; checked by its digest."""
        descriptor = manifest.document.get("config")
        digest = cast(Json, descriptor).get("digest") if isinstance(descriptor, dict) else None
        if not isinstance(digest, str) or not is_digest(digest):
            raise self._error(f"the manifest of {reference} names no config")
        answer = self._send("GET", f"/v2/{reference.repository}/blobs/{digest}", _pull(reference))
        self._require(answer, reference)
        if hashlib.sha256(answer.content).hexdigest() != digest.removeprefix("sha256:"):
            raise self._error(f"the config of {reference} is not what its digest says")
        return self._json(answer, reference)

    def tags(self, repository: str) -> tuple[str, ...]:
        """All tags of a repository, sorted; none where there is no such repository."""
        scope = f"repository:{repository}:pull"
        return self._names(f"/v2/{repository}/tags/list?n=1000", "tags", f"the tags of {repository}", scope)

    def repositories(self) -> tuple[str, ...]:
        """All repositories that the login may list, sorted; none where the registry lists none."""
        return self._names("/v2/_catalog?n=1000", "repositories", "the repositories", "registry:catalog:*")

    def azure_manifests(self, repository: str) -> tuple[Json, ...]:
        """What one of Azure's registries says of all manifests of a repository, untagged ones too.

        Each has `digest`, `createdTime`, and `tags` where there are any (Azure docs: rest/api/containerregistry).
        """
        scope, subject = f"repository:{repository}:metadata_read", f"the manifests of {repository}"
        pages = self._pages(f"/acr/v1/{repository}/_manifests?n=1000", subject, scope)
        found = [cast(list[object], page.get("manifests") or []) for page in pages]
        return tuple(cast(Json, each) for page in found for each in page if isinstance(each, dict))

    def delete(self, reference: Reference) -> bool:
        """Delete an image by its digest, with every tag that names it; False where it is not there any more."""
        if not reference.digest:
            raise ValueError(f"{reference} has no digest: a deletion by tag would not say what it deletes")
        path = f"/v2/{reference.repository}/manifests/{reference.digest}"
        answer = self._send("DELETE", path, f"repository:{reference.repository}:delete")
        if answer.status_code == 404:
            return False
        self._require(answer, reference)
        return True

    def _names(self, path: str, key: str, subject: str, scope: str) -> tuple[str, ...]:
        found: set[str] = set()
        for page in self._pages(path, subject, scope):
            try:
                found.update(_NAMES.validate_python(page.get(key) or []))
            except ValidationError as error:
                raise self._error(f"the list of {subject} is none") from error
        return tuple(sorted(found))

    def _pages(self, path: str, subject: str, scope: str) -> Iterator[Json]:
        """The pages of a list; none where the registry has no such list."""
        for _ in range(MOST_PAGES):
            answer = self._send("GET", path, scope)
            if answer.status_code == 404:
                return
            self._require(answer, subject)
            yield self._json(answer, subject)
            following = answer.links.get("next", {}).get("url")
            if not following:
                return
            path = _join(self._base + path, following)
            if not path.startswith((f"{self._base}/v2/", f"{self._base}/acr/v1/")):
                raise self._error(f"the list of {subject} goes on outside the registry")
            path = path.removeprefix(self._base)
        raise self._error(f"the list of {subject} does not end")

    def _send(self, method: str, path: str, scope: str, *, accept: tuple[str, ...] = ()) -> httpx.Response:
        headers = {"accept": ", ".join(accept)} if accept else {}
        if scope in self._authorization:
            headers["authorization"] = self._authorization[scope]
        answer = self._ask(method, self._base + path, headers)
        if answer.status_code == 401:
            self._authorization[scope] = self._login(answer.headers.get("www-authenticate", ""), scope)
            headers["authorization"] = self._authorization[scope]
            answer = self._ask(method, self._base + path, headers)
        return answer

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send one request: again while the registry is busy; where its content lies elsewhere, follow once."""
        wait_s = 1.0
        for remaining in reversed(range(TRIES)):
            try:
                answer = self._receive(method, url, headers, form)
            except httpx.RequestError as error:
                if not remaining:
                    raise self._error(f"does not answer: {error or type(error).__name__}") from error
            else:
                if answer.status_code not in _BUSY or not remaining:
                    return answer
                with suppress(ValueError):  # a date, which is not worth its clock
                    wait_s = max(wait_s, float(answer.headers.get("retry-after", "")))
            self._pause(min(wait_s, LONGEST_PAUSE_S))
            wait_s *= 2
        raise AssertionError("the last try has returned or raised")

    def _receive(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> httpx.Response:
        deadline = time.monotonic() + self._timeout_s
        for _ in range(3):
            with self._client.stream(method, url, headers=headers, data=form) as answer:
                content = b""
                for piece in answer.iter_bytes():
                    content += piece
                    if len(content) > MOST_BYTES:
                        raise self._error(f"answers {method} {urlsplit(url).path} with more than {MOST_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout(f"no whole answer within {self._timeout_s:g} s")
            location = answer.headers.get("location")
            if answer.status_code not in {301, 302, 303, 307, 308} or not location or method not in {"GET", "HEAD"}:
                # The headers of the transfer say nothing of the content as it is now.
                kept = [
                    (k, v) for k, v in answer.headers.multi_items() if k not in {"content-encoding", "content-length"}
                ]
                return httpx.Response(answer.status_code, headers=kept, content=content, request=answer.request)
            target = _join(url, location)
            self._check_safe(target)
            if httpx.URL(target).netloc != httpx.URL(url).netloc:
                headers = {name: value for name, value in headers.items() if name != "authorization"}
            url = target
        raise self._error("sends its requests from one address to the next")

    def _login(self, challenge: str, scope: str) -> str:
        """The `Authorization` that the registry asks for."""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic":
            if self._credentials is None or self._credentials.identity:
                raise self._error("asks for a user and a password; log in with docker login", 401)
            return _basic(self._credentials)
        if kind.lower() != "bearer":
            raise self._error(f"asks for a login of a kind that is not known: {kind[:40]!r}", 401)
        given = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
        realm = given.get("realm", "")
        self._check_safe(realm)
        return f"Bearer {self._token(realm, given.get('service', ''), scope)}"

    def _token(self, realm: str, service: str, scope: str) -> str:
        wanted = {"service": service, "scope": scope}
        credentials = self._credentials
        if credentials and credentials.identity:
            secret = {"grant_type": "refresh_token", "refresh_token": credentials.password.get_secret_value()}
            answer = self._ask("POST", realm, {}, {**wanted, **secret, "client_id": _CLIENT_ID})
        else:
            headers = {"authorization": _basic(credentials)} if credentials else {}
            answer = self._ask("GET", str(httpx.URL(realm).copy_merge_params(wanted)), headers)
        self._require(answer, "a token")
        document = self._json(answer, "a token")
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise self._error("answers the login without a token")
        return token

    def _check_safe(self, url: str) -> None:
        """Nothing leaves this machine without TLS, and what began with it does not go on without."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise self._error(f"leads to {url[:MOST_TEXT]!r}, which is no address") from error
        here = self._base.startswith("http:") and is_loopback(parsed.netloc.decode())
        if parsed.scheme != "https" and not (parsed.scheme == "http" and here):
            raise self._error(f"leads to {url[:MOST_TEXT]!r}, which is not safe: it is not https")

    def _require(self, answer: httpx.Response, subject: object) -> None:
        if not answer.is_success:
            raise self._error(f"{subject}: {_words(answer)} (HTTP {answer.status_code})", answer.status_code)

    def _json(self, answer: httpx.Response, subject: object) -> Json:
        try:
            document: object = json.loads(answer.content)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self._error(f"{subject}: answers what is no JSON object: {_plain(answer.content)!r}")
        return cast(Json, document)

    def _expected(self, digest: str, reference: Reference) -> str:
        if reference.digest and reference.digest != digest:
            raise self._error(f"{reference} was asked for, and {digest} was answered")
        return digest

    def _error(self, problem: str, status: int = 0) -> RegistryError:
        return RegistryError(self.registry, problem, status=status)


_NAMES = TypeAdapter(list[str])
_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')


def _join(base: str, following: str) -> str:
    try:
        return urljoin(base, following)
    except ValueError:  # brackets that hold no address
        return following


def _pull(reference: Reference) -> str:
    return f"repository:{reference.repository}:pull"


def _manifest_path(reference: Reference) -> str:
    return f"/v2/{reference.repository}/manifests/{reference.digest or reference.tag}"


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password.get_secret_value()}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _words(answer: httpx.Response) -> str:
    """What the registry says of its refusal: its error codes with their messages, else its text."""
    try:
        errors: object = json.loads(answer.content)["errors"]
        said = [
            f"{each['code']}: {each.get('message') or ''}".rstrip(": ") for each in cast(list[dict[str, str]], errors)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        said = []
    return _plain("; ".join(said).encode()) or _plain(answer.content) or answer.reason_phrase or "no reason is given"


def _plain(content: bytes) -> str:
    text = content[: MOST_TEXT * 4].decode("utf-8", "replace")
    shown = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return shown if len(shown) <= MOST_TEXT else f"{shown[:MOST_TEXT]}..."
