"""A strict stand-in for Application Insights' ingestion endpoint."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "00000000-0000-0000-0000-0000000000c5"
_NEEDED = {
    "RequestData": {"id", "name", "duration", "responseCode", "success", "properties", "url"},
    "RemoteDependencyData": {"id", "name", "duration", "success", "type"},
    "MessageData": {"message", "severityLevel", "properties"},
    "ExceptionData": {"exceptions", "properties"},
    "MetricData": {"metrics"},
}
"""What must stand in each kind of record."""


def connection_string(port: int) -> str:
    return f"InstrumentationKey={KEY};IngestionEndpoint=http://127.0.0.1:{port}/"


@contextlib.contextmanager
def ingestion_at(port: int = 0) -> Iterator[Ingestion]:
    """A stand-in at a port; what it was sent must have been right."""
    with Ingestion(port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.open.set()
        server.shutdown()
        assert server.problems == []


class Ingestion(ThreadingHTTPServer):
    """Takes what the endpoint's contract allows, and keeps a list of everything else that it was sent."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.records: list[dict[str, Any]] = []
        self.raw = b""
        self.problems: list[str] = []
        self.calls: list[dict[str, str]] = []
        """Headers of calls to `/dependency`."""
        self.refused = 0
        """The status that each record is refused with, 0 where it is taken."""
        self.open = threading.Event()
        """Requests are answered while it is set."""
        self.open.set()
        self.waiting = threading.Event()
        """Set when a request waits for that."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The records of a kind, in the order of their time, each with its `tags`."""
        found = [each for each in self.records if each["data"]["baseType"] == kind]
        return [
            each["data"]["baseData"] | {"tags": each["tags"]} for each in sorted(found, key=lambda one: one["time"])
        ]


class _Handler(BaseHTTPRequestHandler):
    server: Ingestion

    def do_GET(self) -> None:
        if self.path == "/dependency":
            self.server.calls.append({name.lower(): value for name, value in self.headers.items()})
        self._answer(200 if self.path == "/dependency" else 404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        server = self.server
        if not server.open.is_set():
            server.waiting.set()
            server.open.wait(30)
        server.raw += body
        problems = self._problems(body)
        server.problems += problems
        if problems:
            return self._answer(400, {"itemsReceived": 0, "itemsAccepted": 0, "errors": []})
        records = json.loads(body)
        if server.refused:
            errors = [
                {"index": index, "statusCode": server.refused, "message": "refused"} for index in range(len(records))
            ]
            return self._answer(206, {"itemsReceived": len(records), "itemsAccepted": 0, "errors": errors})
        server.records += records
        return self._answer(200, {"itemsReceived": len(records), "itemsAccepted": len(records), "errors": []})

    def _problems(self, body: bytes) -> list[str]:
        if self.path != "/v2.1/track":
            return [f"the path is {self.path}"]
        if self.headers["Content-Type"] != "application/json":
            return [f"the content type is {self.headers['Content-Type']}"]
        records = json.loads(body)
        if not isinstance(records, list) or not records:
            return ["no list of records"]
        return [problem for record in records for problem in _problems_of(record)]

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _problems_of(record: dict[str, Any]) -> list[str]:
    problems: list[str] = []
    if record.get("iKey") != KEY:
        problems.append(f"the key is {record.get('iKey')}")
    age = datetime.now(UTC) - datetime.strptime(record["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
    if abs(age) > timedelta(minutes=5):
        problems.append(f"the time is {record['time']}")
    kind, data, tags = record["data"]["baseType"], record["data"]["baseData"], record["tags"]
    if kind not in _NEEDED:
        return [*problems, f"the kind is {kind}"]
    if record["name"] != "Microsoft.ApplicationInsights." + kind.removesuffix("Data"):
        problems.append(f"{kind} is named {record['name']}")
    if missing := _NEEDED[kind] - data.keys():
        problems.append(f"{kind} is without {missing}")
    if data.get("ver") != 2:
        problems.append(f"{kind} has version {data.get('ver')}")
    if kind != "MetricData" and not re.fullmatch(r"[0-9a-f]{32}", tags.get("ai.operation.id", "")):
        problems.append(f"{kind} belongs to no operation")
    if not re.fullmatch(r"(\d+\.)?\d\d:\d\d:\d\d\.\d+", data.get("duration", "00:00:00.0")):
        problems.append(f"{kind} has duration {data['duration']}")
    if any(len(value) > 8192 for value in data.get("properties", {}).values()):
        problems.append(f"{kind} has a property that is too long")
    return problems
