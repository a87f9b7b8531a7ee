"""Azure Resource Manager over HTTP on loopback, and the identity endpoint that gives the token for it.

It answers from the same pretended cloud as the stand-in for azure-native, for the part of Azure that no Pulumi provider
asks: clusters, their tags, service tags, the use of compute quotas, single resources by id. Strict: a bearer token, the
API version that belongs to the resource, JSON, and the exact form of a tags patch.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.standins import aks, bicep
from tests.standins.aks import CLUSTERS
from tests.standins.arm import Arm
from tests.standins.cloud import SUBSCRIPTION, TOKEN, ArmError, Body, Cloud, arm_type
from tests.standins.kinds import by_arm
from tests.standins.registry_runs import RegistryRuns

IDENTITY_HEADER = "the-identity-header"
TAGS = "/providers/Microsoft.Resources/tags/default"

SERVICE_TAGS = "service-tags.json"
USAGES = "usages.json"
"""Files in the cloud's folder: `{location: answer}` each."""


class ArmServer:
    """A server over one cloud; `requests` holds what it was asked: method, path."""

    def __init__(self, cloud: Cloud, runs: RegistryRuns | None = None) -> None:
        self.cloud = cloud
        self.runs = runs
        self.requests: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._arm = Arm(cloud)
        if runs:
            runs.url = self.url

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment in which Azure's own libraries come here: managed identity, as on App Service."""
        return {
            "ARM_ENDPOINT": self.url,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "IDENTITY_ENDPOINT": f"{self.url}/identity/token",
            "IDENTITY_HEADER": IDENTITY_HEADER,
            "TIDEGATE_ADDRESS_SERVICE": f"{self.url}/address",
        }

    @contextmanager
    def running(self) -> Iterator["ArmServer"]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Any:
        """The JSON of an answer; raises `ArmError`."""
        parts = urlsplit(target)
        path, query = unquote(parts.path), {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.requests.append((method, path))
        if path == "/address":
            return "198.51.100.7"
        if path == "/identity/token":
            return _token(query, headers)
        if headers.get("authorization") != f"Bearer {TOKEN}":
            raise ArmError(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is wrong.")
        if "api-version" not in query:
            raise ArmError(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        if method == "PATCH" and path.lower().endswith(TAGS.lower()):
            return self._patch_tags(path[: -len(TAGS)], query["api-version"], headers, body)
        run = self.runs.answer(method, path, query, body) if self.runs else None
        if run is not None:
            return run
        match method, arm_type(path):
            case "PUT", aks.POOLS:
                return self._put_pool(path, query["api-version"], body)
            case "DELETE", "Microsoft.MachineLearningServices/workspaces/computes":
                return self._delete_compute(path, query)
            case "GET", _:
                pass
            case _:
                raise ArmError(405, "MethodNotAllowed", f"{method} {path}")
        return self._get(path, query["api-version"])

    def _get(self, path: str, version: str) -> Any:
        location = re.fullmatch(r"/subscriptions/([^/]+)/providers/([^/]+)/locations/([^/]+)/(\w+)", path)
        if location:
            return self._of_location(*location.groups(), version=version)
        listed = re.fullmatch(r"/subscriptions/([^/]+)(/resourceGroups/[^/]+)?/providers/([^/]+/[^/]+)", path)
        if listed:
            _version(listed[3], version)
            self._subscription(listed[1])
            found = self.cloud.all(listed[3], under=f"/subscriptions/{SUBSCRIPTION}{listed[2] or ''}")
            return {"value": [self._arm.view(each) for each in found]}
        if path.lower().endswith(TAGS.lower()):
            resource = self._arm.get(path[: -len(TAGS)])
            return {"properties": {"tags": resource.get("tags") or {}}}
        self._meet(path, "get")
        _version(arm_type(path), version)
        return self._arm.get(path)

    def _put_pool(self, path: str, version: str, body: bytes) -> Body:
        _version(aks.POOLS, version)
        given = json.loads(body)
        kind = by_arm(aks.POOLS)
        assert kind is not None
        assert kind.resource is not None
        faults = [str(each) for each in bicep.check(kind.resource, {**given, "name": path.rpartition("/")[2]})]
        if faults:
            raise ArmError(400, "InvalidParameter", "; ".join(faults))
        return self._arm.put(path, given, create=False)

    def _delete_compute(self, path: str, query: Mapping[str, str]) -> Body:
        _version(arm_type(path), query["api-version"])
        if query.get("underlyingResourceAction") != "Detach":
            raise ArmError(400, "BadArgument", "underlyingResourceAction has to be Detach for what is attached.")
        self._arm.get(path)
        self._arm.delete(path)
        return {}

    def _of_location(self, subscription: str, provider: str, location: str, what: str, *, version: str) -> Any:
        self._subscription(subscription)
        match provider.lower(), what:
            case "microsoft.network", "serviceTags":
                name, wanted = SERVICE_TAGS, r"20\d\d-\d\d-\d\d"
            case "microsoft.compute", "usages":
                name, wanted = USAGES, r"20\d\d-\d\d-\d\d"
            case _:
                raise ArmError(404, "InvalidResourceType", f"{provider}/locations/{what} is not known here.")
        if not re.fullmatch(wanted, version):
            raise ArmError(400, "InvalidApiVersionParameter", f"api-version {version} is no version of {provider}.")
        self._meet(f"/subscriptions/{subscription}/providers/{provider}/locations/{what}", "get")
        answers = json.loads((self.cloud.root / name).read_text()) if (self.cloud.root / name).exists() else {}
        if location not in answers:
            raise ArmError(400, "NoRegisteredProviderFound", f"No registered provider for location {location}.")
        return answers[location]

    def _patch_tags(self, scope: str, version: str, headers: Mapping[str, str], body: bytes) -> Body:
        if version != "2021-04-01":
            raise ArmError(400, "InvalidApiVersionParameter", f"api-version {version}")
        if not headers.get("content-type", "").startswith("application/json"):
            raise ArmError(415, "UnsupportedMediaType", headers.get("content-type", "no content type"))
        match json.loads(body):
            case {"operation": str(operation), "properties": {"tags": dict(tags)}, **rest} if not rest:
                if not all(isinstance(value, str) for value in tags.values()):
                    raise ArmError(400, "InvalidTagValue", "Every tag is text.")
                return self._arm.tag(scope, operation, tags)
            case _:
                raise ArmError(400, "InvalidRequestContent", "The body is no patch of tags.")

    def _meet(self, identity: str, operation: Any) -> None:
        failure = self.cloud.failure(identity, operation)
        if failure:
            raise ArmError(failure.status, failure.code, failure.message)

    def _subscription(self, subscription: str) -> None:
        if subscription.lower() != SUBSCRIPTION:
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def put_cluster(cloud: Cloud, group: str, name: str, body: Body) -> str:
    """Put a cluster there that no stack made, with its resource group; its id."""
    at = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"
    cloud.put(at, {"location": body["location"], "properties": {"provisioningState": "Succeeded"}})
    return Arm(cloud).put(f"{at}/providers/{CLUSTERS}/{name}", body, create=True)["id"]


def _version(arm: str, version: str) -> None:
    kind = by_arm(arm)
    if kind is None:
        raise ArmError(404, "InvalidResourceType", f"The resource type {arm} is not known here.")
    if version != kind.version:
        raise ArmError(400, "InvalidApiVersionParameter", f"{arm} is asked with {kind.version}, not {version}.")


def _token(query: Mapping[str, str], headers: Mapping[str, str]) -> Any:
    if headers.get("x-identity-header") != IDENTITY_HEADER or query.get("api-version") != "2019-08-01":
        raise ArmError(400, "InvalidRequest", "wrong X-IDENTITY-HEADER or api-version")
    resource = query.get("resource", "")
    return {"access_token": TOKEN, "expires_on": "4102444800", "resource": resource, "token_type": "Bearer"}


def _handler(owner: ArmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            retry = False
            if owner.runs and self.path.startswith(("/upload/", "/log/")):
                status, content = owner.runs.blob(self.command, self.path, headers, body)
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                return
            try:
                status, answer = 200, owner.answer(self.command, self.path, headers, body)
            except ArmError as error:
                status, retry = error.status, error.status in (429, 503)
                answer = {"error": {"code": error.code, "message": error.message}}
            content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "text/plain" if isinstance(answer, str) else "application/json")
            self.send_header("content-length", str(len(content)))
            if retry:
                self.send_header("retry-after", "1")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PATCH = do_PUT = do_POST = do_DELETE = _reply  # noqa: N815 (names that http.server calls)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
            """Say nothing: a test's output is its own."""

    return Handler


def write_answers(root: Path, name: str, answers: Mapping[str, Any]) -> None:
    """Set what the server answers for locations: `SERVICE_TAGS` or `USAGES`, by location."""
    (root / name).write_text(json.dumps(answers))
