"""Serves the engine that started this process, and ends with it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from providers.api_key import ApiKey
from providers.kind import Kind
from providers.local.deployment import Deployment
from providers.local.environment import Environment
from providers.local.gateway import Gateway
from providers.local.host import Host
from providers.local.model import Model
from providers.local.route import Route
from providers.local.token_issuer import TokenIssuer
from providers.protocol import Servicer

VERSION = "0.1.0"
GRACE_S = 30.0
"""How long operations under way may take to clean up once the engine is gone."""


def serve() -> None:
    """Print the port and serve until the engine ends this process or dies."""
    engine = sys.argv[1] if len(sys.argv) > 1 else ""
    # The engine ends its plugins by SIGINT, each in a process group of its own, once it needs nothing more of them.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    kinds = (ApiKey(), Host(), Gateway(), Model(), Environment(), Deployment(), Route(), TokenIssuer())
    servicer = Servicer(VERSION, kinds, engine, late_kinds())
    server = grpc.server(ThreadPoolExecutor(max_workers=64), options=[("grpc.max_receive_message_length", 400 << 20)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 (the protocol: the engine reads the port here)
    threading.Thread(target=_end_with_parent, args=(servicer,), daemon=True).start()
    server.wait_for_termination()


def late_kinds() -> dict[str, Callable[[], Kind]]:
    """The resource types that are imported when the first of them is met: most are of stacks on Azure alone."""
    session = cache(lambda: import_module("providers.azure.session").Session())

    def late(module: str, name: str) -> Callable[[], Kind]:
        return lambda: getattr(import_module(f"providers.azure.{module}"), name)(session())

    def stored(module: str, name: str) -> Callable[[], Kind]:
        return lambda: getattr(import_module(f"providers.models.{module}"), name)(session())

    return {
        "tidegate-serving:index:Serving": lambda: import_module("providers.serving_record").Serving(),
        "tidegate-serving:models:Model": stored("model", "Model"),
        "tidegate-serving:models:Code": stored("code", "Code"),
        "tidegate-serving:kubernetes:Rollout": lambda: import_module("providers.kubernetes.rollout").Rollout(),
        "tidegate-serving:image:RegistryBuild": lambda: import_module("providers.image.registry_build").RegistryBuild(
            session()
        ),
        "tidegate-serving:image:Contents": lambda: import_module("providers.image.contents").Contents(),
        "tidegate-serving:azure:ReplacementGuard": late("replacement_guard", "ReplacementGuard"),
        "tidegate-serving:azure:ClusterAttachment": late("cluster_attachment", "ClusterAttachment"),
        "tidegate-serving:azure:SystemPool": late("system_pool", "SystemPool"),
        "tidegate-serving:azure:ComputeDetachment": late("compute_detachment", "ComputeDetachment"),
    }


def _end_with_parent(servicer: Servicer) -> None:
    # A parent-death signal would follow the engine's thread, not its process, so the parent is watched instead.
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    servicer.cancel()
    servicer.wait_idle(GRACE_S)
    os._exit(1)
