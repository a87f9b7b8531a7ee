"""What Envoy is told for three plans; each rendering is validated by the real Envoy."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from providers.local.xds import envoy_binary
from tests.golden.conftest import Golden
from tidegate.targets import envoy

STATE = "/srv/a project/.tidegate/local"
ADDRESS, PORT = "127.0.0.1", 8080


def cluster(name: str, replicas: int = 1) -> envoy.ClusterPlan:
    _, _, version = name.partition(".")
    sockets = [f"{STATE}/run/{name}-{replica}.sock" for replica in range(replicas)]
    return {"name": name, "version": version, "sockets": sockets, "max_requests": 1024}


def route(endpoint: str, percents: dict[str, int], keys: dict[str, str] | None = None) -> envoy.RoutePlan:
    def version(name: str) -> envoy.VersionPlan:
        return {"cluster": f"{endpoint}.{name}", "timeout_ms": 60500}

    plan: envoy.RoutePlan = {
        "endpoint": endpoint,
        "versions": {name: version(name) for name in percents},
        "split": [{"version": name, "percent": percent, **version(name)} for name, percent in percents.items()],
    }
    return {**plan, "keys": keys} if keys else plan


def keys(endpoint: str) -> dict[str, str]:
    return {name: f"the {name} key of {endpoint}" for name in ("primary", "secondary")}


ISSUER: envoy.IssuerPlan = {
    "url": "http://127.0.0.1:8080/tokens",
    "keys": {"keys": [{"kty": "EC", "alg": "ES256", "use": "sig", "kid": "1", "crv": "P-256",
                       "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                       "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]},
}  # fmt: skip
"""With the public key of RFC 7515, appendix A.3."""

PLANS: dict[str, tuple[list[envoy.ClusterPlan], list[envoy.RoutePlan]]] = {
    "two-versions-with-keys": (
        [cluster("diabetes.ridge", replicas=3), cluster("diabetes.forest")],
        [route("diabetes", {"ridge": 80, "forest": 20}, keys("diabetes"))],
    ),
    "several-endpoints": (
        [cluster("zebra.one"), cluster("open.one"), cluster("new.one"), cluster("new.two")],
        [
            route("zebra", {"one": 100}, keys("zebra")),
            route("open", {"one": 100}),
            # Before its first sample was scored: versions by header, no split yet.
            {**route("new", {"one": 0, "two": 0}, keys("new")), "split": []},
        ],
    ),
    "tokens-shadow-retry": (
        [cluster("diabetes.ridge", replicas=2), cluster("diabetes.forest")],
        [
            {
                **route("diabetes", {"ridge": 100, "forest": 0}),
                "token": {"audiences": ["00000000-0000-0000-0000-0000000000aa"], "role": "Score.Invoke"},
                "shadows": [{"cluster": "diabetes.forest", "percent": 10}],
                "attempts": 2,
                "max_request_bytes": 5 << 20,
            }
        ],
    ),
    "twenty-versions": (
        [cluster(f"wide.v{number}") for number in range(1, 21)],
        # The last ones get nothing but requests that name them.
        [route("wide", {f"v{number}": 10 if number <= 10 else 0 for number in range(1, 21)})],
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_clusters_and_routes(name: str, golden: Golden, tmp_path: Path) -> None:
    plans, routes = PLANS[name]
    clusters, configuration = [envoy.cluster(plan) for plan in plans], envoy.route_configuration(routes)
    rendering = {"clusters": clusters, "routes": configuration}
    checks = envoy.token_checks(ISSUER, [plan["token"] for plan in routes if "token" in plan])
    golden(f"envoy/{name}", rendering | ({"tokens": checks} if "providers" in checks else {}))
    require_valid(tmp_path, envoy.static(ADDRESS, PORT, clusters, configuration, checks))


def test_bootstrap_and_listener(golden: Golden, tmp_path: Path) -> None:
    folder = f"{STATE}/gateway"
    golden("envoy/bootstrap", envoy.bootstrap(folder, f"{STATE}/run/admin.sock"))
    golden(
        "envoy/listener", envoy.listener(ADDRESS, PORT, envoy.from_route_file(folder), envoy.from_token_file(folder))
    )
    for name in ("lds", "cds", "rds", "ecds"):  # Envoy wants its files to be there
        (tmp_path / f"{name}.json").write_text(json.dumps(envoy.discovery("1", [])))
    require_valid(tmp_path, envoy.bootstrap(str(tmp_path), str(tmp_path / "admin.sock")))
    require_valid(
        tmp_path, envoy.static(ADDRESS, PORT, [], envoy.route_configuration([]), envoy.token_checks(None, []))
    )


def test_the_order_of_plans_and_versions_changes_nothing() -> None:
    for _, routes in PLANS.values():
        backwards: list[Any] = [
            {**plan, "versions": dict(reversed(list(plan["versions"].items())))} for plan in reversed(routes)
        ]
        assert envoy.route_configuration(backwards) == envoy.route_configuration(routes)


def require_valid(folder: Path, configuration: envoy.Json) -> None:
    path = folder / "envoy.json"
    path.write_text(json.dumps(configuration))
    command = [envoy_binary(), "--mode", "validate", "--config-path", str(path), "--log-level", "warning"]
    outcome = subprocess.run(command, check=False, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "deprecated" not in outcome.stderr.lower(), outcome.stderr
