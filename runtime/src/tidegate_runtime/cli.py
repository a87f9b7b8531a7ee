"""The command `tidegate-score`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate_runtime.server import serve
from tidegate_runtime.settings import Settings, SettingsError, whole_number


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a scoring script until SIGTERM or SIGINT; the exit code is 3 where the script cannot be started."""
    try:
        settings = read_settings(sys.argv[1:] if arguments is None else arguments, os.environ)
    except SettingsError as error:
        print(f"tidegate-score: {error}", file=sys.stderr)  # noqa: T201 (a command's own message)
        return 2
    return serve(settings)


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings that a command line and an environment give."""
    own, script_arguments = _split(arguments)
    options = _parser().parse_args(own)
    source_dir = Path(options.source_dir).resolve() if options.source_dir else None
    entry_script = Path(options.entry)
    if not entry_script.is_absolute():
        entry_script = (source_dir or Path.cwd()) / entry_script
    if not entry_script.is_file():
        raise SettingsError(f"--entry: there is no file {entry_script}")
    model_dir = options.model_dir or environment.get("AZUREML_MODEL_DIR")
    return Settings(
        entry_script=entry_script,
        source_dir=source_dir or entry_script.parent,
        model_dir=Path(model_dir).resolve() if model_dir else None,
        arguments=tuple(script_arguments),
        port=options.port,
        socket=Path(os.path.abspath(options.socket)) if options.socket else None,  # noqa: PTH100 (resolve() would follow a stale link)
        workers=options.workers,
        service_name=environment.get("SERVICE_NAME") or "ML service",
        service_version=environment.get("SERVICE_VERSION") or "1.0",
        scoring_timeout_ms=whole_number(environment, "SCORING_TIMEOUT_MS", 60_000, least=1),
        max_concurrent_requests=whole_number(environment, "TIDEGATE_MAX_CONCURRENT_REQUESTS", 1, least=1),
        max_queue_wait_ms=whole_number(environment, "TIDEGATE_MAX_QUEUE_WAIT_MS", 500),
        max_request_bytes=whole_number(environment, "TIDEGATE_MAX_REQUEST_BYTES", 100 * 1024 * 1024),
    )


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What stands before and after the first `--`."""
    if "--" not in arguments:
        return arguments, ()
    place = list(arguments).index("--")
    return arguments[:place], arguments[place + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tidegate-score",
        description="Serve an Azure Machine Learning scoring script (init() and run()) over HTTP.",
        epilog="What follows -- is given to the script as sys.argv[1:].",
    )
    parser.add_argument("--entry", required=True, help="the scoring script, relative to the source directory")
    parser.add_argument("--source-dir", help="the script's working directory (default: the script's folder)")
    parser.add_argument("--model-dir", help="AZUREML_MODEL_DIR for the script")
    parser.add_argument("--port", type=int, default=5001, help="port on 127.0.0.1 (default: 5001)")
    parser.add_argument("--socket", help="unix socket to listen on instead of a port")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default: 1)")
    return parser
