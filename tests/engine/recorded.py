"""Stacks as a release has left them: state and pretended Azure, so that later releases can take them over.

`python -m tests.engine.recorded RELEASE` records those of this checkout under `tests/data/recorded/RELEASE`: once, when
a release is made. What was recorded is never changed.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.engine.azure_harness import AzureStack
from tests.engine.harness import CHECKOUT
from tests.standins.arm_server import ArmServer
from tests.standins.cloud import Cloud

FOLDER = CHECKOUT / "tests" / "data" / "recorded"
STACKS = ("dev", "prod")


@contextmanager
def stack_in(root: Path, engine: str, name: str, config: dict[str, Any]) -> Iterator[AzureStack]:
    """A stack in `root` with a pretended Azure of its own."""
    with ArmServer(Cloud(root / "cloud")).running() as server:
        yield AzureStack(root, engine, name, config, variables=server.variables).make()


def write(stack: AzureStack, path: Path) -> None:
    """Keep the stack's state, its config and its Azure in one file."""
    state = json.loads(stack.pulumi("stack", "export", "--stack", stack.name).require().output)
    for resource in state["deployment"]["resources"]:
        for place in ("sourcePosition", "stackTrace"):  # where on this machine the program stood
            resource.pop(place, None)
    kept = {
        "config": stack.config,
        "state": state,
        "cloud": {
            str(file.relative_to(stack.cloud.root)): file.read_text()
            for file in sorted(stack.cloud.root.rglob("*"))
            if file.is_file()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def restore(stack: AzureStack, recorded: dict[str, Any]) -> None:
    """Give the stack the state and the Azure of a recording."""
    for name, text in recorded["cloud"].items():
        file = stack.cloud.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    state = stack.root / "state.json"
    state.write_text(json.dumps(recorded["state"]))
    stack.pulumi("stack", "import", "--file", str(state), "--stack", stack.name).require()


def main(release: str) -> None:
    """Record this checkout's stacks."""
    engine = subprocess.run(
        [CHECKOUT / "tools" / "engine"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    for name in STACKS:
        config = YAML(typ="safe").load(CHECKOUT / f"Pulumi.{name}.yaml")["config"]
        with tempfile.TemporaryDirectory() as folder, stack_in(Path(folder), engine, name, config) as stack:
            stack.up().require()
            write(stack, FOLDER / release / f"{name}.json")


if __name__ == "__main__":
    main(sys.argv[1])
