"""Scores an endpoint's sample on one version, as a client that names the version would."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.kind import Call, OperationError, Properties
from providers.kubernetes import pods
from providers.kubernetes.api import Api
from providers.kubernetes.pod_http import Answer, ask
from tidegate.gateway.names import CONTROLLER_NAMESPACE, PROXY
from tidegate.targets.envoy import VERSION_HEADERS

Json = dict[str, Any]

EFFECT_S = 60.0
"""What the gateway may take until it routes to pods and takes keys that are new."""
PAUSE_S = 0.5
SCORING_PORT = 5001


@dataclass(frozen=True)
class Sample:
    """The request to score: its body, the file that it is from, and how it reaches the version."""

    body: bytes
    path: str
    host: str
    tls: bool
    through: str
    key: str | None = field(repr=False)

    @classmethod
    def of(cls, properties: Properties) -> "Sample":
        """The sample of a resource's inputs."""
        return cls(
            body=properties["body"].encode(),
            path=properties["path"],
            host=properties.get("host") or "localhost",
            tls=properties.get("tls", False),
            through=properties["through"],
            key=properties.get("key"),
        )


def score(
    api: Api, call: Call, sample: Sample, *, endpoint: str, version: str, serving: Json, timeout_s: float
) -> Answer:
    """The version's answer to the sample, through the gateway or straight from the pod `serving`.

    An answer that is not the version's own, or that says that nothing is there yet, is asked for again for a while.
    """
    headers = {"Content-Type": "application/json", VERSION_HEADERS[0]: version}
    if sample.key is not None:
        headers["Authorization"] = f"Bearer {sample.key}"
    until = time.monotonic() + EFFECT_S
    while True:
        if call.cancelled.is_set():
            raise OperationError(f"interrupted before version {version} of endpoint {endpoint} had scored its sample")
        answer = _once(api, sample, serving, endpoint=endpoint, headers=headers, timeout_s=timeout_s)
        own = sample.through == "pod" or answer.headers.get(VERSION_HEADERS[0]) == version
        if (own and answer.status not in (0, 503)) or time.monotonic() > until:
            return answer
        call.cancelled.wait(PAUSE_S)


def _once(
    api: Api, sample: Sample, serving: Json, *, endpoint: str, headers: Mapping[str, str], timeout_s: float
) -> Answer:
    if sample.through == "pod":
        return ask(api, serving, SCORING_PORT, "POST", "/score", body=sample.body, headers=headers, timeout_s=timeout_s)
    proxy, port = _proxy(api, tls=sample.tls)
    return ask(
        *(api, proxy, port, "POST", f"/api/v1/service/{endpoint}/score"),
        body=sample.body,
        headers=headers,
        host=sample.host,
        tls=sample.tls,
        timeout_s=timeout_s,
    )


def _proxy(api: Api, *, tls: bool) -> tuple[Json, int]:
    """A proxy pod that is ready, and its port for the listener, which the gateway's Service names."""
    base = f"/api/v1/namespaces/{CONTROLLER_NAMESPACE}"
    selector = ",".join(f"{label}={value}" for label, value in PROXY.items())
    ready = [pod for pod in api.each(f"{base}/pods", labelSelector=selector) if pods.ready(pod)]
    if not ready:
        raise OperationError(f"no proxy pod of the gateway is ready in namespace {CONTROLLER_NAMESPACE}")
    wanted = 443 if tls else 80
    for service in api.each(f"{base}/services", labelSelector=selector):
        for port in service["spec"].get("ports", ()):
            if port["port"] == wanted:
                return ready[0], _number(ready[0], port.get("targetPort", wanted))
    raise OperationError(f"the gateway has no listener on port {wanted} yet")


def _number(pod: Json, port: int | str) -> int:
    if isinstance(port, int):
        return port
    named = (each for container in pod["spec"]["containers"] for each in container.get("ports", ()))
    return next((each["containerPort"] for each in named if each.get("name") == port), 0)
