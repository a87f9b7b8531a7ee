"""A container that runs as a cluster would run it: as the image's user, on a root file system that is read-only."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.standins.buildah import Buildah, end

_READ_ONLY = """
    mount --make-rprivate /
    mount --bind "$1" "$1"
    mount -o remount,bind,ro "$1"
    shift
    exec "$@"
"""
_MOUNT_POINTS = ("etc/hostname", "etc/hosts", "etc/resolv.conf", "run/.containerenv")
"""What buildah mounts files over, and could not make any more."""


@dataclass(frozen=True)
class Container:
    """A container that runs."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def processes(self) -> list[Path]:
        """The folders in `/proc` of what runs in it, those that set it up left out."""
        parents = {int(path.parent.name): path for path in Path("/proc").glob("[0-9]*/stat")}
        children: dict[int, list[int]] = {}
        for pid, path in parents.items():
            try:
                children.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(pid)
            except OSError:
                continue
        found, left = [], [self.process.pid]
        while left:
            for child in children.get(left.pop(), []):
                left.append(child)
                found.append(Path("/proc") / str(child))
        return [path for path in found if b"tidegate" in (path / "cmdline").read_bytes()]


@contextmanager
def started(
    buildah: Buildah, reference: str, command: list[str], *, variables: Mapping[str, str], log: Path
) -> Iterator[Container]:
    """Pull an image and run `command` in it; ended at the end with all of its processes."""
    name = buildah.run("from", "--tls-verify=false", reference)[-1]
    root = Path(buildah.run("mount", name)[-1])
    for point in _MOUNT_POINTS:
        (root / point).touch()
    given = [word for variable, value in variables.items() for word in ("--env", f"{variable}={value}")]
    options = ["--isolation", "chroot", "--network", "host", "--mount", "type=tmpfs,dst=/tmp", *given]
    with log.open("wb") as output:
        process = subprocess.Popen(
            # With a process namespace of its own nothing of it outlives the first.
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc", _READ_ONLY, "sh",
             str(root), *buildah.command, "run", *options, name, "--", *command],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield Container(process, log)
    finally:
        end(process)
        buildah.run("rm", name)
