"""An endpoint's keys: shown by this command alone, made new by a number in the config."""

from typing import Any

from cli.errors import CliError
from cli.project import Project
from cli.stack_file import StackFile

NAMES = ("primary", "secondary")


def show(project: Project, endpoint: str, name: str = "") -> dict[str, str]:
    """An endpoint's keys by name."""
    if name:
        _require_name(name)
    if project.endpoint(endpoint)["auth"] != "key":
        raise CliError(f"endpoint {endpoint} asks for no key (auth: {project.endpoint(endpoint)['auth']})")
    return project.outputs(secrets=True)["keys"][endpoint]


def rotate(project: Project, endpoint: str, name: str, *, quiet: bool) -> int:
    """Raise the key's rotation number in the stack's config and run `pulumi up`; the new number.

    A key that the config gives is not rotated: another one has to be given.
    """
    _require_name(name)
    file = StackFile(project)
    spec = file.endpoint(endpoint)
    if _given(file.config, endpoint, name):
        raise CliError(
            f"the {name} key of {endpoint} is given in tidegate:keys; give another one: "
            f"pulumi config set --secret --path 'tidegate:keys.{endpoint}.{name}'"
        )
    rotation = spec.setdefault("keyRotation", {})
    rotation[name] = int(rotation.get(name, 1)) + 1
    file.save()
    project.up(quiet=quiet)
    return rotation[name]


def _given(config: Any, endpoint: str, name: str) -> bool:
    keys = config.get("tidegate:keys") or {}
    # One `secure:` value may hide them all.
    return "secure" in keys or name in (keys.get(endpoint) or {})


def _require_name(name: str) -> None:
    if name not in NAMES:
        raise CliError(f"{name!r} is not a key; an endpoint has {' and '.join(NAMES)}")
