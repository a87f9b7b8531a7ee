"""The HTTP contract: one call a request, on one of the worker's threads."""

from __future__ import annotations

import json
import queue
import time
import traceback
from typing import Any, NoReturn

from tidegate_runtime import logs
from tidegate_runtime.bounds import ScoringTimeout, Slot, Slots
from tidegate_runtime.identity import id_source
from tidegate_runtime.script import Script
from tidegate_runtime.settings import Settings

Header = tuple[str, str]

_JSON: Header = ("content-type", "application/json")
_NOT_FAILED: Header = ("x-ms-run-function-failed", "False")
_FAILED: Header = ("x-ms-run-function-failed", "True")
_ID_LIMIT = 100
_SCRIPT_ERROR = "An unexpected error occurred in scoring script. Check the logs for more info."
_INTERNAL_ERROR = "An unexpected internal error occurred. Check the logs for more info."
_NOT_FOUND = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and "
    "try again."
)
_METHOD_NOT_ALLOWED = "The method is not allowed for the requested URL."


class RequestError(Exception):
    """A request that is answered with an error before the script sees it."""

    def __init__(self, status: int, message: str, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class Application:
    """Answers requests. Granian calls it with its response object and a WSGI environment."""

    def __init__(self, settings: Settings, script: Script) -> None:
        self._settings = settings
        self._run = script.run
        self._parameter = script.parameters[0].name
        self._wants_headers = script.wants_headers
        self._timeout_s = settings.scoring_timeout_ms / 1000
        self._wait_s = settings.max_queue_wait_ms / 1000
        self._retry_after: Header = ("retry-after", str(max(1, round(self._wait_s))))
        self._new_id = id_source()
        self._encode = json.JSONEncoder().encode
        self.slots: Slots

    def __call__(self, proto: Any, scope: dict[str, Any]) -> None:
        """Answer one request."""
        path = scope["PATH_INFO"]
        try:
            if path == "/score":
                status, headers, body = self._score(proto, scope)
            elif path == "/" and scope["REQUEST_METHOD"] == "GET":
                status, headers, body = 200, [("content-type", "text/html; charset=utf-8")], b"Healthy"
            elif path == "/":
                status, headers, body = _error(405, _METHOD_NOT_ALLOWED, [])
            else:
                status, headers, body = _error(404, _NOT_FOUND, [])
        except RequestError as error:
            status, headers, body = _error(error.status, error.message, [*self._ids(scope, new=True), *error.headers])
        except Exception:
            # The last resort: a bug here must not show itself to a client, nor leave it without an answer.
            logs.write(traceback.format_exc().encode())
            status, headers, body = _error(500, _INTERNAL_ERROR, [])
        proto.response_bytes(status, headers, body)

    def answer_hanging(self, request: Any) -> None:
        """Answer in the place of a run that does not come back."""
        proto, ids = request
        logs.say(f"run() did not stop {self._settings.scoring_timeout_ms} ms after its start; the worker is replaced")
        status, headers, body = self._timed_out(ids)
        proto.response_bytes(status, headers, body)

    def _score(self, proto: Any, scope: dict[str, Any]) -> tuple[int, list[Header], bytes]:
        arrived = time.time()
        ids = self._ids(scope)
        arguments = self._arguments(scope)
        if self._wants_headers:
            arguments["request_headers"] = request_headers(scope)
        try:
            slot = self.slots.try_take()
        except queue.Empty:
            slot = self._wait_for_slot(scope, arrived)
        try:
            started = time.perf_counter()
            result = self._run_in(slot, (proto, ids), arguments)
            elapsed_ms = (time.perf_counter() - started) * 1000
        except ScoringTimeout:
            logs.write(traceback.format_exc().encode())
            return self._timed_out(ids)
        except BaseException:
            # SystemExit too: a script must not take the worker down.
            logs.write(traceback.format_exc().encode())
            return _error(500, _SCRIPT_ERROR, ids, _FAILED)
        finally:
            self.slots.give_back(slot)
        try:
            body = self._encode({} if result is None else result).encode()
        except (TypeError, ValueError, RecursionError):
            logs.write(traceback.format_exc().encode())
            return _error(500, _INTERNAL_ERROR, ids, _FAILED)
        return 200, [_JSON, _NOT_FAILED, *ids, ("x-ms-run-fn-exec-ms", f"{elapsed_ms:.3f}")], body

    def _run_in(self, slot: Slot, request: Any, arguments: dict[str, Any]) -> Any:
        slot.begin(self._timeout_s, request)
        try:
            result = self._run(**arguments)
        except ScoringTimeout:
            raise
        except BaseException:
            slot.end()
            raise
        slot.end()
        return result

    def _wait_for_slot(self, scope: dict[str, Any], arrived: float) -> Slot:
        slot = self.slots.take(_arrival(scope, arrived) + self._wait_s - time.time())
        if slot is None:
            raise RequestError(503, "The scoring queue is full. Try again later.", (self._retry_after,))
        return slot

    def _timed_out(self, ids: list[Header]) -> tuple[int, list[Header], bytes]:
        return _error(500, f"Scoring timeout after {self._settings.scoring_timeout_ms} ms", ids, _FAILED)

    def _ids(self, scope: dict[str, Any], *, new: bool = False) -> list[Header]:
        """The id headers of the answer; with `new`, given ids that are too long are left out."""
        request_id = scope.get("HTTP_X_REQUEST_ID") or self._new_id()
        client_id = scope.get("HTTP_X_MS_CLIENT_REQUEST_ID") or ""
        legacy_id = scope.get("HTTP_X_MS_REQUEST_ID") or ""
        if legacy_id and not client_id:
            client_id = legacy_id
        legacy_id = legacy_id or client_id or request_id
        if not new:
            if len(request_id) > _ID_LIMIT:
                raise RequestError(431, f"x-request-id must not exceed {_ID_LIMIT} characters")
            if len(legacy_id) > _ID_LIMIT or len(client_id) > _ID_LIMIT:
                message = f"x-ms-request-id and x-ms-client-request-id must not exceed {_ID_LIMIT} characters"
                raise RequestError(431, message)
        named = (("x-request-id", request_id), ("x-ms-request-id", legacy_id), ("x-ms-client-request-id", client_id))
        ids = [(name, value) for name, value in named if value and len(value) <= _ID_LIMIT]
        if trace := scope.get("HTTP_TRACEID"):
            ids.append(("TraceId", trace))
        return ids

    def _arguments(self, scope: dict[str, Any]) -> dict[str, Any]:
        if scope["REQUEST_METHOD"] != "POST":
            raise RequestError(405, "Method not allowed")
        body = self._body(scope)
        try:
            return {self._parameter: body.decode()}
        except UnicodeDecodeError as error:
            raise RequestError(400, f"Input cannot be decoded as UTF-8: {error}") from None

    def _body(self, scope: dict[str, Any]) -> bytes:
        limit = self._settings.max_request_bytes
        if int(scope.get("CONTENT_LENGTH") or 0) > limit:
            self._too_large()
        body = scope["wsgi.input"].read(limit + 1)
        if len(body) > limit:
            self._too_large()
        return body

    def _too_large(self) -> NoReturn:
        raise RequestError(413, f"The request is larger than {self._settings.max_request_bytes} bytes.")


def request_headers(scope: dict[str, Any]) -> dict[str, str]:
    """The request's headers by name, in the case that the reference server gives them (`Content-Type`)."""
    headers = {name[5:].replace("_", "-").title(): value for name, value in scope.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if name in scope:
            headers[name.replace("_", "-").title()] = scope[name]
    return headers


def _error(
    status: int, message: str, headers: list[Header], failed: Header = _NOT_FAILED
) -> tuple[int, list[Header], bytes]:
    return status, [_JSON, failed, *headers], json.dumps({"message": message}).encode()


def _arrival(scope: dict[str, Any], picked_up: float) -> float:
    """When the request arrived: the gateway's stamp (`t=` seconds since 1970), else the moment of pick-up."""
    stamp = scope.get("HTTP_X_REQUEST_START", "")
    try:
        return min(float(stamp[2:]), picked_up) if stamp.startswith("t=") else picked_up
    except ValueError:
        return picked_up
