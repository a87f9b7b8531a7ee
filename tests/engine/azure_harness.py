"""A project of its own for each test of a stack on Azure: the real engine, and strict stand-ins behind it."""

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cli.project import local_variables
from tests.engine.harness import CHECKOUT, LINKED, Result
from tests.standins.arm import Arm
from tests.standins.cloud import CLIENT, SUBSCRIPTION, TENANT, VARIABLE, Body, Cloud
from tests.unit.cluster.pki import issue

STANDINS = CHECKOUT / "tests" / "standins" / "bin"

GROUP = "scoring"
CLUSTER = "Microsoft.ContainerService/managedClusters/main"


def small_config(stack: "AzureStack") -> dict[str, Any]:
    """A cluster with a fixed and an autoscaled pool, ranges and a certificate, and a registry."""
    return {
        "tidegate:target": "azure",
        "tidegate:location": "westeurope",
        "tidegate:resourceGroup": GROUP,
        "tidegate:clusters": {
            "main": {
                "purpose": "DevTest",
                "kubernetesVersion": "1.35",
                "pools": {"cpu": {"count": 2}, "burst": {"minCount": 1, "maxCount": 4}},
                "apiServer": {"authorizedIPRanges": ["203.0.113.0/24"]},
                "tls": stack.certificate("first"),
            }
        },
        "tidegate:registry": {"name": "scoring7421"},
    }


@dataclass
class AzureStack:
    """Stacks `dev` and `prod` of one project over one pretended cloud; `config` is written at each command."""

    root: Path
    engine: str
    name: str = "dev"
    config: dict[str, Any] = field(default_factory=dict)
    project: Path = CHECKOUT
    """The folder of the program: the product, or a small one of a test's own."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables, e.g. those of the ARM server."""

    cloud_root: Path | None = None
    """The folder of the pretended Azure; by default one in the project's folder."""

    @property
    def cloud(self) -> Cloud:
        """The pretended Azure behind it."""
        return Cloud(self.cloud_root or self.root / "cloud")

    def make(self) -> "AzureStack":
        """Lay out the folder and the stack."""
        for name in LINKED if self.project == CHECKOUT else (".venv",):
            (self.root / name).symlink_to(CHECKOUT / name)
        names = ("Pulumi.yaml",) if self.project == CHECKOUT else ("Pulumi.yaml", "__main__.py")
        for name in names:
            (self.root / name).write_text((self.project / name).read_text())
        (self.root / ".tidegate" / "backend").mkdir(parents=True)
        (self.root / ".tidegate" / "passphrase").write_text("test")
        self.write()
        self.pulumi("stack", "select", self.name, "--create").require()
        return self

    def copy(self, root: Path, variables: Mapping[str, str]) -> "AzureStack":
        """The same stack in the same state in another folder, with an Azure of its own."""
        shutil.copytree(self.root, root, symlinks=True, dirs_exist_ok=True)
        return replace(self, root=root, config=copy.deepcopy(self.config), variables=variables)

    # -- config

    @property
    def clusters(self) -> dict[str, Any]:
        return self.config["tidegate:clusters"]

    @property
    def main(self) -> dict[str, Any]:
        """The cluster of `small_config`."""
        return self.clusters["main"]

    def certificate(self, name: str) -> dict[str, str]:
        """Write a certificate for scoring.example.com that is good for a while; the config that names it."""
        now = datetime.now(UTC)
        signed = issue(
            "scoring.example.com", names=["scoring.example.com"],
            begins=now - timedelta(days=1), ends=now + timedelta(days=90),
        )  # fmt: skip
        (self.root / f"{name}.pem").write_text(signed.pem)
        (self.root / f"{name}.key").write_text(signed.key_pem)
        return {"cname": "scoring.example.com", "certificate": f"{name}.pem", "key": f"{name}.key"}

    def write(self) -> None:
        path = self.root / f"Pulumi.{self.name}.yaml"
        before = YAML(typ="safe").load(path.read_text()) if path.exists() else {}
        salt = {name: value for name, value in before.items() if name == "encryptionsalt"}
        with path.open("w") as file:
            YAML().dump({**salt, "config": self.config}, file)

    # -- commands

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of a real login, and addresses that lead nowhere but to the stand-ins."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ARM_", "AZURE_"))}
        variables = local_variables(self.root, self.engine)
        return {
            **inherited,
            **variables,
            "PATH": f"{STANDINS}:{variables['PATH']}",
            VARIABLE: str(self.cloud.root),
            "ARM_SUBSCRIPTION_ID": SUBSCRIPTION,
            "ARM_TENANT_ID": TENANT,
            "ARM_CLIENT_ID": CLIENT,
            "ARM_ENDPOINT": "http://127.0.0.1:9",  # refuses every connection until a test starts the ARM server
            # A login is first looked for, and azure-identity's chain asks a link-local address for a managed identity.
            "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
            **self.variables,
        }

    def pulumi(self, *arguments: str) -> Result:
        done = subprocess.run(
            ["pulumi", *arguments], check=False, cwd=self.root, env=self.environment, text=True, timeout=300,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return Result(done.returncode, done.stdout)

    def up(self, *arguments: str) -> Result:
        """`pulumi up` with the config as it is here."""
        return self._run("up", "--yes", "--skip-preview", *arguments)

    def preview(self, *arguments: str) -> Result:
        return self._run("preview", "--diff", *arguments)

    def refresh(self, *arguments: str) -> Result:
        return self._run("refresh", "--yes", "--skip-preview", *arguments)

    def destroy(self, *arguments: str) -> Result:
        return self._run("destroy", "--yes", "--skip-preview", *arguments)

    def preview_json(self) -> dict[str, Any]:
        """The preview as the engine writes it for programs."""
        self.write()
        done = subprocess.run(
            ["pulumi", "preview", "--json", "--non-interactive", "--stack", self.name],
            check=False, cwd=self.root, env=self.environment, text=True, timeout=300,
            stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        answer = json.loads(done.stdout)
        assert done.returncode == 0, [each.get("message") for each in answer["diagnostics"]]
        return answer

    def steps(self) -> dict[str, str]:
        """What the next `up` would do, by `<type>::<name>`, without what stays the same."""
        return {
            "::".join(step["urn"].split("::")[2:]).rsplit("$", maxsplit=1)[-1]: step["op"]
            for step in self.preview_json()["steps"]
            if step["op"] not in ("same", "read", "refresh")
        }

    def outputs(self) -> dict[str, Any]:
        return json.loads(self._run("stack", "output", "--json", "--show-secrets").require().output)

    def state(self) -> dict[str, Any]:
        return json.loads(self._run("stack", "export", "--show-secrets").require().output)

    def _run(self, *arguments: str) -> Result:
        self.write()
        plain = {"stack"}
        options = [] if arguments[0] in plain else ["--non-interactive"]
        return self.pulumi(*arguments, *options, "--stack", self.name)

    # -- Azure

    def id(self, path: str = CLUSTER, group: str = GROUP) -> str:
        """The ARM id of `<type>/<name>` in a resource group."""
        return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{path}"

    def azure(self, path: str = CLUSTER, group: str = GROUP) -> Body:
        """A resource as ARM answers; fails where there is none."""
        return Arm(self.cloud).view(self.cloud.require(self.id(path, group)))

    def edit(self, path: str = CLUSTER, group: str = GROUP, **properties: Any) -> None:
        """Change a resource outside of Pulumi."""
        body = self.cloud.require(self.id(path, group))
        self.cloud.put(body["id"], {**body, "properties": {**body["properties"], **properties}})

    def pools(self) -> dict[str, Body]:
        """The properties of the cluster's pools, by their names without the hash."""
        found = self.azure()["properties"]["agentPoolProfiles"]
        return {pool["name"] if pool["name"] == "system" else pool["name"][:-4]: pool for pool in found}
