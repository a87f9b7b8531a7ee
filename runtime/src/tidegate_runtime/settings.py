"""What the server is told: the command line first, then environment variables, then `config.json`, then defaults."""

from __future__ import annotations

import json
import os
import socket as sockets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_PORT = 5001
DEFAULT_HEALTH_PORT = 5000
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MEBIBYTE = 1024 * 1024


WITHOUT_EFFECT = (
    "AML_DBG_MODEL_INFO",
    "AML_DBG_RESOURCE_INFO",
    "AZUREML_DEBUG_PORT",
    "WORKER_PRELOAD",
    "WORKER_TIMEOUT",
)
"""Variables that the reference server reads and this one does not."""


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names it and says what it takes."""


@dataclass(frozen=True)
class Collection:
    """Data collection: where inputs and outputs go, and how many of them."""

    destination: str
    """A folder, or `https://<account>.blob.core.windows.net/<container>[/<folder>]`."""
    rate: float = 1.0
    """Share of requests that are collected, 0 to 1."""


@dataclass(frozen=True)
class Outputs:
    """Where files that the script writes under `./outputs` are kept, and how often they are looked at."""

    destination: str
    interval_s: int = 60


@dataclass(frozen=True)
class Settings:
    """Everything a worker and its main process need to know, fixed before the first of them starts."""

    entry_script: Path | None
    """The script with `init()` and `run()`, absolute; None where the model folder is served without one."""
    source_dir: Path
    """Working directory of the script and first folder on its import path, absolute."""
    app_root: Path
    """Where `swagger*.json`, `logging.json` and `config.json` are looked for, absolute."""
    model_dir: Path | None = None
    """`AZUREML_MODEL_DIR`."""
    arguments: tuple[str, ...] = ()
    """What the script finds in `sys.argv[1:]`."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    socket: Path | None = None
    """Unix socket to listen on; takes the place of host and port."""
    health_port: int | None = None
    metrics_port: int | None = None
    workers: int = 1
    reload: bool = False
    service_name: str = "ML service"
    service_version: str = "1.0"
    service_path_prefix: str = ""
    replica: str = ""
    """Names this process in collected data, outputs and telemetry."""
    scoring_timeout_ms: int = 60_000
    max_concurrent_requests: int = 1
    """Runs at once in one worker."""
    max_queue_wait_ms: int = 500
    """How long a request waits for its turn before it is answered 503."""
    queue_threads: int = 1
    """Threads that fetch requests while runs go on; slow uploads and large bodies that wait hold one each."""
    max_request_bytes: int = 100 * MEBIBYTE
    strict_status: bool = False
    """Answer a scoring timeout with 504 instead of the reference server's 500."""
    server_header: bool = True
    cors_origins: tuple[str, ...] = ()
    log_level: str = "INFO"
    log_bodies: bool = False
    collection: Collection | None = None
    outputs: Outputs | None = None
    telemetry: str = field(default="", repr=False)
    """Application Insights connection string, "" = off. A credential."""
    telemetry_responses: bool = False
    """Send the bodies of responses to Application Insights."""
    workspace_name: str = ""
    """Only said to Application Insights."""
    without_effect: tuple[str, ...] = ()
    """Variables of the reference server that are set and that this server does not read."""


def from_environment(environment: Mapping[str, str], **given: Any) -> Settings:
    """The settings that environment variables and `config.json` give, under what the command line has given."""
    root = _folder(environment, "AML_APP_ROOT") or Path.cwd()
    values = {**_config_file(environment, root), **environment}
    source_dir = given.pop("source_dir", None) or _folder(values, "AZUREML_SOURCE_DIRECTORY", root)
    entry_script = given.pop("entry_script", None) or values.get("AZUREML_ENTRY_SCRIPT") or ""
    model_dir = given.pop("model_dir", None) or _folder(values, "AZUREML_MODEL_DIR")
    script = _entry_script(entry_script, source_dir, root, model_dir)
    settings: dict[str, Any] = {
        "entry_script": script,
        "source_dir": source_dir or (script.parent if script else root),
        "app_root": root if "AML_APP_ROOT" in environment else source_dir or (script.parent if script else root),
        "model_dir": model_dir,
        "host": values.get("TIDEGATE_HOST") or "127.0.0.1",
        "port": _whole(values, "SERVER_PORT", DEFAULT_PORT, least=1),
        "health_port": _health_port(values),
        "metrics_port": _whole(values, "TIDEGATE_METRICS_PORT", 0) or None,
        "workers": _whole(values, "WORKER_COUNT", 1, least=1),
        "service_name": values.get("SERVICE_NAME") or "ML service",
        "service_version": values.get("SERVICE_VERSION") or "1.0",
        "service_path_prefix": (values.get("SERVICE_PATH_PREFIX") or "").strip("/"),
        "replica": values.get("TIDEGATE_REPLICA") or values.get("HOSTNAME") or sockets.gethostname(),
        "scoring_timeout_ms": _whole(values, "SCORING_TIMEOUT_MS", 60_000, least=1),
        "max_concurrent_requests": _whole(values, "TIDEGATE_MAX_CONCURRENT_REQUESTS", 1, least=1),
        "max_queue_wait_ms": _whole(values, "TIDEGATE_MAX_QUEUE_WAIT_MS", 500),
        "queue_threads": _whole(values, "TIDEGATE_QUEUE_THREADS", 1, least=1),
        "max_request_bytes": _whole(values, "TIDEGATE_MAX_REQUEST_BYTES", 100 * MEBIBYTE),
        "strict_status": _switch(values, "TIDEGATE_STRICT_STATUS"),
        "server_header": _switch(values, "SERVER_VERSION_LOG_RESPONSE_ENABLED", default=True),
        "cors_origins": tuple(each.strip() for each in values.get("AML_CORS_ORIGINS", "").split(",") if each.strip()),
        "log_level": _log_level(values),
        "log_bodies": _switch(values, "TIDEGATE_LOG_BODIES"),
        "collection": _collection(values),
        "outputs": _outputs(values),
        "telemetry": _telemetry(values),
        "telemetry_responses": _switch(values, "APP_INSIGHTS_LOG_RESPONSE_ENABLED"),
        "workspace_name": values.get("WORKSPACE_NAME") or "",
        "without_effect": tuple(name for name in WITHOUT_EFFECT if values.get(name)),
    }
    return Settings(**settings | {name: value for name, value in given.items() if value is not None})


def _config_file(environment: Mapping[str, str], root: Path) -> dict[str, str]:
    """`config.json`: the same names as the variables. Named, or in the app root, or beside the entry script."""
    places = [root / "config.json"]
    if script := environment.get("AZUREML_ENTRY_SCRIPT"):
        places.append(Path(os.path.abspath(script)).parent / "config.json")  # noqa: PTH100 (a link stays a link)
    if named := environment.get("AZUREML_CONFIG_FILE"):
        places.insert(0, Path(named))
    for place in places:
        if place.is_file() and place.stat().st_size:
            try:
                content = json.loads(place.read_text(encoding="utf-8"))
            except ValueError as error:
                raise SettingsError(f"{place}: not JSON: {error}") from None
            if not isinstance(content, dict):
                raise SettingsError(f"{place}: holds no JSON object")
            return {str(key): _as_text(value) for key, value in content.items() if value is not None}
    return {}


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _folder(values: Mapping[str, str], name: str, root: Path | None = None) -> Path | None:
    text = values.get(name)
    return ((root or Path.cwd()) / text).resolve() if text else None


def _entry_script(text: str, source_dir: Path | None, root: Path, model_dir: Path | None) -> Path | None:
    if not text:
        if (root / "main.py").is_file():
            return root / "main.py"
        if model_dir is not None:
            return None
        raise SettingsError("--entry (or AZUREML_ENTRY_SCRIPT) is missing: name the scoring script, or a --model-dir")
    places = [(folder / text) for folder in (source_dir, root, Path.cwd()) if folder is not None]
    for place in places:
        if place.is_file():
            return Path(os.path.abspath(place))  # noqa: PTH100 (a link stays a link)
    raise SettingsError(f"--entry: there is no file {places[0]}")


def _whole(values: Mapping[str, str], name: str, default: int, *, least: int = 0) -> int:
    text = values.get(name, "").strip()
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise SettingsError(f"{name}: {text!r} is not a whole number of at least {least}")
    return value


def _switch(values: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    text = values.get(name, "").strip().lower()
    if not text:
        return default
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise SettingsError(f"{name}: {text!r} is neither true nor false")


def _log_level(values: Mapping[str, str]) -> str:
    level = (values.get("AZUREML_LOG_LEVEL") or "INFO").upper()
    if level not in LOG_LEVELS:
        raise SettingsError(f"AZUREML_LOG_LEVEL: {level!r} is none of {', '.join(LOG_LEVELS)}")
    return level


def _health_port(values: Mapping[str, str]) -> int | None:
    if not _switch(values, "SEPERATE_HEALTH_ENDPOINT"):  # the reference server's spelling
        return None
    return _whole(values, "HEALTH_PORT", DEFAULT_HEALTH_PORT, least=1)


def _collection(values: Mapping[str, str]) -> Collection | None:
    # The first is documented, the second is what the reference server reads.
    if not (_switch(values, "AML_MODEL_DC_STORAGE_ENABLED") or _switch(values, "AML_MDC_STORAGE_ENABLED")):
        return None
    text = values.get("TIDEGATE_COLLECTION_RATE") or "1"
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0.0 <= rate <= 1.0:
        raise SettingsError(f"TIDEGATE_COLLECTION_RATE: {text!r} is not a number from 0 to 1")
    return Collection(_destination(values, "TIDEGATE_COLLECTION_DESTINATION", "modeldata"), rate)


def _outputs(values: Mapping[str, str]) -> Outputs | None:
    if not values.get("TIDEGATE_OUTPUTS_DESTINATION"):
        return None
    interval = _whole(values, "TIDEGATE_OUTPUTS_INTERVAL_S", 60, least=1)
    return Outputs(_destination(values, "TIDEGATE_OUTPUTS_DESTINATION", ""), interval)


def _destination(values: Mapping[str, str], name: str, default: str) -> str:
    text = values.get(name) or default
    return text if text.startswith(("https://", "http://")) else str(Path(text).resolve())


def _telemetry(values: Mapping[str, str]) -> str:
    """The connection string, or one made of v1's instrumentation key; "" where telemetry is off."""
    if connection := values.get("APPLICATIONINSIGHTS_CONNECTION_STRING"):
        return connection
    if key := values.get("AML_APP_INSIGHTS_KEY"):
        return f"InstrumentationKey={key}" if _switch(values, "AML_APP_INSIGHTS_ENABLED") else ""
    return ""
