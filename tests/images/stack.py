"""A project of its own for each test of images: the real engine, and a builder that really builds."""

import base64
import hashlib
import json
import os
import subprocess
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.project import local_variables
from tests.engine.harness import CHECKOUT, Result
from tests.standins.docker_build import VARIABLE
from tidegate.image.context import write_context

PROGRAM = CHECKOUT / "tests" / "images" / "program"
STANDINS = CHECKOUT / "tests" / "standins" / "bin"

ENVIRONMENT = """
    FROM scratch
    COPY packages /packages
"""
VERSION = """
    ARG ENVIRONMENT
    FROM ${ENVIRONMENT}
    COPY code /code
"""


@dataclass
class ImageStack:
    """Stacks of one project; `described` is what the program reads, written at each command."""

    root: Path
    engine: str
    registry: str
    store: Path
    """Of buildah; one for all stacks of a test is a machine that they share."""
    name: str = "dev"
    described: dict[str, Any] = field(default_factory=dict)

    def make(self) -> "ImageStack":
        """Lay out the folder and the stack."""
        self.root.mkdir(exist_ok=True)
        (self.root / ".venv").symlink_to(CHECKOUT / ".venv")
        for path in PROGRAM.iterdir():
            if path.is_file():
                (self.root / path.name).write_text(path.read_text())
        (self.root / ".tidegate" / "backend").mkdir(parents=True)
        (self.root / ".tidegate" / "passphrase").write_text("test")
        self.described = {"registry": self.registry, "builds": {}}
        self.environment("numpy")
        self.version("ridge", "print('ridge')")
        return self.select(self.name)

    def select(self, name: str) -> "ImageStack":
        """Go on with another stack of the project."""
        self.name = name
        self.pulumi("stack", "select", name, "--create").require()
        return self

    # -- what it is made of

    def environment(self, packages: str) -> dict[str, Any]:
        """Describe the environment by the content of one file."""
        return self._describe("environment", "tidegate/environment", "packages", packages, ENVIRONMENT)

    def version(self, name: str, code: str) -> dict[str, Any]:
        """Describe a version by its code."""
        return self._describe(name, f"tidegate/e-{name}", "code", code, VERSION)

    def tag(self, name: str = "ridge") -> str:
        return self.described["builds"][name]["tag"]

    def _describe(self, name: str, repository: str, file: str, content: str, dockerfile: str) -> dict[str, Any]:
        inputs = content if name == "environment" else content + self.tag("environment")
        tag = f"{'e1' if name == 'environment' else 'v1'}-{hashlib.sha256(inputs.encode()).hexdigest()[:37]}"
        return self.describe(name, repository, tag, textwrap.dedent(dockerfile), {file: content.encode()})

    def describe(
        self, name: str, repository: str, tag: str, dockerfile: str, files: Mapping[str, Path | bytes]
    ) -> dict[str, Any]:
        """Describe a build, and lay out its context."""
        build = {"repository": repository, "tag": tag, "context": f"contexts/{name}", "dockerfile": dockerfile}
        write_context(files, self.root / build["context"])
        self.described["builds"][name] = build
        return build

    def log_in(self, address: str, username: str, password: str) -> None:
        """As `docker login` leaves it for the look-up, and for the builder."""
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        (self.root / ".docker").mkdir(exist_ok=True)
        (self.root / ".docker" / "config.json").write_text(json.dumps({"auths": {address: {"auth": token}}}))
        self.described["logins"] = [{"address": address, "username": username, "password": password}]

    # -- commands

    @property
    def variables(self) -> dict[str, str]:
        variables = local_variables(self.root, self.engine)
        return {
            **os.environ,
            **variables,
            "PATH": f"{STANDINS}:{variables['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
            "HOME": str(self.root),  # no login of the person who runs the tests
            "XDG_RUNTIME_DIR": str(self.root),
            VARIABLE: str(self.store),
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A `pulumi` command that goes on while the test does something else."""
        (self.root / "images.json").write_text(json.dumps(self.described))
        return subprocess.Popen(
            ["pulumi", *arguments], cwd=self.root, env=self.variables, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def pulumi(self, *arguments: str) -> Result:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=600)
        return Result(process.returncode, output)

    def up(self, *arguments: str) -> Result:
        return self.pulumi("up", "--yes", "--skip-preview", "--non-interactive", "--stack", self.name, *arguments)

    def preview(self) -> Result:
        return self.pulumi("preview", "--diff", "--non-interactive", "--stack", self.name)

    def destroy(self) -> Result:
        return self.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive", "--stack", self.name)

    def images(self) -> dict[str, str]:
        """The stack's output: `repository:tag` to the reference with the digest."""
        shown = self.pulumi("stack", "output", "images", "--json", "--stack", self.name).require().output
        return json.loads(shown)

    def builds(self) -> list[str]:
        """The names of the builds among the stack's resources."""
        state = json.loads(self.pulumi("stack", "export", "--stack", self.name).require().output)
        resources = state["deployment"].get("resources", [])
        return sorted(
            each["urn"].rpartition("::")[2] for each in resources if each["type"] == "docker-build:index:Image"
        )
