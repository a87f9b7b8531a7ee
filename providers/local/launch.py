"""Start one process of a local stack: `python launch.py SPEC.json REPLICA`; becomes that process.

SPEC.json: {"command": [...], "environment": {...}, "folder": "...", "sockets": [...]}; `{replica}` in the command is
the replica's number; `sockets` go first, since a killed process leaves them behind and its successor could not listen.
A file, since supervisord's own settings cannot hold every value and would pass on supervisord's variables.
Standard library only: it runs before anything else is known to work.
"""

import ctypes
import json
import os
import signal
import sys

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
    for path in spec["sockets"]:
        if os.path.lexists(path):
            os.unlink(path)  # noqa: PTH108
    os.chdir(spec["folder"])
    command = [word.replace("{replica}", sys.argv[2]) for word in spec["command"]]
    os.execve(command[0], command, {**spec["environment"], "TIDEGATE_REPLICA": sys.argv[2]})  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
