"""A Kubernetes API server over HTTP: the few reads, and the port-forward, that waiting for pods takes."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import httpx

from providers.kubernetes.kubeconfig import Access, KubernetesError, read_kubeconfig
from providers.kubernetes.port_forward import Tunnel, open_tunnel

PATIENCE_S = 20.0
"""How long a call is repeated that does not get through."""
_PAUSE_S = 0.5
_FORWARD_S = 15.0
_PAGE = 500
_MOST_TEXT = 600
_BUSY = frozenset({429, 500, 502, 503, 504})

Json = dict[str, Any]
T = TypeVar("T")


class RefusedError(KubernetesError):
    """The API server refuses a call; `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class UnreachableError(KubernetesError):
    """The API server does not answer."""


class Api:
    """One connection to the API server of a kubeconfig; a context manager.

    Calls raise `RefusedError`, `UnreachableError` once they did not get through for `patience_s`, and `LoginError`
    where there is no login. They end early, as unreachable, when `cancelled` is set.
    """

    def __init__(
        self, kubeconfig: str, *, cancelled: threading.Event | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        """Read the kubeconfig. Raises `KubeconfigError`."""
        self._access: Access = read_kubeconfig(kubeconfig)
        self._cancelled = cancelled or threading.Event()
        self._patience_s = patience_s
        self._client = httpx.Client(
            base_url=self._access.server,
            verify=self._access.tls or True,
            timeout=httpx.Timeout(30, connect=10),
            headers={"accept": "application/json"},
        )

    def __enter__(self) -> "Api":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str) -> Json:
        """The object at `path`."""
        return self._repeated(lambda renew: cast("Json", _read(self._sent(path, {}, renew)).json()))

    def find(self, path: str) -> Json | None:
        """The object at `path`, None where there is none."""
        try:
            return self.get(path)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def each(self, path: str, **selectors: str) -> list[Json]:
        """The members of the list at `path`; selectors as the API names them (`labelSelector`, `fieldSelector`)."""
        found: list[Json] = []
        token = ""
        while True:
            query = {"limit": str(_PAGE), **selectors} | ({"continue": token} if token else {})
            page = self._repeated(lambda renew, query=query: _read(self._sent(path, query, renew)).json())
            found += page["items"]
            token = page.get("metadata", {}).get("continue", "")
            if not token:
                return found

    def text(self, path: str, **query: str) -> str:
        """The text at `path`, such as a log."""
        return self._repeated(lambda renew: _read(self._sent(path, query, renew)).content.decode(errors="replace"))

    def lines(self, path: str, **query: str) -> Iterator[str]:
        """The lines at `path` as they are written, until their end."""
        headers = self._headers(renew=False)
        try:
            with self._client.stream("GET", path, params=query, headers=headers, timeout=None) as answer:
                if answer.status_code >= 400:
                    answer.read()
                yield from _read(answer).iter_lines()
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    @contextmanager
    def forward(self, namespace: str, pod: str, port: int) -> Iterator[Tunnel]:
        """A socket to a port of a pod, open until the end of the block."""
        from websockets.exceptions import InvalidHandshake, InvalidStatus  # noqa: PLC0415 (only what forwards)

        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward?{urlencode({'ports': port})}"
        with ExitStack() as stack:
            try:
                headers = self._headers(renew=False)
                tunnel = stack.enter_context(open_tunnel(self._access, path, headers, timeout_s=_FORWARD_S))
            except InvalidStatus as error:
                raise _refusal(error.response.status_code, bytes(error.response.body or b"")) from None
            except (OSError, InvalidHandshake) as error:
                raise self._unreachable(error) from None
            yield tunnel

    def _repeated(self, call: Callable[[bool], T]) -> T:
        until = time.monotonic() + self._patience_s
        renew = False
        while True:
            try:
                return call(renew)
            except httpx.TransportError as error:
                failure: KubernetesError = self._unreachable(error)
            except RefusedError as error:
                failure = error
                if error.status == 401 and not renew:
                    renew = True
                    continue
                if error.status not in _BUSY:
                    raise
            except (json.JSONDecodeError, KeyError):
                raise UnreachableError(f"{self._access.host} does not answer as an API server does") from None
            if time.monotonic() > until or self._cancelled.wait(_PAUSE_S):
                raise failure

    def _sent(self, path: str, query: dict[str, str], renew: bool) -> httpx.Response:
        return self._client.get(path, params=query, headers=self._headers(renew=renew))

    def _headers(self, *, renew: bool) -> dict[str, str]:
        token = self._access.bearer(renew)
        return {"authorization": f"Bearer {token}"} if token else {}

    def _unreachable(self, error: Exception) -> UnreachableError:
        why = str(error) or type(error).__name__
        return UnreachableError(f"the API server {self._access.host} cannot be reached: {why[:_MOST_TEXT]}")


def _read(answer: httpx.Response) -> httpx.Response:
    if answer.status_code >= 400:
        raise _refusal(answer.status_code, answer.content)
    return answer


def _refusal(status: int, body: bytes) -> RefusedError:
    try:
        said = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        said = " ".join(body.decode(errors="replace").split()) or "no reason given"
    return RefusedError(status, f"the API server answers {status}: {said[:_MOST_TEXT]}")
