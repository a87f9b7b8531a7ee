"""Where a local stack keeps what: one state folder, mode 0700, and sockets at a path short enough for the kernel."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_SOCKET_PATH_BYTES = 107  # sun_path of sockaddr_un, less its closing zero
_LONGEST_NAME = len("/supervisor.sock.4194304")  # supervisord binds under its own pid first, then renames


@dataclass(frozen=True)
class Layout:
    """The folders below one stack's state folder."""

    state: Path

    @cached_property
    def run(self) -> Path:
        """The folder of the unix sockets: below the state folder unless its path is too long for a socket.

        It follows from the state folder alone: by `$XDG_RUNTIME_DIR` or `$TMPDIR` two shells would look in two places,
        and the first of them goes when its user logs out.
        """
        inside = self.state / "run"
        if len(os.fsencode(inside)) + _LONGEST_NAME <= _SOCKET_PATH_BYTES:
            return inside
        short = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]
        return Path("/tmp") / f"tidegate-{os.getuid()}-{short}"  # noqa: S108 (private, refused where it is another's)

    @property
    def supervisor(self) -> Path:
        """supervisord's configuration, log and process id."""
        return self.state / "supervisor"

    @property
    def supervisor_socket(self) -> Path:
        """Where supervisord answers XML-RPC."""
        return self.run / "supervisor.sock"

    @property
    def gateway(self) -> Path:
        """Envoy's files, and the parts that they are composed from."""
        return self.state / "gateway"

    @property
    def admin_socket(self) -> Path:
        """Where Envoy's admin interface answers HTTP."""
        return self.run / "admin.sock"

    @property
    def deployments(self) -> Path:
        """One folder a deployment: its script, its models' links and how it is started."""
        return self.state / "deployments"

    @property
    def models(self) -> Path:
        """Copies of the registered models, `<name>/<number>/<file or folder>`."""
        return self.state / "models"

    @property
    def environments(self) -> Path:
        """Links to the Python environments in the cache that this stack uses."""
        return self.state / "environments"

    @property
    def logs(self) -> Path:
        """What the scoring processes wrote, `<endpoint>/<version>/<deployment>-<replica>.log`."""
        return self.state / "logs"

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold this stack's lock of that name, against threads and processes alike."""
        private_folder(self.state)
        with (self.state / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def private_folder(path: Path) -> Path:
    """Make `path`, readable by its owner alone; an existing folder of somebody else's is refused."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user")
    path.chmod(0o700)
    return path


def replace_file(path: Path, content: str) -> None:
    """Write `content` under a temporary name, readable by its owner alone, and move it into place."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    Path(temporary).replace(path)


def replace_json(path: Path, value: Any) -> None:
    """Write `value` as JSON by `replace_file`."""
    replace_file(path, json.dumps(value, indent=1, sort_keys=True))
