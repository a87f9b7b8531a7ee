"""The stand-in for pulumi-kubernetes over a real API server: objects go in by server-side apply, as the plugin does it.

A replacement is what the plugin plans by its own list of fields, and what the API server refuses to change in a dry
run. As the plugin does, it waits for what does not ask it to leave that.
"""

import base64
import copy
import functools
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from providers.values import UNKNOWN, Secret, has_unknown
from tests.kubernetes.api import Address, Api, ApiError, until
from tests.standins.cloud import VARIABLE, Cloud
from tests.standins.kubernetes_objects import Kubernetes, Properties, check_kubeconfig
from tests.standins.plugin import RefusedError, serve

SKIP_AWAIT = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
"""`condition=TYPE`: what an object of any kind is waited for."""
NOT_SERVED = frozenset({"StatefulSet", "Pod", "Ingress", "PersistentVolumeClaim", "ReplicationController"})
"""What the plugin waits for too, and nothing here would ever end the wait."""
PATIENCE_S = 60.0
_IMMUTABLE = ("field is immutable", "updates to", "may not be changed", "cannot be changed")


class ServerSide(Kubernetes):
    """Objects behind the API server that the kubeconfig leads to."""

    def reachable(self) -> bool:
        try:
            return self._api.http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def find(self, inputs: Properties) -> Properties | None:
        metadata = inputs["metadata"]
        try:
            found = self._api.find(
                inputs["apiVersion"], inputs["kind"], metadata["name"], metadata.get("namespace", "")
            )
        except ApiError as error:
            if error.code == 404:  # the API group itself
                return None
            raise RefusedError(str(error)) from None
        return None if found is None else _outputs(found)

    def foresee(self, urn: str, inputs: Properties) -> Properties:
        if self._config.get("kubeconfig") is UNKNOWN or has_unknown(inputs):
            return inputs
        try:
            self._apply(urn, inputs, dry_run=True)
        except ApiError as error:
            # The namespace, or the definition of its kind, may come in the same run.
            if error.code != 404:
                raise RefusedError(str(error)) from None
        return inputs

    def left_alone(self, urn: str, inputs: Properties, ignored: tuple[str, ...]) -> Properties:
        """As the plugin does: what another manager alone has written is not sent, all else as it is in the cluster."""
        metadata = inputs["metadata"]
        if not ignored:
            return inputs
        found = self._api.get(inputs["apiVersion"], inputs["kind"], metadata["name"], metadata.get("namespace", ""))
        inputs = copy.deepcopy(inputs)
        for path in ignored:
            *parents, last = path.split(".")
            fields = [f"f:{name}" for name in parents]
            managers = found["metadata"]["managedFields"]
            owners = {each["manager"] for each in managers if f"f:{last}" in _at(each["fieldsV1"], fields)}
            place, live = _at(inputs, parents), _at(found, parents)
            if owners and _manager(urn) not in owners:
                place.pop(last, None)
            elif last in live:
                place[last] = live[last]
        return inputs

    def immutable(self, urn: str, inputs: Properties) -> tuple[str, ...]:
        if self._config.get("kubeconfig") is UNKNOWN or has_unknown(inputs):
            return ()
        try:
            self._apply(urn, inputs, dry_run=True)
        except ApiError as error:
            causes = (error.status.get("details") or {}).get("causes") or ()
            return tuple(cause["field"] for cause in causes if any(words in cause["message"] for words in _IMMUTABLE))
        return ()

    def store(self, urn: str, inputs: Properties) -> Properties:
        kind, name = inputs["kind"], inputs["metadata"]["name"]
        await_it = _annotations(inputs).get(SKIP_AWAIT) != "true"
        if kind in NOT_SERVED and await_it:
            raise RefusedError(f"{kind} {name}: the plugin would wait for it, and nothing makes it ready here")
        try:
            self._apply(urn, inputs, dry_run=False)
        except ApiError as error:
            raise RefusedError(str(error)) from None
        condition = _annotations(inputs).get(WAIT_FOR, "").removeprefix("condition=")
        if await_it and condition:
            self._wait(inputs, lambda api, found: _is(found, condition))
        elif await_it and kind in _SETTLED:
            self._wait(inputs, _SETTLED[kind])
        found = self.find(inputs)
        assert found is not None
        return found

    def remove(self, body: Properties) -> None:
        try:
            self._api.delete(body)
            until(lambda: self.find(body) is None, f"the end of {body['metadata']['name']}", seconds=120)
        except ApiError as error:
            raise RefusedError(str(error)) from None

    def _cluster(self) -> Properties | None:
        """The pretended cluster, for what its kubeconfig must be like."""
        return check_kubeconfig(self._cloud, str(self._config["kubeconfig"]))

    @cached_property
    def _api(self) -> Api:
        return Api(log_in(str(self._config["kubeconfig"])))

    def _apply(self, urn: str, inputs: Properties, *, dry_run: bool) -> Properties:
        force = dry_run or self._switch("enablePatchForce")
        return self._api.apply(inputs, manager=_manager(urn), force=force, dry_run=dry_run)

    def _wait(self, inputs: Properties, settled: Callable[[Api, Properties], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not settled(self._api, self.find(inputs) or inputs):
            if time.monotonic() > end:
                raise RefusedError(f"{inputs['kind']} {inputs['metadata']['name']}: Timeout occurred: it is not ready")
            time.sleep(0.1)


def _is(found: Properties, condition: str) -> bool:
    conditions = found.get("status", {}).get("conditions") or []
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def _rolled_out(api: Api, found: Properties) -> bool:
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    return (
        status.get("observedGeneration") == found["metadata"].get("generation")
        and status.get("updatedReplicas", 0) == status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )


def _has_no_unready_pods(api: Api, found: Properties) -> bool:
    """A Service is done when no pod behind it is on its way, be there any or none; one for outside has its address."""
    if found["spec"].get("type") == "LoadBalancer":
        return bool(found.get("status", {}).get("loadBalancer", {}).get("ingress"))
    if not found["spec"].get("selector") or found["spec"].get("clusterIP") == "None":
        return True
    metadata = found["metadata"]
    pages = api.list(
        "discovery.k8s.io/v1", "EndpointSlice", metadata["namespace"],
        **{"kubernetes.io/service-name": metadata["name"]},
    )  # fmt: skip
    return all(each["conditions"]["ready"] for page in pages for each in page["endpoints"] or ())


_SETTLED: Mapping[str, Callable[[Api, Properties], bool]] = {
    "CustomResourceDefinition": lambda api, found: _is(found, "Established"),
    "Job": lambda api, found: _is(found, "Complete"),
    "Deployment": _rolled_out,
    "Service": _has_no_unready_pods,
}


def log_in(kubeconfig: str) -> Address:
    """What a kubeconfig leads to, with the token that its program gives."""
    config = YAML(typ="safe").load(kubeconfig)
    [cluster], [user] = config["clusters"], config["users"]
    login = user["user"]["exec"]
    done = subprocess.run([login["command"], *login["args"]], check=True, stdout=subprocess.PIPE, text=True)
    authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
    return Address(cluster["cluster"]["server"], authority, json.loads(done.stdout)["status"]["token"])


def _manager(urn: str) -> str:
    """One manager a resource; the plugin's is random and kept in the state."""
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def _at(tree: Properties, path: list[str]) -> Properties:
    return functools.reduce(lambda found, name: found.get(name, {}), path, tree)


def _annotations(inputs: Properties) -> dict[str, str]:
    return inputs["metadata"].get("annotations") or {}


def _outputs(found: Properties) -> dict[str, Any]:
    metadata = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    outputs = {**found, "metadata": metadata}
    # What a Secret holds comes back under another name than it went in, so the engine does not know it as secret.
    return {**outputs, "data": Secret(found["data"])} if found["kind"] == "Secret" and "data" in found else outputs


if __name__ == "__main__":
    serve(ServerSide(Cloud(Path(os.environ[VARIABLE]))))
