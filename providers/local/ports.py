"""Who holds a TCP port of this machine."""

import errno
import os
import socket
from pathlib import Path

_LISTEN = "0A"


def refusal(address: str, port: int) -> str | None:
    """Why nothing can listen at `address:port`, with the process that does; None where it is free."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"port {port} is taken by {holder(port) or 'a process of another user'}"
            return f"cannot listen at {address}:{port}: {os.strerror(error.errno or 0)}"
    return None


def holder(port: int) -> str | None:
    """The process that listens at a TCP port, as `name (process 123)`; None where it cannot be seen."""
    inodes = {
        fields[9]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        if Path(table).exists()
        for fields in (line.split() for line in Path(table).read_text().splitlines()[1:])
        if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port
    }
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in sockets for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # ended meanwhile, or another user's
    return None
