"""Envoy Gateway's double: it gives every Gateway an address and proxies, which are pods like others."""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.kubernetes.api import Api, ApiError, Manifest
from tidegate.gateway.names import CONTROLLER_NAMESPACE, GATEWAY_API, PROXY

ADDRESS = "203.0.113.80"


@dataclass(frozen=True)
class GatewayController:
    """What the controller does to Gateways, as far as clients and the engine see it; the routes it leaves alone."""

    api: Api

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look after Gateways until the end of the block."""
        stopping = threading.Event()

        def follow() -> None:
            while not stopping.wait(0.2):
                with contextlib.suppress(
                    ApiError, httpx.TransportError
                ):  # the kind, or the namespace, is not there yet
                    for gateway in self.api.list(GATEWAY_API, "Gateway"):
                        self._program({"apiVersion": GATEWAY_API, "kind": "Gateway", **gateway})

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def _program(self, gateway: Manifest) -> None:
        conditions = gateway.get("status", {}).get("conditions", [])
        if any(each["type"] == "Programmed" and each["status"] == "True" for each in conditions):
            return
        ports = [10000 + listener["port"] for listener in gateway["spec"]["listeners"]]
        for each in proxies(ports):
            self.api.apply(each)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        met = [
            {"type": kind, "status": "True", "reason": kind, "message": "", "lastTransitionTime": now}
            for kind in ("Accepted", "Programmed")
        ]
        status = {"addresses": [{"type": "IPAddress", "value": ADDRESS}], "conditions": met}
        self.api.merge(gateway, {"status": status}, part="status")


def proxies(ports: list[int]) -> Iterator[Manifest]:
    """The proxies of the Gateway, and the Service in front of them."""
    metadata = {"name": "envoy-scoring", "namespace": CONTROLLER_NAMESPACE, "labels": dict(PROXY)}
    secured = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "envoy",
        "image": "registry.example.com/envoy:1",
        "ports": [{"containerPort": port} for port in ports],
        "securityContext": secured,
    }
    pod = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    template = {"metadata": {"labels": dict(PROXY)}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": dict(PROXY)}, "template": template}
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    listeners = [{"name": f"port-{port}", "port": port - 10000, "targetPort": port} for port in ports]
    service = {"type": "LoadBalancer", "selector": dict(PROXY), "ports": listeners}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service}
