"""The commands `tidegate-score` and `azmlinfsrv`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate_runtime import logs
from tidegate_runtime.server import serve
from tidegate_runtime.settings import Settings, SettingsError, from_environment
from tidegate_runtime.worker import EXIT_SCRIPT_FAILED

DEFAULT_CONTENT_DIR = "/var/azureml-app"
"""Where TIDEGATE_CONTENT is laid out unless TIDEGATE_CONTENT_DIR says otherwise; v1's place for models and code."""

_REFERENCE = "azureml-inference-server-http"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a scoring script until SIGTERM or SIGINT; the exit code is 3 where the script cannot be started."""
    return _serve(sys.argv[1:] if arguments is None else arguments, os.environ)


def azmlinfsrv() -> object:
    """The reference server's command, for images that were written for it: listens on all interfaces as that does.

    Both packages bring a command of this name and the one that is installed last has it; so where the reference
    server is installed, it is started whichever of the two that was.
    """
    import importlib.metadata  # noqa: PLC0415 (slow to import, and of use here alone)

    try:
        commands = importlib.metadata.distribution(_REFERENCE).entry_points
    except importlib.metadata.PackageNotFoundError:
        return _serve(sys.argv[1:], {"TIDEGATE_HOST": "0.0.0.0", **os.environ})  # noqa: S104 (a container's port)
    return next(each for each in commands if each.name == "azmlinfsrv").load()()


def _serve(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    if order := environment.get("TIDEGATE_CONTENT"):
        from tidegate_runtime.content import ContentError  # noqa: PLC0415 (of use here alone)

        try:
            environment = {**environment, **_fetched(order, environment)}
        except ContentError as error:
            logs.say(str(error))
            return EXIT_SCRIPT_FAILED
    try:
        settings = read_settings(arguments, environment)
    except SettingsError as error:
        logs.say(str(error))
        return 2
    if settings.without_effect:
        logs.say(f"without effect on this server: {', '.join(settings.without_effect)}")
    return serve(settings)


def _fetched(order: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Fetch what the script needs, and name it by the variables that say where it is."""
    from tidegate_runtime.content import fetch  # noqa: PLC0415 (of use here alone)

    # The first process of a container ignores a SIGTERM that it does not handle.
    before = signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        found = fetch(order, Path(environment.get("TIDEGATE_CONTENT_DIR") or DEFAULT_CONTENT_DIR))
    finally:
        signal.signal(signal.SIGTERM, before)
    places = {"AZUREML_MODEL_DIR": found.model_dir, "AZUREML_SOURCE_DIRECTORY": found.source_dir}
    return {name: str(place) for name, place in places.items() if place}


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings that a command line and an environment give."""
    own, script_arguments = _split(arguments)
    options = _parser().parse_args(own)
    environment = dict(environment)
    if options.config_file:
        environment["AZUREML_CONFIG_FILE"] = options.config_file
    if options.cors:
        environment["AML_CORS_ORIGINS"] = options.cors
    if options.appinsights_instrumentation_key:
        environment["AML_APP_INSIGHTS_KEY"] = options.appinsights_instrumentation_key
        environment["AML_APP_INSIGHTS_ENABLED"] = "true"
    if options.health_port:
        environment["HEALTH_PORT"] = str(options.health_port)
    return from_environment(
        environment,
        entry_script=options.entry,
        source_dir=Path(options.source_dir).resolve() if options.source_dir else None,
        model_dir=Path(options.model_dir).resolve() if options.model_dir else None,
        arguments=tuple(script_arguments),
        host=options.host,
        port=options.port,
        socket=Path(os.path.abspath(options.socket)) if options.socket else None,  # noqa: PTH100 (keeps a stale link)
        metrics_port=options.metrics_port,
        workers=options.workers,
        queue_threads=options.queue_threads,
        reload=options.reload,
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
        epilog="What follows -- is given to the script as sys.argv[1:]. The second of two names is the Azure ML "
        "inference server's.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--entry", "--entry_script", metavar="SCRIPT", help="the scoring script; left out, the model folder is served")
    add("--source-dir", metavar="DIR", help="the script's working directory (default: the script's folder)")
    add("--model-dir", "--model_dir", metavar="DIR", help="AZUREML_MODEL_DIR for the script")
    add("--host", help="address to listen on (default: 127.0.0.1)")
    add("--port", type=_port, help="port to listen on (default: 5001)")
    add("--socket", metavar="PATH", help="unix socket to listen on instead of a port")
    add("--health-port", "--health_port", type=_port, help="with SEPERATE_HEALTH_ENDPOINT=true (default: 5000)")
    add("--metrics-port", type=_port, help="port for Prometheus (default: none)")
    add("--workers", "--worker_count", type=_count, help="worker processes (default: 1)")
    add("--queue-threads", type=_count, help="threads that fetch requests while runs go on (default: 1)")
    add("--cors", "--access_control_allow_origins", metavar="ORIGINS", help="origins for CORS, by commas, or *")
    add("--config-file", "--config_file", metavar="FILE", help="a config.json")
    add("--appinsights_instrumentation_key", metavar="KEY", help="send telemetry to this Application Insights")
    add("--reload", action="store_true", help="start the workers anew when a file of the source directory changes")
    add("--rest", action="store_true", help=argparse.SUPPRESS)  # the reference server takes it and has no other way
    return parser


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 1 to 65535")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value
