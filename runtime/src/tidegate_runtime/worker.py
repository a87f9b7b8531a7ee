"""A worker process: imports the script, calls `init()`, serves until it is told to stop."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence

from tidegate_runtime import compat, logs
from tidegate_runtime.app import Application
from tidegate_runtime.bounds import Slots
from tidegate_runtime.script import Script, ScriptError, load_script
from tidegate_runtime.settings import Settings
from tidegate_runtime.transport import serve_until_signal

EXIT_SCRIPT_FAILED = 3
"""The reference server's exit code for a script that cannot be imported or whose `init()` fails."""
_PR_SET_PDEATHSIG = 1
_FLUSH_S = 0.05
"""Time for the last answer to leave before a worker ends itself."""


def work(
    settings: Settings, listener: socket.socket, control: socket.socket, rows: Sequence[memoryview[float]], parent: int
) -> int:
    """Live a worker's life; the result is the process's exit code.

    Says `R` on the control socket when `init()` has returned and serves as soon as it is told `G`.
    """
    _die_with(parent)
    script = _start_script(settings)
    if script is None:
        return EXIT_SCRIPT_FAILED
    application = Application(settings, script)
    slots = Slots(rows, settings.scoring_timeout_ms / 1000, application.answer_hanging, _end)
    application.slots = slots
    threading.Thread(target=slots.watch, name="watchdog", daemon=True).start()
    control.sendall(b"R")
    if control.recv(1) != b"G":
        return 0
    serve_until_signal(listener, settings.max_concurrent_requests + 1, application)
    return 0


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _start_script(settings: Settings) -> Script | None:
    """Import the script and call its `init()`; what goes wrong is logged as the script's own traceback."""
    sys.argv = [str(settings.entry_script), *settings.arguments]
    sys.path.insert(0, str(settings.source_dir))
    if settings.entry_script.parent != settings.source_dir:
        sys.path.insert(1, str(settings.entry_script.parent))
    os.chdir(settings.source_dir)
    if settings.model_dir is not None:
        os.environ["AZUREML_MODEL_DIR"] = str(settings.model_dir)
    compat.install()
    try:
        script = load_script(settings.entry_script)
        script.init()
    except ScriptError as error:
        logs.say(str(error))
        return None
    except BaseException:
        # SystemExit and KeyboardInterrupt too: whatever ends a script's start is the script's failure.
        logs.write(traceback.format_exc().encode())
        logs.say(f"{settings.entry_script.name} could not be started")
        return None
    return script


def _end() -> None:
    time.sleep(_FLUSH_S)
    os.kill(os.getpid(), signal.SIGKILL)
