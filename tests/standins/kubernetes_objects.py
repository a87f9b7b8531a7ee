# ruff: noqa: N802 (gRPC's method names)
"""A strict stand-in for the plugin of pulumi-kubernetes 4.34: objects are files below their cluster in the cloud.

It asks of a kubeconfig what a cluster with Entra and without local accounts asks: the cluster is there, its address and
authority are right, and kubelogin gets a token in a way that needs nobody at a browser. As the real plugin does, it
replaces a provider when its `clusterIdentifier` changes (or, without one, its server), replaces objects whose name,
namespace or immutable fields change, deletes before it replaces, and refuses to create what is there. Secrets and
ConfigMaps count as immutable unless the provider is told otherwise. Nothing is waited for: what exists is ready.
"""

import importlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2
from ruamel.yaml import YAML

from providers.values import UNKNOWN, decode, differences, encode, plain
from tests.standins import annotations, api_server
from tests.standins.aks import CLUSTERS
from tests.standins.bicep import Problem
from tests.standins.cloud import TENANT, VARIABLE, Body, Cloud
from tests.standins.invokes import AKS_SERVER_APP
from tests.standins.plugin import Plugin, RefusedError, guarded, serve

Properties = dict[str, Any]

LOGINS = frozenset({"azurecli", "workloadidentity", "spn"})
"""kubelogin's modes for a person with the Azure CLI, for CI, and for a service principal."""

CLUSTER_WIDE = frozenset(
    {
        "Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PriorityClass", "StorageClass",
        "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "GatewayClass", "ClusterIssuer", "APIService",
        "RuntimeClass", "IngressClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    }
)  # fmt: skip
BORN_WITH = frozenset({"default", "kube-system", "kube-public", "kube-node-lease", "gatekeeper-system"})
"""The namespaces of a new cluster."""

REPLACE: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
    "Job": ("spec.selector", "spec.template"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "PersistentVolumeClaim": ("spec",),
    "StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
    "Secret": ("type",),
}
"""Fields that the API server lets nobody change, by kind."""
CONTENT: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Secret": ("enableSecretMutable", ("data", "stringData", "immutable")),
    "ConfigMap": ("enableConfigMapMutable", ("data", "binaryData", "immutable")),
}
"""Fields whose change replaces too unless the provider has this switch on."""

_DIFF = provider_pb2.PropertyDiff.Kind


class Kubernetes(Plugin):
    """The plugin over one pretended cloud; each provider of a program is a process of its own."""

    version = "4.34.2"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._config: Properties = {}

    @guarded
    def DiffConfig(self, request: Any, context: Any) -> Any:
        old, new = plain(decode(request.old_inputs)), plain(decode(request.news))
        detailed = {
            path: provider_pb2.PropertyDiff(kind=_DIFF.Value(change.upper())) for path, change in differences(old, new)
        }
        if not detailed:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        if old.get("clusterIdentifier") or new.get("clusterIdentifier"):
            replaces = ["clusterIdentifier"] if old.get("clusterIdentifier") != new.get("clusterIdentifier") else []
        else:
            replaces = ["kubeconfig"] if _server(old.get("kubeconfig")) != _server(new.get("kubeconfig")) else []
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME, diffs=sorted(detailed), replaces=replaces,
            detailedDiff=detailed, hasDetailedDiff=True,
        )  # fmt: skip

    @guarded
    def Configure(self, request: Any, context: Any) -> Any:
        self._config = plain(decode(request.args))
        if self._config.get("kubeconfig") is not UNKNOWN:
            self._cluster()  # a kubeconfig that could not log in is refused here, in the preview
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    @guarded
    def Check(self, request: Any, context: Any) -> Any:
        inputs = plain(decode(request.news))
        token = _token(request.urn)
        failures = [
            provider_pb2.CheckFailure(property=each.path, reason=f"{token}: {each}") for each in check(token, inputs)
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @guarded
    def Diff(self, request: Any, context: Any) -> Any:
        old, new = plain(decode(request.old_inputs)), plain(decode(request.news))
        changes = list(differences(old, new))
        fixed = (*self._fixed(new), *(self.immutable(request.urn, new) if changes else ()))
        detailed: dict[str, Any] = {}
        replaces: set[str] = set()
        for path, change in changes:
            name = change.upper()
            if any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in fixed):
                replaces.add(path)
                name += "_REPLACE"
            detailed[path] = provider_pb2.PropertyDiff(kind=_DIFF.Value(name), inputDiff=True)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if detailed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted({re.split(r"[.\[]", path, maxsplit=1)[0] for path in detailed}),
            replaces=sorted(replaces), detailedDiff=detailed, hasDetailedDiff=True,
            # The new object has the old one's name unless that is what changes.
            deleteBeforeReplace=bool(replaces) and _identity(old) == _identity(new),
        )  # fmt: skip

    @guarded
    def Create(self, request: Any, context: Any) -> Any:
        inputs = plain(decode(request.properties))
        if request.preview:
            return provider_pb2.CreateResponse(properties=encode(self.foresee(request.urn, inputs)))
        if self.find(inputs) is not None:
            raise RefusedError(f"resource {_identity(inputs)} was not successfully created: it already exists")
        stored = self.store(request.urn, inputs)
        return provider_pb2.CreateResponse(id=_identity(inputs), properties=encode(stored))

    @guarded
    def Update(self, request: Any, context: Any) -> Any:
        inputs = self.left_alone(request.urn, plain(decode(request.news)), tuple(request.ignoreChanges))
        if request.preview:
            return provider_pb2.UpdateResponse(properties=encode(self.foresee(request.urn, inputs)))
        return provider_pb2.UpdateResponse(properties=encode(self.store(request.urn, inputs)))

    @guarded
    def Read(self, request: Any, context: Any) -> Any:
        before, inputs = plain(decode(request.properties)), plain(decode(request.inputs))
        if not self.reachable():
            if self._switch("skipUpdateUnreachable"):
                return provider_pb2.ReadResponse(id=request.id, properties=encode(before), inputs=encode(inputs))
            raise _unreachable()
        now = self.find(before)
        if now is None:
            return provider_pb2.ReadResponse()
        changed = {key: now[key] for key in inputs if key in now and now[key] != before.get(key) and key != "metadata"}
        return provider_pb2.ReadResponse(id=request.id, properties=encode(now), inputs=encode({**inputs, **changed}))

    @guarded
    def Delete(self, request: Any, context: Any) -> Any:
        if not self.reachable():
            if self._switch("deleteUnreachable"):
                return empty_pb2.Empty()
            raise _unreachable()
        self.remove(plain(decode(request.properties)))
        return empty_pb2.Empty()

    # -- where objects are kept

    def reachable(self) -> bool:
        """Whether anybody answers at the kubeconfig's address."""
        return self._cluster() is not None

    def find(self, inputs: Properties) -> Properties | None:
        """An object as it is now, None where there is none."""
        path = self._path(inputs)
        return json.loads(path.read_text()) if path.exists() else None

    def left_alone(self, urn: str, inputs: Properties, ignored: tuple[str, ...]) -> Properties:
        """The inputs of an update, with what is to be left as the cluster has it."""
        return inputs

    def foresee(self, urn: str, inputs: Properties) -> Properties:
        """What `store` will give back, as far as a preview can know."""
        return inputs

    def immutable(self, urn: str, inputs: Properties) -> tuple[str, ...]:
        """The fields that the cluster would not let these inputs change, beside those that are known for the kind."""
        return ()

    def store(self, urn: str, inputs: Properties) -> Properties:
        """Make an object as these inputs say, whatever was there."""
        namespace = inputs["metadata"].get("namespace")
        if namespace and namespace not in BORN_WITH and not self._namespace(namespace).exists():
            raise RefusedError(f'namespaces "{namespace}" not found')
        self._require_definition(inputs)
        return _stored(self._path(inputs), inputs)

    def remove(self, body: Properties) -> None:
        """Delete an object with what is in it; nothing where it is gone."""
        self._path(body).unlink(missing_ok=True)
        if body["kind"] == "Namespace":
            for path in self._objects().glob(f"*/*/{body['metadata']['name']}/*.object"):
                path.unlink()

    # -- the cluster

    def _cluster(self) -> Body | None:
        """The cluster behind the kubeconfig; None where its address belongs to none."""
        config = self._config.get("kubeconfig")
        if config in (None, UNKNOWN):
            raise RefusedError("no kubeconfig: there is no default cluster here")
        return check_kubeconfig(self._cloud, str(config))

    def _objects(self) -> Path:
        cluster = self._cluster()
        if cluster is None:
            raise _unreachable()
        return objects(self._cloud, cluster["id"])

    def _path(self, inputs: Properties) -> Path:
        metadata = inputs["metadata"]
        folder = self._objects() / quote(inputs["apiVersion"], safe="") / inputs["kind"]
        return folder / metadata.get("namespace", "_") / f"{metadata['name']}.object"

    def _namespace(self, name: str) -> Path:
        return self._path({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def _require_definition(self, inputs: Properties) -> None:
        group, _, _ = inputs["apiVersion"].rpartition("/")
        if "." not in group or _arguments(inputs["apiVersion"], inputs["kind"]):
            return
        for path in self._objects().glob("apiextensions.k8s.io*/CustomResourceDefinition/_/*.object"):
            spec = json.loads(path.read_text())["spec"]
            if spec["group"] == group and spec["names"]["kind"] == inputs["kind"]:
                return
        if group in self._added():
            return
        raise RefusedError(f'no matches for kind "{inputs["kind"]}" in version "{inputs["apiVersion"]}"')

    def _added(self) -> set[str]:
        """The groups of kinds that AKS's own add-ons bring."""
        properties = (self._cluster() or {}).get("properties", {})
        keda = properties.get("workloadAutoScalerProfile", {}).get("keda", {}).get("enabled")
        metrics = properties.get("azureMonitorProfile", {}).get("metrics", {}).get("enabled")
        return {*(["keda.sh"] if keda else []), *(["azmonitoring.coreos.com"] if metrics else [])}

    def _fixed(self, inputs: Properties) -> tuple[str, ...]:
        kind = inputs["kind"]
        switch, content = CONTENT.get(kind, ("", ()))
        return (
            *("apiVersion", "kind", "metadata.name", "metadata.namespace"),
            *REPLACE.get(kind, ()),
            *(() if switch and self._switch(switch) else content),
        )

    def _switch(self, name: str) -> bool:
        return str(self._config.get(name, "")).lower() == "true"


def objects(cloud: Cloud, cluster: str) -> Path:
    """The folder of a cluster's objects: `<apiVersion>/<kind>/<namespace or _>/<name>.object`, each as JSON."""
    return cloud.root.joinpath(*cluster.strip("/").lower().split("/")) / "kubernetes"


def find(cloud: Cloud, cluster: str, kind: str) -> list[Body]:
    """A cluster's objects of one kind, sorted by namespace and name."""
    paths = sorted(objects(cloud, cluster).glob(f"*/{kind}/*/*.object"))
    return [json.loads(path.read_text()) for path in paths]


def check(token: str, inputs: Properties) -> Iterator[Problem]:
    """Every fault of an object's inputs."""
    _, group_version, kind = token.split(":")
    version = inputs.get("apiVersion")
    if inputs.get("kind") != kind:
        yield Problem("kind", f"{inputs.get('kind')!r} is not {kind}")
    if version is None or not version.endswith(group_version.removeprefix("core/")):
        yield Problem("apiVersion", f"{version!r} is not {group_version.removeprefix('core/')}")
    metadata = inputs.get("metadata")
    if metadata is UNKNOWN:
        return
    metadata = metadata or {}
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if name is None:
        yield Problem("metadata.name", "is required here: a name of Pulumi's own changes when the object is replaced")
    elif name is not UNKNOWN and not re.fullmatch(r"[a-z0-9]([-a-z0-9.:]*[a-z0-9])?", name):
        yield Problem("metadata.name", f"{name!r} is no name of an object")
    if kind in CLUSTER_WIDE and namespace is not None:
        yield Problem("metadata.namespace", f"a {kind} has none")
    if kind not in CLUSTER_WIDE and namespace is None:
        yield Problem("metadata.namespace", "is required here")
    for key, value in (metadata.get("labels") or {}).items():
        if value is not UNKNOWN and not re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?", value):
            yield Problem(f"metadata.labels.{key}", f"{value!r} is no value of a label")
    arguments = _arguments(group_version, kind)
    if arguments is not None:
        yield from annotations.check(arguments, _without_schemas(inputs))


def check_kubeconfig(cloud: Cloud, text: str) -> Body | None:
    """The cluster that a kubeconfig leads to, None where there is none; refuses one that could not log in."""
    config = YAML(typ="safe").load(text)
    context = _named(config["contexts"], config["current-context"])["context"]
    reached = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    login: Properties = user.get("exec") or {}
    arguments: list[str] = login.get("args") or []
    mode = _option(arguments, "--login", "-l")
    faults = [
        fault
        for fault, found in {
            "there is a token, a password or a client key in it": set(user) != {"exec"},
            f"{login.get('command')!r} is not kubelogin": login.get("command") != "kubelogin",
            "kubelogin's first argument is not get-token": arguments[:1] != ["get-token"],
            f"--login {mode} needs somebody at a browser": mode not in LOGINS,
            "--server-id is not that of AKS": _option(arguments, "--server-id") != AKS_SERVER_APP,
            "no tenant": mode == "spn" and _option(arguments, "--tenant-id", "-t") != TENANT,
            "a client secret stands in it": _option(arguments, "--client-secret") is not None,
            "insecure-skip-tls-verify is on": bool(reached.get("insecure-skip-tls-verify")),
        }.items()
        if found
    ]
    if faults:
        raise RefusedError("kubeconfig: " + "; ".join(faults))
    for cluster in cloud.all(CLUSTERS):
        if reached["server"] in api_server.addresses(cluster):
            if reached.get("certificate-authority-data") != api_server.authority(cluster):
                raise RefusedError("x509: certificate signed by unknown authority")
            return cluster
    return None


def _named(entries: list[Properties], name: str) -> Properties:
    found = [entry for entry in entries if entry["name"] == name]
    if not found:
        raise RefusedError(f"kubeconfig: there is no entry {name}")
    return found[0]


def _option(arguments: list[str], *names: str) -> str | None:
    for index, word in enumerate(arguments):
        if word in names:
            return arguments[index + 1] if index + 1 < len(arguments) else ""
        for name in names:
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
    return None


def _server(kubeconfig: Any) -> Any:
    if not isinstance(kubeconfig, str):
        return kubeconfig
    return [each["cluster"]["server"] for each in YAML(typ="safe").load(kubeconfig)["clusters"]]


def _arguments(group_version: str, kind: str) -> type | None:
    """The SDK's class of an object's inputs; None for a custom resource."""
    group, _, version = group_version.rpartition("/")
    if "." in group and not group.endswith(".k8s.io"):
        return None
    module = group.partition(".")[0]
    try:
        found = importlib.import_module(f"pulumi_kubernetes.{module}.{version}")
    except ModuleNotFoundError:
        return None
    return getattr(found, f"{kind}InitArgs", None)


def _without_schemas(inputs: Properties) -> Properties:
    """A CustomResourceDefinition without its schemas, whose fields the SDK calls otherwise than Kubernetes."""
    if inputs.get("kind") != "CustomResourceDefinition":
        return inputs
    spec = inputs["spec"]
    return {**inputs, "spec": {**spec, "versions": [{**each, "schema": {}} for each in spec["versions"]]}}


def _stored(path: Path, inputs: Properties) -> Properties:
    born: Properties = {"generation": 0, "uid": str(uuid4())}
    before = json.loads(path.read_text())["metadata"] if path.exists() else born
    generation = before["generation"] + 1
    made = {"uid": before["uid"], "generation": generation, "resourceVersion": str(generation)}
    stored = {**inputs, "metadata": {**inputs["metadata"], **made}, **_status(inputs)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(stored, indent=2))
    return stored


def _status(inputs: Properties) -> Properties:
    """What a controller would say that the plugin was told to wait for."""
    annotations_given = inputs["metadata"].get("annotations") or {}
    awaited = annotations_given.get("pulumi.com/waitFor", "").removeprefix("condition=")
    if not awaited:
        return {}
    status: Properties = {"conditions": [{"type": awaited, "status": "True"}]}
    if inputs["kind"] == "Gateway":
        status["addresses"] = [{"type": "IPAddress", "value": "203.0.113.80"}]
    return {"status": status}


def _token(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", maxsplit=1)[-1]


def _identity(inputs: Properties) -> str:
    metadata = inputs["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def _unreachable() -> RefusedError:
    return RefusedError("configured Kubernetes cluster is unreachable: no such host")


if __name__ == "__main__":
    serve(Kubernetes(Cloud(Path(os.environ[VARIABLE]))))
