"""A worker process: imports the script, calls `init()`, serves until it is told to stop."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

from tidegate_runtime import compat, logs
from tidegate_runtime.app import Application, Sink
from tidegate_runtime.collection import Collector, start_collector
from tidegate_runtime.metrics import Counters
from tidegate_runtime.nocode import find_script
from tidegate_runtime.script import Script, ScriptError, load_script
from tidegate_runtime.settings import Settings
from tidegate_runtime.transport import serve_until_signal

if TYPE_CHECKING:
    from tidegate_runtime.telemetry import Telemetry

EXIT_SCRIPT_FAILED = 3
"""The reference server's exit code for a script that cannot be imported or whose `init()` fails."""
_PR_SET_PDEATHSIG = 1
_FLUSH_S = 0.05
"""Time for the last answer to leave before a worker ends itself."""
_TREE_LINES = 200
"""How much of the model folder is listed when `init()` fails."""


def work(
    settings: Settings,
    *,
    listener: socket.socket,
    control: socket.socket,
    deadlines: memoryview[float],
    cells: memoryview[float],
    parent: int,
) -> int:
    """Live a worker's life; the result is the process's exit code.

    Says `R` on the control socket when `init()` has returned and serves as soon as it is told `G`.
    """
    _die_with(parent)
    faulthandler.enable()
    counters = Counters(cells)
    collector = start_collector(settings, settings.collection, counters) if settings.collection else None
    output = logs.ScriptOutput()
    script = _start_script(settings)
    if script is None:
        return EXIT_SCRIPT_FAILED
    telemetry = _start_telemetry(settings)
    sinks = _sinks(settings, collector, telemetry)
    application = Application(
        settings, script, deadlines=deadlines, counters=counters, end_worker=_end, output=output, sinks=sinks
    )
    threading.Thread(target=application.slots.watch, name="watchdog", daemon=True).start()
    control.sendall(b"R")
    if control.recv(1) == b"G":
        threads = settings.max_concurrent_requests + settings.queue_threads
        serve_until_signal(listener, threads, application, lambda: application.idle)
    for sink in (collector, telemetry):
        if sink is not None:
            sink.stop()
    return 0


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _start_script(settings: Settings) -> Script | None:
    """Import the script and call its `init()`; what goes wrong is logged as the script's own traceback."""
    name = str(settings.entry_script or "")
    sys.argv = [name, *settings.arguments]
    sys.path.insert(0, str(settings.source_dir))
    if settings.entry_script is not None and settings.entry_script.parent != settings.source_dir:
        sys.path.insert(1, str(settings.entry_script.parent))
    os.chdir(settings.source_dir)
    if settings.model_dir is not None:
        os.environ["AZUREML_MODEL_DIR"] = str(settings.model_dir)
    compat.install()
    logs.load_logging_config(settings)
    try:
        script = _load(settings)
        script.init()
    except ScriptError as error:
        logs.say(str(error))
        return None
    except BaseException as error:
        logs.script_error(error)
        logs.say(f"{name or 'the model'} could not be started: {type(error).__name__}: {error}")
        _list_models(settings)
        return None
    return script


def _load(settings: Settings) -> Script:
    if settings.entry_script is not None:
        return load_script(settings.entry_script)
    if settings.model_dir is None:
        raise ScriptError("neither an entry script nor a model folder is given")
    return find_script(settings.model_dir)


def _list_models(settings: Settings) -> None:
    """Show what is in the model folder: a wrong path is the commonest reason for a failing `init()`."""
    root = settings.model_dir
    if root is None or not root.is_dir():
        return
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
    shown = paths[:_TREE_LINES] + ["..."] * (len(paths) > _TREE_LINES)
    logs.write("".join(f"  {line}\n" for line in [f"AZUREML_MODEL_DIR {root} holds:", *shown]))


def _start_telemetry(settings: Settings) -> Telemetry | None:
    if not settings.telemetry:
        return None
    from tidegate_runtime.telemetry import start_telemetry  # noqa: PLC0415 (nothing of it is imported when off)

    return start_telemetry(settings)


def _sinks(settings: Settings, collector: Collector | None, telemetry: Sink | None) -> tuple[Sink, ...]:
    request_log = logs.RequestLog(settings)
    sinks: list[Sink | None] = [request_log if request_log.enabled else None, collector, telemetry]
    return tuple(sink for sink in sinks if sink is not None)


def _end() -> None:
    time.sleep(_FLUSH_S)
    os.kill(os.getpid(), signal.SIGKILL)
