"""Send a sample to an endpoint."""

import json
import ssl
import sys
import time
from pathlib import Path
from typing import Any

from cli.errors import CliError
from cli.project import Project
from cli.token import bearer
from tidegate.targets.envoy import VERSION_HEADERS

TIMEOUT_S = 3600.0
"""The endpoint ends a request by the version's own scoring timeout; this is only for one that is not there."""


def read_data(data: str) -> bytes:
    """The request body that `--data` names, by curl's convention."""
    if data == "@-":
        return sys.stdin.buffer.read()
    if data.startswith("@"):
        try:
            return Path(data[1:]).read_bytes()
        except OSError as error:
            raise CliError(f"--data {data}: {error.strerror}") from error
    return data.encode()


def score(project: Project, name: str, body: bytes, version: str) -> dict[str, Any]:
    """The endpoint's answer: `status`, `version` that answered, `body` (parsed where it is JSON), `ms` it took."""
    import httpx  # noqa: PLC0415 (a tenth of a second that no other command needs)

    endpoint = project.endpoint(name)
    headers = {"content-type": "application/json"}
    if secret := bearer(project, name, endpoint):
        headers["authorization"] = f"Bearer {secret}"
    if version:
        headers[VERSION_HEADERS[0]] = version
    began = time.perf_counter()
    try:
        answer = httpx.post(
            endpoint["address"],
            content=body,
            headers=headers,
            timeout=httpx.Timeout(TIMEOUT_S, connect=5),
            # What this machine trusts: a company's own authority is in its store, not in httpx's.
            verify=ssl.create_default_context() if endpoint["address"].startswith("https:") else True,
        )
    except httpx.HTTPError as error:
        way = "tidegate status shows its pods" if "cluster" in endpoint else "is it running? pulumi up starts it"
        raise CliError(f"{endpoint['address']} does not answer: {error}; {way}") from error
    elapsed_ms = round((time.perf_counter() - began) * 1000, 1)
    try:
        content = answer.json()
    except json.JSONDecodeError:
        content = answer.text
    return {
        "status": answer.status_code,
        "version": answer.headers.get(VERSION_HEADERS[0], ""),
        "body": content,
        "ms": elapsed_ms,
    }
