# ruff: noqa: N802 (the protocol's method names)
"""A Pulumi monitor in process: records what a program registers, options included, and lets the stand-ins answer.

Stricter than the SDK's own mocks, which accept any name, key and type: inputs go through the same checks as on the real
engine, resources are made in a pretended cloud with the outputs that Azure would give, a URN is registered once, a
function is answered only where a stand-in knows it, and whatever a program waits for is known unless it is a preview.
"""

import asyncio
import contextvars
import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.proto import provider_pb2, resource_pb2

from providers.api_key import ApiKey
from providers.azure.cluster_attachment import ClusterAttachment
from providers.azure.compute_detachment import ComputeDetachment
from providers.azure.replacement_guard import ReplacementGuard
from providers.azure.system_pool import SystemPool
from providers.image.contents import Contents
from providers.kind import Kind, object_failures
from providers.kubernetes.rollout import Rollout
from providers.local.deployment import Deployment
from providers.local.environment import Environment
from providers.local.gateway import Gateway
from providers.local.host import Host
from providers.local.model import Model
from providers.local.route import Route
from providers.models.code import Code
from providers.models.model import Model as StoredModel
from providers.serving_record import Serving
from providers.values import UNKNOWN, Secret, decode, encode, plain
from tests.standins.azure_native import AzureNative
from tests.standins.cloud import Cloud
from tests.standins.kubernetes_objects import Kubernetes

Properties = dict[str, Any]
Recorded = dict[str, Any]
"""One resource: `urn` (without stack and project), `type`, `name`, `inputs`, `inputsFrom` (the resources that an input
comes from), `options`, `outputs` of a component; what is secret is a `Secret`."""

_OWN: Mapping[str, type[Kind]] = {
    kind.type: kind
    for kind in (
        *(ApiKey, Serving, Host, Gateway, Model, Environment, Deployment, Route),
        *(ReplacementGuard, SystemPool, ClusterAttachment, ComputeDetachment),
        *(Contents, StoredModel, Code, Rollout),
    )
}


def record(
    program: Callable[[], object],
    *,
    cloud: Path,
    project: str = "tidegate",
    stack: str = "test",
    preview: bool = False,
    given: Mapping[str, Properties] | None = None,
) -> list[Recorded]:
    """What `program` registers, sorted by URN, the stack with its outputs among it.

    `cloud` is the folder of the pretended cloud; `given` has the outputs of the project's own resources by type,
    and those of another stack as `pulumi:pulumi:readStackOutputs`. In a
    preview nothing exists yet, and what only exists later is unknown. Raises AssertionError for what the engine or a
    plugin would refuse.
    """
    monitor = Recorder(Cloud(cloud), preview=preview, given=given or {})

    @pulumi.runtime.test
    def run() -> None:
        # What ends a program is raised here; the tasks that it leaves behind have nothing to add when they are freed.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        program()
        root: Any = pulumi.runtime.get_root_resource()
        root.register_outputs(root.outputs)  # as the runtime does at a program's end

    def isolated() -> None:
        set_mocks(monitor.mocks, project, stack, preview=preview, monitor=monitor, organization="organization")
        run()

    # The SDK keeps the stack and its outputs in context variables, beyond the end of a program.
    contextvars.Context().run(isolated)
    return [monitor.recorded[urn] for urn in sorted(monitor.recorded)]


def rendered(recorded: list[Recorded]) -> list[Recorded]:
    """The same for a golden file, in few words: nothing secret is shown."""
    shown = ("type", "name", "inputs", "options", "outputs")
    return [_shown({key: each[key] for key in shown if key in each}) for each in recorded]


def named(recorded: list[Recorded], type_name: str, name: str = "") -> Recorded:
    """The one resource of a type (its last part is enough), and of this name where it is given."""
    last = type_name.rpartition(":")[2]
    found = [each for each in recorded if each["type"].rpartition(":")[2] == last and name in ("", each["name"])]
    assert len(found) == 1, f"{len(found)} resources {type_name} {name}: {[each['name'] for each in found]}"
    return found[0]


class Recorder(MockMonitor):
    """Keeps each request and passes it on to the stand-in of its plugin."""

    def __init__(self, cloud: Cloud, *, preview: bool, given: Mapping[str, Properties]) -> None:
        super().__init__(_Nothing())
        self.recorded: dict[str, Recorded] = {}
        self._preview = preview
        self._given = given
        self._azure = AzureNative(cloud)
        self._cloud = cloud
        self._kubernetes: dict[str, Kubernetes] = {}
        self._lock = threading.Lock()

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        with self._lock:
            assert urn not in self.recorded, f"{urn} is registered twice"
            self.recorded[urn] = {
                "urn": _short(urn),
                "type": request.type,
                "name": request.name,
                "inputs": {name: value for name, value in decode(request.object).items() if value is not None},
                "inputsFrom": {
                    name: sorted(map(_short, each.urns))
                    for name, each in request.propertyDependencies.items()
                    if each.urns
                },
                "options": _options(request),
            }
            if not request.custom:
                return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
            identity, outputs = self._make(urn, request)
        if self._preview and not request.type.startswith("pulumi:providers:"):
            identity = ""
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=outputs)

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if request.urn in self.recorded:
            self.recorded[request.urn]["outputs"] = decode(request.outputs)
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:
        if request.tok.startswith("pulumi:pulumi:readStack"):  # new stacks have none
            outputs = encode({"outputs": self._given.get(request.tok, {})})
            response = resource_pb2.ResourceInvokeResponse()
            getattr(response, "return").CopyFrom(outputs)
            return response
        with self._lock:
            answer = self._azure.Invoke(provider_pb2.InvokeRequest(tok=request.tok, args=request.args), _Call())
        response = resource_pb2.ResourceInvokeResponse()
        getattr(response, "return").CopyFrom(getattr(answer, "return"))
        return response

    def _make(self, urn: str, request: Any) -> tuple[str, Any]:
        package = request.type.partition(":")[0]
        if package == "pulumi":
            if request.type == "pulumi:providers:kubernetes":
                self._kubernetes[f"{urn}::{request.name}"] = self._configured(request.object)
            return request.name, request.object
        if package == "tidegate-serving":
            return request.name, encode(self._own(request.type, decode(request.object)))
        if package == "docker-build":
            return request.name, encode(self._built(decode(request.object)))
        plugin: Any = self._azure
        if package == "kubernetes":
            assert request.provider in self._kubernetes, f"{urn} has no provider of its own"
            plugin = self._kubernetes[request.provider]
        checked = plugin.Check(provider_pb2.CheckRequest(urn=urn, news=request.object), _Context())
        assert not checked.failures, "\n".join(failure.reason for failure in checked.failures)
        creation = provider_pb2.CreateRequest(urn=urn, properties=checked.inputs, preview=self._preview)
        created = plugin.Create(creation, _Context())
        return created.id, created.properties

    def _built(self, inputs: Properties) -> Properties:
        """An image, by what it is made of: no builder is asked."""
        text = json.dumps(_shown(inputs), sort_keys=True)
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        return {**inputs, "digest": UNKNOWN if self._preview else digest}

    def _configured(self, arguments: Any) -> Kubernetes:
        plugin = Kubernetes(self._cloud)
        plugin.Configure(provider_pb2.ConfigureRequest(args=arguments), _Context())
        return plugin

    def _own(self, type_name: str, inputs: Properties) -> Properties:
        present = {name: value for name, value in inputs.items() if value is not None}
        failures = object_failures(_OWN[type_name].inputs, plain(present))
        assert not failures, "\n".join(f"{type_name}: {failure.path}: {failure.reason}" for failure in failures)
        later = {name: UNKNOWN for name in inputs if inputs[name] is None} if self._preview else {}
        return {**later, **self._given.get(type_name, {}), **present}


class _Nothing(Mocks):
    """The recorder answers by itself; a program that reads or calls anything else fails."""

    def new_resource(self, args: MockResourceArgs) -> NoReturn:
        raise AssertionError(f"{args.name} is read")

    def call(self, args: MockCallArgs) -> NoReturn:
        raise AssertionError(f"{args.token} is called")


class _Context:
    """A call that fails ends the test."""

    def abort(self, code: Any, details: str) -> NoReturn:
        raise AssertionError(details)

    abort_with_status = abort


class _Call:
    """A call of a function: what it fails with goes to the program."""

    def abort(self, code: Any, details: str) -> NoReturn:
        raise _CallError(code, details)


class _CallError(grpc.RpcError):
    def __init__(self, code: Any, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._details


def _options(request: Any) -> Properties:
    """The options that differ from their defaults, by their names in the protocol; URNs without stack and project."""
    from_inputs = {each for urns in request.propertyDependencies.values() for each in urns.urns}
    options = {
        "parent": _short(request.parent),
        "dependsOn": sorted(_short(each) for each in set(request.dependencies) - from_inputs),
        "provider": _short(request.provider.rpartition("::")[0]),
        "protect": request.protect,
        "ignoreChanges": list(request.ignoreChanges),
        "aliases": _aliases(request),
        "replaceOnChanges": list(request.replaceOnChanges),
        "replaceWith": [_short(each) for each in request.replace_with],
        "deletedWith": _short(request.deletedWith),
        "deleteBeforeReplace": request.deleteBeforeReplace,
        "retainOnDelete": request.retainOnDelete,
        "additionalSecretOutputs": list(request.additionalSecretOutputs),
    }
    return {name: value for name, value in options.items() if value}


def _aliases(request: Any) -> list[str]:
    """The former names that the program gives; without the SDK's own, which are older API versions of the type."""
    package = request.type.partition(":")[0]
    return [str(each) for each in request.aliases if each.urn or not each.spec.type.startswith(f"{package}:")]


def _short(urn: str) -> str:
    return "::".join(urn.split("::")[2:])


def _shown(value: Any) -> Any:
    if isinstance(value, Secret):
        return "SECRET"
    if value is UNKNOWN:
        return "UNKNOWN"
    if isinstance(value, dict):
        return {key: _shown(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_shown(member) for member in value]
    return value
