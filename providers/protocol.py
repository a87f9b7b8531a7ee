"""The engine's gRPC protocol in front of the plugin's kinds of resources.

Written on the protocol itself rather than on `pulumi.provider.experimental`: see docs/decisions/0001.
"""

import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from providers.kind import Call, Failure, Kind, OperationError, Properties, object_failures
from providers.values import Secret, decode, differences, encode, plain

T = TypeVar("T")
_PROPERTY_DIFF = {"add": "ADD", "delete": "DELETE", "update": "UPDATE"}


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine's calls with the kinds given; each call runs in a thread of the server's pool.

    `late` makes further kinds, by type, when the first resource of one is met.
    """

    def __init__(
        self, version: str, kinds: Iterable[Kind], engine: str, late: Mapping[str, Callable[[], Kind]] | None = None
    ) -> None:
        self._version = version
        self._kinds = {kind.type: kind for kind in kinds}
        self._late = late or {}
        self._loading = threading.Lock()
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine)) if engine else None
        self._cancelled = threading.Event()
        self._under_way = 0
        self._idle = threading.Condition()

    def cancel(self) -> None:
        """End every wait; operations under way clean up and fail."""
        self._cancelled.set()

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no operation is under way; whether that came true in time."""
        with self._idle:
            return self._idle.wait_for(lambda: self._under_way == 0, timeout_s)

    # -- about the plugin

    def Handshake(self, request: Any, context: Any) -> Any:
        self._connect(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: Any) -> Any:
        self._connect(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._version)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> Any:
        self.cancel()
        return empty_pb2.Empty()

    # -- about one resource

    def Check(self, request: Any, context: Any) -> Any:
        kind = self._kind(request.urn, context)
        old, new = decode(request.olds), _present(decode(request.news))
        failures = object_failures(kind.inputs, new)
        if not failures:
            before, after = plain(old), plain(new)
            failures = self._run(
                request.urn, context, lambda call: kind.check(before, after) or kind.inspect(call, before, after)
            )
            for text in kind.notices(before, after):
                self._log(request.urn, text, ephemeral=False)
        return provider_pb2.CheckResponse(
            inputs=encode(new),
            failures=[provider_pb2.CheckFailure(property=each.path, reason=_reason(each)) for each in failures],
        )

    def Diff(self, request: Any, context: Any) -> Any:
        kind = self._kind(request.urn, context)
        old, new = _present(decode(request.old_inputs)), _present(decode(request.news))
        detailed: dict[str, provider_pb2.PropertyDiff] = {}
        replaces: set[str] = set()
        for path, change in differences(old, new):
            top = _top(path)
            name = _PROPERTY_DIFF[change]
            if top in kind.replace_on:
                replaces.add(top)
                name += "_REPLACE"
            detailed[path] = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(name), inputDiff=True)
        changes = provider_pb2.DiffResponse.DIFF_SOME if detailed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=changes,
            diffs=sorted({_top(path) for path in detailed}),
            replaces=sorted(replaces),
            deleteBeforeReplace=bool(replaces) and kind.delete_before_replace,
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> Any:
        kind = self._kind(request.urn, context)
        new = plain(decode(request.properties))
        if request.preview:
            return provider_pb2.CreateResponse(properties=_outputs(kind, kind.planned({}, new)))
        identity, outputs = self._run(request.urn, context, lambda call: kind.create(call, new))
        return provider_pb2.CreateResponse(
            id=identity, properties=_outputs(kind, outputs), refresh_before_update=kind.refresh_before_update
        )

    def Read(self, request: Any, context: Any) -> Any:
        kind = self._kind(request.urn, context)
        outputs = self._run(request.urn, context, lambda _: kind.read(request.id, plain(decode(request.properties))))
        if outputs is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=_outputs(kind, outputs),
            inputs=encode(_drifted(decode(request.inputs), plain(decode(request.properties)), outputs)),
            refresh_before_update=kind.refresh_before_update,
        )

    def Update(self, request: Any, context: Any) -> Any:
        kind = self._kind(request.urn, context)
        old, new = plain(decode(request.olds)), plain(decode(request.news))
        if request.preview:
            outputs = kind.planned(old, new)
        else:
            outputs = self._run(request.urn, context, lambda call: kind.update(call, request.id, old, new))
        return provider_pb2.UpdateResponse(
            properties=_outputs(kind, outputs), refresh_before_update=kind.refresh_before_update
        )

    def Delete(self, request: Any, context: Any) -> Any:
        kind = self._kind(request.urn, context)
        self._run(request.urn, context, lambda call: kind.delete(call, request.id, plain(decode(request.properties))))
        return empty_pb2.Empty()

    # -- how a call runs

    def _connect(self, engine: str) -> None:
        if engine and self._engine is None:
            self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine))

    def _kind(self, urn: str, context: Any) -> Kind:
        name = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
        with self._loading:
            if name not in self._kinds and name in self._late:
                self._kinds[name] = self._late[name]()
        if name not in self._kinds:
            _abort(context, grpc.StatusCode.NOT_FOUND, f"tidegate-serving has no resource type {name}")
        return self._kinds[name]

    def _run(self, urn: str, context: Any, work: Callable[[Call], T]) -> T:
        call = Call(
            progress=lambda text: self._log(urn, text, ephemeral=True),
            info=lambda text: self._log(urn, text, ephemeral=False),
            cancelled=self._cancelled,
        )
        with self._idle:
            self._under_way += 1
        try:
            return work(call)
        except OperationError as error:
            _abort(context, grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except Exception:  # whatever it is, a user must see it in the engine's output and not lose the update
            _abort(context, grpc.StatusCode.INTERNAL, "a fault in tidegate-serving:\n" + traceback.format_exc())
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    def _log(self, urn: str, text: str, *, ephemeral: bool) -> None:
        if self._engine is None:
            return
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=text, urn=urn, ephemeral=ephemeral)
        with suppress(grpc.RpcError):  # a lost line of progress is no reason to fail the resource
            self._engine.Log(request, timeout=5)


def _abort(context: Any, code: grpc.StatusCode, text: str) -> NoReturn:
    context.abort(code, text)
    raise AssertionError("abort returned")


def _present(properties: Mapping[str, Any]) -> Properties:
    """Without what is null: to the engine an absent property and a null one are the same."""
    return {key: value for key, value in properties.items() if value is not None}


def _drifted(inputs: Properties, before: Properties, now: Properties) -> Properties:
    """The inputs that would have made what is there now, so that the next difference shows what has drifted."""
    return {key: now[key] if key in now and now[key] != before.get(key) else value for key, value in inputs.items()}


def _outputs(kind: Kind, outputs: Properties) -> Any:
    return encode({key: Secret(value) if key in kind.secret_outputs else value for key, value in outputs.items()})


def _top(path: str) -> str:
    return path.split(".", 1)[0].split("[", 1)[0]


def _reason(failure: Failure) -> str:
    # The engine drops the path of a nested property, so the text has to carry it.
    return f"{failure.path}: {failure.reason}"
