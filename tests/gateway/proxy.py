"""Real Envoy on what Envoy Gateway's translator made, on this machine.

In a cluster the controller pushes this configuration to the proxies by xDS over gRPC. Here it comes by files that are
moved into place. That, and where things are, is all that is changed, and nothing else of what the translator wrote:

- where xDS comes from: `ads` becomes a file, for each listener, cluster, route configuration, endpoint list, secret;
- addresses to listen on: the proxy's container ports become free ports of 127.0.0.1, the admin interface a unix socket;
- endpoints: a Service's one address, which stands for its EndpointSlices offline, becomes the scoring servers;
- certificates: the translator leaves the Secrets that listeners name to xDS; they come from the manifests;
- names looked up in the internet (the key sets of token issuers) become addresses of this machine, without TLS;
- logs: what goes to the container's output goes to files.

Left out are the listeners for the kubelet and for Prometheus, which no client's request meets. What an update of files
cannot show is the moment between two messages of one push: a new cluster whose endpoints come after its first request.
"""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from providers.local.layout import replace_file
from providers.local.xds import envoy_binary
from tests.engine.harness import free_port
from tests.gateway.translation import Json, Manifest, Translation

START_S = 30.0
EFFECT_S = 20.0
ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Surroundings:
    """What a proxy finds around it in a cluster, on this machine.

    `services` has the sockets of the scoring servers behind each Service, by namespace and name; `secrets` the Secrets;
    `hosts` a port of 127.0.0.1 for each host name that is asked for something.
    """

    services: Mapping[tuple[str, str], Sequence[Path]]
    secrets: Sequence[Manifest]
    hosts: Mapping[str, int]


class Proxy:
    """One Envoy. `apply` brings a configuration into effect, the first one by starting it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports: dict[int, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(folder / "admin.sock")), base_url="http://admin", timeout=10
        )

    def port(self, listener: int = 80) -> int:
        """Where the listener of a Gateway's port is on this machine."""
        return self._ports[listener + 10000 if listener < 1024 else listener]  # as Envoy Gateway shifts them

    def apply(self, translation: Translation, around: Surroundings) -> None:
        """Put a configuration into effect, in the order in which the controller pushes: clusters before routes."""
        local = Localized(translation, around, self._folder, self._free_port)
        for kind, name, resource in local.named():
            self._move(kind, [resource], name)
        self._move("cds", local.clusters)
        for each in local.routes:
            self._move("rds", [each], each["name"])
        self._move("lds", local.listeners)
        if self._process is None:
            self._start(translation)
        self._wait(local)

    def stop(self) -> None:
        """End Envoy."""
        self._client.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stats(self, pattern: str) -> dict[str, int]:
        """Envoy's counters and gauges whose name contains the pattern."""
        found = self._client.get("/stats", params={"format": "json", "filter": pattern}).raise_for_status().json()
        return {each["name"]: each["value"] for each in found["stats"] if "name" in each}

    def log(self) -> str:
        """What Envoy has said."""
        return (self._folder / "envoy.log").read_text(errors="replace")

    def _start(self, translation: Translation) -> None:
        bootstrap = self._folder / "bootstrap.json"
        bootstrap.write_text(json.dumps(_bootstrap(translation.bootstrap, self._folder)))
        with (self._folder / "envoy.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(envoy_binary(), "--config-path", str(bootstrap), "--log-level", "warning"),
                    *("--disable-hot-restart", "--concurrency", str(min(os.cpu_count() or 1, 4))),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _wait(self, local: "Localized") -> None:
        """Until Envoy says that it uses all of it."""
        routes = {each["name"]: _version([each]) for each in local.routes}

        def in_effect() -> bool:
            return (
                self._text("listener_manager.lds") == _version(local.listeners)
                and self._text("cluster_manager.cds") == _version(local.clusters)
                and not any(self.stats("(total_listeners|clusters)_warming$|warming_clusters$").values())
                and routes.items() <= self._routes().items()
            )

        self._wait_for(in_effect)

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + (START_S if self._process is None else EFFECT_S)
        while True:
            assert self._process is not None and self._process.poll() is None, f"Envoy ended:\n{self.log()}"
            try:
                if condition():
                    return
            except httpx.TransportError:
                pass  # it is not there yet
            assert time.monotonic() < deadline, f"Envoy did not take its configuration:\n{self.log()}"
            time.sleep(0.02)

    def _text(self, name: str) -> str:
        found = self._client.get("/stats", params={"format": "json", "type": "TextReadouts"}).raise_for_status().json()
        return next((str(each["value"]) for each in found["stats"] if each.get("name") == f"{name}.version_text"), "")

    def _routes(self) -> dict[str, str]:
        found = self._dump("dynamic_route_configs")
        return {each["route_config"]["name"]: each["version_info"] for each in found}

    def _dump(self, resource: str) -> list[Json]:
        return self._client.get("/config_dump", params={"resource": resource}).json().get("configs", [])

    def _move(self, kind: str, resources: Sequence[Json], name: str = "") -> None:
        body = json.dumps({"version_info": _version(resources), "resources": list(resources)})
        path = self._folder / _file(kind, name)
        if not path.exists() or path.read_text() != body:
            replace_file(path, body)

    def _free_port(self, container: int) -> int:
        return self._ports.setdefault(container, free_port())


class Localized:
    """A translation with this machine's places in it."""

    def __init__(
        self, translation: Translation, around: Surroundings, folder: Path, port: Callable[[int], int]
    ) -> None:
        self._around, self._folder = around, folder
        kept = [each for each in translation.listeners if not each["name"].startswith("envoy-gateway-proxy-")]
        self.listeners = [self._from_files(_moved(each, port, folder)) for each in kept]
        self.clusters = [self._from_files(_reached(each, around.hosts)) for each in translation.clusters]
        self.routes = [self._from_files(each) for each in translation.routes]
        self.endpoints = [self._populated(each) for each in translation.endpoints]

    def named(self) -> Iterable[tuple[str, str, Json]]:
        """What clusters and listeners ask for by name: its kind of xDS, its name, itself."""
        for each in self.endpoints:
            yield "eds", each["clusterName"], each
        for secret in self._around.secrets:
            if secret.get("type") == "kubernetes.io/tls":
                name = f"{secret['metadata']['namespace']}/{secret['metadata']['name']}"
                yield "sds", name, _certificate(name, secret)

    def _from_files(self, value: Any) -> Any:
        """`value` with a file in the place of every `ads` in it."""
        if isinstance(value, list):
            return [self._from_files(each) for each in value]
        if not isinstance(value, dict):
            return value
        changed = {key: self._from_files(each) for key, each in value.items()}
        for name, source, kind in (
            ("routeConfigName", "configSource", "rds"),
            ("serviceName", "edsConfig", "eds"),
            ("name", "sdsConfig", "sds"),
        ):
            if "ads" in changed.get(source, {}):
                changed[source] = _source(self._folder, _file(kind, changed[name]))
        return changed

    def _populated(self, assignment: Json) -> Json:
        endpoints = [
            {**locality, "lbEndpoints": [self._endpoint(path) for path in self._servers(locality)]}
            for locality in assignment.get("endpoints", [])
        ]
        return {**assignment, "endpoints": endpoints}

    def _servers(self, locality: Json) -> Sequence[Path]:
        (service,) = locality["metadata"]["filterMetadata"]["envoy-gateway"]["resources"]
        return self._around.services[service["namespace"], service["name"]]

    @staticmethod
    def _endpoint(path: Path) -> Json:
        return {"endpoint": {"address": {"pipe": {"path": str(path)}}}, "loadBalancingWeight": 1}


def _bootstrap(translated: Json, folder: Path) -> Json:
    # The rest of the translator's bootstrap is about the controller, the kubelet and Prometheus.
    kept = {
        name: translated[name] for name in ("layeredRuntime", "overloadManager", "statsConfig") if name in translated
    }
    return kept | {
        "node": {"id": "proxy", "cluster": "proxy"},
        "admin": {"address": {"pipe": {"path": str(folder / "admin.sock")}}},
        "dynamicResources": {
            "ldsConfig": _source(folder, _file("lds")),
            "cdsConfig": _source(folder, _file("cds")),
        },
    }


def _moved(listener: Json, port: Callable[[int], int], folder: Path) -> Json:
    listens = listener["address"]["socketAddress"]["portValue"]
    address = {"socketAddress": {"address": ADDRESS, "portValue": port(listens)}}
    text = json.dumps({**listener, "address": address})
    return json.loads(text.replace('"/dev/stdout"', json.dumps(str(folder / "access.log"))))


def _reached(cluster: Json, hosts: Mapping[str, int]) -> Json:
    """A cluster that reaches a host by its name reaches a port of this machine."""
    if cluster.get("type") == "EDS":
        return cluster
    places = [
        each["endpoint"]["address"]["socketAddress"]
        for locality in cluster["loadAssignment"]["endpoints"]
        for each in locality["lbEndpoints"]
    ]
    (host,) = {each["address"] for each in places}
    here = {"endpoint": {"address": {"socketAddress": {"address": ADDRESS, "portValue": hosts[host]}}}}
    assignment = {**cluster["loadAssignment"], "endpoints": [{"lbEndpoints": [here]}]}
    rest = {key: each for key, each in cluster.items() if key not in ("clusterType", "transportSocket")}
    return {**rest, "type": "STATIC", "loadAssignment": assignment}


def _certificate(name: str, secret: Manifest) -> Json:
    chain, key = (secret["data"][part] for part in ("tls.crt", "tls.key"))  # base64, as `inlineBytes` is
    return {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": name,
        "tlsCertificate": {"certificateChain": {"inlineBytes": chain}, "privateKey": {"inlineBytes": key}},
    }


def _source(folder: Path, name: str) -> Json:
    path = {"path": str(folder / name), "watchedDirectory": {"path": str(folder)}}
    return {"resourceApiVersion": "V3", "pathConfigSource": path}


def _file(kind: str, name: str = "") -> str:
    return f"{kind}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.json" if name else f"{kind}.json"


def _version(resources: Sequence[Json]) -> str:
    return hashlib.sha256(json.dumps(list(resources), sort_keys=True).encode()).hexdigest()[:16]
