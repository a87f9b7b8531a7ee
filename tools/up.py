"""`make up`: the local stack, from nothing or from whatever an earlier run left."""

import json
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.errors import CliError
from cli.project import LOCAL, Project, local_variables
from cli.stack_file import StackFile
from cli.status import report
from providers.local.deployment import remove_unknown
from providers.local.layout import Layout
from tidegate.targets.local_paths import state_folder
from tools.passphrase import keep_out_of_git, make_passphrase

ROOT = Path(__file__).absolute().parent.parent
EXAMPLE = Path("examples/diabetes")
say = Console(highlight=False, soft_wrap=True).print


def main() -> None:
    """Prepare, heal, deploy, tell."""
    project = Project(ROOT)
    prepare(project)
    train()
    select_stack(project)
    heal(project)
    project.pulumi("up", "--yes", "--skip-preview")
    keep_out_of_git(project)
    tell(project)


def prepare(project: Project) -> None:
    """Write the passphrase and the variables for plain `pulumi`; what is there already stays."""
    settings = project.settings
    (settings / "backend").mkdir(mode=0o700, parents=True, exist_ok=True)
    make_passphrase(project)
    variables = local_variables(project.root, (settings / "engine").read_text().strip())
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items() if name != "PATH"]
    engine, venv = variables["PATH"].split(":")[:2]
    lines.append(f'export PATH={shlex.quote(engine)}:{shlex.quote(venv)}:"$PATH"')
    (settings / "env").write_text("\n".join(lines) + "\n")


def train() -> None:
    """Train the example's models where they are missing, in the environment that will serve them."""
    if all((ROOT / EXAMPLE / "models" / name).exists() for name in ("ridge.pkl", "forest.pkl")):
        return
    from tools.example import python_of  # noqa: PLC0415 (imports the specs, only needed once)

    interpreter = python_of(ROOT, EXAMPLE / "ridge" / "conda.yml", say)
    say("training the example's models")
    subprocess.run([interpreter, "train.py"], check=True, cwd=ROOT / EXAMPLE)


def select_stack(project: Project) -> None:
    """Make the stack where it is missing, and make it the one that plain `pulumi` means."""
    command = ["pulumi", "stack", "select", LOCAL, "--create"]
    outcome = subprocess.run(
        command, check=False, cwd=project.root, env=project.environment(), capture_output=True, text=True
    )
    if outcome.returncode:
        raise CliError(f"the stack cannot be made: {outcome.stderr.strip()}")


def heal(project: Project) -> None:
    """Take away what an update that was killed on this machine has left: its lock, what it had begun, what it ran."""
    dead = [lock for lock in (project.settings / "backend" / ".pulumi" / "locks").rglob("*.json") if _dead(lock)]
    if dead:
        say("an earlier pulumi was killed in the middle: releasing its lock")
        project.pulumi("cancel", "--yes")
    deployment = _state(project)
    if deployment.get("pending_operations"):
        say("an earlier pulumi was killed in the middle: clearing what it had begun")
        project.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
        deployment = _state(project)
    if dead:
        known = {resource.get("id", "") for resource in deployment.get("resources", [])}
        for identity in remove_unknown(Layout(state_folder(project.root, project.stack)), known):
            say(f"ended {identity}, which it had started and not written down")


def _state(project: Project) -> dict[str, Any]:
    exported = subprocess.run(
        ["pulumi", "stack", "export", "--stack", LOCAL],
        check=False, cwd=project.root, env=project.environment(), capture_output=True, text=True,
    )  # fmt: skip
    if exported.returncode:
        raise CliError(f"the state cannot be read: {exported.stderr.strip()}")
    return json.loads(exported.stdout)["deployment"]


def _dead(lock: Path) -> bool:
    try:
        content = json.loads(lock.read_text())
    except (OSError, ValueError):
        return False  # being written, or released, at this moment
    return content.get("hostname") == socket.gethostname() and not Path(f"/proc/{content.get('pid')}").exists()


def tell(project: Project) -> None:
    """Say what runs, where the keys are, and a line that scores the sample."""
    say()
    for name, endpoint in report(project)["endpoints"].items():
        say(f"endpoint [bold]{name}[/]  {endpoint['address']}")
        for version, each in endpoint["versions"].items():
            roles = f"  ({', '.join(each['roles'])})" if each["roles"] else ""
            say(f"  {version:<12} {each['percent']:>3} %{roles}")
        if endpoint["auth"] == "key":
            say(f"  keys:  .venv/bin/tidegate keys show {name}")
            key = f'-H "Authorization: Bearer $(.venv/bin/tidegate keys show {name} --name primary)" '
        else:
            key = ""
        sample = StackFile(project).endpoint(name).get("sample")
        body = f"-d @{shlex.quote(sample)}" if sample else "-d '{}'"
        say(f"  score: curl -s {endpoint['address']} {key}-H 'Content-Type: application/json' {body}", markup=False)
    say("\nfor plain pulumi and tidegate in this shell:  . .tidegate/env", markup=False)


def run() -> None:
    """The entry: errors as one line."""
    try:
        main()
    except CliError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]error:[/] {escape(str(error))}")
        sys.exit(1)


if __name__ == "__main__":
    run()
