# ruff: noqa: N802 (gRPC's method names)
"""What both plugins share: serving the engine, and the parts of its protocol that are the same for every resource."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, NoReturn, TypeVar, cast

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from providers.values import encode

Method = TypeVar("Method", bound=Callable[..., Any])


class RefusedError(Exception):
    """A call that ends with this text, as the service's own refusals do."""


class InitializationError(Exception):
    """A resource that is there but came up wrong: the engine keeps it and repairs it with the next update."""

    def __init__(self, identity: str, outputs: dict[str, Any], inputs: dict[str, Any], reason: str) -> None:
        super().__init__(reason)
        self.identity, self.outputs, self.inputs = identity, outputs, inputs


def guarded(method: Method) -> Method:
    """A method of the protocol whose exceptions end the call as the engine expects it."""

    @wraps(method)
    def call(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except InitializationError as error:
            _abort_half_made(context, error)
        except RefusedError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception:  # a fault of the stand-in itself has to be seen in the engine's output
            context.abort(grpc.StatusCode.INTERNAL, "a fault in the stand-in:\n" + traceback.format_exc())

    return cast("Method", call)


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """The protocol of a plugin that previews."""

    version: str

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=False)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self.version)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


def _abort_half_made(context: Any, error: InitializationError) -> NoReturn:
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.identity, properties=encode(error.outputs), inputs=encode(error.inputs), reasons=[str(error)]
        )
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))
    raise AssertionError("abort returned")


def serve(plugin: Plugin) -> None:
    """Print the port and serve until the engine ends this process or dies."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    server = grpc.server(ThreadPoolExecutor(max_workers=32), options=[("grpc.max_receive_message_length", 400 << 20)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server.wait_for_termination()


def _end_with_parent() -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
