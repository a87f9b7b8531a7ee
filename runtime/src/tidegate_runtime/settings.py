"""What the server is told: command line first, then environment variables, then the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names it and says what it takes."""


@dataclass(frozen=True)
class Settings:
    """Everything a worker and its main process need to know, fixed before the first of them starts."""

    entry_script: Path
    """The script with `init()` and `run()`, absolute."""
    source_dir: Path
    """Working directory of the script and first folder on its import path, absolute."""
    model_dir: Path | None = None
    """`AZUREML_MODEL_DIR`."""
    arguments: tuple[str, ...] = ()
    """What the script finds in `sys.argv[1:]`."""
    host: str = "127.0.0.1"
    port: int = 5001
    socket: Path | None = None
    """Unix socket to listen on; takes the place of host and port."""
    workers: int = 1
    service_name: str = "ML service"
    service_version: str = "1.0"
    scoring_timeout_ms: int = 60_000
    max_concurrent_requests: int = 1
    """Runs at once in one worker."""
    max_queue_wait_ms: int = 500
    """How long a request waits for its turn before it is answered 503."""
    max_request_bytes: int = 100 * 1024 * 1024


def whole_number(environment: Mapping[str, str], name: str, default: int, *, least: int = 0) -> int:
    """The variable as a whole number of at least `least`, or the default where it is unset or empty."""
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise SettingsError(f"{name}: {text!r} is not a whole number of at least {least}")
    return value
