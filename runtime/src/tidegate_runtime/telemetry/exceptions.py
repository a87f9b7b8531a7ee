"""An exception as OpenTelemetry's attributes, which Application Insights shows as an exception record."""

from __future__ import annotations

from tidegate_runtime.logs import script_traceback


def exception_attributes(error: BaseException) -> dict[str, str]:
    """Type, message and the script's own part of the traceback, as text: an exception kept would keep its frames."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return {
        "exception.type": f"{module}{kind.__qualname__}",
        "exception.message": str(error),
        "exception.stacktrace": script_traceback(error),
    }
