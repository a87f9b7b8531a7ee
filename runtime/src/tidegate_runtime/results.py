"""From what `run()` returns to an answer."""

from __future__ import annotations

import json.encoder
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from tidegate_runtime.compat.http import AMLResponse

Header = tuple[str, str]

JSON: Header = ("content-type", "application/json")
NOT_FAILED: Header = ("x-ms-run-function-failed", "False")
FAILED: Header = ("x-ms-run-function-failed", "True")


def _encoder() -> Callable[[Any], str]:
    """A function from a value to JSON, for what `json.JSONEncoder(allow_nan=False).encode` says.

    That builds the encoder, which is written in C, anew for each value: a third of the time for a small one.
    """
    plain = json.JSONEncoder(allow_nan=False)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python without it
        return plain.encode
    chunks = make(None, plain.default, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, False)
    return lambda value: "".join(chunks(value, 0))


_encode = _encoder()


class Answer(NamedTuple):
    """A response before the headers of its request are added."""

    status: int
    headers: list[Header]
    body: bytes
    serialized: bool = False
    """Whether the body is JSON of the server's own making: ASCII, on one line."""


class SerializationError(Exception):
    """The script has returned something that JSON cannot say."""


def answer_of(result: Any) -> Answer:
    """An AMLResponse or a Flask response as it is, anything else as JSON."""
    if isinstance(result, AMLResponse) or hasattr(result, "get_wsgi_headers"):
        return _as_given(result)
    try:
        body = _encode({} if result is None else result)
    except ValueError as error:
        body = _encode_without_nan(result, error)
    except (TypeError, RecursionError) as error:
        raise SerializationError(str(error)) from error
    return Answer(200, [JSON, NOT_FAILED], body.encode(), serialized=True)


def error_answer(status: int, message: str, failed: Header = NOT_FAILED) -> Answer:
    """An error in the contract's form."""
    return Answer(status, [JSON, failed], json.dumps({"message": message}).encode())


def without_nan(value: Any) -> Any:
    """A value with None in the place of each NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_key_without_nan(key): without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(each) for each in value]
    return value


def _as_given(response: Any) -> Answer:
    status = int(response.status_code)
    headers = [(name.lower(), str(value)) for name, value in response.headers.to_wsgi_list()]
    # Granian counts the bytes itself; two lengths in an answer are an error for its reader.
    headers = [header for header in headers if header[0] not in ("content-length", "transfer-encoding", "connection")]
    if status >= 500:
        headers = [header for header in headers if header[0] != FAILED[0]] + [FAILED]
    return Answer(status, headers, response.get_data())


def _encode_without_nan(result: Any, error: ValueError) -> str:
    """JSON has no NaN and no infinity; JavaScript, pandas and Go's callers expect null in their place."""
    try:
        return _encode(without_nan(result))
    except (TypeError, ValueError, RecursionError):
        raise SerializationError(str(error)) from error


def _key_without_nan(key: Any) -> Any:
    return str(key) if isinstance(key, float) and not math.isfinite(key) else key
