"""Paths as a user writes them, without the exceptions that odd ones raise."""

import os.path
from pathlib import Path
from typing import Literal

Kind = Literal["file", "folder", "nothing"]


def locate(folder: Path, text: str) -> Path:
    """Return the absolute path of `text`, from `folder` where it is relative; `..` is resolved, links are not."""
    return Path(os.path.normpath(folder.absolute() / text))


def kind(path: Path) -> Kind:
    """Say what stands at `path`; one that no file system could hold is nothing."""
    try:
        if path.is_dir():
            return "folder"
        return "file" if path.is_file() else "nothing"
    except (OSError, ValueError):  # too long, a null byte, a lone surrogate, no permission
        return "nothing"


def display(path: Path, root: Path) -> str:
    """Return `path` as a finding names it: from the project's root where it is under it."""
    root = root.absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
