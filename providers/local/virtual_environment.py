"""Builds the virtual environments that scoring processes run in, each once, by its key."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

from tidegate.image.pip import without_credentials

_COMPLETE = "tidegate-complete"
"""The file in an environment that says it was built to its end."""

_FINDING_UV = threading.Lock()
_POLL_S = 0.1
_TERMINATE_S = 5.0
_SHOWN_LINES = 40

_Report = Callable[[str], None]


class BuildError(Exception):
    """An environment that could not be built; `str()` is for a user: it names the package or gives uv's reason."""


class BuildCancelledError(BuildError):
    """The build was told to stop and has stopped."""


def build_environment(
    key: str,
    *,
    python: str,
    requirements: Sequence[str],
    server: Path,
    cache: Path,
    progress: _Report,
    cancelled: threading.Event,
) -> Path:
    """Return the folder of a virtual environment with the requirements and the scoring server in it.

    It is `cache/environments/<key>/<interpreter>-<platform>`, such as `cp311-linux_x86_64`; one that is complete is
    taken as it is. The build goes on beside it and is renamed at its end, under a lock that makes threads and
    processes build each environment once.

    Args:
        key: of the environment, by `tidegate.image.key`.
        python: PEP 440 specifier; empty for any. The interpreter of this process is preferred where it fits.
        requirements: PEP 508, each with its `--hash` options.
        server: the folder of the scoring server's distribution.
        cache: the folder for what can be made again.
        progress: called with short lines while uv works, in the caller's thread.
        cancelled: when set, uv's processes are ended and `BuildCancelledError` is raised within seconds.

    Raises:
        BuildError: no fitting Python, a package that does not exist, a conflict, a failed build or download.
    """
    try:
        uv = _uv_binary()
        project = tomllib.loads((server / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        interpreter = _interpreter(uv, SpecifierSet(python) & SpecifierSet(project["requires-python"]))
        folder = cache / "environments" / key
        environment = folder / _tag(interpreter)
        if _is_complete(environment):
            return environment
        with _locked(cache / "locks" / f"{key}-{environment.name}", progress, cancelled):
            if not _is_complete(environment):
                lines = [*requirements, f"{project['name']} @ {server.resolve().as_uri()}"]
                _Build(uv, interpreter, lines, project["name"], progress, cancelled).into(environment)
        return environment
    except OSError as error:
        raise BuildError(f"The Python environment cannot be built: {error}") from error


@dataclass(frozen=True)
class _Build:
    """One build by uv; the fields are those of `build_environment`, `server` the name of the server's distribution."""

    uv: str
    interpreter: Path
    requirements: Sequence[str]
    server: str
    progress: _Report
    cancelled: threading.Event

    def into(self, environment: Path) -> None:
        """Build beside `environment`, then take its place; the caller holds the lock."""
        folder = environment.parent
        folder.mkdir(parents=True, exist_ok=True)
        prefix = f".{environment.name}."
        for abandoned in folder.glob(f"{prefix}*"):
            shutil.rmtree(abandoned)  # of a process that was killed: nobody else builds while we hold the lock
        try:
            with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as temporary:
                built = Path(temporary) / "environment"
                self._install(built, Path(temporary) / "requirements.txt")
                if environment.exists():
                    environment.rename(Path(temporary) / "replaced")
                built.rename(environment)
        except BaseException:
            with contextlib.suppress(OSError):  # environments for other interpreters may be in it
                folder.rmdir()
            raise

    def _install(self, built: Path, listing: Path) -> None:
        listing.write_text("\n".join(self.requirements) + "\n", encoding="utf-8")
        self.progress(f"resolving {len(self.requirements)} packages")
        self._run("venv", "--relocatable", "--no-project", "--python", str(self.interpreter), str(built))
        # uv keeps wheels of local folders by the time of their pyproject.toml; the server's source may be newer.
        refresh = ("--refresh-package", self.server)
        self._run("pip", "install", *refresh, "--python", str(built / "bin" / "python"), "-r", str(listing))
        (built / _COMPLETE).touch()

    def _run(self, *arguments: str) -> None:
        said: list[str] = []
        with (
            subprocess.Popen(
                [self.uv, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=_environment_of_uv(),
                start_new_session=True,  # a group of its own, which can be ended with all that uv has started
            ) as process,
            _ended_on(self.cancelled, process),
        ):
            for line in process.stderr or ():
                said.append(without_credentials(line.rstrip()))
                report = _progress_line(said[-1])
                if report:
                    self.progress(report)
        if self.cancelled.is_set():
            raise BuildCancelledError("The build of the Python environment was cancelled")
        if process.returncode != 0:
            raise BuildError(_reason(said))


def _uv_binary() -> str:
    import uv  # noqa: PLC0415 -- the plugin starts without it

    # It reads sysconfig, whose variables are half there while another thread is the first to ask for them.
    with _FINDING_UV:
        return os.fsdecode(uv.find_uv_bin())


def _environment_of_uv() -> dict[str, str]:
    """The caller's environment, for its indexes and proxies, without what would point uv at other Pythons."""
    misleading = {"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON"}
    kept = {name: value for name, value in os.environ.items() if name not in misleading}
    return kept | {"UV_COMPILE_BYTECODE": "1", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def _interpreter(uv: str, allowed: SpecifierSet) -> Path:
    """The Python under this process if it is allowed, else one that uv finds on the machine."""
    own = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if own.exists() and allowed.contains(".".join(map(str, sys.version_info[:3]))):
        return own
    found = subprocess.run(
        [uv, "python", "find", "--no-project", "--system", f"cpython{allowed}"],
        capture_output=True,
        text=True,
        env=_environment_of_uv(),
        check=False,
    )
    if found.returncode != 0:
        raise BuildError(
            f"No Python on this machine is {allowed}, as the environment asks; "
            "install one (for example with `uv python install`), or change the version in the conda file"
        )
    return Path(found.stdout.strip())


def _tag(interpreter: Path) -> str:
    """Which machines and Pythons an environment is for: `cp311-linux_x86_64`."""
    code = "import sys, sysconfig; print(f'cp{sys.version_info[0]}{sys.version_info[1]}-{sysconfig.get_platform()}')"
    asked = subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        raise BuildError(f"{interpreter} does not run: {asked.stderr.strip()}")
    tag, platform = asked.stdout.strip().split("-", 1)
    return f"{tag}-{re.sub(r'[.-]', '_', platform)}"


def _is_complete(environment: Path) -> bool:
    """Whether it was built to its end and its interpreter is still on the machine."""
    return (environment / _COMPLETE).exists() and (environment / "bin" / "python").exists()


@contextlib.contextmanager
def _locked(path: Path, progress: _Report, cancelled: threading.Event) -> Generator[None, None, None]:
    """Hold a lock against threads and processes; the system gives it back when a process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        waiting = False
        while not _try_lock(file.fileno()):
            if not waiting:
                progress("waiting for another build of the same environment")
                waiting = True
            if cancelled.wait(_POLL_S):
                raise BuildCancelledError("The wait for another build of the same environment was cancelled")
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _ended_on(cancelled: threading.Event, process: subprocess.Popen[str]) -> Generator[None, None, None]:
    """End the process with its group when `cancelled` is set, or when the block raises."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_S):
            if cancelled.is_set():
                _end(process)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except BaseException:
        _end(process)
        raise
    finally:
        done.set()
        watcher.join()


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_TERMINATE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _progress_line(line: str) -> str | None:
    """What a line of uv's means to somebody who waits, or None."""
    text = line.strip()
    if match := re.match(r"(Resolved|Installed) (\d+) packages?", text):
        return f"{match.group(1).lower()} {match.group(2)} packages"
    if match := re.match(r"(Downloading|Building) (\S+)(?: (\([^)]*\)))?", text):
        return " ".join(part for part in (match.group(1).lower(), match.group(2), match.group(3)) if part)
    if match := re.match(r"\+ (\S+?)==(\S+)", text):
        return f"installing {match.group(1)} {match.group(2)}"
    return None


def _reason(said: Sequence[str]) -> str:
    """An error for the user from what uv wrote: its own words, and first the package that does not exist."""
    start = next((index for index, line in enumerate(said) if line.startswith("error:")), 0)
    words = "\n".join(line.replace("error: ", "", 1) for line in said[start:][:_SHOWN_LINES])
    missing = re.findall(r"(\S+) was not found in the package registry", words)
    if missing:
        names = " and ".join(f"'{name}'" for name in missing)
        return f"The package index has no package {names}: correct its name in the environment's file\n{words}"
    return f"The Python environment cannot be built: {words}"
