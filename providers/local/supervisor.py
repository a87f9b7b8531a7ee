"""The supervisord of a local stack: it keeps Envoy and the scoring processes up when neither engine nor plugin runs."""

import os
import re
import shutil
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.kind import OperationError
from providers.local.layout import Layout, private_folder, replace_file, replace_json
from providers.local.unix_http import UnixConnection

_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER", "XDG_RUNTIME_DIR")
_PASSED_ON_TOO = (
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
START_S = 10.0
STOP_S = 30.0
LOG_BYTES = 10 << 20
_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Process:
    """One process as supervisord sees it; `state` is one of its state names (RUNNING, BACKOFF, ...)."""

    name: str
    state: str
    pid: int
    exit_status: int


def base_environment() -> dict[str, str]:
    """The variables that processes of a stack get; never all of ours, which may hold credentials."""
    return {name: os.environ[name] for name in (*_PASSED_ON, *_PASSED_ON_TOO) if name in os.environ}


class Supervisor:
    """A client of one stack's supervisord, and the way to start and end it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    # -- supervisord itself

    def alive(self) -> bool:
        """Whether supervisord answers."""
        try:
            return self._call("getState")["statename"] == "RUNNING"
        except (OSError, xmlrpc.client.Error):
            return False

    def start(self) -> None:
        """Start supervisord in a session of its own, with nothing of ours open."""
        layout = self._layout
        programs = private_folder(layout.supervisor / "programs")
        private_folder(layout.run)
        layout.supervisor_socket.unlink(missing_ok=True)
        shutil.rmtree(programs)
        private_folder(programs)
        configuration = layout.supervisor / "supervisord.conf"
        replace_file(configuration, _supervisord(layout))
        # Open pipes to us would keep `pulumi up` waiting for as long as supervisord lives.
        subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=base_environment(),
            cwd=layout.supervisor,
            umask=0o077,  # its own setting is for a daemon only
        )
        deadline = time.monotonic() + START_S
        while not self.alive():
            if time.monotonic() > deadline:
                raise OperationError(
                    f"supervisord did not start in {START_S:.0f} s; see {layout.supervisor / 'supervisord.log'}"
                )
            time.sleep(0.05)

    def shut_down(self) -> None:
        """End supervisord and everything that it runs; no error where it does not run."""
        pid = self._pid()
        try:
            self._call("shutdown")
        except (OSError, xmlrpc.client.Error):
            return
        deadline = time.monotonic() + STOP_S
        while pid is not None and Path(f"/proc/{pid}").exists():
            with suppress(ChildProcessError):  # one that this very process started has to be waited for to be gone
                os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > deadline:
                raise OperationError(f"supervisord (process {pid}) did not end in {STOP_S:.0f} s")
            time.sleep(0.05)

    # -- its programs

    def add(
        self,
        program: str,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        sockets: Sequence[Path] = (),
        replicas: int = 1,
        stop_wait_s: int = 10,
    ) -> None:
        """Start `replicas` processes of `command` and keep them up; one that runs under the name is replaced.

        `log` names the log file of one replica; its number is put before the suffix. `sockets` are removed before each
        start.
        """
        self.remove(program)
        private_folder(log.parent)
        spec = self._layout.supervisor / "programs" / f"{program}.json"
        replace_json(
            spec,
            {
                "command": list(command),
                "environment": dict(environment),
                "folder": str(folder),
                "sockets": [str(path) for path in sockets],
            },
        )
        section = _program(self._layout, program, spec=spec, log=log, replicas=replicas, stop_wait_s=stop_wait_s)
        with self._layout.exclusive("supervisor"):
            replace_file(spec.with_suffix(".conf"), section)
            self._call("reloadConfig")
            self._call("addProcessGroup", program)

    def remove(self, program: str) -> None:
        """Stop the processes of a program and forget it; no error where there is none."""
        with suppress(OSError, xmlrpc.client.Fault):  # unknown, or supervisord is gone and its processes with it
            self._call("stopProcessGroup", program)
        with self._layout.exclusive("supervisor"):
            folder = self._layout.supervisor / "programs"
            for path in (folder / f"{program}.conf", *folder.glob(f"{program}.json*")):
                path.unlink(missing_ok=True)
            try:
                self._call("removeProcessGroup", program)
            except (OSError, xmlrpc.client.Fault):
                return
            self._call("reloadConfig")

    def processes(self, program: str) -> list[Process]:
        """The processes of a program by number; none where it is unknown or supervisord is gone."""
        try:
            found = self._call("getAllProcessInfo")
        except (OSError, xmlrpc.client.Error):
            return []
        return [
            Process(str(info["name"]), str(info["statename"]), int(info["pid"]), int(info["exitstatus"]))
            for info in found
            if info["group"] == program
        ]

    def restarts(self, program: str) -> int:
        """How often processes of a program were started again since it was added."""
        starts = (self._layout.supervisor / "programs").glob(f"{program}.json.*.starts")
        return sum(max(path.stat().st_size - 1, 0) for path in starts)

    def up(self, program: str) -> bool:
        """Whether the program's processes run; one that ends as soon as it is started does not."""
        found = self.processes(program)
        return bool(found) and all(each.state in ("RUNNING", "STARTING") for each in found)

    # -- how it is asked

    def _call(self, method: str, *args: Any) -> Any:
        transport = _Transport(self._layout.supervisor_socket)
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as server:
            return getattr(server.supervisor, method)(*args)

    def _pid(self) -> int | None:
        try:
            return int(self._call("getPID"))
        except (OSError, xmlrpc.client.Error):
            return None


class _Transport(xmlrpc.client.Transport):
    # supervisor has one too, which imports all of supervisor.
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> UnixConnection:
        return UnixConnection(self._path, timeout=None)


# supervisord's configuration cannot hold every path: " ;" and " #" begin a comment in it, whatever is quoted. What is
# in the state folder is therefore named from supervisord's own folder, in which it runs.


def _place(layout: Layout, path: Path) -> str:
    inside = path.is_relative_to(layout.state)
    return _literal(os.path.relpath(path, layout.supervisor) if inside else str(path))


def _word(text: str) -> str:
    """One word of a command: read by the shell's rules, where a backslash takes every meaning from what follows."""
    return _literal(re.sub(r"([^\w./-])", r"\\\1", text))


def _literal(text: str) -> str:
    return text.replace("%", "%%")  # begins an expansion


def _supervisord(layout: Layout) -> str:
    return f"""\
[supervisord]
nodaemon=true
silent=true
logfile=supervisord.log
logfile_maxbytes={LOG_BYTES}
logfile_backups=1
pidfile=supervisord.pid
childlogdir=.
identifier=tidegate

[unix_http_server]
file={_place(layout, layout.supervisor_socket)}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files=programs/*.conf
"""


def _program(layout: Layout, program: str, *, spec: Path, log: Path, replicas: int, stop_wait_s: int) -> str:
    # A crash is answered by a restart at once, a crash in the first second by ever longer pauses, without an end.
    return f"""\
[program:{program}]
command={_word(sys.executable)} -I -S {_word(str(_LAUNCH))} {_place(layout, spec)} %(process_num)d
process_name=%(process_num)d
numprocs={replicas}
autostart=true
autorestart=true
startsecs=1
startretries=10000
stopsignal=TERM
stopwaitsecs={stop_wait_s}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={_place(layout, log.with_suffix(""))}-%(process_num)d.log
stdout_logfile_maxbytes={LOG_BYTES}
stdout_logfile_backups=2
"""
