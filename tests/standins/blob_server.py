"""A strict part of Azure blob storage on loopback, with Entra's token endpoint for workload identity beside it.

Put Blob, Put Block, Put Block List, Get Block List, Get Blob with Range, Get Blob Properties, Delete Blob, List Blobs;
by the documents of the REST interface. Whatever else it is asked, or asked in another form, it refuses and keeps in
`problems`. Faults are told to it beforehand: an operation fails so many times, by a status or by a cut connection.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as Xml
from xml.sax.saxutils import escape

TOKEN = "the-storage-token"
ASSERTION = "the-federated-token"
CONTAINER = "models"
SCOPE = "https://storage.azure.com/.default"
PAGE = 3
"""Blobs in one page of a list; so small that each test sees several."""
MOST_BLOCK_BYTES = 4000 << 20


class RefusalError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or code


@dataclass
class Fault:
    """The next `times` requests of an operation fail: by a status, or after `cut` bytes of the answer."""

    operation: str
    status: int = 0
    cut: int = 0
    times: int = 1
    code: str = "ServerBusy"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    after: bool = False
    """Whether the operation is done all the same, and only its answer is lost."""


@dataclass(frozen=True)
class Asked:
    """One request; `operation` is its name in the documents."""

    operation: str
    name: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class BlobServer:
    """One account with one container; `blobs` holds what is committed, `staged` what is not yet."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.staged: dict[str, dict[str, bytes]] = {}
        self.committed: dict[str, dict[str, bytes]] = {}
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.problems: list[str] = []
        self.token = TOKEN
        """What logins get here; another one where another server gives it out."""
        self.on_request: Callable[[Asked], None] = lambda _: None
        """Called before each answer, in the server's threads."""
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def address(self) -> str:
        """Of the server."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The container's."""
        return f"{self.address}/{CONTAINER}"

    @contextlib.contextmanager
    def running(self) -> Iterator["BlobServer"]:
        """Serve until the end of the block; nothing may have been asked in a wrong form."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
        assert self.problems == []

    def count(self, operation: str) -> int:
        """How often an operation was asked for."""
        return sum(asked.operation == operation for asked in self.asked)

    def fault(self, asked: Asked) -> Fault | None:
        """The fault that this request meets, used up by it."""
        with self._lock:
            for fault in self.faults:
                if fault.operation == asked.operation and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body; raises RefusalError."""
        if asked.operation == "Token":
            return self._token(asked)
        self._check(asked)
        with self._lock:
            return _OPERATIONS[asked.operation](self, asked)

    def _check(self, asked: Asked) -> None:
        if asked.operation not in _OPERATIONS:
            raise RefusalError(400, "UnsupportedHttpVerb", f"{asked.operation} {asked.name} {dict(asked.query)}")
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            raise RefusalError(401, "InvalidAuthenticationInfo", f"wrong: {asked.headers.get('authorization')}")
        if asked.headers.get("x-ms-version", "") < "2017-11-09":  # the first that takes bearer tokens
            raise RefusalError(400, "InvalidHeaderValue", "x-ms-version")
        parsedate_to_datetime(asked.headers["x-ms-date"])
        if (given := asked.headers.get("content-md5")) is not None and given != _md5(asked.body):
            raise RefusalError(400, "Md5Mismatch")

    def _token(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        form = {key: values[0] for key, values in parse_qs(asked.body.decode()).items()}
        expected = {
            "grant_type": "client_credentials",
            "client_id": "the-client",
            "scope": SCOPE,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": ASSERTION,
        }
        if form != expected:
            raise RefusalError(401, "invalid_client", f"{form}")
        return 200, {}, json.dumps({"token_type": "Bearer", "access_token": TOKEN, "expires_in": 3600}).encode()

    # -- operations

    def put_blob(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        if asked.headers.get("x-ms-blob-type") != "BlockBlob":
            raise RefusalError(400, "MissingRequiredHeader", "x-ms-blob-type")
        self._refuse_existing(asked)
        self.blobs[asked.name] = asked.body
        return 201, {}, b""

    def put_block(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        try:
            identity = base64.b64decode(asked.query["blockid"], validate=True)
        except ValueError:
            raise RefusalError(400, "InvalidQueryParameterValue", "blockid is not base64") from None
        others = self.staged.get(asked.name, {})
        if len(identity) > 64 or any(len(base64.b64decode(each)) != len(identity) for each in others):
            raise RefusalError(400, "InvalidBlobOrBlock", "the block id is too long, or not as long as the others")
        if not 0 < len(asked.body) <= MOST_BLOCK_BYTES:
            raise RefusalError(400, "InvalidHeaderValue", "Content-Length")
        self.staged.setdefault(asked.name, {})[asked.query["blockid"]] = asked.body
        return 201, {}, b""

    def put_block_list(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        self._refuse_existing(asked)
        blocks: dict[str, bytes] = {}
        root = Xml.fromstring(asked.body)
        if root.tag != "BlockList" or len(root) > 50_000:
            raise RefusalError(400, "InvalidXmlDocument")
        known = {**self.committed.get(asked.name, {}), **self.staged.get(asked.name, {})}
        for entry in root:
            if entry.tag != "Latest" or entry.text not in known:
                raise RefusalError(400, "InvalidBlockList", str(entry.text))
            blocks[entry.text] = known[entry.text]
        self.blobs[asked.name] = b"".join(known[str(entry.text)] for entry in root)
        self.committed[asked.name] = blocks
        self.staged.pop(asked.name, None)
        return 201, {}, b""

    def get_block_list(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        if asked.query.get("blocklisttype") != "uncommitted":
            raise RefusalError(400, "InvalidQueryParameterValue", "blocklisttype")
        staged = self.staged.get(asked.name, {})
        if asked.name not in self.blobs and not staged:
            raise RefusalError(404, "BlobNotFound")
        blocks = "".join(f"<Block><Name>{key}</Name><Size>{len(data)}</Size></Block>" for key, data in staged.items())
        return 200, {}, _xml(f"<BlockList><UncommittedBlocks>{blocks}</UncommittedBlocks></BlockList>")

    def get_blob(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        data = self._blob(asked)
        given = asked.headers.get("range") or asked.headers.get("x-ms-range")
        if given is None:
            return 200, {}, data
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", given)
        if not found:
            raise RefusalError(400, "InvalidHeaderValue", "Range")
        first, last = int(found[1]), min(int(found[2]), len(data) - 1)
        if first > last:
            raise RefusalError(416, "InvalidRange")
        return 206, {"content-range": f"bytes {first}-{last}/{len(data)}"}, data[first : last + 1]

    def get_properties(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        return 200, {"x-ms-blob-type": "BlockBlob"}, self._blob(asked)

    def delete_blob(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        self._blob(asked)
        del self.blobs[asked.name]
        return 202, {}, b""

    def list_blobs(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        names = sorted(name for name in self.blobs if name.startswith(asked.query.get("prefix", "")))
        rest = [name for name in names if name >= asked.query.get("marker", "")]
        blobs = "".join(f"<Blob><Name>{escape(name)}</Name><Properties/></Blob>" for name in rest[:PAGE])
        marker = escape(rest[PAGE]) if len(rest) > PAGE else ""
        page = f"<Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker>"
        return 200, {}, _xml(f'<EnumerationResults ContainerName="{CONTAINER}">{page}</EnumerationResults>')

    def _blob(self, asked: Asked) -> bytes:
        if asked.name not in self.blobs:
            raise RefusalError(404, "BlobNotFound", "The specified blob does not exist.")
        return self.blobs[asked.name]

    def _refuse_existing(self, asked: Asked) -> None:
        if asked.headers.get("if-none-match") != "*":
            raise RefusalError(400, "MissingRequiredHeader", "a write without If-None-Match: * may write over a blob")
        if asked.name in self.blobs:
            raise RefusalError(409, "BlobAlreadyExists", "The specified blob already exists.")


_OPERATIONS: dict[str, Callable[[BlobServer, Asked], tuple[int, dict[str, str], bytes]]] = {
    "PutBlob": BlobServer.put_blob,
    "PutBlock": BlobServer.put_block,
    "PutBlockList": BlobServer.put_block_list,
    "GetBlockList": BlobServer.get_block_list,
    "GetBlob": BlobServer.get_blob,
    "GetBlobProperties": BlobServer.get_properties,
    "DeleteBlob": BlobServer.delete_blob,
    "ListBlobs": BlobServer.list_blobs,
}
_PLAIN = {"PUT": "PutBlob", "GET": "GetBlob", "HEAD": "GetBlobProperties", "DELETE": "DeleteBlob"}


def _operation(method: str, path: str, query: Mapping[str, str]) -> tuple[str, str]:
    """The operation and the blob's name."""
    if method == "POST" and path == "/the-tenant/oauth2/v2.0/token":
        return "Token", ""
    container, _, name = path.removeprefix("/").partition("/")
    if container != CONTAINER:
        raise RefusalError(404, "ContainerNotFound", "The specified container does not exist.")
    match method, query.get("comp"), bool(name):
        case "PUT", "block", True:
            return "PutBlock", name
        case "PUT", "blocklist", True:
            return "PutBlockList", name
        case "GET", "blocklist", True:
            return "GetBlockList", name
        case "GET", "list", False if query.get("restype") == "container":
            return "ListBlobs", ""
        case _, None, True if method in _PLAIN:
            return _PLAIN[method], name
        case _:
            return method, name


def _handler(server: BlobServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # headers and body in one packet

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            fault = None
            try:
                operation, name = _operation(self.command, unquote(parts.path), query)
                asked = Asked(operation, name, query, headers, body)
                server.asked.append(asked)
                server.on_request(asked)
                fault = server.fault(asked)
                if fault and fault.status and not fault.after:
                    raise RefusalError(fault.status, fault.code)
                status, given, data = server.answer(asked)
            except RefusalError as refusal:
                self._refuse(refusal, fault.headers if fault else {})
                return
            except Exception as error:  # whatever the request broke, the test has to hear of it
                server.problems.append(f"{self.command} {self.path}: {type(error).__name__} {error}")
                self._refuse(RefusalError(400, "InvalidInput", str(error)), {})
                return
            if fault and fault.after:
                self.close_connection = True
                return
            self._send(status, given, data, cut=fault.cut if fault else 0)

        def _refuse(self, refusal: RefusalError, headers: Mapping[str, str]) -> None:
            if refusal.status == 400:
                server.problems.append(f"{self.command} {self.path}: {refusal.code} {refusal.message}")
            text = _xml(f"<Error><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message></Error>")
            self._send(refusal.status, {"x-ms-error-code": refusal.code, **headers}, text)

        def _send(self, status: int, headers: Mapping[str, str], data: bytes, cut: int = 0) -> None:
            self.send_response(status)
            every = {"x-ms-version": "2023-11-03", "content-length": str(len(data)), "last-modified": formatdate()}
            for name, value in {**every, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[:cut] if cut else data)
            if cut:
                self.close_connection = True

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _serve  # noqa: N815 (the base class's names)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
            pass

    return Handler


def _xml(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode("utf-8-sig")  # Azure's begins with this mark, too


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()
