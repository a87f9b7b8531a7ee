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
from tidegate.azure.registry_access import RegistryAccess
from tidegate.cache import cache_folder
from tidegate.config import Environment, from_file
from tidegate.findings import ConfigError
from tidegate.image.build import ENVIRONMENTS, version_build
from tidegate.image.lookup import Registries, find_image
from tidegate.image.plan import PlannedImage, package_line, plan_images, plan_models


def plan(project: Project) -> list[dict[str, Any]]:
    """For each image: `name`, `endpoint` and `version` (None where registered), `key`, `contents`, `found`, `changes`.

    `found` says where the environment is, and `image` where the one with code and models is (None where there is none).
    `changes` are those since the last deployment; None where there was none.
    """
    environment, images = _planned(project)
    last = last_contents(project)
    finder = _Finder(environment, project)
    return [
        {
            "name": image.name,
            "endpoint": image.name.partition("/")[0] if "/" in image.name else None,
            "version": image.name.partition("/")[2] or None,
            "key": image.inputs.key,
            "contents": image.contents,
            "found": finder.environment(image),
            "image": finder.version(image) or None,
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
            "image": each["image"] or "",
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


class _Finder:
    """Says in words where images are; asks for each once."""

    def __init__(self, environment: Environment, project: Project) -> None:
        self._azure = environment.azure
        self._cache = cache_folder(os.environ) / "environments"
        self._access = RegistryAccess()
        self._ran: Mapping[str, str] | None = None
        if self._azure and self._azure.promote_from:
            self._ran = Project(project.root, self._azure.promote_from).outputs().get("images") or {}
        self._said: dict[str, str] = {}

    def environment(self, image: PlannedImage) -> str:
        """Where an environment is; on the local target it needs no registry."""
        if self._azure is None:
            return "in this machine's cache" if (self._cache / image.inputs.key).is_dir() else "will be built"
        return self._place(ENVIRONMENTS, image.inputs.key)

    def version(self, image: PlannedImage) -> str:
        """Where the image with code and models is; empty where there is none."""
        if self._azure is None or image.delivery == "fetched":
            return ""
        build = version_build(image)
        return f"{build.tag[:15]}  {self._place(build.repository, build.tag)}"

    def _place(self, repository: str, tag: str) -> str:
        name = f"{repository}:{tag}"
        if name not in self._said:
            self._said[name] = self._asked(repository, tag)
        return self._said[name]

    def _asked(self, repository: str, tag: str) -> str:
        registry = self._azure.registry if self._azure else None
        if self._azure is None or registry is None:
            return "has no registry: write tidegate:registry"
        if self._ran is not None:
            ran = self._ran.get(f"{repository}:{tag}")
            # An environment that no version runs alone is in its images.
            return f"ran in {self._azure.promote_from} as {ran}" if ran else f"never ran in {self._azure.promote_from}"
        registries = Registries(registry.host, shared=self._azure.shared_registries)
        try:
            found = find_image(repository, tag, registries, None, self._access.digest_of)
        except ConfigError as error:
            return f"cannot be asked for: {error.findings[0].problem}"
        return f"found as {found.name}@{found.digest}" if found else "will be built"


def _local_contents(
    inputs: Mapping[str, Any], environments: Mapping[str, Mapping[str, Any]], digests: Mapping[str, str]
) -> dict[str, Any]:
    """What a local deployment says of itself: a part of a record, since the rest has no effect there."""
    environment = environments.get(inputs.get("interpreter", ""), {})
    known = {name: environment[name] for name in ("key", "python", "requirements") if name in environment}
    names = [f"{model['name']}:{model['number']}" for model in inputs.get("models", ())]
    models = {name: digests.get(name, "") for name in names}
    return {**known, "code": inputs["source"]["digest"], "models": models}
