"""Builds and pushes images with Debian's buildah, as root and without a daemon."""

import base64
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Say = Callable[[str], None]


class BuildahError(Exception):
    """A command that failed; the text is the end of what it printed."""


@dataclass(frozen=True)
class Login:
    """How one registry is logged in to."""

    address: str
    username: str
    password: str = field(repr=False)


@dataclass
class Buildah:
    """Buildah over a store of its own below `folder`; several processes may use one store."""

    folder: Path
    _running: set["subprocess.Popen[str]"] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def command(self) -> list[str]:
        """The program with the options of its store."""
        store, run = str(self.folder / "store"), str(self.folder / "run")
        return ["buildah", "--root", store, "--runroot", run, "--storage-driver", "vfs"]

    def build(
        self,
        context: Path,
        dockerfile: str,
        *,
        tags: Sequence[str],
        platform: str,
        build_args: Mapping[str, str],
        labels: Mapping[str, str],
        logins: Sequence[Login] = (),
        target: str = "",
        timestamp: str = "",
        say: Say = print,
    ) -> None:
        """Build the text of a Dockerfile into images of the store; `timestamp` (in seconds) is that of every file."""
        with tempfile.TemporaryDirectory() as temporary, _authfile(logins) as auth:
            file = Path(temporary) / "Dockerfile"
            file.write_text(dockerfile)
            options = [
                # One layer for all steps: with vfs each is a whole copy.
                *("--isolation", "chroot", "--network", "host", "--platform", platform, "--identity-label=false"),
                # OCI's format has no health check; Docker's has the builder's host name, another one in each build.
                *("--format", "docker" if re.search(r"^HEALTHCHECK", dockerfile, re.MULTILINE) else "oci"),
                *(word for tag in tags for word in ("--tag", tag)),
                *(word for name, value in build_args.items() for word in ("--build-arg", f"{name}={value}")),
                *(word for name, value in labels.items() for word in ("--label", f"{name}={value}")),
                *(("--target", target) if target else ()),
                *(("--timestamp", timestamp) if timestamp else ()),
                *_tls(*tags, *build_args.values(), dockerfile),
            ]
            self.run("bud", *auth, *options, "--file", str(file), str(context), say=say)

    def push(self, tag: str, *, logins: Sequence[Login] = (), say: Say = print) -> str:
        """Push an image of the store to the registry in its tag; its digest there."""
        with tempfile.TemporaryDirectory() as temporary, _authfile(logins) as auth:
            digest = Path(temporary) / "digest"
            self.run("push", *auth, *_tls(tag), "--digestfile", str(digest), tag, f"docker://{tag}", say=say)
            return digest.read_text().strip()

    def run(self, *arguments: str, say: Say = print) -> list[str]:
        """One command; `say` gets every line that it prints, when it prints it."""
        process = subprocess.Popen(
            [*self.command, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            start_new_session=True,
        )  # fmt: skip
        with self._lock:
            self._running.add(process)
        lines: list[str] = []
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                say(lines[-1])
            code = process.wait()
        finally:
            end(process)
            with self._lock:
                self._running.discard(process)
        if code != 0:
            raise BuildahError("\n".join([f"buildah {arguments[0]} failed with exit code {code}", *lines[-20:]]))
        return lines

    def cancel(self) -> None:
        """End every command that runs."""
        with self._lock:
            running = list(self._running)
        for process in running:
            end(process)


def end(process: "subprocess.Popen[Any]") -> None:
    """Kill a process that leads a session, and what it has started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def repository(reference: str) -> str:
    """`host:port/name` of `host:port/name:tag`."""
    return re.sub(r":[^:/]*$", "", reference)


def is_loopback(reference: str) -> bool:
    """Whether a reference, or one in a text, leads to a registry on this machine, which speaks plain HTTP."""
    return re.search(r"(?<![\w.-])(127\.0\.0\.1|localhost)(:\d+)?/", reference) is not None


def _tls(*references: str) -> tuple[str, ...]:
    return ("--tls-verify=false",) if any(is_loopback(each) for each in references) else ()


@contextmanager
def _authfile(logins: Sequence[Login]) -> Iterator[tuple[str, ...]]:
    if not logins:
        yield ()
        return
    auths = {
        each.address: {"auth": base64.b64encode(f"{each.username}:{each.password}".encode()).decode()}
        for each in logins
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:  # 0600
        json.dump({"auths": auths}, file)
        file.flush()
        yield ("--authfile", file.name)
