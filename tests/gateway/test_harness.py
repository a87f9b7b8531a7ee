"""That the harness itself changes nothing of what requests mean, on objects written by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engine.harness import ECHO
from tests.gateway.pods import Pods, write_script
from tests.gateway.proxy import Localized, Proxy, Surroundings
from tests.gateway.translation import RefusedError, translate

pytestmark = pytest.mark.kubernetes

CLASS = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "GatewayClass",
    "metadata": {"name": "tidegate"},
    "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
}
GATEWAY = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "scoring", "namespace": "system"},
    "spec": {
        "gatewayClassName": "tidegate",
        "listeners": [
            {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}
        ],
    },
}


def deployment(version: str) -> dict[str, Any]:
    container = {"name": "scoring", "env": [{"name": "SERVICE_VERSION", "value": version}]}
    template = {"metadata": {"labels": {"version": version}}, "spec": {"containers": [container]}}
    return {"kind": "Deployment", "metadata": {"name": version, "namespace": "team"}, "spec": {"template": template}}


def service(version: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": version, "namespace": "team"},
        "spec": {"selector": {"version": version}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


def route(weights: dict[str, int]) -> dict[str, Any]:
    marks = {
        name: {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-by", "value": name}]}}
        for name in weights
    }
    backends = [
        {"name": name, "port": 80, "weight": weight, "filters": [marks[name]]} for name, weight in weights.items()
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "split", "namespace": "team"},
        "spec": {
            "parentRefs": [{"name": "scoring", "namespace": "system"}],
            "rules": [{"matches": [{"path": {"type": "Exact", "value": "/score"}}], "backendRefs": backends}],
        },
    }


def test_weights_take_effect_by_a_push(short_path: Path, pods: Pods, proxy: Proxy):
    script = write_script(short_path / "script", ECHO)
    for version in ("one", "two"):
        pods.run(deployment(version), script)
    pods.wait()
    around = Surroundings({("team", name): pods.of(service(name)) for name in ("one", "two")}, [], {})

    def apply(weights: dict[str, int]) -> None:
        manifests = [CLASS, GATEWAY, route(weights), *map(service, weights)]
        proxy.apply(translate(manifests, short_path).require(), around)

    def answered() -> set[str]:
        answers = [httpx.post(f"http://127.0.0.1:{proxy.port()}/score", json=1).raise_for_status() for _ in range(20)]
        assert all(each.headers["x-by"] == each.json()["version"] for each in answers)
        return {each.headers["x-by"] for each in answers}

    apply({"one": 100, "two": 0})
    assert answered() == {"one"}
    apply({"one": 0, "two": 100})
    assert answered() == {"two"}
    apply({"one": 50, "two": 50})
    assert answered() == {"one", "two"}


def test_only_places_are_replaced(short_path: Path):
    translation = translate([CLASS, GATEWAY, route({"one": 1, "two": 1}), service("one"), service("two")], short_path)
    around = Surroundings({("team", name): [Path(f"/{name}.sock")] for name in ("one", "two")}, [], {})
    local = Localized(translation.require(), around, short_path, lambda port: port)
    (listener,) = (each for each in translation.listeners if not each["name"].startswith("envoy-gateway-proxy"))
    assert sorted(_differences(listener, local.listeners[0])) == [
        ".accessLog.0.typedConfig.path",
        ".address.socketAddress.address",
        *sorted(
            f".defaultFilterChain.filters.0.typedConfig.{name}"
            for name in ("accessLog.0.typedConfig.path", "rds.configSource.ads", "rds.configSource.pathConfigSource")
        ),
    ]
    assert list(translation.routes) == local.routes
    for before, after in zip(translation.clusters, local.clusters, strict=True):
        assert set(_differences(before, after)) == {
            ".edsClusterConfig.edsConfig.ads",
            ".edsClusterConfig.edsConfig.pathConfigSource",
        }
    for before, after in zip(translation.endpoints, local.endpoints, strict=True):
        address = ".endpoints.0.lbEndpoints.0.endpoint.address"
        assert set(_differences(before, after)) == {f"{address}.pipe", f"{address}.socketAddress"}


def _differences(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Where two values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            if key not in before or key not in after:
                yield f"{place}.{key}"
            else:
                yield from _differences(before[key], after[key], f"{place}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{place}.{number}")
    elif before != after:
        yield place


def test_what_the_controller_refuses_is_said(short_path: Path):
    unknown = route({"one": 1})
    unknown["spec"]["parentRefs"][0]["sectionName"] = "nowhere"
    with pytest.raises(RefusedError, match=r"HTTPRoute team/split: Accepted False: .*"):
        translate([CLASS, GATEWAY, unknown, service("one")], short_path).require()
    misspelt = route({"one": 1})
    misspelt["spec"]["rules"][0]["matches"][0]["path"]["type"] = "Exactly"
    with pytest.raises(RefusedError, match=r"Unsupported value: \"Exactly\""):
        translate([CLASS, GATEWAY, misspelt, service("one")], short_path)
