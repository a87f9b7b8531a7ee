"""Start one process of a local stack: `python launch.py SPEC.json REPLICA`; becomes that process.

SPEC.json: {"command": [...], "environment": {...}, "folder": "...", "sockets": [...]}. `sockets` has a path a replica:
it is removed first, since a killed process leaves it behind, and put in the place of the command's word `{socket}`.
A file, since supervisord's own settings cannot hold every value and would pass on supervisord's variables.
Standard library only: it runs before anything else is known to work.
"""

import ctypes
import json
import os
import signal
import sys

SOCKET = "{socket}"
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process by the one that the file describes."""
    # A killed supervisord leaves its children running, where nothing could find or stop them any more.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() == 1:
        sys.exit("supervisord is gone")
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 (pathlib costs a third of this program's start)
        spec = json.load(file)
    with open(f"{sys.argv[1]}.{sys.argv[2]}.starts", "ab") as starts:  # noqa: PTH123
        starts.write(b".")  # supervisord does not count them
    command = spec["command"]
    if spec["sockets"]:
        path = spec["sockets"][int(sys.argv[2])]
        if os.path.lexists(path):
            os.unlink(path)  # noqa: PTH108
        if SOCKET in command:  # the first one: what a user passes to the script comes after it
            command[command.index(SOCKET)] = path
    os.chdir(spec["folder"])
    environment = {**spec["environment"], "TIDEGATE_REPLICA": sys.argv[2]}
    os.execve(command[0], command, environment)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
