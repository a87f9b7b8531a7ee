"""What Envoy Gateway makes of manifests: its own translator, run offline by `egctl x translate`.

The objects of Kubernetes that route requests go in; the Envoy configuration that the gateway's proxies get comes out,
with the status that the gateway's controller would write on the objects. The tool is built from the controller's own
module, so that it is the same code; `tools/egctl` only has it keep the labels and the ages of what it reads.
"""

import base64
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]

Json = dict[str, Any]
Manifest = Mapping[str, Any]

READ = frozenset(
    {
        *("GatewayClass", "Gateway", "HTTPRoute", "ReferenceGrant", "Service", "Secret", "ConfigMap", "Namespace"),
        *("EnvoyProxy", "HTTPRouteFilter", "SecurityPolicy", "BackendTrafficPolicy", "ClientTrafficPolicy"),
        *("Backend", "EnvoyPatchPolicy", "EnvoyExtensionPolicy"),
    }
)
"""The kinds that Envoy Gateway's translator reads; all others mean nothing to a request."""


class RefusedError(Exception):
    """Envoy Gateway does not accept an object; says each one's condition with its reason."""


@dataclass(frozen=True)
class Translation:
    """The configuration of one Gateway's proxies, in Envoy's JSON, and what the controller says of the objects."""

    bootstrap: Json
    listeners: Sequence[Json]
    routes: Sequence[Json]
    clusters: Sequence[Json]
    endpoints: Sequence[Json]
    complaints: Sequence[str]

    def require(self) -> "Translation":
        """The same; raises where the controller complains of an object."""
        if self.complaints:
            raise RefusedError("\n".join(self.complaints))
        return self


@cache
def egctl() -> str:
    """The path of the tool, built where it is not there yet."""
    found = subprocess.run([CHECKOUT / "tools" / "egctl"], check=True, stdout=subprocess.PIPE, text=True)
    return found.stdout.strip()


def translate(manifests: Iterable[Manifest], folder: Path) -> Translation:
    """The configuration that follows from `manifests` for the one Gateway in them; `folder` takes the tool's input."""
    objects = [_as_stored(each) for each in manifests if each["kind"] in READ]
    path = folder / "manifests.yaml"  # JSON is YAML
    path.write_text("\n---\n".join(json.dumps(each) for each in objects))
    command = [
        *(egctl(), "x", "translate", "--from", "gateway-api", "--to", "gateway-api,xds", "--add-missing-resources"),
        *("--output", "json", "--file", str(path)),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RefusedError(done.stderr.strip().splitlines()[-1])
    found = json.loads(done.stdout)
    ((_, dump),) = found["xds"].items()
    parts = {each["@type"].rpartition(".")[2]: each for each in dump["configs"]}
    return Translation(
        bootstrap=parts["BootstrapConfigDump"]["bootstrap"],
        listeners=[
            each["activeState"]["listener"] for each in parts["ListenersConfigDump"].get("dynamicListeners", [])
        ],
        routes=[each["routeConfig"] for each in parts["RoutesConfigDump"].get("dynamicRouteConfigs", [])],
        clusters=[each["cluster"] for each in parts["ClustersConfigDump"].get("dynamicActiveClusters", [])],
        endpoints=[each["endpointConfig"] for each in parts["EndpointsConfigDump"].get("dynamicEndpointConfigs", [])],
        complaints=sorted(set(_complaints(found))),
    )


def _as_stored(manifest: Manifest) -> Json:
    """A manifest as the API server gives it back: what a Secret has in `stringData` is in `data`."""
    stored = dict(manifest)
    texts = stored.pop("stringData", {})
    if texts:
        data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
        stored["data"] = {**stored.get("data", {}), **data}
    return stored


def _complaints(found: Json) -> Iterator[str]:
    for objects in found.values():
        for each in objects if isinstance(objects, list) else []:
            status = each.get("status") or {}
            parents = [*status.get("parents", []), *status.get("ancestors", []), *status.get("listeners", []), status]
            name = f"{each.get('kind')} {each['metadata'].get('namespace', '')}/{each['metadata']['name']}"
            for condition in (each for parent in parents for each in parent.get("conditions", [])):
                if _bad(condition):
                    yield f"{name}: {condition['type']} {condition['status']}: {condition['message']}"


def _bad(condition: Json) -> bool:
    if condition["type"] in ("Accepted", "ResolvedRefs", "Programmed"):
        # Nothing is programmed offline, since there is no Service with an address.
        return condition["status"] == "False" and condition["reason"] not in ("AddressNotAssigned", "NoResources")
    return condition["type"] in ("Conflicted", "Overridden", "PartiallyInvalid") and condition["status"] == "True"
