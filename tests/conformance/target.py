"""A running set of endpoints, as a check meets it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx

Values = dict[str, Any]


class Target(Protocol):
    """Runs the endpoints of `tests.conformance.endpoints`."""

    @property
    def url(self) -> str:
        """Where the gateway is."""
        ...

    @property
    def notes(self) -> Path:
        """A folder that the scripts can write to."""
        ...

    def key(self, endpoint: str, name: str = "primary") -> str:
        """One of an endpoint's keys."""
        ...

    def token(
        self,
        endpoint: str,
        *,
        audience: str | None = None,
        role: str | None = None,
        expires_in_s: int = 600,
        forged: bool = False,
    ) -> str:
        """A token for an endpoint, right in all that is not said; `role=""` for none, `forged` by another key."""
        ...

    def weigh(self, endpoint: str, traffic: Mapping[str, int]) -> None:
        """Change the percents in the config, and return when they are in effect."""
        ...


def score(target: Target, endpoint: str, body: object = 1, *, path: str = "score", **headers: str) -> httpx.Response:
    """One request with the endpoint's primary key, with `_` for `-` in the names of headers."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    known = {"authorization": f"Bearer {target.key(endpoint)}"} | given
    return post(f"{target.url}/{endpoint}/{path}", json=body, headers=known)


def post(url: str, **request: Any) -> httpx.Response:
    """One request on a connection of its own."""
    # Certificates are no matter here, and to load the machine's own takes longer than to be answered.
    return httpx.post(url, timeout=60, verify=False, **request)


def at_once(calls: Sequence[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    """The answers to requests that are sent at the same time, in their order."""
    answers: list[httpx.Response | None] = [None] * len(calls)

    def ask(place: int) -> None:
        answers[place] = calls[place]()

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answer in answers if answer is not None]
