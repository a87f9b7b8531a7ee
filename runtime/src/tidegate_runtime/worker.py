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
    telemetry = _start_telemetry(settings, output)
    script = _start_script(settings, telemetry)
    if script is None:
        _stop(collector, telemetry)
        return EXIT_SCRIPT_FAILED
    application = Application(
        settings,
        script,
        deadlines=deadlines,
        counters=counters,
        end_worker=lambda: _end(telemetry),
        output=output,
        sinks=_sinks(settings, collector, telemetry),
        runner=telemetry.run if telemetry else None,
    )
    threading.Thread(target=application.slots.watch, name="watchdog", daemon=True).start()
    control.sendall(b"R")
    if control.recv(1) == b"G":
        threads = settings.max_concurrent_requests + settings.queue_threads
        serve_until_signal(listener, threads, application, lambda: application.idle)
    _stop(collector, telemetry)
    return 0


def _stop(*parts: Collector | Telemetry | None) -> None:
    for part in parts:
        if part is not None:
            part.stop()


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _start_script(settings: Settings, telemetry: Telemetry | None) -> Script | None:
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
        if telemetry:
            telemetry.init_failed(error)
        return None
    except BaseException as error:
        logs.script_error(error)
        if telemetry:
            telemetry.init_failed(error)
        logs.say(f"{name or 'the model'} could not be started: {type(error).__name__}: {error}")
        _list_models(settings)
        return None
    if telemetry:
        telemetry.adopt()
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


def _start_telemetry(settings: Settings, output: logs.ScriptOutput) -> Telemetry | None:
    """Telemetry, or None with a word in the log where its packages are missing or the connection string is wrong."""
    if not settings.telemetry:
        return None
    try:
        from tidegate_runtime.telemetry import Telemetry  # noqa: PLC0415 (nothing of it is imported when off)

        return Telemetry(settings, output)
    except ImportError as error:
        logs.say(f"telemetry is off: install tidegate-runtime[telemetry]: {error}")
    except ValueError as error:
        logs.say(f"telemetry is off: {error}")
    return None


def _sinks(settings: Settings, collector: Collector | None, telemetry: Sink | None) -> tuple[Sink, ...]:
    request_log = logs.RequestLog(settings)
    sinks: list[Sink | None] = [request_log if request_log.enabled else None, collector, telemetry]
    return tuple(sink for sink in sinks if sink is not None)


def _end(telemetry: Telemetry | None) -> None:
    flushing = telemetry.flush() if telemetry else []
    time.sleep(_FLUSH_S)
    for thread in flushing:
        thread.join(_FLUSH_S)
    os.kill(os.getpid(), signal.SIGKILL)
