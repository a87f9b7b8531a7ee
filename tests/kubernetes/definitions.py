"""Kinds that the objects of endpoints and gateways are of, beside Kubernetes' own."""

from collections.abc import Iterator, Sequence

from ruamel.yaml import YAML

from tests.engine.harness import CHECKOUT
from tests.kubernetes.api import Api, Manifest, until
from tidegate.gateway.bundles import BundleName, read_bundle

_PUBLISHED: Sequence[BundleName] = ("gateway-api", "envoy-gateway-crds", "cert-manager")


def published() -> Iterator[Manifest]:
    """Those that the project installs with the gateway."""
    for name in _PUBLISHED:
        yield from (each for each in read_bundle(name).objects if each["kind"] == "CustomResourceDefinition")


def of_aks() -> Iterator[Manifest]:
    """Those that AKS's add-ons bring: KEDA's, as version 2.21 has them, and Azure Monitor's without its schema."""
    for path in sorted((CHECKOUT / "tests" / "data" / "keda").glob("*.yaml")):
        yield YAML(typ="safe").load(path)
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    yield {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "podmonitors.azmonitoring.coreos.com"},
        "spec": {
            "group": "azmonitoring.coreos.com",
            "names": {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything}}},
                }
            ],
        },
    }


def install(api: Api, definitions: Sequence[Manifest]) -> None:
    """Apply definitions, and wait until objects of their kinds are taken."""
    for each in definitions:
        api.apply(each)
    for each in definitions:
        until(lambda each=each: _established(api, each["metadata"]["name"]), each["metadata"]["name"])


def _established(api: Api, name: str) -> bool:
    found = api.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
    conditions = found.get("status", {}).get("conditions") or []  # null in the first moments
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
