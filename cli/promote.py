"""A treatment becomes what the others are compared with."""

from cli.errors import CliError
from cli.project import Project
from cli.stack_file import StackFile


def promote(project: Project, endpoint: str, version: str, *, quiet: bool) -> None:
    """Make `version` the control and the default, give it all traffic, and run `pulumi up` once (rule E4).

    The other versions keep running at 0 %, reached by header, so that the way back is one more promotion.
    """
    file = StackFile(project)
    versions = file.endpoint(endpoint).get("versions") or {}
    if version not in versions:
        known = ", ".join(sorted(versions)) or "none"
        raise CliError(f"endpoint {endpoint} has no version {version!r}; it has: {known}")
    for name, spec in versions.items():
        promoted = name == version
        spec["traffic"] = 100 if promoted else 0
        for mark in ("default", "control"):
            if promoted:
                spec[mark] = True
            else:
                spec.pop(mark, None)
        if promoted:
            spec.pop("shadow", None)  # it answers the requests of which it got copies
    file.save()
    project.up(quiet=quiet)
