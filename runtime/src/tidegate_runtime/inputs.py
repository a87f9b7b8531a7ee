"""From a request to the arguments of `run()`: the three ways in which a script can want them."""

from __future__ import annotations

import inspect
import io
import json
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from tidegate_runtime.compat.http import AMLRequest, is_json
from tidegate_runtime.script import InputMode, Script

Scope = dict[str, Any]
"""A request as Granian gives it: the WSGI environment without the process's variables."""


class RequestError(Exception):
    """A request that is answered with an error before the script sees it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class MethodError(RequestError):
    """A method that the script cannot be asked with."""

    def __init__(self) -> None:
        super().__init__(405, "Method not allowed")


def argument_reader(script: Script) -> Callable[[Scope, bytes], dict[str, Any]]:
    """The function that turns a request and its body into `run()`'s keyword arguments; raises `RequestError`."""
    name = script.parameters[0].name
    if script.mode is InputMode.RAW:
        return lambda scope, body: {name: _whole_request(scope, body)}
    if script.mode is InputMode.SCHEMA:
        return lambda scope, body: _by_schema(script.parameters, scope, body)

    def text(scope: Scope, body: bytes) -> dict[str, Any]:
        method = scope["REQUEST_METHOD"]
        if method == "POST":
            try:
                return {name: body.decode()}
            except UnicodeDecodeError as error:
                raise RequestError(400, f"Input cannot be decoded as UTF-8: {error}") from None
        if method == "GET":
            return {name: json.dumps(query_values(scope))}
        raise MethodError

    return text


def request_headers(scope: Scope) -> dict[str, str]:
    """The request's headers by name, in the case that the reference server gives them (`Content-Type`)."""
    headers = {name[5:].replace("_", "-").title(): value for name, value in scope.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if name in scope:
            headers[name.replace("_", "-").title()] = scope[name]
    return headers


def query_values(scope: Scope) -> dict[str, Any]:
    """Query parameters as input: JSON where a value is JSON, a list where a name comes more than once."""
    values: dict[str, list[Any]] = {}
    for name, text in parse_qsl(scope["QUERY_STRING"], keep_blank_values=True):
        values.setdefault(name, []).append(_json_or_text(text))
    return {name: each[0] if len(each) == 1 else each for name, each in values.items()}


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _whole_request(scope: Scope, body: bytes) -> Any:
    flask: Any = sys.modules.get("flask")
    if flask is None:
        return AMLRequest(scope, request_headers(scope), body)
    environ = {**scope, "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "SCRIPT_NAME": ""}
    return flask.Request(environ)


def _by_schema(parameters: tuple[inspect.Parameter, ...], scope: Scope, body: bytes) -> dict[str, Any]:
    method = scope["REQUEST_METHOD"]
    if method == "GET":
        values = query_values(scope)
    elif method == "POST":
        values = _json_object(scope, body)
    else:
        raise MethodError
    arguments = {each.name: values.get(each.name, each.default) for each in parameters}
    for name, value in arguments.items():
        if value is inspect.Parameter.empty:
            raise RequestError(400, f"A value is not provided for the {name!r} parameter.")
    return arguments


def _json_object(scope: Scope, body: bytes) -> dict[str, Any]:
    if not is_json(scope.get("CONTENT_TYPE")):
        raise RequestError(415, "Expects Content-Type to be application/json")
    if not body:
        raise RequestError(400, "POST body is empty. Expecting a JSON dictionary.")
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"POST body could not be decoded as JSON: {error}") from None
    if not isinstance(values, dict):
        raise RequestError(400, "POST body should be a JSON dictionary.")
    return values
