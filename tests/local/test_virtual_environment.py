"""Real builds by uv, of packages so small that each takes about a second."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from providers.local.virtual_environment import BuildCancelledError, BuildError, build_environment

SERVER = '[project]\nname = "tiny-server"\nversion = "1.0"\nrequires-python = ">=3.10"\n' + (
    '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
)
KEY = "e1-0"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    folder = tmp_path / "the server"
    package = folder / "src" / "tiny_server"
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(SERVER)
    (package / "__init__.py").write_text("ANSWER = 1\n")
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "a cache"


class Builder:
    """Calls `build_environment` with what a test does not care about filled in."""

    def __init__(self, server: Path, cache: Path) -> None:
        self.server = server
        self.cache = cache
        self.lines: list[str] = []
        self.progress: Callable[[str], None] = self.lines.append
        self.cancelled = threading.Event()

    def __call__(self, *requirements: str, key: str = KEY, python: str = "") -> Path:
        return build_environment(
            key,
            python=python,
            requirements=requirements,
            server=self.server,
            cache=self.cache,
            progress=self.progress,
            cancelled=self.cancelled,
        )


@pytest.fixture
def build(server: Path, cache: Path) -> Builder:
    return Builder(server, cache)


def run(environment: Path, code: str) -> str:
    command = [environment / "bin" / "python", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def left_in(cache: Path) -> list[str]:
    """What is in the cache but for the environments themselves and the locks."""
    return [path.name for path in cache.glob("environments/*/*") if path.name.startswith(".")]


def test_an_environment_has_the_requirements_and_the_server_and_says_what_it_does(build: Builder, cache: Path) -> None:
    environment = build("six==1.17.0", python=">=3.10")
    assert run(environment, "import six, tiny_server; print(six.__version__, tiny_server.ANSWER)") == "1.17.0 1"
    assert environment.parent == cache / "environments" / KEY
    assert environment.name.startswith(f"cp{sys.version_info[0]}{sys.version_info[1]}-")
    assert build.lines[0] == "resolving 2 packages"
    assert "resolved 2 packages" in build.lines
    assert "installing six 1.17.0" in build.lines
    assert list(environment.rglob("six.cpython-*.pyc"))
    assert left_in(cache) == []


def test_a_complete_environment_is_taken_as_it_is(build: Builder) -> None:
    environment = build("six")
    marker = environment / "marker"
    marker.touch()
    build.lines.clear()
    assert build("six") == environment
    assert marker.exists()
    assert build.lines == []


@pytest.mark.parametrize("damage", ["tidegate-complete", "bin/python"])
def test_a_half_built_environment_is_never_used(build: Builder, damage: str) -> None:
    environment = build("six")
    (environment / damage).unlink()
    (environment / "marker").touch()
    assert build("six") == environment
    assert not (environment / "marker").exists()
    assert run(environment, "import six; print(1)") == "1"


def test_what_a_killed_build_left_is_cleared(build: Builder, cache: Path) -> None:
    name = build("six").name
    left = cache / "environments" / "e1-1" / f".{name}.killed"
    left.mkdir(parents=True)
    (left / "pyvenv.cfg").touch()
    build("six", key="e1-1")
    assert left_in(cache) == []


def test_a_changed_server_of_the_same_version_is_not_taken_from_uvs_cache(build: Builder, server: Path) -> None:
    build("six")
    (server / "src" / "tiny_server" / "__init__.py").write_text("ANSWER = 2\n")
    assert run(build("six", key="e1-1"), "import tiny_server; print(tiny_server.ANSWER)") == "2"


def test_a_package_that_does_not_exist_is_named(build: Builder, cache: Path) -> None:
    with pytest.raises(BuildError, match="no package 'tidegate-no-such-package'") as caught:
        build("six", "tidegate-no-such-package==1.0")
    assert "Traceback" not in str(caught.value)
    assert list((cache / "environments").iterdir()) == []


def test_a_conflict_is_told_in_uvs_words(build: Builder) -> None:
    with pytest.raises(BuildError, match=r"you require six==1\.16\.0 and six==1\.17\.0"):
        build("six==1.16.0", "six==1.17.0")


def test_a_wrong_hash_is_an_error(build: Builder) -> None:
    with pytest.raises(BuildError, match=r"[Hh]ash mismatch"):
        build(f"six==1.17.0 --hash=sha256:{'0' * 64}")


def test_a_python_that_is_not_on_the_machine_is_named(build: Builder) -> None:
    with pytest.raises(BuildError, match=r"No Python on this machine is .*==3\.99\.\*"):
        build("six", python="==3.99.*")


def test_the_server_s_own_minimum_counts(build: Builder, server: Path) -> None:
    (server / "pyproject.toml").write_text(SERVER.replace(">=3.10", ">=3.99"))
    with pytest.raises(BuildError, match=r">=3\.99"):
        build("six", python=">=3.6")


def test_a_server_that_is_not_there_is_an_error_for_a_user(build: Builder, server: Path) -> None:
    (server / "pyproject.toml").unlink()
    with pytest.raises(BuildError, match=r"pyproject\.toml"):
        build("six")


SLOW_BACKEND = """\
import os, pathlib, subprocess, time
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600; :"])
    pathlib.Path({pids!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
    time.sleep(600)
"""


@pytest.fixture
def slow_server(server: Path, tmp_path: Path) -> Path:
    """A server whose build never ends and has a child that ignores SIGTERM; returns where it writes their ids."""
    pids = tmp_path / "pids"
    (server / "backend.py").write_text(SLOW_BACKEND.format(pids=str(pids)))
    project = SERVER[: SERVER.index("[build-system]")]
    backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (server / "pyproject.toml").write_text(project + backend)
    return pids


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_cancelling_ends_uv_with_all_it_started_and_leaves_nothing(
    build: Builder, cache: Path, slow_server: Path
) -> None:
    raised: list[BuildError] = []

    def attempt() -> None:
        try:
            build("six")
        except BuildError as error:
            raised.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    until(lambda: slow_server.exists() and slow_server.read_text())
    pids = [int(word) for word in slow_server.read_text().split()]
    assert all(is_alive(pid) for pid in pids)
    build.cancelled.set()
    thread.join(30)
    assert [type(error) for error in raised] == [BuildCancelledError]
    until(lambda: not any(is_alive(pid) for pid in pids))
    assert list((cache / "environments").iterdir()) == []


def test_a_failing_listener_ends_the_build_too(build: Builder, cache: Path, slow_server: Path) -> None:
    class ListenerError(Exception):
        pass

    def listen(line: str) -> None:
        if line.startswith("building"):
            until(lambda: slow_server.exists() and slow_server.read_text())
            raise ListenerError

    build.progress = listen
    with pytest.raises(ListenerError):
        build("six")
    until(lambda: not any(is_alive(int(word)) for word in slow_server.read_text().split()))
    assert list((cache / "environments").iterdir()) == []


def test_waiting_for_another_build_can_be_cancelled(
    build: Builder, server: Path, cache: Path, slow_server: Path
) -> None:
    second = Builder(server, cache)
    failures: list[BuildError] = []

    def attempt(builder: Builder) -> None:
        try:
            builder("six")
        except BuildError as error:
            failures.append(error)

    threads = [threading.Thread(target=partial(attempt, builder)) for builder in (build, second)]
    threads[0].start()
    until(lambda: slow_server.exists() and slow_server.read_text())
    threads[1].start()
    until(lambda: second.lines == ["waiting for another build of the same environment"])
    second.cancelled.set()
    threads[1].join(30)
    assert [type(error) for error in failures] == [BuildCancelledError]
    assert threads[0].is_alive()
    build.cancelled.set()
    threads[0].join(30)


def test_threads_build_one_key_once(server: Path, cache: Path) -> None:
    builders = [Builder(server, cache) for _ in range(4)]
    results: list[Path] = []
    threads = [threading.Thread(target=lambda builder=builder: results.append(builder("six"))) for builder in builders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1
    assert sum("resolving 2 packages" in builder.lines for builder in builders) == 1


PROCESS = """\
import sys, threading
from pathlib import Path
from providers.local.virtual_environment import build_environment
print(build_environment("e1-0", python="", requirements=["six"], server=Path(sys.argv[1]), cache=Path(sys.argv[2]),
                        progress=print, cancelled=threading.Event()))
"""


def start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_processes_build_one_key_once(server: Path, cache: Path) -> None:
    outputs = [process.communicate()[0] for process in [start([str(server), str(cache)]) for _ in range(3)]]
    assert sum("resolving 2 packages" in output for output in outputs) == 1
    assert len({output.splitlines()[-1] for output in outputs}) == 1


def test_a_build_goes_on_after_the_one_before_was_killed(
    build: Builder, server: Path, cache: Path, slow_server: Path
) -> None:
    killed = start([str(server), str(cache)])
    until(lambda: slow_server.exists() and slow_server.read_text())
    backend = int(slow_server.read_text().split()[0])
    group = os.getpgid(backend)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    os.killpg(group, signal.SIGKILL)
    (server / "pyproject.toml").write_text(SERVER)
    (server / "backend.py").unlink()
    assert run(build("six"), "import tiny_server; print(tiny_server.ANSWER)") == "1"
    assert left_in(cache) == []


def test_the_plugin_can_load_it_without_pydantic_and_uv() -> None:
    code = "import sys, providers.local.virtual_environment as _; print(sorted({'pydantic', 'uv'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
