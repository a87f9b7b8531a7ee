"""An endpoint's keys: shown by this command alone, made new by a number in the config."""

from cli.errors import CliError
from cli.project import Project
from cli.stack_file import StackFile
from tidegate.findings import ConfigError

NAMES = ("primary", "secondary")


def show(project: Project, endpoint: str, name: str = "") -> dict[str, str]:
    """An endpoint's keys by name."""
    if name:
        _require_name(name)
    found = project.endpoint(endpoint)
    if found["auth"] != "key":
        raise CliError(f"endpoint {endpoint} asks for no key (auth: {found['auth']})")
    return found["keys"]


def rotate(project: Project, endpoint: str, name: str, *, quiet: bool) -> int:
    """Raise the key's rotation number in the stack's config and run `pulumi up`; the new number.

    A key that the config gives is not rotated: another one has to be given.
    """
    _require_name(name)
    file = StackFile(project)
    spec = file.endpoint(endpoint)
    place = _given(file.config.get("tidegate:keys"), endpoint, name) or _given_by_v1(project, endpoint, name)
    if place:
        raise CliError(
            f"the {name} key of {endpoint} is given in {place}; give another one: "
            f"pulumi config set --secret --path 'tidegate:keys.{endpoint}.{name}'"
        )
    rotation = spec.setdefault("keyRotation", {})
    rotation[name] = rotation.get(name, 1) + 1
    file.save()
    project.up(quiet=quiet)
    return rotation[name]


def _given(keys: object, endpoint: str, name: str) -> str:
    """The place in the stack's config that gives the key; one `secure:` value may hide it at any depth."""
    for step in (endpoint, name):
        if not isinstance(keys, dict):
            break
        if "secure" in keys:
            return "tidegate:keys"
        keys = keys.get(step)
    return "tidegate:keys" if keys else ""


def _given_by_v1(project: Project, endpoint: str, name: str) -> str:
    from tidegate.config import from_file  # noqa: PLC0415 (the specs take longer to import than all else here)

    try:
        environment = from_file(project.stack_file, root=project.root)
    except ConfigError as error:
        raise CliError(str(error)) from error
    (spec,) = [each for each in environment.endpoints if each.name == endpoint]
    if spec.auth != "key":
        raise CliError(f"endpoint {endpoint} asks for no key (auth: {spec.auth})")
    return "a deployment file of its versions (keys)" if getattr(spec.keys, name) else ""


def _require_name(name: str) -> None:
    if name not in NAMES:
        raise CliError(f"{name!r} is not a key; an endpoint has {' and '.join(NAMES)}")
