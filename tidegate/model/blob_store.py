"""A store in a container of Azure blob storage, over its REST interface."""

import base64
import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as Xml

import httpx

from tidegate.model.manifest import ManifestFile
from tidegate.model.store import PROGRESS, DeniedError, ModelStore, StoreError, changed

API_VERSION = "2023-11-03"
SCOPE = "https://storage.azure.com/.default"
MEBIBYTE = 1 << 20
BLOCK_BYTES = 8 * MEBIBYTE
"""What is sent at once, and what an interruption may lose of one connection's work."""
MOST_BLOCKS = 50_000
"""A blob has at most so many (azure-docs: storage/blobs/scalability-targets.md)."""
CONNECTIONS = 4
"""Blocks under way at once; memory holds one more."""
PATIENCE_S = 120.0
"""How long a request is repeated that storage is too busy for, or that gets lost."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
PIECE_BYTES = 256 * 1024
MOST_TEXT = 300

_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DENIED = "AuthorizationPermissionMismatch"
"""What a login is refused with that has no role here, or whose role is new."""
_THERE = ("BlobAlreadyExists", "ConditionNotMet")
"""What `If-None-Match: *` is refused with where something is."""


class RefusedError(StoreError):
    """Storage answered, and refused."""

    def __init__(self, status: int, code: str, text: str) -> None:
        """Take the HTTP status, storage's own code, and all of it in words."""
        self.status, self.code = status, code
        super().__init__(text)


class BlobStore(ModelStore):
    """A store in a container, which is there already; nothing is ever written over.

    A large file goes up in blocks whose ids name their content: what an interrupted upload has sent, and storage keeps
    for a week, is not sent again. The blob appears at the end, at once, once the SHA-256 of all that was read is right.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[str], str],
        *,
        cancelled: threading.Event | None = None,
        patience_s: float = PATIENCE_S,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        """Take `https://<account>.blob.core.windows.net/<container>` and what gives a bearer token for a scope."""
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise StoreError(f"the store is {url}; a token is only sent over https")
        self._url = url.rstrip("/")
        self._token = token
        self._cancelled = cancelled or threading.Event()
        self._patience_s = patience_s
        self._block_bytes = block_bytes
        self._client = httpx.Client(timeout=httpx.Timeout(60, connect=10))

    def __str__(self) -> str:
        """The container's URL."""
        return f"the store {self._url}"

    def _size(self, name: str) -> int | None:
        answer = self._find("HEAD", name)
        return None if answer is None else int(answer.headers["content-length"])

    def _read(self, name: str) -> bytes | None:
        answer = self._find("GET", name)
        return None if answer is None else answer.content

    def _create(self, name: str, text: bytes) -> bool:
        headers = {"x-ms-blob-type": "BlockBlob", "content-md5": _md5(text)}
        return self._write_new(name, {}, headers, text)

    def _upload(self, name: str, source: Path, file: ManifestFile, progress: PROGRESS) -> None:
        try:
            if file.size <= self._block_bytes:
                self._upload_whole(name, source, file, progress)
            else:
                self._upload_blocks(name, source, file, progress)
        except OSError as error:
            raise StoreError(f"{source} cannot be read: {error.strerror or error}") from error
        there = self._size(name)
        if there != file.size:
            raise StoreError(f"{self}: {name} has {there} bytes, and {source} has {file.size}")

    def _delete(self, name: str) -> None:
        self._find("DELETE", name)

    def _names(self, prefix: str) -> list[str]:
        names: list[str] = []
        params = {"restype": "container", "comp": "list", "prefix": prefix}
        while True:
            page = Xml.fromstring(self._send("GET", "", params=params).content)  # noqa: S314 (Azure's own answer)
            names += [found.text or "" for found in page.iterfind("Blobs/Blob/Name")]
            marker = page.findtext("NextMarker")
            if not marker:
                return sorted(names)
            params = {**params, "marker": marker}

    # -- one file

    def _upload_whole(self, name: str, source: Path, file: ManifestFile, progress: PROGRESS) -> None:
        data = source.read_bytes()
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise changed(source, file)
        self._create(name, data)
        progress(len(data))

    def _upload_blocks(self, name: str, source: Path, file: ManifestFile, progress: PROGRESS) -> None:
        staged = self._staged(name)
        digest = hashlib.sha256()
        ids: list[str] = []
        under_way: deque[tuple[bytearray, Future[int]]] = deque()
        # The same memory for all blocks: what is allocated anew for each grows a process over time.
        free = [bytearray(self._block_size(file.size)) for _ in range(CONNECTIONS + 1)]
        pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="blocks")
        try:
            with source.open("rb") as reader:
                while count := reader.readinto(free[-1]):
                    buffer = free.pop()
                    block = memoryview(buffer)[:count]
                    digest.update(block)
                    md5 = _md5(block)
                    ids.append(base64.b64encode(f"{len(ids):05d}-{md5}".encode()).decode())
                    if staged.get(ids[-1]) == count:
                        progress(count)
                        free.append(buffer)
                    else:
                        under_way.append((buffer, pool.submit(self._put_block, name, ids[-1], md5, block)))
                    if not free:
                        free.append(_sent(under_way, progress))
            while under_way:
                _sent(under_way, progress)
        finally:
            pool.shutdown(cancel_futures=True)
        if digest.hexdigest() != file.sha256:
            raise changed(source, file)
        self._write_new(name, {"comp": "blocklist"}, {}, _block_list(ids))

    def _put_block(self, name: str, block_id: str, md5: str, block: memoryview) -> int:
        params = {"comp": "block", "blockid": block_id}
        self._send("PUT", name, params=params, headers={"content-md5": md5}, content=block)
        return len(block)

    def _staged(self, name: str) -> dict[str, int]:
        """The blocks that an interrupted upload has left, with their sizes in bytes."""
        answer = self._find("GET", name, {"comp": "blocklist", "blocklisttype": "uncommitted"})
        if answer is None:
            return {}
        blocks = Xml.fromstring(answer.content).iterfind("UncommittedBlocks/Block")  # noqa: S314 (Azure's own answer)
        return {block.findtext("Name", ""): int(block.findtext("Size", "0")) for block in blocks}

    def _block_size(self, size: int) -> int:
        """The block's size, larger for a file that would have too many blocks."""
        least = -(-size // MOST_BLOCKS)
        return max(self._block_bytes, -(-least // MEBIBYTE) * MEBIBYTE if least > self._block_bytes else 0)

    # -- requests

    def _write_new(self, name: str, params: Mapping[str, str], headers: Mapping[str, str], content: bytes) -> bool:
        """Make a blob; False where one is."""
        conditional = {**headers, "if-none-match": "*"}
        try:
            self._send("PUT", name, params=params, headers=conditional, content=content)
        except RefusedError as error:
            if error.code in _THERE:
                return False
            raise
        return True

    def _find(self, method: str, name: str, params: Mapping[str, str] | None = None) -> httpx.Response | None:
        """The answer about a blob, None where it is not there; a container that is not there is an error."""
        try:
            return self._send(method, name, params=params)
        except RefusedError as error:
            if error.code == "BlobNotFound":
                return None
            raise

    def _send(
        self,
        method: str,
        name: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | memoryview = b"",
    ) -> httpx.Response:
        until = time.monotonic() + self._patience_s
        pause = FIRST_PAUSE_S
        while True:
            if self._cancelled.is_set():
                raise StoreError("interrupted")
            token = self._token(SCOPE)
            every = {
                "authorization": f"Bearer {token}",
                "x-ms-version": API_VERSION,
                "x-ms-date": formatdate(usegmt=True),
            }
            asked: float | None = None
            try:
                answer = self._client.request(
                    method,
                    f"{self._url}/{name}",
                    params=params,
                    headers={**(headers or {}), **every, **({"content-length": str(len(content))} if content else {})},
                    content=content if isinstance(content, bytes) else _Pieces(content),
                )
            except httpx.TransportError as error:
                failed = StoreError(f"{self} cannot be reached: {error or type(error).__name__}")
            else:
                if answer.is_success:
                    return answer
                failed = _refusal(answer, f"{self}: {method} {name}", token)
                if failed.code == _DENIED:
                    raise DeniedError(f"{failed}; it takes the role Storage Blob Data Contributor on the container")
                if answer.status_code not in _BUSY:
                    raise failed
                after = answer.headers.get("retry-after", "")
                asked = float(after) if after.isdecimal() else None
            wait = pause if asked is None else asked
            if time.monotonic() + wait > until:
                raise failed
            self._cancelled.wait(wait)
            pause = min(pause * 2, LONGEST_PAUSE_S)


def _refusal(answer: httpx.Response, what: str, token: str) -> RefusedError:
    """Storage's own words, by the form of its errors; never with the token in them."""
    code, said = answer.headers.get("x-ms-error-code", ""), ""
    try:
        error = Xml.fromstring(answer.content)  # noqa: S314 (expat expands no external entity, and bounds the others)
        code, said = code or error.findtext("Code", ""), error.findtext("Message", "")
    except Xml.ParseError:
        said = answer.text
    text = " ".join(said.replace(token, "[token]").split())[:MOST_TEXT]
    return RefusedError(
        answer.status_code, code, f"{what} was answered {answer.status_code} {code}: {text}".rstrip(": ")
    )


class _Pieces:
    """A body that is sent piece by piece, so that no layer below copies it as a whole; it can be sent again."""

    def __init__(self, content: memoryview) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        for first in range(0, len(self._content), PIECE_BYTES):
            yield bytes(self._content[first : first + PIECE_BYTES])


def _sent(under_way: deque[tuple[bytearray, Future[int]]], progress: PROGRESS) -> bytearray:
    """Wait for the oldest block; its memory."""
    buffer, block = under_way.popleft()
    progress(block.result())
    return buffer


def _block_list(ids: list[str]) -> bytes:
    latest = "".join(f"<Latest>{each}</Latest>" for each in ids)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{latest}</BlockList>'.encode()


def _md5(data: bytes | memoryview) -> str:
    """What storage compares with what has reached it (Content-MD5)."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
