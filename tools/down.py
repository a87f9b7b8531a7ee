"""`make down`: the local stack destroyed, nothing left running, the project's state folder gone."""

import shutil
import sys

from rich.console import Console
from rich.markup import escape

from cli.errors import CliError
from cli.project import LOCAL, Project
from tools.passphrase import drop_salt, has_secrets, leave_git
from tools.up import ROOT, heal, say


def main() -> None:
    """Destroy the stack, then remove the state folder; where the destroy fails nothing is removed."""
    project = Project(ROOT)
    if (project.settings / "backend" / ".pulumi" / "stacks").exists():
        heal(project)
        project.pulumi("destroy", "--yes", "--skip-preview")
    shutil.rmtree(project.settings / LOCAL, ignore_errors=True)
    if has_secrets(project):
        # What the user has encrypted in the config can be read by this passphrase alone.
        say(f"{project.settings / 'passphrase'} stays: {project.stack_file.name} holds values encrypted with it")
        shutil.rmtree(project.settings / "backend", ignore_errors=True)
        return
    shutil.rmtree(project.settings, ignore_errors=True)
    drop_salt(project)
    leave_git(project)


if __name__ == "__main__":
    try:
        main()
    except CliError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]error:[/] {escape(str(error))}")
        sys.exit(1)
