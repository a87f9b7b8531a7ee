"""Where results that are slow to make and the same for every checkout are kept."""

from collections.abc import Mapping
from pathlib import Path


def cache_folder(environ: Mapping[str, str]) -> Path:
    """`$XDG_CACHE_HOME/tidegate`, by the XDG base directory specification `~/.cache/tidegate` where that is unset."""
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path(environ["HOME"]) / ".cache") / "tidegate"
