"""The HTTP contract: routes, headers, and the way of a scoring request through the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from tidegate_runtime import __version__, logs
from tidegate_runtime.bounds import QueueFullError, ScoringTimeout, Slot, Slots
from tidegate_runtime.cors import Cors
from tidegate_runtime.identity import id_source
from tidegate_runtime.inputs import MethodError, RequestError, Scope, argument_reader, request_headers
from tidegate_runtime.metrics import Counters
from tidegate_runtime.results import FAILED, NOT_FAILED, Answer, Header, SerializationError, answer_of, error_answer
from tidegate_runtime.script import Script
from tidegate_runtime.settings import Settings
from tidegate_runtime.swagger import DOCS_PAGE, Swagger, SwaggerError

Sink = Callable[["Exchange", int, bytes], None]
"""Told of each scoring request after its answer has left: the exchange, the status, the answer's body."""

Runner = Callable[["Exchange", Callable[..., Any], dict[str, Any]], Any]
"""Calls the script's function with the arguments of an exchange, and may do something around it."""

_ID_LIMIT = 100
_LARGE_BYTES = 64 * 1024
"""What a body may take in memory while its request waits and its thread fetches others."""
_SCRIPT_ERROR = "An unexpected error occurred in scoring script. Check the logs for more info."
_INTERNAL_ERROR = "An unexpected internal error occurred. Check the logs for more info."
_NOT_FOUND = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and "
    "try again."
)
_METHOD_NOT_ALLOWED = "The method is not allowed for the requested URL."
_ALLOW: Header = ("allow", "GET, HEAD, OPTIONS")
_HTML: Header = ("content-type", "text/html; charset=utf-8")


class Exchange:
    """A scoring request on its way: what it asked, and what has been measured."""

    __slots__ = (
        "arguments", "arrived", "body", "client_id", "finished", "headers", "proto", "queue_s", "ran",
        "request_id", "run_s", "scope", "serialized", "shadow", "since", "timed_out", "trace",
    )  # fmt: skip

    def __init__(self, proto: Any, scope: Scope) -> None:
        self.proto = proto
        self.scope = scope
        self.arrived = time.time()
        self.request_id = ""
        self.client_id = ""
        self.headers: list[Header] = []
        """What its answer carries whatever happens: ids and the server's version."""
        self.body = b""
        self.arguments: dict[str, Any] = {}
        """What `run()` is called with."""
        self.since = 0.0
        """Since when it waits for a slot, where it does."""
        self.finished: threading.Event | None = None
        """Told of its answer, where a thread waits for that."""
        self.queue_s = 0.0
        self.run_s = 0.0
        self.ran = False
        self.serialized = False
        """Whether its answer's body is JSON of the server's own making."""
        self.shadow = False
        """Whether it is a copy of a request that another version answers."""
        self.timed_out = False
        self.trace: Any = None
        """What the runner keeps with it."""


class Application:
    """Answers requests. Granian calls it with its response object and a WSGI environment."""

    def __init__(
        self,
        settings: Settings,
        script: Script,
        *,
        deadlines: memoryview[float],
        counters: Counters,
        end_worker: Callable[[], None],
        output: logs.ScriptOutput,
        sinks: tuple[Sink, ...] = (),
        runner: Runner | None = None,
    ) -> None:
        self._settings = settings
        self._version = settings.service_version
        self._run = script.run
        self._arguments = argument_reader(script)
        self._wants_headers = script.wants_headers
        self._timeout_s = settings.scoring_timeout_ms / 1000
        self._wait_s = settings.max_queue_wait_ms / 1000
        self._retry_after: Header = ("retry-after", str(max(1, round(self._wait_s))))
        self._server: list[Header] = [("x-ms-server-version", f"tidegate/{__version__}")] * settings.server_header
        self._cors = Cors(settings.cors_origins) if settings.cors_origins else None
        self._new_id = id_source()
        self._swagger = Swagger(settings, script)
        self._counters = counters
        self._sinks = sinks
        self._runner = runner
        self._pages: dict[str, Callable[[Scope], Answer]] = {
            "/": lambda _: Answer(200, [_HTML], b"Healthy"),
            "/docs": lambda _: Answer(200, [_HTML], DOCS_PAGE),
            "/swagger.json": self._describe,
        }
        self._under_way: list[None] = []
        self.slots = Slots(
            deadlines,
            self._timeout_s,
            tell_waiting=counters.waiting,
            refuse=self._refuse,
            answer_hanging=self._answer_hanging,
            end_worker=end_worker,
        )
        self._output = output
        output.request_id = self._running_id

    def __call__(self, proto: Any, scope: Scope) -> None:
        """Take one request in. A body that comes slowly holds its thread: Granian gives it to no other."""
        if scope["PATH_INFO"] == "/score":
            self._score(Exchange(proto, scope))
            return
        self._under_way.append(None)
        try:
            self._send(proto, scope, self._other_route(scope))
        except Exception as error:
            self._send(proto, scope, self._own_failure(error))
        finally:
            self._under_way.pop()

    @property
    def idle(self) -> bool:
        """Whether no request is on its way."""
        return not self._under_way

    def _score(self, exchange: Exchange) -> None:
        """Answer a scoring request and those that have come to wait for its slot, or leave it to whoever has one."""
        self._under_way.append(None)
        refusal = self._admit(exchange)
        if refusal is not None:
            self._finish(exchange, refusal)
            return
        try:
            slot = self.slots.try_take()
        except IndexError:
            slot = self._take_or_wait(exchange)
        while slot is not None:
            try:
                answer = self._scored(slot, exchange)
            except Exception as error:
                answer = self._own_failure(error)
            self._finish(exchange, answer)
            waiting = self.slots.pass_on(slot)
            if waiting is None:
                return
            exchange = waiting
            exchange.queue_s = max(time.time() - exchange.since, 0.0)

    def _admit(self, exchange: Exchange) -> Answer | None:
        """Read a request; the answer where it is none that the script can be asked with."""
        scope = exchange.scope
        # The gateway writes there which version it sends a request to, and makes copies for shadows of the result.
        exchange.shadow = scope.get("HTTP_X_TIDEGATE_VERSION", self._version) != self._version
        try:
            self._identify(exchange)
            exchange.body = self._body(scope)
            exchange.arguments = self._arguments(scope, exchange.body)
        except MethodError as error:
            if scope["REQUEST_METHOD"] == "OPTIONS":
                return Answer(200, [_HTML, NOT_FAILED], b"")
            return error_answer(error.status, error.message)
        except RequestError as error:
            return error_answer(error.status, error.message)
        except Exception as error:
            return self._own_failure(error)
        if self._wants_headers:
            exchange.arguments["request_headers"] = request_headers(scope)
        return None

    def _take_or_wait(self, exchange: Exchange) -> Slot | None:
        """A slot at once, or None where the request has been left to whoever has one, or has been refused."""
        exchange.since = _arrival(exchange)
        # Bodies of requests that wait are in memory: large ones keep their threads from fetching more of them.
        finished = exchange.finished = threading.Event() if len(exchange.body) > _LARGE_BYTES else None
        try:
            slot = self.slots.take(exchange, exchange.since + self._wait_s - time.time())
        except QueueFullError:
            self._refuse(exchange)
            return None
        if slot is None:
            if finished is None:
                self.slots.rest()
            else:
                finished.wait()
        return slot

    def _refuse(self, exchange: Exchange) -> None:
        """Answer a request whose wait is over."""
        exchange.queue_s = max(time.time() - exchange.since, 0.0)
        answer = error_answer(503, "The scoring queue is full. Try again later.")
        answer.headers.append(self._retry_after)
        self._finish(exchange, answer)

    def _scored(self, slot: Slot, exchange: Exchange) -> Answer:
        """Run the script and make an answer of what it returns."""
        started = time.perf_counter()
        try:
            result = self._run_in(slot, exchange)
        except ScoringTimeout as error:
            logs.script_error(error, exchange.request_id)
            return self._timed_out(exchange)
        except BaseException as error:
            logs.script_error(error, exchange.request_id)
            return error_answer(500, _SCRIPT_ERROR, FAILED)
        finally:
            exchange.run_s = time.perf_counter() - started
            exchange.ran = True
            slot.clear()
            self._output.end(exchange.request_id)
        try:
            answer = answer_of(result)
        except SerializationError as error:
            logs.write(f"[{exchange.request_id}] run() returned what cannot be sent as JSON: {error}\n")
            return error_answer(500, _INTERNAL_ERROR, FAILED)
        exchange.serialized = answer.serialized
        answer.headers.append(("x-ms-run-fn-exec-ms", f"{exchange.run_s * 1000:.3f}"))
        return answer

    def _run_in(self, slot: Slot, exchange: Exchange) -> Any:
        slot.begin(self._timeout_s, exchange)
        try:
            arguments = exchange.arguments
            result = self._run(**arguments) if self._runner is None else self._runner(exchange, self._run, arguments)
        except ScoringTimeout:
            raise
        except BaseException:
            slot.end()
            raise
        slot.end()
        return result

    def _answer_hanging(self, exchange: Exchange) -> None:
        """Answer in the place of a run that does not come back."""
        limit = self._settings.scoring_timeout_ms
        logs.write(f"[{exchange.request_id}] run() did not stop at its timeout of {limit} ms: its worker is replaced\n")
        exchange.run_s = self._timeout_s
        exchange.ran = True
        self._finish(exchange, self._timed_out(exchange))

    def _own_failure(self, error: Exception) -> Answer:
        logs.write(f"{type(error).__name__} in the server\n")
        logs.script_error(error)
        return error_answer(500, _INTERNAL_ERROR)

    def _timed_out(self, exchange: Exchange) -> Answer:
        exchange.timed_out = True
        status = 504 if self._settings.strict_status else 500
        return error_answer(status, f"Scoring timeout after {self._settings.scoring_timeout_ms} ms", FAILED)

    def _finish(self, exchange: Exchange, answer: Answer) -> None:
        """Send a scoring request's answer, count it, and tell the sinks."""
        answer.headers.extend(exchange.headers)
        try:
            self._send(exchange.proto, exchange.scope, answer, count=False)
            if exchange.ran:
                self._counters.ran(answer.status, exchange.queue_s, exchange.run_s)
            else:
                self._counters.answered(answer.status)
            if exchange.shadow:
                self._counters.shadowed()
            for sink in self._sinks:
                sink(exchange, answer.status, answer.body)
        except Exception as error:  # such as a status that HTTP cannot say
            self._send(exchange.proto, exchange.scope, self._own_failure(error))
        finally:
            self._under_way.pop()
            if exchange.finished is not None:
                exchange.finished.set()

    def _send(self, proto: Any, scope: Scope, answer: Answer, *, count: bool = True) -> None:
        if self._cors is not None:
            answer.headers.extend(self._cors.headers(scope))
        proto.response_bytes(answer.status, answer.headers, answer.body)
        if count:
            self._counters.answered(answer.status)

    def _identify(self, exchange: Exchange) -> None:
        """The ids of a request by the contract's rules; refuses those that are too long."""
        scope = exchange.scope
        request_id = exchange.request_id = scope.get("HTTP_X_REQUEST_ID") or self._new_id()
        client_id: str = scope.get("HTTP_X_MS_CLIENT_REQUEST_ID") or ""
        legacy_id: str = scope.get("HTTP_X_MS_REQUEST_ID") or ""
        if legacy_id:
            client_id = client_id or legacy_id
        else:
            legacy_id = client_id or request_id
        headers = exchange.headers
        headers.extend(self._server)
        if "HTTP_TRACEID" in scope:
            headers.append(("TraceId", scope["HTTP_TRACEID"]))
        if len(request_id) > _ID_LIMIT:
            exchange.request_id = ""
            raise RequestError(431, f"x-request-id must not exceed {_ID_LIMIT} characters")
        headers.append(("x-request-id", request_id))
        if len(legacy_id) > _ID_LIMIT or len(client_id) > _ID_LIMIT:
            raise RequestError(
                431, f"x-ms-request-id and x-ms-client-request-id must not exceed {_ID_LIMIT} characters"
            )
        headers.append(("x-ms-request-id", legacy_id))
        if client_id:
            headers.append(("x-ms-client-request-id", client_id))
            exchange.client_id = client_id

    def _body(self, scope: Scope) -> bytes:
        limit = self._settings.max_request_bytes
        length = int(scope.get("CONTENT_LENGTH") or 0)
        body: bytes = scope["wsgi.input"].read(limit + 1) if length <= limit else b""
        if length > limit or len(body) > limit:
            raise RequestError(413, f"The request is larger than {limit} bytes.")
        if len(body) < length:
            raise RequestError(400, "The request ended before its body was complete.")
        return body

    def _other_route(self, scope: Scope) -> Answer:
        page = self._pages.get(scope["PATH_INFO"])
        method = scope["REQUEST_METHOD"]
        if page is None:
            return error_answer(404, _NOT_FOUND)
        if method == "OPTIONS":
            return Answer(200, [_HTML, _ALLOW], b"")
        if method in ("GET", "HEAD"):
            return page(scope)
        answer = error_answer(405, _METHOD_NOT_ALLOWED)
        answer.headers.append(_ALLOW)
        return answer

    def _describe(self, scope: Scope) -> Answer:
        try:
            return answer_of(self._swagger.document(parse_qs(scope["QUERY_STRING"]).get("version", ["2"])[0]))
        except SwaggerError as error:
            return error_answer(404, str(error))

    def _running_id(self) -> str:
        """The id of the request that this thread runs, "" where it runs none."""
        exchange = self.slots.request_on(threading.get_ident())
        return "" if exchange is None else exchange.request_id


def _arrival(exchange: Exchange) -> float:
    """When the request arrived: the gateway's stamp (`t=` seconds since 1970), else the moment of pick-up."""
    stamp = exchange.scope.get("HTTP_X_REQUEST_START", "")
    try:
        return min(float(stamp[2:]), exchange.arrived) if stamp.startswith("t=") else exchange.arrived
    except ValueError:
        return exchange.arrived
