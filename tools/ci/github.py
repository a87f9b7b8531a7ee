"""The few calls of GitHub's REST API that the workflows make."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]

VERSION = "2022-11-28"
BOT = "github-actions[bot]"
"""Who writes with a workflow's own token. A marker in somebody else's text counts for nothing."""
PER_PAGE = 100
TRIES = 4
MOST_WAIT_S = 60.0

_PASSING = frozenset({429, 502, 503, 504})


class GitHubError(Exception):
    """GitHub refused, or could not be reached; the text is GitHub's own and holds no token."""


@dataclass(frozen=True)
class Run:
    """The workflow's run, as GitHub describes it in the environment."""

    repository: str
    server: str
    api: str
    number: str
    attempt: str
    commit: str

    @classmethod
    def here(cls, environment: Mapping[str, str] = os.environ) -> "Run":
        """The run that this process belongs to."""
        return cls(
            repository=environment["GITHUB_REPOSITORY"],
            server=environment.get("GITHUB_SERVER_URL", "https://github.com"),
            api=environment.get("GITHUB_API_URL", "https://api.github.com"),
            number=environment["GITHUB_RUN_ID"],
            attempt=environment.get("GITHUB_RUN_ATTEMPT", "1"),
            commit=environment["GITHUB_SHA"],
        )

    @property
    def link(self) -> str:
        """The run's page."""
        return f"{self.server}/{self.repository}/actions/runs/{self.number}"


class GitHub:
    """One repository through the API, with a token whose rights the workflow's `permissions` set."""

    def __init__(self, run: Run, token: str, *, wait: Callable[[float], None] = time.sleep) -> None:
        """`wait` is how long a pause takes before a refused call is made again."""
        self._wait = wait
        self._client = httpx.Client(
            base_url=f"{run.api}/repos/{run.repository}/",
            headers={
                "accept": "application/vnd.github+json",
                "authorization": f"Bearer {token}",
                "x-github-api-version": VERSION,
                "user-agent": "tidegate-ci",
            },
            timeout=30,
        )

    def __enter__(self) -> "GitHub":
        """Keep its connections until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self._client.close()

    def get(self, path: str, **query: str | int) -> Any:
        """What stands at a path below the repository."""
        return self._ask("GET", path, params=query).json()

    def pages(self, path: str, items: str = "", **query: str | int) -> Iterator[Json]:
        """Everything of a list, page by page; `items` is the key of the list where the answer is an object."""
        page = 1
        while True:
            answer = self.get(path, **query, per_page=PER_PAGE, page=page)
            found: list[Json] = answer[items] if items else answer
            yield from found
            if len(found) < PER_PAGE:
                return
            page += 1

    def post(self, path: str, body: Json) -> Json:
        """Make something."""
        return self._ask("POST", path, json=body).json()

    def patch(self, path: str, body: Json) -> Json:
        """Change something."""
        return self._ask("PATCH", path, json=body).json()

    def download(self, path: str) -> bytes:
        """A file that the API answers with the address of; that address gets no token of ours."""
        answer = self._ask("GET", path)
        if not answer.is_redirect:
            return answer.content
        try:
            stored = httpx.get(answer.headers["location"], timeout=60, follow_redirects=False)
            return stored.raise_for_status().content
        except httpx.HTTPError as error:
            raise GitHubError(f"GET {path}: the file cannot be had: {type(error).__name__}") from error

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        for tried in range(1, TRIES + 1):
            try:
                answer = self._client.request(method, path, **arguments)
            except httpx.TransportError as error:
                # A POST that GitHub may have carried out is not sent twice.
                if tried == TRIES or (method == "POST" and not isinstance(error, httpx.ConnectError)):
                    raise GitHubError(f"{method} {path}: GitHub cannot be reached: {type(error).__name__}") from error
                self._wait(2.0**tried)
                continue
            if not answer.is_error:
                return answer
            again = answer.status_code in _PASSING or "retry-after" in answer.headers
            if tried == TRIES or not again or (method == "POST" and answer.status_code >= 500):
                raise GitHubError(_refusal(method, path, answer))
            self._wait(min(_seconds(answer.headers.get("retry-after", "")) or 2.0**tried, MOST_WAIT_S))
        raise AssertionError("unreachable")


def _seconds(text: str) -> float:
    return float(text) if text.isdigit() else 0.0


def _refusal(method: str, path: str, answer: httpx.Response) -> str:
    try:
        said = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        said = answer.reason_phrase
    hint = "; does the job's `permissions` allow it?" if answer.status_code in (401, 403) else ""
    return f"{method} {path}: GitHub answered {answer.status_code}: {said}{hint}"
