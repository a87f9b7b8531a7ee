"""What the server writes to stderr. The script's own output is left as it is."""

from __future__ import annotations

import os
import sys


def say(message: str) -> None:
    """One line about the server's life."""
    write(f"tidegate-score[{os.getpid()}]: {message}\n".encode())


def write(line: bytes) -> None:
    """A whole line in one system call, so that lines of several threads and processes never mix."""
    try:
        sys.stderr.flush()
        os.write(2, line)
    except (OSError, ValueError):
        pass  # nobody reads the log any more; a request must not fail for that
