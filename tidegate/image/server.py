"""The version of the scoring server, as it enters the key of an environment."""

import tomllib
from pathlib import Path

from tidegate.digest import file_sha256, records_sha256


def server_version(runtime: Path) -> str:
    """Return the server's version and 12 hex digits of its source: `0.1.0+1f2e3d4c5b6a`.

    Any change to `pyproject.toml` or to a file under `src` changes it; compiled files do not. The form is a local
    version of PEP 440.

    Args:
        runtime: the folder of the distribution `tidegate-runtime`.

    Raises:
        OSError: `pyproject.toml` is not there.
    """
    project = runtime / "pyproject.toml"
    version: str = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    sources = (
        path
        for path in (runtime / "src").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not _is_metadata(path.relative_to(runtime))
    )
    records = sorted((path.relative_to(runtime).as_posix(), file_sha256(path)) for path in (project, *sources))
    return f"{version}+{records_sha256(records)[:12]}"


def _is_metadata(path: Path) -> bool:
    return any(part.endswith(".egg-info") for part in path.parts)
