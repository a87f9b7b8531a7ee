"""Where a local stack's files are, for those who write them and those who read them."""

from pathlib import Path


def state_folder(root: Path, stack: str) -> Path:
    """The folder of everything that a local stack runs on; `root` is the project's folder."""
    return root / ".tidegate" / stack


def log_folder(state: Path, endpoint: str, version: str) -> Path:
    """Where a version's scoring processes log: `<deployment>-<replica>.log`; a failed start: `failed-<replica>.log`."""
    return state / "logs" / endpoint / version
