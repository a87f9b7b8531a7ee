"""The request and response objects that `@rawhttp` scripts work with, with the attributes of Flask's.

A script that has Flask itself gets Flask's request; this one is for the others, so that the server needs no framework.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from functools import cached_property
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote

Run = TypeVar("Run", bound=Callable[..., Any])

_rawHttpRequested = False  # noqa: N816 (the reference server's name: scripts and tools look at it)


def rawhttp(func: Run) -> Run:
    """Decorate `run()` with this to get the whole request instead of its body."""
    global _rawHttpRequested  # noqa: PLW0603 (the contract: one script a process, and decorators above hide marks)
    _rawHttpRequested = True
    return func


class Headers(MutableMapping[str, str]):
    """Headers by name, whatever the case; a name may have several values."""

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = list(items)

    def __getitem__(self, name: str) -> str:
        values = self.getlist(name)
        if not values:
            raise KeyError(name)
        return values[0]

    def __setitem__(self, name: str, value: object) -> None:
        if name in self:
            del self[name]
        self.add(name, value)

    def __delitem__(self, name: str) -> None:
        self._items = [item for item in self._items if item[0].lower() != name.lower()]

    def __contains__(self, name: object) -> bool:
        return bool(self.getlist(str(name)))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._items))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._items})

    def add(self, name: str, value: object) -> None:
        """One more value for a name."""
        self._items.append((name, str(value)))

    add_header = add

    def remove(self, name: str) -> None:
        """Every value of a name."""
        del self[name]

    def getlist(self, name: str) -> list[str]:
        """All values of a name."""
        return [value for each, value in self._items if each.lower() == name.lower()]

    def to_wsgi_list(self) -> list[tuple[str, str]]:
        """Every header line."""
        return list(self._items)


class MultiDict(Mapping[str, Any]):
    """Form fields or query parameters: a name has one or several values, the first is the one."""

    def __init__(self, items: Iterable[tuple[str, Any]] = ()) -> None:
        self._lists: dict[str, list[Any]] = {}
        for name, value in items:
            self._lists.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> Any:
        return self._lists[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def getlist(self, name: str) -> list[Any]:
        """All values of a name."""
        return list(self._lists.get(name, ()))

    def to_dict(self, flat: bool = True) -> dict[str, Any]:
        """A plain dictionary of first values, or of all of them."""
        return dict(self) if flat else {name: list(values) for name, values in self._lists.items()}


class FileStorage(io.BytesIO):
    """An uploaded file: a binary file object that knows its name and type."""

    def __init__(self, content: bytes, name: str, filename: str, content_type: str) -> None:
        super().__init__(content)
        self.name = name
        self.filename = filename
        self.content_type = self.mimetype = content_type

    @property
    def stream(self) -> io.BytesIO:
        """The file object itself."""
        return self

    def save(self, destination: str | Path | io.BufferedIOBase) -> None:
        """Write the content to a path or a binary file object."""
        if isinstance(destination, (str, Path)):
            Path(destination).write_bytes(self.getvalue())
        else:
            destination.write(self.getvalue())


class AMLRequest:
    """An HTTP request, read wholly."""

    def __init__(self, environ: dict[str, Any], headers: Mapping[str, str], body: bytes) -> None:
        self.environ = environ
        self.headers = Headers(headers.items())
        self.data = body
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ["PATH_INFO"]
        self.scheme: str = environ.get("wsgi.url_scheme", "http")
        self.remote_addr: str = environ.get("REMOTE_ADDR", "")
        self.query_string: bytes = environ.get("QUERY_STRING", "").encode()
        self.content_type: str | None = environ.get("CONTENT_TYPE")
        self.content_length: int | None = len(body) if "CONTENT_LENGTH" in environ else None

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:
        """The body as bytes, or as text."""
        del cache, parse_form_data
        return self.data.decode(errors="replace") if as_text else self.data

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body parsed as JSON; ValueError where it is not, None where that is not its type (unless `force`)."""
        del cache
        if not (force or self.is_json):
            return None
        try:
            return json.loads(self.data)
        except ValueError:
            if silent:
                return None
            raise

    @property
    def json(self) -> Any:
        """The body parsed as JSON."""
        return self.get_json()

    @property
    def mimetype(self) -> str:
        """The content type without its parameters."""
        return media_type(self.content_type)

    @property
    def is_json(self) -> bool:
        """Whether the content type says JSON."""
        return is_json(self.content_type)

    @property
    def stream(self) -> io.BytesIO:
        """The body as a file object."""
        return io.BytesIO(self.data)

    @cached_property
    def args(self) -> MultiDict:
        """The query's parameters."""
        return MultiDict(parse_qsl(self.query_string.decode(), keep_blank_values=True))

    @cached_property
    def form(self) -> MultiDict:
        """The fields of a form."""
        if self.mimetype == "application/x-www-form-urlencoded":
            return MultiDict(parse_qsl(self.data.decode(errors="replace"), keep_blank_values=True))
        return self._multipart[0]

    @cached_property
    def files(self) -> MultiDict:
        """The files of a multipart form."""
        return self._multipart[1]

    @property
    def values(self) -> MultiDict:
        """Query parameters and form fields."""
        return MultiDict([*self.args.items(), *self.form.items()])

    @cached_property
    def cookies(self) -> dict[str, str]:
        """Cookies by name."""
        return {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("Cookie", "")).items()}

    @property
    def host(self) -> str:
        """What the client calls this server."""
        return self.headers.get("Host", "")

    @property
    def full_path(self) -> str:
        """The path and the query, with the question mark even where the query is empty."""
        return f"{self.path}?{self.query_string.decode()}"

    @property
    def base_url(self) -> str:
        """The URL without the query."""
        return f"{self.scheme}://{self.host}{quote(self.path)}"

    @property
    def url(self) -> str:
        """The URL."""
        return f"{self.base_url}?{self.query_string.decode()}" if self.query_string else self.base_url

    @cached_property
    def _multipart(self) -> tuple[MultiDict, MultiDict]:
        if self.mimetype != "multipart/form-data":
            return MultiDict(), MultiDict()
        fields: list[tuple[str, Any]] = []
        files: list[tuple[str, Any]] = []
        for disposition, content_type, content in _parts(self.data, parameters(self.content_type).get("boundary", "")):
            name = disposition.get("name", "")
            if "filename" in disposition:
                kind = content_type or "application/octet-stream"
                files.append((name, FileStorage(content, name, disposition["filename"], kind)))
            else:
                fields.append((name, content.decode(errors="replace")))
        return MultiDict(fields), MultiDict(files)


class AMLResponse:
    """An HTTP answer, given as it is: `AMLResponse(message, status_code, response_headers, json_str)`.

    A header value with commas becomes one header for each of its parts, as in the reference server.
    """

    def __init__(
        self,
        message: Any,
        status_code: int,
        response_headers: Mapping[str, str] | None = None,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        given = dict(response_headers or {})
        self.status_code = int(status_code)
        self.headers = Headers()
        if message is None or json_str:
            self._body = json.dumps({} if message is None else message).encode()
            self.headers["Content-Type"] = "application/json"
        else:
            self._body = _bytes(message)
            if "Content-Type" not in given:
                self.headers["Content-Type"] = "text/html; charset=utf-8"
        self.headers["x-ms-run-function-failed"] = run_function_failed
        for name, values in given.items():
            for value in values.split(","):
                self.headers.add(name, value.strip())

    def get_data(self, as_text: bool = False) -> Any:
        """The body."""
        return self._body.decode() if as_text else self._body

    def set_data(self, value: str | bytes) -> None:
        """Another body."""
        self._body = _bytes(value)

    data = property(get_data, set_data)


def media_type(content_type: str | None) -> str:
    """`application/json` of `application/json; charset=utf-8`."""
    return (content_type or "").partition(";")[0].strip().lower()


def is_json(content_type: str | None) -> bool:
    """Whether a content type says JSON."""
    kind = media_type(content_type)
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def parameters(header: str | None) -> dict[str, str]:
    """The parameters after the first semicolon of a header value."""
    found: dict[str, str] = {}
    for part in (header or "").split(";")[1:]:
        name, _, value = part.partition("=")
        found[name.strip().lower()] = value.strip().strip('"')
    return found


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return b"".join(_bytes(part) for part in value)


def _parts(body: bytes, boundary: str) -> Iterator[tuple[dict[str, str], str, bytes]]:
    """Disposition, content type and content of each part of a multipart body."""
    if not boundary:
        return
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        head, separator, content = part.partition(b"\r\n\r\n")
        if part.startswith(b"--") or not separator:
            continue
        lines = [line.partition(":") for line in head.decode(errors="replace").strip().split("\r\n")]
        named = {name.strip().lower(): value.strip() for name, _, value in lines}
        yield parameters(named.get("content-disposition")), named.get("content-type", ""), content
