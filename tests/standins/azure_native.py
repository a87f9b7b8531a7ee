# ruff: noqa: N802 (gRPC's method names)
"""A strict stand-in for the plugin of azure-native 3.29: same answers to the engine, a folder in place of Azure.

Written after the provider's own source (provider/pkg/provider/{provider,diff}.go): inputs are compared with inputs,
path parameters and the fields of the replacement table replace, a replacement deletes first, a preview knows of the
outputs what the inputs say, a name and a location, and a refresh carries over to the inputs what changed outside.
Stricter than it: a body that ARM would refuse is refused at Check, in the preview.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from providers.values import UNKNOWN, decode, differences, encode, plain
from tests.standins import bodies, invokes
from tests.standins.arm import Arm, HalfCreatedError, problems
from tests.standins.cloud import VARIABLE, ArmError, Body, Cloud
from tests.standins.kinds import KINDS, Kind
from tests.standins.plugin import InitializationError, Plugin, RefusedError, guarded, serve

Properties = dict[str, Any]
_KIND = {"add": "ADD", "delete": "DELETE", "update": "UPDATE"}
_OUTSIDE_PROPERTIES = frozenset({"location", "tags", "identity", "kind", "sku"})


class AzureNative(Plugin):
    """The plugin over one pretended cloud."""

    version = "3.29.0"

    def __init__(self, cloud: Cloud) -> None:
        self._arm = Arm(cloud)

    @guarded
    def Check(self, request: Any, context: Any) -> Any:
        kind, inputs = _kind(request.urn), _present(plain(decode(request.news)))
        failures = [
            provider_pb2.CheckFailure(property=each.path, reason=f"{kind.token}: {each}")
            for each in problems(kind, inputs)
        ]
        return provider_pb2.CheckResponse(inputs=encode(_present(decode(request.news))), failures=failures)

    @guarded
    def Diff(self, request: Any, context: Any) -> Any:
        kind = _kind(request.urn)
        old, new = _present(plain(decode(request.old_inputs))), _present(plain(decode(request.news)))
        detailed: dict[str, provider_pb2.PropertyDiff] = {}
        replaces: set[str] = set()
        for path, change in differences(old, new):
            if path == "location" and _location(old) == _location(new):
                continue
            name = _KIND[change]
            if _replaces(kind, path):
                replaces.add(re.split(r"[.\[]", path, maxsplit=1)[0])
                name += "_REPLACE"
            detailed[path] = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(name), inputDiff=True)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if detailed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted({re.split(r"[.\[]", path, maxsplit=1)[0] for path in detailed}),
            replaces=sorted(replaces),
            deleteBeforeReplace=bool(replaces),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    @guarded
    def Create(self, request: Any, context: Any) -> Any:
        kind, inputs = _kind(request.urn), _present(plain(decode(request.properties)))
        if request.preview:
            return provider_pb2.CreateResponse(properties=encode(_previewed(kind, inputs)))
        identity = kind.id(inputs)
        body = self._put(kind, identity, inputs, create=True)
        return provider_pb2.CreateResponse(id=body["id"], properties=encode(_outputs(kind, body)))

    @guarded
    def Update(self, request: Any, context: Any) -> Any:
        kind, inputs = _kind(request.urn), _present(plain(decode(request.news)))
        if request.preview:
            olds = plain(decode(request.olds))
            stable = {name: olds[name] for name in ("name", "location") if name in olds}
            return provider_pb2.UpdateResponse(properties=encode({**_previewed(kind, inputs), **stable}))
        body = self._put(kind, request.id, inputs, create=False)
        return provider_pb2.UpdateResponse(properties=encode(_outputs(kind, body)))

    @guarded
    def Read(self, request: Any, context: Any) -> Any:
        kind = _kind(request.urn)
        try:
            body = self._arm.get(request.id)
        except ArmError as error:
            if error.status == 404:
                return provider_pb2.ReadResponse()
            raise RefusedError(str(error)) from None
        now = _outputs(kind, body)
        before, inputs = plain(decode(request.properties)), plain(decode(request.inputs))
        inputs = carried(inputs, _writable(kind, before, inputs), _writable(kind, now, inputs))
        return provider_pb2.ReadResponse(id=body["id"], properties=encode(now), inputs=encode(inputs))

    @guarded
    def Delete(self, request: Any, context: Any) -> Any:
        if _kind(request.urn).token == "machinelearningservices:Compute":
            # The plugin sends no query parameters but the version, and Azure requires this one.
            raise RefusedError(str(ArmError(400, "BadArgument", "underlyingResourceAction is required.")))
        try:
            self._arm.delete(request.id)
        except ArmError as error:
            raise RefusedError(str(error)) from None
        return empty_pb2.Empty()

    @guarded
    def Invoke(self, request: Any, context: Any) -> Any:
        try:
            answer = invokes.answer(self._arm, request.tok, plain(decode(request.args)))
        except ArmError as error:
            raise RefusedError(f"{request.tok}: {error}") from None
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(encode(answer))  # a keyword in Python
        return response

    def _put(self, kind: Kind, identity: str, inputs: Properties, *, create: bool) -> Body:
        try:
            return self._arm.put(identity, _body(kind, inputs), create=create)
        except HalfCreatedError as half:
            outputs = _outputs(kind, half.body)
            raise InitializationError(identity, outputs, inputs, str(half)) from None
        except ArmError as error:
            raise RefusedError(str(error)) from None


def _kind(urn: str) -> Kind:
    token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
    if token not in KINDS:
        raise RefusedError(f"the stand-in has no type {token}; add it to tests/standins/kinds.py")
    return KINDS[token]


def _present(properties: Mapping[str, Any]) -> Properties:
    return {key: value for key, value in properties.items() if value is not None}


def _location(inputs: Properties) -> str:
    return str(inputs.get("location", "")).lower().replace(" ", "")


def _replaces(kind: Kind, path: str) -> bool:
    anywhere = re.sub(r"\[\d+\]", "[]", path)
    names = kind.replace | set(kind.path_inputs)
    return any(anywhere == name or anywhere.startswith((f"{name}.", f"{name}[")) for name in names)


def _body(kind: Kind, inputs: Properties) -> Body:
    given = kind.body(inputs)
    if not kind.lifted:
        return given
    if kind.resource is not None:
        return bodies.nest(kind.resource, given)
    outside = {key: value for key, value in given.items() if key in _OUTSIDE_PROPERTIES}
    return {**outside, "properties": {key: value for key, value in given.items() if key not in outside}}


def _outputs(kind: Kind, body: Body) -> Properties:
    if not kind.lifted:
        flat = dict(body)
    elif kind.resource is not None:
        flat = bodies.flatten(kind.resource, body)
    else:
        flat = {**{key: value for key, value in body.items() if key != "properties"}, **body["properties"]}
    return {**{key: value for key, value in flat.items() if key != "id"}, "azureApiVersion": kind.version}


def _previewed(kind: Kind, inputs: Properties) -> Properties:
    given = kind.body(inputs)
    if kind.resource is None or not kind.lifted:
        return given
    known = bodies.previewed(kind.resource, given)
    return {key: value for key, value in known.items() if key != "id"} | {"name": UNKNOWN}


def _writable(kind: Kind, outputs: Properties, inputs: Properties) -> Properties:
    """The part of the outputs that can be inputs."""
    if kind.resource is None or not kind.lifted:
        return {key: value for key, value in outputs.items() if key in inputs}
    # Subresources that the program did not write inline stay out of its inputs, and so does what is in the path.
    inline = {"subnets"} - inputs.keys()
    found = bodies.writable(kind.resource, outputs)
    return {key: value for key, value in found.items() if key not in inline | {"name"}}


def carried(inputs: Any, before: Any, now: Any) -> Any:
    """The inputs with what changed between two answers, member by member; how a value was written stays."""
    if isinstance(inputs, dict) and isinstance(before, dict) and isinstance(now, dict):
        kept = {key: value for key, value in inputs.items() if key in now or key not in before}
        changed = {key: value for key, value in now.items() if key not in before or before[key] != value}
        return kept | {
            key: carried(inputs[key], before.get(key), value) if key in inputs else value
            for key, value in changed.items()
        }
    if isinstance(inputs, list) and isinstance(before, list) and isinstance(now, list):
        known = min(len(inputs), len(before))
        return [
            carried(inputs[index], before[index], value) if index < known else value for index, value in enumerate(now)
        ]
    return now if before != now else inputs


if __name__ == "__main__":
    serve(AzureNative(Cloud(Path(os.environ[VARIABLE]))))
