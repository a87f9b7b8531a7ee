"""`tidegate image plan` and `tidegate image build --local`: what the versions' images are made from, and why anew."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cli.errors import CliError
from cli.project import Project
from providers.local.virtual_environment import BuildError, build_environment
from tidegate.cache import cache_folder
from tidegate.config import Environment, from_file
from tidegate.findings import ConfigError
from tidegate.image.build import ENVIRONMENTS
from tidegate.image.credentials import CredentialsError, find_credentials
from tidegate.image.plan import PlannedImage, package_line, plan_images, plan_models
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryClient, RegistryError


def plan(project: Project) -> list[dict[str, Any]]:
    """For each image: `name`, `endpoint` and `version` (None where registered), `key`, `contents`, `found`, `changes`.

    The latter are those since the last deployment; None where there was none.
    """
    environment, images = _planned(project)
    last = last_contents(project)
    found = {image.inputs.key: _found(image, environment) for image in images}
    return [
        {
            "name": image.name,
            "endpoint": image.name.partition("/")[0] if "/" in image.name else None,
            "version": image.name.partition("/")[2] or None,
            "key": image.inputs.key,
            "contents": image.contents,
            "found": found[image.inputs.key],
            "changes": _changes(image, last.get(image.name), project.root) if image.name in last else None,
        }
        for image in images
    ]


def build_local(project: Project, say: Callable[[str], None]) -> list[str]:
    """Build each environment into this machine's cache, where the local target finds it; the keys, each once."""
    _, images = _planned(project)
    by_key = {image.inputs.key: image for image in images}
    for key, image in by_key.items():
        say(f"{key[:15]}: {image.name}")
        try:
            build_environment(
                key,
                python=image.inputs.python.python,
                requirements=list(image.inputs.python.requirements),
                server=project.root / "runtime",
                cache=cache_folder(os.environ),
                progress=say,
                cancelled=threading.Event(),
            )
        except BuildError as error:
            raise CliError(str(error)) from error
    return list(by_key)


def last_contents(project: Project) -> dict[str, Mapping[str, Any]]:
    """What the last deployment's images were made from, by `endpoint/version`; empty where there was none."""
    command = ["pulumi", "stack", "export", "--stack", project.stack]
    try:
        outcome = subprocess.run(
            command, check=False, cwd=project.root, env=project.environment(), capture_output=True, text=True
        )
    except (CliError, FileNotFoundError):
        return {}
    if outcome.returncode:
        return {}
    resources = (json.loads(outcome.stdout).get("deployment") or {}).get("resources") or []
    environments = {
        resource["outputs"]["interpreter"]: resource["inputs"]
        for resource in resources
        if resource["type"] == "tidegate-serving:local:Environment" and "interpreter" in resource.get("outputs", {})
    }
    models = {
        f"{resource['inputs']['name']}:{resource['inputs']['number']}": resource["inputs"]["content"]
        for resource in resources
        if resource["type"] == "tidegate-serving:local:Model"
    }
    found: dict[str, Mapping[str, Any]] = {}
    for resource in resources:
        if resource.get("delete"):
            continue
        inputs = resource.get("inputs", {})
        if resource["type"] == "tidegate-serving:image:Contents":
            found[inputs["version"]] = {name: value for name, value in inputs.items() if name != "version"}
        elif resource["type"] == "tidegate-serving:local:Deployment":
            found[f"{inputs['endpoint']}/{inputs['version']}"] = _local_contents(inputs, environments, models)
    return found


def as_text(versions: list[dict[str, Any]]) -> str:
    """For a person."""
    lines: list[str] = []
    for each in versions:
        contents = each["contents"]
        lines.append(each["name"])
        base = contents["base"] or ("a given Dockerfile" if contents["dockerfile"] else "")
        rows = {
            "environment": f"{each['key'][:15]}  {each['found']}",
            "base": base,
            "Docker steps": len(contents["dockerSteps"]) or "",
            "Python": contents["python"],
            "packages": ", ".join([*contents["native"], *contents["requirements"]]),
            "platform": contents["platform"],
            "server": contents["server"],
            "code": contents["code"][:15],
            "models": ", ".join(f"{name} {digest[:19]}" for name, digest in contents["models"].items()),
        }
        lines += [f"  {name:<13}{value}" for name, value in rows.items() if value]
        if each["changes"] is None:
            lines.append("  changed      (not deployed yet)")
        elif not each["changes"]:
            lines.append("  changed      nothing since the last deployment")
        else:
            lines += [f"  {'changed' if not index else '':<13}{text}" for index, text in enumerate(each["changes"])]
    return "\n".join(lines)


def _planned(project: Project) -> tuple[Environment, tuple[PlannedImage, ...]]:
    try:
        environment = from_file(project.stack_file, root=project.root)
        return environment, plan_images(environment, plan_models(environment), root=project.root)
    except ConfigError as error:
        raise CliError(str(error)) from error


def _changes(image: PlannedImage, last: Mapping[str, Any] | None, root: Path) -> list[str]:
    said: list[str] = []
    for change in image.changes(last):
        place = ""
        if change.package and image.python_file:
            line = package_line((root / image.python_file).read_text("utf-8-sig"), change.package)
            place = f" ({image.python_file}:{line})" if line else f" ({image.python_file})"
        said.append(f"{change.text}{place}")
    return said


def _found(image: PlannedImage, environment: Environment) -> str:
    """Where the environment is, in words."""
    key = image.inputs.key
    if environment.target == "local":
        built = (cache_folder(os.environ) / "environments" / key).is_dir()
        return "in this machine's cache" if built else "will be built"
    registry = environment.azure.registry if environment.azure else None
    if registry is None:
        return "has no registry: write tidegate:registry"
    host = registry.host
    try:
        with RegistryClient(host, find_credentials(host, os.environ)) as client:
            digest = client.digest(Reference(host, ENVIRONMENTS, key))
    except (RegistryError, CredentialsError) as error:
        return f"cannot be asked for: {error}"
    return f"found as {host}/{ENVIRONMENTS}@{digest}" if digest else "will be built"


def _local_contents(
    inputs: Mapping[str, Any], environments: Mapping[str, Mapping[str, Any]], digests: Mapping[str, str]
) -> dict[str, Any]:
    """What a local deployment says of itself: a part of a record, since the rest has no effect there."""
    environment = environments.get(inputs.get("interpreter", ""), {})
    known = {name: environment[name] for name in ("key", "python", "requirements") if name in environment}
    names = [f"{model['name']}:{model['number']}" for model in inputs.get("models", ())]
    models = {name: digests.get(name, "") for name in names}
    return {**known, "code": inputs["source"]["digest"], "models": models}
