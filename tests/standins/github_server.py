"""The few parts of GitHub that the workflows talk to, over HTTP on loopback.

Strict: the headers that GitHub asks for, the rights of the token, the paths, the fields of a body and their limits.
It also gives OIDC tokens, and keeps artifacts at another address that takes no token.
"""

import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

REPOSITORY = "acme/scoring"
TOKEN = "ghs_theworkflowstoken"
OIDC_BEARER = "the-request-token"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
MOST = 65_536


class RefusedError(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


@dataclass
class GitHubServer:
    """One repository. What tests put in and look at are its fields."""

    rights: dict[str, str] = field(default_factory=dict)
    """The workflow's `permissions`, e.g. `{"issues": "write"}`."""
    issues: dict[int, Json] = field(default_factory=dict)
    comments: dict[int, list[Json]] = field(default_factory=dict)
    labels: dict[int, list[str]] = field(default_factory=dict)
    pulls: dict[str, list[Json]] = field(default_factory=dict)
    """By merge commit."""
    runs: list[Json] = field(default_factory=list)
    artifacts: dict[int, list[Json]] = field(default_factory=dict)
    """By run."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    failures: list[RefusedError] = field(default_factory=list)
    """Answers that the next calls get first."""
    tokens: int = 0
    """How many OIDC tokens were given."""

    def __post_init__(self) -> None:
        self._numbers = iter(range(1, 1_000_000))
        self._files: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._store = ThreadingHTTPServer(("127.0.0.1", 0), _store(self))

    # -- what tests do

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a job."""
        return {
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_API_URL": self.url,
            "GITHUB_RUN_ID": "77",
            "GITHUB_SHA": "a" * 40,
            "GITHUB_TOKEN": TOKEN,
        }

    @property
    def oidc(self) -> dict[str, str]:
        """What a job with `id-token: write` has on top."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/oidc?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": OIDC_BEARER,
        }

    @contextmanager
    def running(self) -> Iterator["GitHubServer"]:
        servers = (self._server, self._store)
        threads = [threading.Thread(target=each.serve_forever, args=(0.02,), daemon=True) for each in servers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for each in servers:
                each.shutdown()
                each.server_close()
            for thread in threads:
                thread.join()

    def add_pull_request(self, number: int, *, head: str, merged_as: str = "", labels: tuple[str, ...] = ()) -> None:
        self.issues[number] = {
            "number": number,
            "state": "open",
            "body": "",
            "user": {"login": "a"},
            "pull_request": {},
        }
        self.labels[number] = list(labels)
        if merged_as:
            pull = {
                "number": number,
                "merged_at": "2026-11-01T00:00:00Z",
                "merge_commit_sha": merged_as,
                "head": {"sha": head},
            }
            self.pulls.setdefault(merged_as, []).append(pull)

    def add_comment(self, number: int, body: str, *, login: str = "somebody") -> Json:
        made = {"id": next(self._numbers), "body": body, "user": {"login": login}, "html_url": f"https://g/{number}"}
        self.comments.setdefault(number, []).append(made)
        return made

    def add_run(
        self, head: str, *, conclusion: str | None = "success", path: str = ".github/workflows/preview.yml"
    ) -> int:
        number = len(self.runs) + 1
        identity = 1000 + number
        self.runs.append(
            {
                "id": identity,
                "run_number": number,
                "run_attempt": 1,
                "head_sha": head,
                "path": path,
                "conclusion": conclusion,
                "html_url": f"https://github.example/{REPOSITORY}/actions/runs/{identity}",
            }
        )
        return identity

    def add_artifact(self, run: int, name: str, files: Mapping[str, str], *, expired: bool = False) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        identity = next(self._numbers)
        self._files[f"/{identity}.zip"] = packed.getvalue()
        self.artifacts.setdefault(run, []).append({"id": identity, "name": name, "expired": expired})

    # -- what it answers

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Any:
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.requests.append((method, parts.path))
        if parts.path == "/oidc":
            return self._token(query, headers)
        if self.failures:
            raise self.failures.pop(0)
        if headers.get("authorization") != f"Bearer {TOKEN}":
            raise RefusedError(401, "Bad credentials")
        if (
            headers.get("accept") != "application/vnd.github+json"
            or headers.get("x-github-api-version") != "2022-11-28"
        ):
            raise RefusedError(400, "this stand-in wants the headers that GitHub recommends")
        if not headers.get("user-agent"):
            raise RefusedError(403, "Request forbidden by administrative rules")
        given = json.loads(body) if body else None
        for verb, form, rights, level, do in _routes():
            found = re.fullmatch(rf"/repos/{REPOSITORY}/{form}", parts.path)
            if verb == method and found:
                enough = ("read", "write") if level == "read" else ("write",)
                if not any(self.rights.get(right) in enough for right in rights):
                    raise RefusedError(403, "Resource not accessible by integration")
                return do(self, found, query, given)
        raise RefusedError(404, "Not Found")

    def file(self, path: str, headers: Mapping[str, str]) -> bytes:
        if headers.get("authorization"):
            raise RefusedError(400, "a token went to the storage")
        return self._files[path]

    def _token(self, query: Json, headers: Mapping[str, str]) -> Json:
        if headers.get("authorization") != f"Bearer {OIDC_BEARER}":
            raise RefusedError(401, "no such job")
        if query.get("audience") != "api://AzureADTokenExchange" or query.get("api-version") != "2.0":
            raise RefusedError(400, "wrong audience")
        self.tokens += 1
        return {"value": f"token-{self.tokens}", "count": 1}

    def _list_comments(self, found: re.Match[str], query: Json, _: None) -> list[Json]:
        return _page(self.comments.get(self._issue(found)["number"], []), query)

    def _make_comment(self, found: re.Match[str], _: Json, body: Json) -> Json:
        number = self._issue(found)["number"]
        return self.add_comment(number, _text(body, {"body"}), login=BOT["login"])

    def _edit_comment(self, found: re.Match[str], _: Json, body: Json) -> Json:
        for comment in [each for several in self.comments.values() for each in several]:
            if comment["id"] == int(found[1]):
                if comment["user"]["login"] != BOT["login"]:
                    raise RefusedError(403, "Must have admin rights to Repository.")
                comment["body"] = _text(body, {"body"})
                return comment
        raise RefusedError(404, "Not Found")

    def _list_labels(self, found: re.Match[str], query: Json, _: None) -> list[Json]:
        return _page([{"name": name} for name in self.labels.get(self._issue(found)["number"], [])], query)

    def _list_issues(self, found: re.Match[str], query: Json, _: None) -> list[Json]:
        wanted = query.get("state", "open")
        return _page([each for each in self.issues.values() if wanted in ("all", each["state"])], query)

    def _make_issue(self, found: re.Match[str], _: Json, body: Json) -> Json:
        _text(body, {"title", "body"})
        number = max(self.issues, default=0) + 1
        self.issues[number] = {"number": number, "state": "open", "user": BOT, **body}
        return self.issues[number]

    def _edit_issue(self, found: re.Match[str], _: Json, body: Json) -> Json:
        if unknown := body.keys() - {"title", "body", "state", "state_reason"}:
            raise RefusedError(422, f"unknown fields: {unknown}")
        if body.get("state", "open") not in ("open", "closed"):
            raise RefusedError(422, "Validation Failed")
        issue = self._issue(found)
        issue.update(body)
        return issue

    def _list_pulls(self, found: re.Match[str], query: Json, _: None) -> list[Json]:
        return self.pulls.get(found[1], [])

    def _list_runs(self, found: re.Match[str], query: Json, _: None) -> Json:
        runs = [run for run in self.runs if run["head_sha"] == query.get("head_sha", run["head_sha"])]
        runs = [run for run in runs if run["path"] == f".github/workflows/{found[1]}"]
        return {"total_count": len(runs), "workflow_runs": _page(runs[::-1], query)}

    def _list_artifacts(self, found: re.Match[str], query: Json, _: None) -> Json:
        held = [
            each for each in self.artifacts.get(int(found[1]), []) if each["name"] == query.get("name", each["name"])
        ]
        return {"total_count": len(held), "artifacts": _page(held, query)}

    def _get_artifact(self, found: re.Match[str], query: Json, _: None) -> Any:
        raise RefusedError(302, "", {"location": f"http://127.0.0.1:{self._store.server_port}/{found[1]}.zip"})

    def _issue(self, found: re.Match[str]) -> Json:
        try:
            return self.issues[int(found[1])]
        except KeyError:
            raise RefusedError(404, "Not Found") from None


def _routes() -> tuple[tuple[str, str, tuple[str, ...], str, Callable[..., Any]], ...]:
    """Method, path, the permissions of which one is needed and its level, what answers."""
    number, sha = r"(\d+)", r"([0-9a-f]{40})"
    server, either = GitHubServer, ("issues", "pull-requests")
    return (
        ("GET", f"issues/{number}/comments", either, "read", server._list_comments),
        ("POST", f"issues/{number}/comments", either, "write", server._make_comment),
        ("PATCH", f"issues/comments/{number}", either, "write", server._edit_comment),
        ("GET", f"issues/{number}/labels", either, "read", server._list_labels),
        ("GET", "issues", ("issues",), "read", server._list_issues),
        ("POST", "issues", ("issues",), "write", server._make_issue),
        ("PATCH", f"issues/{number}", ("issues",), "write", server._edit_issue),
        ("GET", f"commits/{sha}/pulls", ("pull-requests",), "read", server._list_pulls),
        ("GET", r"actions/workflows/([\w.-]+)/runs", ("actions",), "read", server._list_runs),
        ("GET", f"actions/runs/{number}/artifacts", ("actions",), "read", server._list_artifacts),
        ("GET", f"actions/artifacts/{number}/zip", ("actions",), "read", server._get_artifact),
    )


def _text(body: Json, names: set[str]) -> str:
    if body.keys() != names:
        raise RefusedError(422, f"the fields are {sorted(body)}, not {sorted(names)}")
    if len(body["body"]) > MOST:
        raise RefusedError(422, f"Validation Failed: body is too long (maximum is {MOST} characters)")
    return body["body"]


def _page(items: list[Json], query: Json) -> list[Json]:
    size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
    if not 1 <= size <= 100:
        raise RefusedError(422, "per_page goes to 100")
    return items[(page - 1) * size : page * size]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's name)
        """Nothing: the tests look at `requests`."""

    def send(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @property
    def lower(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}


def _handler(server: GitHubServer) -> type[_Handler]:
    class Handler(_Handler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                answer = server.answer(self.command, self.path, self.lower, body)
                self.send(201 if self.command == "POST" else 200, json.dumps(answer).encode())
            except RefusedError as error:
                self.send(error.status, json.dumps({"message": error.message}).encode(), error.headers)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 (http.server's names)

    return Handler


def _store(server: GitHubServer) -> type[_Handler]:
    class Handler(_Handler):
        def do_GET(self) -> None:
            try:
                self.send(200, server.file(self.path, self.lower), {"content-type": "application/zip"})
            except (RefusedError, KeyError) as error:
                self.send(400, str(error).encode())

    return Handler
