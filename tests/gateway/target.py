"""A stack's config as a cluster's gateway runs it: the manifests, translated, served by real Envoy."""

import base64
import json
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.conformance.endpoints import TENANT
from tests.conformance.target import Values
from tests.gateway.pods import Pods, write_script
from tests.gateway.proxy import Proxy, Surroundings
from tests.gateway.translation import Manifest, Translation, translate
from tidegate.cluster.plan.objects import GATEWAY_NAMESPACE, certificate_data, plan_certificate, plan_namespace
from tidegate.cluster.spec import ClusterSpec, OwnCertificate
from tidegate.config import Environment, load
from tidegate.endpoint.spec import EndpointSpec
from tidegate.gateway.plan import plan_gateway
from tidegate.targets.kubernetes import ClusterFacts, EndpointPlan, plan_endpoint
from tidegate.targets.local_tokens import Issuer

KEYS = f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"
IMAGE = f"registry.example.com/scoring@sha256:{'0' * 64}"
AZURE: Values = {
    "tidegate:target": "azure",
    "tidegate:location": "westeurope",
    "tidegate:resourceGroup": "scoring",
    "tidegate:registry": {"name": "scoring7421"},
}


@contextmanager
def translated_target() -> Iterator["TranslatedTarget"]:
    """A pretended cluster without endpoints, whose processes are ended at the end."""
    with short_folder() as folder, signing_keys(KEYS) as keys:
        pods, proxy = Pods(folder), Proxy(folder)
        try:
            yield TranslatedTarget(folder, pods, proxy, keys)
        finally:
            proxy.stop()
            pods.stop()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="tg") as folder:
        yield Path(folder)


class TranslatedTarget:
    """Endpoints on a pretended cluster, for the checks of tests/conformance. `endpoints` is their config."""

    def __init__(self, folder: Path, pods: Pods, proxy: Proxy, keys: "SigningKeys") -> None:
        self.folder, self._pods, self._signing = folder, pods, keys
        self.proxy = proxy
        self.keys: dict[tuple[str, str], str] = {}
        self.endpoints: Values = {}
        self.cluster: Values = {"purpose": "DevTest", "systemPool": {"minCount": 1, "maxCount": 100}}
        self.notes = folder / "notes"
        self.notes.mkdir()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.port()}"

    def key(self, endpoint: str, name: str = "primary") -> str:
        return self.keys.setdefault((endpoint, name), secrets.token_urlsafe(32))

    def token(
        self,
        endpoint: str,
        *,
        audience: str | None = None,
        role: str | None = None,
        expires_in_s: int = 600,
        forged: bool = False,
    ) -> str:
        spec = next(each.token for each in self.load().endpoints if each.name == endpoint)
        assert spec is not None
        to = audience or spec.application_id
        url = spec.issuers[-1 if to == spec.application_id_uri else 0]  # a v1 token is for the URI
        roles = [] if role == "" else [role or spec.role]
        issuer = self._signing.forged if forged else self._signing.issuer
        return replace(issuer, url=url).sign(to, roles, lifetime_s=expires_in_s, now=time.time()).text

    def weigh(self, endpoint: str, traffic: Mapping[str, int]) -> None:
        for name, percent in traffic.items():
            self.endpoints[endpoint]["versions"][name]["traffic"] = percent
        self.apply()

    def version(self, name: str, script: str, **settings: object) -> Values:
        """The config of a version that runs `script`."""
        write_script(self.folder / "scripts" / name, script)
        return {"entryScript": "score.py", "sourceDirectory": f"scripts/{name}", **settings}

    def load(self) -> Environment:
        """The config as it stands, completed."""
        values = {**AZURE, "tidegate:clusters": {"main": self.cluster}, "tidegate:endpoints": self.endpoints}
        return load(values, root=self.folder, stack="dev")

    def start(self) -> None:
        """Start the pods that are missing, and put the config into effect."""
        for spec, plan in self._planned(self.load()):
            for version in spec.versions:
                inference = version.built_from
                script = inference.source / inference.entry_script
                self._pods.run(plan.versions[version.name].deployment(image=IMAGE), script)
        self._pods.wait()
        self.apply()

    def apply(self) -> None:
        """Put the config into effect for the pods that run."""
        self.serve(self.manifests()).require()

    def serve(self, manifests: Sequence[Manifest]) -> Translation:
        """Put manifests into effect, whatever the controller says of them."""
        services = {
            (each["metadata"]["namespace"], each["metadata"]["name"]): self._pods.of(each)
            for each in manifests
            if each["kind"] == "Service"
        }
        secrets = [each for each in manifests if each["kind"] == "Secret"]
        around = Surroundings(services, secrets, {self._signing.host: self._signing.port})
        translation = translate(manifests, self.folder)
        self.proxy.apply(translation, around)
        return translation

    def manifests(self) -> list[Manifest]:
        """The objects of the gateway and of every endpoint, but the pods."""
        environment = self.load()
        cluster = _cluster(environment)
        return [
            plan_namespace(GATEWAY_NAMESPACE, pod_security="restricted"),
            *plan_gateway(cluster).manifests,
            *(
                [plan_certificate(data=certificate_data(cluster.tls))]
                if isinstance(cluster.tls, OwnCertificate)
                else []
            ),
            *(each for spec, plan in self._planned(environment) for each in self._objects(spec, plan)),
        ]

    def _planned(self, environment: Environment) -> Iterator[tuple[EndpointSpec, EndpointPlan]]:
        cluster = _cluster(environment)
        gateway = plan_gateway(cluster)
        facts = ClusterFacts("main", host=gateway.host, tls=gateway.tls, pools=cluster.pools)
        for spec in environment.endpoints:
            yield spec, plan_endpoint(spec, facts)

    def _objects(self, spec: EndpointSpec, plan: EndpointPlan) -> Iterator[Manifest]:
        yield plan.namespace
        yield from (version.service for version in plan.versions.values())
        yield from (*plan.filters, *plan.header_routes, plan.split, *plan.traffic_policies)
        if plan.security_policy:
            yield plan.security_policy
        if spec.auth == "key":
            values = {name: self.key(spec.name, name) for name in ("primary", "secondary")}
            yield plan.keys(values={name: base64.b64encode(each.encode()).decode() for name, each in values.items()})


def _cluster(environment: Environment) -> ClusterSpec:
    assert environment.azure is not None
    (cluster,) = environment.azure.clusters
    assert isinstance(cluster, ClusterSpec)
    return cluster


class SigningKeys:
    """The keys of an issuer of tokens, and a host that publishes them."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.issuer = Issuer.new("", 1)
        self.forged = Issuer.new("", 1)


@contextmanager
def signing_keys(uri: str) -> Iterator[SigningKeys]:
    """Publish an issuer's keys on a port of this machine, as `uri` says where they are."""
    where = urlsplit(uri)
    keys = SigningKeys(where.hostname or "", 0)
    body = json.dumps(keys.issuer.public_keys()).encode()

    class Published(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == where.path else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Published) as server:
        keys.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield keys
        finally:
            server.shutdown()
            thread.join()
