"""Stand-in for `pulumi-language-python` where Pulumi's own release cannot be downloaded.

The engine starts this process, reads a port from its first line and asks it over gRPC to run programs and policy packs.
Pulumi's language host is part of its release archive only; the CLI built from the Go module comes without it. This one
runs a project that has its virtual environment in place and does nothing else: it installs and generates nothing.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

EXEC = Path(__file__).with_name("pulumi-language-python-exec")
SHOWN_TO_USER = 32  # pulumi-language-python-exec: the program has already told the user what is wrong


def interpreter(info: language_pb2.ProgramInfo) -> str:
    """The Python of the program's virtual environment, as `options.virtualenv` in its project file names it."""
    options = info.options.fields
    folder = options["virtualenv"].string_value if "virtualenv" in options else ""
    if not folder:
        return "python3"
    python = Path(info.root_directory) / folder / "bin" / "python"
    if not python.exists():
        raise FileNotFoundError(f"{python} does not exist; run `make setup` in {info.root_directory}")
    return str(python)


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs (`Run`) and policy packs (`RunPlugin`) with the project's own interpreter."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def Handshake(self, request, context):
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="0.0.0")

    def GetRequiredPackages(self, request, context):
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request, context):
        return language_pb2.GetRequiredPluginsResponse()

    def Cancel(self, request, context):
        return empty_pb2.Empty()

    def Run(self, request, context):
        try:
            python = interpreter(request.info)
        except FileNotFoundError as missing:
            return language_pb2.RunResponse(error=str(missing))
        command = [
            *(python, "-u", str(EXEC), "--project", request.project, "--stack", request.stack),
            *("--parallel", str(request.parallel), "--dry_run", str(request.dryRun).lower()),
            *("--monitor", request.monitor_address, "--engine", self._engine),
            *("--organization", request.organization, "--root_directory", request.info.root_directory),
            *(
                "--pwd",
                request.pwd,
                str(Path(request.info.program_directory) / request.info.entry_point),
                *request.args,
            ),
        ]
        config = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        code = subprocess.run(command, check=False, cwd=request.pwd, env=os.environ | config).returncode
        if code == SHOWN_TO_USER:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"the program ended with exit code {code}" if code else "")

    def RunPlugin(self, request, context) -> Iterator[language_pb2.RunPluginResponse]:
        env = os.environ | dict(pair.split("=", 1) for pair in request.env)
        command = [interpreter(request.info), "-u", request.info.program_directory, *request.args]
        child = subprocess.Popen(command, cwd=request.pwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        context.add_callback(child.terminate)
        stderr: list[bytes] = []
        drain = threading.Thread(target=lambda: stderr.extend(child.stderr or ()), daemon=True)
        drain.start()
        for line in child.stdout or ():
            yield language_pb2.RunPluginResponse(stdout=line)
        code = child.wait()
        drain.join()
        yield language_pb2.RunPluginResponse(stderr=b"".join(stderr))
        yield language_pb2.RunPluginResponse(exitcode=code)


def end_with_parent() -> None:
    """End this process and the program under it when the engine is gone without having said so."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Serve until the engine ends this process."""
    # The engine ends its plugins by SIGINT, each in a process group of its own, and kills after 5 s.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    threading.Thread(target=end_with_parent, daemon=True).start()
    server = grpc.server(ThreadPoolExecutor(), options=[("grpc.max_receive_message_length", 400 << 20)])
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(sys.argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 (the protocol: the engine reads the port here)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
