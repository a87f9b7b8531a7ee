"""A stack on Azure whose registry and store are real servers: images are built, pushed, looked up and promoted."""

import json
import re
import shlex
import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.engine.azure_harness import AzureStack
from tests.engine.harness import CHECKOUT, Result
from tests.images.azure_hosts import Hosts
from tests.images.front import Front
from tests.images.registry import RegistryServer
from tests.standins.arm_server import ArmServer
from tests.standins.blob_server import BlobServer
from tests.standins.buildah import Buildah, BuildahError
from tests.standins.cloud import TOKEN, Cloud
from tests.standins.docker_build import VARIABLE
from tests.standins.registry_runs import RegistryRuns
from tidegate.image.base import DEFAULT_BASE, UV
from tidegate.image.inputs import PLATFORM
from tidegate.image.lock import FILE, Lock, LockedImage, write

PROGRAM = CHECKOUT / "tests" / "images" / "artifacts"
NAME = "scoring7421"
HOST = f"{NAME}.azurecr.io"
ACCOUNT = "models7421"
ENVIRONMENT = "tidegate/environment"
SCORE = """
    import json, os
    WORD = {word!r}
    def init():
        pass
    def run(raw_data):
        return {{"word": WORD, "models": sorted(os.listdir(os.environ.get("AZUREML_MODEL_DIR", ".")))}}
"""


@dataclass
class ArtifactStack:
    """Stacks of one project; `config` is written at each command."""

    azure: AzureStack
    registry: RegistryServer
    front: Front
    blobs: BlobServer
    hosts: Hosts
    runs: RegistryRuns
    """Those of the registry, where it builds by itself."""
    versions: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.azure.root

    def version(self, name: str, word: str, **settings: Any) -> None:
        """Write a version of the endpoint `words`."""
        folder = self.root / "scripts" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "score.py").write_text(textwrap.dedent(SCORE.format(word=word)))
        before = self.versions.get(name, {"default": True} if not self.versions else {})
        said = {"entryScript": "score.py", "sourceDirectory": f"scripts/{name}"}
        self.versions[name] = {**before, **said, **settings}

    def requirements(self, name: str, *lines: str) -> None:
        """Write the packages of a version."""
        path = self.root / "scripts" / name / "conda.yml"
        listed = "".join(f"  - {line}\n" for line in lines)
        path.write_text(f"dependencies:\n- python=3.11\n- pip:\n{listed}")
        python = {"python": {"condaDependenciesFile": "conda.yml"}}
        self.versions[name]["environment"] = python

    def model(self, path: str, content: bytes, *, number: int = 1) -> None:
        """Write a registered model."""
        (self.root / path).parent.mkdir(exist_ok=True)
        (self.root / path).write_bytes(content)
        name = Path(path).stem.rstrip("0123456789")
        self.more.setdefault("tidegate:models", {}).setdefault(name, {})[str(number)] = {"path": path}

    def select(self, name: str, **more: Any) -> None:
        """Go on with another stack of the project; any but `dev` uses what that one has made."""
        self.azure.name = name
        registry = {"resourceId": self.azure.id(f"Microsoft.ContainerRegistry/registries/{NAME}")}
        theirs = {"tidegate:registry": registry, "tidegate:existingResourceGroups": ["scoring"]}
        self.more = {**more, **({} if name == "dev" else theirs)}
        self._write()
        self.azure.pulumi("stack", "select", name, "--create").require()

    def up(self, *arguments: str, fails: bool = False) -> Result:
        """`pulumi up`; with `fails` what rolls the images out does."""
        self._write(fails=fails)
        return self.azure.up(*arguments)

    def preview(self) -> Result:
        self._write()
        return self.azure.preview()

    def images(self) -> Mapping[str, str]:
        """The output `images`."""
        return self.azure.outputs()["images"]

    def pods(self, version: str) -> Mapping[str, Any]:
        """What the pods of a version would be given."""
        return self.azure.outputs()["pods"][f"words/{version}"]

    def resources(self, kind: str) -> list[str]:
        """The names of the resources of a type in the state."""
        found = self.azure.state()["deployment"].get("resources", [])
        return sorted(each["urn"].rpartition("::")[2] for each in found if each["type"] == kind)

    def builds(self) -> list[str]:
        return self.resources("docker-build:index:Image")

    def asked(self) -> list[str]:
        """Every request that reached the registry, those of the base image left out."""
        return [each for each in self.registry.requests() if "/tidegate/" in each]

    def _write(self, *, fails: bool = False) -> None:
        (self.root / "fails.json").write_text(json.dumps(fails))
        self.azure.config = {
            "tidegate:target": "azure",
            "tidegate:location": "westeurope",
            "tidegate:resourceGroup": "scoring",
            "tidegate:clusters": {"main": {"purpose": "DevTest", "systemPool": {"minCount": 1, "maxCount": 10}}},
            "tidegate:registry": {"name": NAME},
            "tidegate:endpoints": {"words": {"versions": self.versions}},
            **self.more,
        }


@contextmanager
def artifact_stack(folder: Path, engine: str, registry: RegistryServer) -> Iterator[ArtifactStack]:
    """A stack over that registry, to which a base and the tools are pushed."""
    root = folder / "project"
    root.mkdir()
    for name in ("components", "providers", "runtime", "stacks", "tidegate"):
        (root / name).symlink_to(CHECKOUT / name)
    buildah = Buildah(folder / "buildah")
    base = _push(registry, buildah, folder / "base", DEFAULT_BASE.repository, _BASE)
    uv = _push(registry, buildah, folder / "uv", UV.repository, "FROM scratch\nCOPY uv /uv\n")
    with ExitStack() as servers:
        runs = RegistryRuns(_Agent(registry, buildah))
        arm = servers.enter_context(ArmServer(Cloud(root / "cloud"), runs).running())
        front = servers.enter_context(Front(registry.address).running())
        blobs = servers.enter_context(BlobServer().running())
        blobs.token = TOKEN
        behind = {"azurecr.io": front.address, "blob.core.windows.net": blobs.url.removeprefix("http://").split("/")[0]}
        behind |= dict.fromkeys(("docker.io", "ghcr.io"), registry.address)
        hosts = servers.enter_context(Hosts(folder, behind).running())
        variables = {**arm.variables, **hosts.variables, VARIABLE: str(buildah.folder), "HOME": str(root)}
        stack = AzureStack(root, engine, "dev", {}, PROGRAM, {**variables, "XDG_RUNTIME_DIR": str(root)})
        digests = {DEFAULT_BASE: base, UV: uv}
        lock = Lock()
        for reference, digest in digests.items():
            known = LockedImage(digest=digest, platforms={"linux/amd64": digest}, resolved=date(2026, 1, 1))
            lock = lock.with_image(reference, known)
        write(lock, root / FILE)
        made = ArtifactStack(stack, registry, front, blobs, hosts, runs)
        made.version("one", "first")
        made._write()
        stack.make()
        yield made


_BASE = """
FROM scratch
COPY sh /bin/sh
COPY ld-linux-x86-64.so.2 /lib64/
COPY libc.so.6 /lib/x86_64-linux-gnu/
COPY uv /opt/tidegate/env/
"""
_INSTALL = """\
#!/bin/sh
# In place of uv, so that a build takes a second: writes down what it was asked to install.
echo "$@" >> /opt/tidegate/env/installed
for given in "$@"; do
    case "$given" in
    */requirements.txt) while read -r line; do echo "$line"; done < "$given" >> /opt/tidegate/env/installed ;;
    esac
done
"""


@dataclass(frozen=True)
class _Agent:
    """What builds for the registry where it does so by itself."""

    registry: RegistryServer
    buildah: Buildah

    def __call__(self, folder: Path, steps: Sequence[Mapping[str, Any]], say: Callable[[str], None]) -> str:
        words = shlex.split(steps[0]["build"])
        arguments = dict(each.split("=", 1) for word, each in pairwise(words) if word == "--build-arg")
        dockerfile = (folder / words[words.index("--file") + 1]).read_text()
        tag = words[words.index("--tag") + 1].replace("$Registry", self.registry.address)
        try:
            self.buildah.build(
                folder,
                self._here(dockerfile),
                tags=[tag],
                platform=PLATFORM,
                build_args={name: self._here(value) for name, value in arguments.items()},
                labels={},
                timestamp=arguments["SOURCE_DATE_EPOCH"],
                say=say,
            )
            return self.buildah.push(tag, say=say)
        except BuildahError as error:
            raise RuntimeError(str(error)) from None

    def _here(self, text: str) -> str:
        return re.sub(rf"(docker\.io|ghcr\.io|{HOST})/", f"{self.registry.address}/", text)


def _push(registry: RegistryServer, buildah: Buildah, folder: Path, repository: str, dockerfile: str) -> str:
    """Push a shell with its library, or what stands for uv; returns the digest."""
    folder.mkdir()
    for source in ("/bin/sh", "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"):
        shutil.copy(source, folder)
    (folder / "uv").write_text(_INSTALL)
    (folder / "uv").chmod(0o755)
    reference = f"{registry.address}/{repository}:tests"
    buildah.build(folder, dockerfile, tags=[reference], platform=PLATFORM, build_args={}, labels={})
    return buildah.push(reference)
