"""The passphrase of the local stack's secrets, and the salt of it that `pulumi` writes into the stack's config.

The salt fits this checkout's passphrase alone. In anybody else's it would make `pulumi` fail, so git does not see it.
"""

import os
import secrets
import subprocess

from cli.errors import CliError
from cli.project import Project

SALT = "encryptionsalt:"


def make_passphrase(project: Project) -> None:
    """Write a random passphrase, mode 0600, where there is none; refuse where something was encrypted with another."""
    passphrase = project.settings / "passphrase"
    if passphrase.exists():
        return
    way_out = f"put the passphrase back into {passphrase}, or see docs/how-to/after-a-crash.md"
    if has_secrets(project):
        raise CliError(f"{project.stack_file.name} holds values (secure:) encrypted with a lost passphrase; {way_out}")
    if any((project.settings / "backend" / ".pulumi" / "stacks").rglob("*.json")):
        raise CliError(f"the state in {project.settings / 'backend'} is encrypted with a lost passphrase; {way_out}")
    drop_salt(project)
    descriptor = os.open(passphrase, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))


def has_secrets(project: Project) -> bool:
    """Whether the stack's config holds encrypted values."""
    return "secure:" in project.stack_file.read_text()


def drop_salt(project: Project) -> None:
    """Take the salt out of the stack's config; the state has its own copy."""
    lines = project.stack_file.read_text().splitlines(keepends=True)
    project.stack_file.write_text("".join(line for line in lines if not line.startswith(SALT)))
    _look_again(project)


def keep_out_of_git(project: Project) -> None:
    """Let git read the stack's config without the salt and write it with it, by the filter in .gitattributes."""
    lines = project.stack_file.read_text().splitlines(keepends=True)
    (project.settings / "salt").write_text("".join(line for line in lines if line.startswith(SALT)))
    _git(project, "config", "--local", "filter.tidegate-local.clean", f"sed '/^{SALT}/d'")
    # Else `pulumi up` would add the line to a file that git has just restored, and git call that a change.
    _git(project, "config", "--local", "filter.tidegate-local.smudge", "cat - .tidegate/salt 2>/dev/null || true")
    _look_again(project)


def leave_git(project: Project) -> None:
    """Take the filter out of git's configuration again."""
    _git(project, "config", "--local", "--remove-section", "filter.tidegate-local")


def _look_again(project: Project) -> None:
    """Let git forget the file's size, by which it would call it changed without reading it; a user's edit stays one."""
    name = project.stack_file.name
    if _git(project, "hash-object", "--path", name, name) == _git(project, "rev-parse", f":{name}"):
        _git(project, "update-index", "--", name)


def _git(project: Project, *arguments: str) -> str:
    """What git says; nothing where there is no git or no repository, where there is nothing to keep clean either."""
    try:
        done = subprocess.run(["git", *arguments], check=False, cwd=project.root, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
