"""A span for each request of `/score`, open while the script runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import ProxyTracerProvider, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tidegate_runtime.bounds import ScoringTimeout
from tidegate_runtime.settings import Settings
from tidegate_runtime.telemetry.exceptions import exception_attributes

_PROPAGATOR = TraceContextTextMapPropagator()
_VALUE_LIMIT = 8192
"""Characters that Application Insights keeps of a property."""


class RequestTracer:
    """Makes the spans of requests. An exchange carries its own, as `trace`, from its run to its end."""

    def __init__(self, settings: Settings, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("tidegate")
        self._responses = settings.telemetry_responses
        self._timeout = {
            "exception.type": "ScoringTimeout",
            "exception.message": f"Scoring timeout after {settings.scoring_timeout_ms} ms",
        }
        self._constant = {
            # The first three have the names that the reference server gives them.
            "Service Name": settings.service_name,
            "Container Id": settings.replica,
            **({"Workspace Name": settings.workspace_name} if settings.workspace_name else {}),
            "tidegate.version": settings.service_version,
        }

    def adopt(self) -> None:
        """Make the provider the process's own, unless the script has chosen one."""
        if isinstance(trace.get_tracer_provider(), ProxyTracerProvider):
            trace.set_tracer_provider(self._provider)

    def run(self, exchange: Any, function: Callable[[], Any]) -> Any:
        """Call a function inside the span of its request."""
        parent = _parent(exchange.scope)
        span = exchange.trace = self._start(exchange, parent)
        # A timeout may strike before `detach`; the next run on this thread attaches a context that inherits nothing.
        token = attach(trace.set_span_in_context(span, parent))
        try:
            return function()
        except ScoringTimeout:
            raise  # recorded at the end, where also those are known that the script has swallowed
        except BaseException as error:
            _add_exception(span, exchange, exception_attributes(error))
            raise
        finally:
            detach(token)

    def finish(self, exchange: Any, status: int, body: bytes) -> None:
        """End the span of an exchange, whether its script has run or not."""
        scope = exchange.scope
        span = exchange.trace or self._start(exchange, _parent(scope))
        path = scope["PATH_INFO"]
        span.set_attributes(
            {
                **self._constant,
                "Request Id": exchange.request_id,
                "Client Request Id": exchange.client_id,
                "tidegate.queue_ms": exchange.queue_s * 1000,
                "tidegate.run_ms": exchange.run_s * 1000,
                "http.request.method": scope["REQUEST_METHOD"],
                "http.response.status_code": status,
                "http.route": path,
                "url.scheme": scope["wsgi.url_scheme"],
                "url.path": path,
                "server.address": scope.get("HTTP_HOST", ""),
            }
        )
        if self._responses:
            span.set_attribute("Response Value", body.decode(errors="replace")[:_VALUE_LIMIT])
        if exchange.timed_out:
            _add_exception(span, exchange, self._timeout)
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()

    def _start(self, exchange: Any, parent: Context) -> Span:
        scope = exchange.scope
        name = f"{scope['REQUEST_METHOD']} {scope['PATH_INFO']}"
        start = int(exchange.arrived * 1e9)
        return self._tracer.start_span(name, parent, kind=SpanKind.SERVER, start_time=start)


def _add_exception(span: Span, exchange: Any, attributes: dict[str, str]) -> None:
    span.add_event("exception", {**attributes, "Request Id": exchange.request_id})


def _parent(scope: dict[str, Any]) -> Context:
    """The caller's span, by W3C Trace Context."""
    given = scope.get("HTTP_TRACEPARENT")
    if given is None:
        return Context()
    carrier = {"traceparent": given, "tracestate": scope.get("HTTP_TRACESTATE", "")}
    return _PROPAGATOR.extract(carrier, Context())
