"""The `tidegate` command."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli import keys as key_commands
from cli import logs as log_files
from cli.errors import CliError
from cli.project import LOCAL, Project
from cli.promote import promote
from cli.score import read_data, score
from cli.status import report
from cli.token import Wish, token
from cli.token import as_json as token_json
from cli.token import show as show_token

Stack = Annotated[str, typer.Option("--stack", "-s", envvar="TIDEGATE_STACK", help="The stack to ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Endpoint = Annotated[str, typer.Argument(help="The endpoint's name.")]

_COLUMNS = ("version", "percent", "role", "replicas", "restarts", "in flight", "requests", "5xx")
_POD_COLUMNS = ("version", "percent", "role", "replicas", "restarts", "image")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
keys_app = typer.Typer(no_args_is_help=True, help="An endpoint's keys.")
app.add_typer(keys_app, name="keys")
image_app = typer.Typer(no_args_is_help=True, help="The images of versions.")
app.add_typer(image_app, name="image")
model_app = typer.Typer(no_args_is_help=True, help="The models of a stack.")
app.add_typer(model_app, name="model")
cluster_app = typer.Typer(no_args_is_help=True, help="The clusters of stacks on Azure.")
app.add_typer(cluster_app, name="cluster")
out = Console(highlight=False, soft_wrap=True, width=max(Console().width, 100))  # no narrower than status' table


@app.command()
def status(stack: Stack = LOCAL, as_json: AsJson = False) -> None:
    """Show the endpoints: address, versions with their percent, and how their processes are."""
    found = report(Project.find(stack))
    if as_json:
        _json(found)
        return
    for name, endpoint in found["endpoints"].items():
        columns, cells = (_POD_COLUMNS, _pods) if "cluster" in endpoint else (_COLUMNS, _running)
        out.print(f"[bold]{name}[/]  {endpoint['address']}  auth: {endpoint['auth']}")
        table = Table(*columns, box=None, pad_edge=False)
        for version, each in endpoint["versions"].items():
            table.add_row(version, f"{each['percent']} %", ", ".join(each["roles"]), *cells(each))
        out.print(table)
        for version, each in endpoint["versions"].items():
            if each.get("problem"):
                out.print(f"{version}: {each['problem']}", markup=False)


@app.command(name="score")
def score_command(
    endpoint: Endpoint,
    data: Annotated[
        str, typer.Option("--data", "-d", help="The request body: @FILE, @- for standard input, or the text.")
    ],
    version: Annotated[str, typer.Option(help="Score on this version, whatever its percent.")] = "",
    stack: Stack = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Send a sample to an endpoint, with its primary key or a token, and show the answer."""
    answer = score(Project.find(stack), endpoint, read_data(data), version)
    if as_json:
        _json(answer)
    else:
        out.print(answer["body"] if isinstance(answer["body"], str) else json.dumps(answer["body"]), markup=False)
        Console(stderr=True, highlight=False).print(
            f"{answer['status']} from version {answer['version'] or '(none)'} in {answer['ms']} ms"
        )
    if not 200 <= answer["status"] < 300:
        raise typer.Exit(1)


@app.command(name="report")
def report_command(
    file: Annotated[str, typer.Argument(help="What pulumi preview --json wrote; - for standard input.")],
    *,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say in words what a preview does to endpoints, then what it does to all else."""
    from cli import report as reports  # noqa: PLC0415 (no other command pays for it)

    found = reports.read(file)
    if as_json:
        _json(reports.as_json(found))
    else:
        sys.stdout.write((reports.markdown(found) if as_markdown else reports.text(found)) + "\n")


@app.command(name="token")
def token_command(
    endpoint: Endpoint,
    *,
    role: Annotated[str | None, typer.Option(help='Locally: another role, "" for none: to see a 403.')] = None,
    audience: Annotated[str | None, typer.Option(help="Locally: for another application: to see a 403.")] = None,
    expires_in: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Locally: how long it lives; -600 has ended: to see a 401.")
    ] = None,
    stack: Stack = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Print a token for an endpoint, from the login that is there, and when to ask for the next one."""
    found = token(Project.find(stack), endpoint, Wish(role, audience, expires_in))
    if as_json:
        _json(token_json(found))
    else:
        show_token(found)


@app.command()
def dashboard(
    endpoint: Endpoint,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it there.")] = None,
    stack: Stack = LOCAL,
) -> None:
    """Make a Grafana dashboard of an endpoint: all of it, its versions, the control beside each treatment."""
    from cli import observability  # noqa: PLC0415 (no other command pays for it)

    _write(observability.dashboard(Project.find(stack), endpoint), output)


@app.command()
def alerts(
    endpoint: Endpoint,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it there.")] = None,
    stack: Stack = LOCAL,
) -> None:
    """Make a file of alert rules for Prometheus: errors, full queues, slow versions, replicas that are not ready."""
    from cli import observability  # noqa: PLC0415 (as above)

    _write(observability.alerts(Project.find(stack), endpoint), output)


@keys_app.command("show")
def keys_show(
    endpoint: Endpoint,
    name: Annotated[str, typer.Option(help="Print this key alone: primary or secondary.")] = "",
    stack: Stack = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Print an endpoint's keys. They are secrets: mind where the output goes."""
    found = key_commands.show(Project.find(stack), endpoint, name)
    if as_json:
        _json(found)
    elif name:
        sys.stdout.write(found[name] + "\n")
    else:
        for each, value in found.items():
            sys.stdout.write(f"{each:<9} {value}\n")


@keys_app.command("rotate")
def keys_rotate(
    endpoint: Endpoint,
    name: Annotated[str, typer.Argument(help="primary or secondary.")],
    stack: Stack = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Make a new key: raise its rotation number in the stack's config and run `pulumi up`."""
    project = Project.find(stack)
    number = key_commands.rotate(project, endpoint, name, quiet=as_json)
    if as_json:
        _json({"endpoint": endpoint, "key": name, "rotation": number})
    else:
        out.print(
            f"the {name} key of {endpoint} is new (rotation {number} in {project.stack_file.name}); "
            f"read it with: tidegate keys show {endpoint} --name {name}"
        )


@app.command(name="promote")
def promote_command(
    endpoint: Endpoint,
    version: Annotated[str, typer.Argument(help="The version to promote.")],
    stack: Stack = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Make a version the control and the default, with all the traffic, by one config edit and one `pulumi up`."""
    project = Project.find(stack)
    promote(project, endpoint, version, quiet=as_json)
    if as_json:
        _json({"endpoint": endpoint, "version": version})
    else:
        out.print(f"{version} is the control and the default of {endpoint} now, with 100 %")


@app.command()
def logs(
    endpoint: Endpoint,
    version: Annotated[str, typer.Argument(help="The version's name.")],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="What came before: the last start that failed, or a crash.")
    ] = False,
    lines: Annotated[int, typer.Option(min=0, help="How many of the last lines to begin with.")] = 1000,
    stack: Stack = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Show what a version's scoring processes wrote, also while it starts and after it crashed."""
    project = Project.find(stack)
    if stack != LOCAL:
        from cli import kubernetes  # noqa: PLC0415 (a local stack does without)

        entries = kubernetes.read_logs(project, endpoint, version, lines=lines, follow=follow, previous=previous)
    elif previous:
        entries = log_files.read_failed(project, endpoint, version, lines=lines)
    else:
        entries = log_files.read(project, endpoint, version, lines=lines, follow=follow)
    for entry in entries:
        text = json.dumps({"replica": entry.replica, "line": entry.line}) if as_json else entry.text
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


@image_app.command("plan")
def image_plan(stack: Stack = LOCAL, as_json: AsJson = False) -> None:
    """Show what each version's image is made from, where it is, and what changed since the last deployment."""
    from cli import image_plan as plans  # noqa: PLC0415 (no other command pays for it)

    found = plans.plan(Project.find(stack))
    if as_json:
        _json(found)
    else:
        sys.stdout.write(plans.as_text(found) + "\n")


@image_app.command("build")
def image_build(
    local: Annotated[bool, typer.Option("--local", help="As environments of this machine: no registry, no Docker.")],
    stack: Stack = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Build the environments of all versions ahead of a deployment; print their keys."""
    from cli import image_plan as plans  # noqa: PLC0415 (as above)

    if not local:
        raise CliError("images for a registry are built by pulumi up; tidegate image build takes --local")
    said = Console(stderr=True, highlight=False)
    keys = plans.build_local(Project.find(stack), lambda text: said.print(text, markup=False))
    if as_json:
        _json(keys)
    else:
        sys.stdout.write("".join(f"{key}\n" for key in keys))


@image_app.command("update")
def image_update(as_json: AsJson = False) -> None:
    """Look up what the base images of all stacks stand for today, and write images.lock; 1 where one is not found."""
    from cli import image as registries  # noqa: PLC0415 (as above)

    seen = registries.update(Project.find(""))
    if as_json:
        _json(registries.looked_json(seen))
    else:
        sys.stdout.write(registries.looked_text(seen) + "\n")
    if any(each.problem for each in seen):
        raise typer.Exit(1)


@image_app.command("list")
def image_list(
    repository: Annotated[str, typer.Argument(help="REGISTRY/PATH, such as mine.azurecr.io/tidegate/environment.")],
    as_json: AsJson = False,
) -> None:
    """List the images of a repository, by their tags in the registry."""
    from cli import image as registries  # noqa: PLC0415 (as above)

    found = registries.images(repository)
    if as_json:
        _json([each.as_json() for each in found])
    else:
        sys.stdout.write(registries.list_text(found) + "\n")


@image_app.command("show")
def image_show(
    reference: Annotated[str, typer.Argument(help="REGISTRY/PATH with :TAG or @DIGEST.")], as_json: AsJson = False
) -> None:
    """Show one image of a registry: digest, platforms, size, and what it says of itself."""
    from cli import image as registries  # noqa: PLC0415 (as above)

    found = registries.image(reference)
    if as_json:
        _json(found.as_json())
    else:
        sys.stdout.write(registries.image_text(found) + "\n")


Further = Annotated[
    list[str] | None, typer.Option("--stack", "-s", help="A stack elsewhere that uses images of the registry too.")
]


@image_app.command("prune")
def image_prune(
    path: Annotated[str, typer.Argument(help="REGISTRY/PATH, such as mine.azurecr.io/tidegate; what is under it too.")],
    *,
    keep: Annotated[int, typer.Option(min=0, help="How many unused images of a repository stay, the newest.")] = 5,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    stack: Further = None,
    as_json: AsJson = False,
) -> None:
    """Show which images nothing uses, and delete them once that is confirmed."""
    from cli import image_clean  # noqa: PLC0415 (as above)

    use = image_clean.in_use(Project.find(LOCAL), stack or ())
    for text in use.unread:
        out.print(f"the pods are not known of {text}", style="yellow", markup=False)
    prunings = image_clean.plan(path, use, keep=keep)
    if as_json:
        _json([pruning.as_json() for pruning in prunings])
    else:
        sys.stdout.write(image_clean.as_text(prunings) + "\n")
    count = sum(len(pruning.goes) for pruning in prunings)
    if not count or not (yes or (not as_json and typer.confirm(f"Delete {count} images?"))):
        return
    said = f"{image_clean.prune(prunings)} images are deleted"
    Console(stderr=True, highlight=False).print(said)


@image_app.command("delete")
def image_delete(
    reference: Annotated[str, typer.Argument(help="REGISTRY/PATH:TAG, or REGISTRY/PATH@sha256:...")],
    stack: Further = None,
    as_json: AsJson = False,
) -> None:
    """Delete one image from a registry; refused while a stack or a pod uses it."""
    from cli import image_clean  # noqa: PLC0415 (as above)

    use = image_clean.in_use(Project.find(LOCAL), stack or ())
    if use.unread:
        raise CliError(f"the pods are not known of {'; '.join(use.unread)}")
    gone = image_clean.delete(reference, use)
    if as_json:
        _json({"deleted": str(gone)})
    else:
        out.print(f"{gone} is deleted", markup=False)


@model_app.command("register")
def model_register(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    path: Annotated[str, typer.Argument(help="A file or a folder.")],
    *,
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A tag; may be given again.")] = None,
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    stack: Stack = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Write a model's next number into the stack's config; no endpoint moves to it by itself."""
    from cli import model as models  # noqa: PLC0415 (no other command pays for it)

    project = Project.find(stack)
    found = models.register(project, name, path, tags=tag or (), description=description)
    if as_json:
        _json(found)
    elif found["registered"]:
        said = f"{name}:{found['number']} is {found['path']} in {project.stack_file.name}; pulumi up brings it in"
        out.print(said, markup=False)
    else:
        out.print(f"{name}:{found['number']} is that already ({found['path']}); nothing is changed", markup=False)


@model_app.command("list")
def model_list(stack: Stack = LOCAL, as_json: AsJson = False) -> None:
    """Show the models of a stack: numbers, content, size, tags, and the versions that use them."""
    from cli import model as models  # noqa: PLC0415 (as above)

    found = models.show(Project.find(stack))
    if as_json:
        _json(found)
    else:
        sys.stdout.write(models.as_table(found))


@model_app.command("show")
def model_show(
    name: Annotated[str, typer.Argument(help="A model, or one of its numbers: NAME:NUMBER.")],
    stack: Stack = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of a model."""
    from cli import model as models  # noqa: PLC0415 (as above)

    found = models.show(Project.find(stack), name)
    if as_json:
        _json(found)
    else:
        sys.stdout.write(models.as_text(found))


@model_app.command("delete")
def model_delete(
    name: Annotated[str, typer.Argument(help="NAME:NUMBER.")], stack: Stack = LOCAL, as_json: AsJson = False
) -> None:
    """Take a model's number out of the stack's config; refused while a version uses it."""
    from cli import model as models  # noqa: PLC0415 (as above)

    project = Project.find(stack)
    gone = models.delete(project, name)
    if as_json:
        _json(gone)
    else:
        said = f"{gone['name']}:{gone['number']} is out of {project.stack_file.name}; pulumi up removes its copy, "
        out.print(f"{said}{gone['path']} stays", markup=False)


@cluster_app.callback()
def _cluster() -> None:
    """The clusters of stacks on Azure."""


@cluster_app.command("check")
def cluster_check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Stack files; by default those of all stacks on Azure here."),
    ] = None,
    *,
    output: Annotated[str, typer.Option("--output", "-o", help="text, json or github (annotations).")] = "text",
    quota: Annotated[
        bool, typer.Option("--quota", help="Compare with the subscription's quotas too, by the login that is there.")
    ] = False,
) -> None:
    """Check the config against all rules, and show the capacity of clusters, without an engine and without a login.

    Exit code 1 where there is an error.
    """
    from cli import cluster as cluster_checks  # noqa: PLC0415 (no other command pays for the rules)

    if output not in cluster_checks.FORMATS:
        raise CliError(f"there is no output {output!r}; known: {', '.join(cluster_checks.FORMATS)}")
    project = Project.find("")
    checked = cluster_checks.check(
        [file.absolute() for file in files] if files else cluster_checks.stack_files(project),
        project.root,
        quota=quota,
    )
    if text := cluster_checks.FORMATS[output](checked):
        sys.stdout.write(text + "\n")
    if any(each.errors for each in checked):
        raise typer.Exit(1)


def run() -> None:
    """The command's entry: errors as one line, no traceback, exit code 1."""
    try:
        app()
    except CliError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]error:[/] {escape(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted; Python must not try to flush the rest at its end.
        sys.stdout = Path("/dev/null").open("w")  # noqa: SIM115 (for the interpreter's own shutdown)
        sys.exit(0)


def _running(version: dict[str, Any]) -> list[str]:
    if not version.get("replicas"):
        return ["not running"]
    counts = (version[name] for name in ("restarts", "in_flight", "requests", "server_errors"))
    return [f"{version['ready']}/{version['replicas']} ready", *map(str, counts)]


def _pods(version: dict[str, Any]) -> list[str]:
    if "pods" not in version:
        return ["not in the cluster"]
    replicas = f"{version['ready']}/{version['replicas']} ready"
    return [replicas, str(version["restarts"]), version["digest"]]


def _write(text: str, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text)
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error}") from error


def _json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
