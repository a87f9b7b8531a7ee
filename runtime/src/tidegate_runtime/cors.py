"""Cross-origin headers, as flask-cors gives them in the reference server."""

from __future__ import annotations

from tidegate_runtime.inputs import Scope
from tidegate_runtime.results import Header

_METHODS = "GET, POST"


class Cors:
    """The headers that let scripts of certain origins read answers."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = origins

    def headers(self, scope: Scope) -> list[Header]:
        """The headers for the answer to a request; none where its origin is not among the allowed."""
        origin = scope.get("HTTP_ORIGIN", "")
        if not origin:
            allowed = "*" if "*" in self._origins else min(self._origins)
        elif origin in self._origins or "*" in self._origins:
            allowed = origin
        else:
            return []
        headers = [("access-control-allow-origin", allowed)]
        if len(self._origins) > 1 or "*" in self._origins:
            headers.append(("vary", "Origin"))
        if scope["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in scope:
            headers.append(("access-control-allow-methods", _METHODS))
            if asked := scope.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS"):
                headers.append(("access-control-allow-headers", asked))
        return headers
