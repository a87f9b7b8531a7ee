"""Azure Resource Manager over HTTP: the few calls that no Pulumi provider makes for us."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import httpx

from tidegate.azure.errors import ArmError, InterruptedCallError, UnreachableError

ENDPOINT = "https://management.azure.com"
"""The public cloud's; ARM_ENDPOINT names another one's."""
PATIENCE_S = 120.0
"""How long a call is repeated that Azure is too busy for."""
OPERATION_PATIENCE_S = 900.0
"""How long the end of a change is waited for that Azure goes on with after its answer."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
POLL_S = 2.0
MOST_LOST = 3
"""How often a call is sent that does not get through: soon told, since without a network none will."""
MOST_TEXT = 600

_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Json = dict[str, Any]


class Arm:
    """One connection to Azure Resource Manager; a context manager.

    Every call raises `ArmError` where Azure refuses, `UnreachableError` where it does not answer within `patience_s`,
    `LoginError` where there is no login, and `InterruptedCallError` as soon as `cancelled` is set while it waits.
    Paths begin with a slash: `/subscriptions/...`. All calls made here may be repeated without harm.
    """

    def __init__(
        self,
        token: Callable[[str], str],
        *,
        endpoint: str | None = None,
        cancelled: threading.Event | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Take what gives a bearer token for a scope (`Login.token`), and the cloud's endpoint where it is known."""
        self._endpoint = (endpoint or os.environ.get("ARM_ENDPOINT") or ENDPOINT).rstrip("/")
        parts = urlsplit(self._endpoint)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise UnreachableError(f"ARM_ENDPOINT is {self._endpoint}; a token is only sent over https")
        self._token = token
        self._cancelled = cancelled or threading.Event()
        self._patience_s = patience_s
        self._client = httpx.Client(timeout=httpx.Timeout(30, connect=10))

    def __enter__(self) -> "Arm":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, api_version: str) -> Json:
        """What is at `path`."""
        return _json(self._send("GET", self._url(path, api_version)))

    def find(self, path: str, api_version: str) -> Json | None:
        """What is at `path`, None where nothing is."""
        try:
            return self.get(path, api_version)
        except ArmError as error:
            if error.status == 404:
                return None
            raise

    def each(self, path: str, api_version: str) -> Iterator[Json]:
        """The members of the list at `path`, page after page."""
        return self.follow(self._url(path, api_version))

    def follow(self, link: str | None, key: str = "value") -> Iterator[Json]:
        """The members under `key` of the page at `link` and of those that it leads to."""
        while link:
            page = _json(self._send("GET", link))
            yield from cast(list[Json], page.get(key) or [])
            link = page.get("nextLink")

    def put(self, path: str, api_version: str, body: Mapping[str, object]) -> Json:
        """Make what `body` says, or change it so; returns when Azure is done."""
        return self._change("PUT", path, api_version, body)

    def patch(self, path: str, api_version: str, body: Mapping[str, object]) -> Json:
        """Change what `body` names; returns when Azure is done."""
        return self._change("PATCH", path, api_version, body)

    def post(self, path: str, api_version: str, body: Mapping[str, object] | None = None) -> Json:
        """What an action at `path` answers."""
        return _json(self._send("POST", self._url(path, api_version), body))

    def delete(self, path: str, api_version: str, **query: str) -> None:
        """Remove what is at `path`; returns when Azure is done. No error where nothing is."""
        try:
            self._finish(self._send("DELETE", self._url(f"{path}?{urlencode(query)}" if query else path, api_version)))
        except ArmError as error:
            if error.status != 404:
                raise

    def _change(self, method: str, path: str, api_version: str, body: Mapping[str, object]) -> Json:
        answer = self._send(method, self._url(path, api_version), body)
        return self.get(path, api_version) if self._finish(answer) else _json(answer)

    def _finish(self, answer: httpx.Response) -> bool:
        """Wait until Azure is done with what it has accepted; says whether there was anything to wait for."""
        operation, location = answer.headers.get("azure-asyncoperation"), answer.headers.get("location")
        if answer.status_code not in (201, 202) or not (operation or location):
            return False
        until = time.monotonic() + OPERATION_PATIENCE_S
        while True:
            asked = _seconds(answer.headers.get("retry-after"))
            self._pause(POLL_S if asked is None else asked, until)
            answer = self._send("GET", operation or location or "")
            if operation:
                state = _json(answer)
                match str(state.get("status", "")).lower():
                    case "succeeded":
                        return True
                    case "failed" | "canceled":
                        raise _refusal(409, state, self._bearer())
                    case _:
                        continue
            if answer.status_code != 202:
                return True

    def _send(self, method: str, url: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        if urlsplit(url)[:2] != urlsplit(self._endpoint)[:2]:
            raise UnreachableError(f"Azure goes on at {urlsplit(url).netloc}; the token stays with {self._endpoint}")
        until = time.monotonic() + self._patience_s
        pause, lost = FIRST_PAUSE_S, 0
        while True:
            if self._cancelled.is_set():
                raise InterruptedCallError("interrupted")
            asked = None
            try:
                answer = self._client.request(
                    method, url, json=body, headers={"authorization": f"Bearer {self._bearer()}"}
                )
            except httpx.TransportError as error:
                said = f"{self._endpoint} cannot be reached: {error or type(error).__name__}"
                lost += 1
                if lost == MOST_LOST:
                    raise UnreachableError(said) from error
            else:
                if answer.is_success:
                    return answer
                refusal = _refusal(answer.status_code, _json(answer), self._bearer())
                if answer.status_code not in _BUSY:
                    raise refusal
                said = f"Azure is too busy: {refusal}"
                asked = _seconds(answer.headers.get("retry-after"))
            self._pause(pause if asked is None else asked, until, said)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _bearer(self) -> str:
        return self._token(self._endpoint + "/.default")

    def _pause(self, seconds: float, until: float, said: str = "Azure did not finish in time") -> None:
        if time.monotonic() + seconds > until:
            raise UnreachableError(said)
        if self._cancelled.wait(seconds):
            raise InterruptedCallError("interrupted")

    def _url(self, path: str, api_version: str) -> str:
        joint = "&" if "?" in path else "?"
        return f"{self._endpoint}{path}{joint}api-version={api_version}"


def _json(answer: httpx.Response) -> Json:
    try:
        found: object = answer.json() if answer.content else {}
    except ValueError:
        found = None
    return cast(Json, found) if isinstance(found, dict) else {"error": {"message": answer.text}}


def _refusal(status: int, body: Json, token: str) -> ArmError:
    """Azure's own words, by the form of error that its services have in common; never with the token in them."""
    error: object = body.get("error", body)
    found = cast(Json, error) if isinstance(error, dict) else {"message": error}
    details: object = found.get("details")
    inner = cast(list[object], details) if isinstance(details, list) else []
    messages = [found.get("message"), *(cast(Json, each).get("message") for each in inner if isinstance(each, dict))]
    texts = dict.fromkeys(str(message) for message in messages if message)
    # A proxy on the way may answer with what it was sent.
    text = " ".join(" ".join(texts).replace(token, "[token]").split())
    if len(text) > MOST_TEXT:
        text = text[: MOST_TEXT - 3] + "..."
    return ArmError(status, str(found.get("code") or ""), text or "without a word")


def _seconds(retry_after: str | None) -> float | None:
    """What a Retry-After header asks for, in seconds; it holds a number or a date (RFC 9110)."""
    if not retry_after:
        return None
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except ValueError:
        return None
