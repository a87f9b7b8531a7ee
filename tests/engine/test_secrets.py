"""No key in plain text anywhere but in Envoy's own files, which are their owner's alone."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from tests.engine.harness import Result, Stack

pytestmark = pytest.mark.engine

SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
GIVEN = "a-key-that-clients-hold-since-2021"
WRONG = "a-key-that-never-was-one-but-is-like-one"
BROKEN = "def init():\n    raise ValueError('no such column: age')\ndef run(data):\n    return 1\n"


@dataclass
class Witness:
    """What a stranger to the stack could have seen: what commands printed, and the processes while they ran."""

    stack: Stack
    printed: list[str] = field(default_factory=list)
    command_lines: set[bytes] = field(default_factory=set)
    environments: set[bytes] = field(default_factory=set)

    def keep(self, result: Result) -> str:
        self.printed.append(result.output)
        return result.output

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at all processes, again and again, until the block ends."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.05):
                self.look()

        thread = threading.Thread(target=watch)
        thread.start()
        yield
        stop.set()
        thread.join()

    def look(self) -> None:
        own = str(self.stack.state).encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                self.command_lines.add(command)
                if own in command:
                    self.environments.add((folder / "environ").read_bytes())
            except OSError:
                continue  # ended meanwhile

    def require_silence(self, keys: set[str]) -> None:
        seen = [*self.command_lines, *self.environments, *(text.encode() for text in self.printed)]
        for key in keys:
            assert not any(key.encode() in text for text in seen)


def files_with(folder: Path, keys: set[str]) -> list[Path]:
    """The files below `folder` that hold any of the keys, also compressed ones."""
    found: list[Path] = []
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        if any(key.encode() in content for key in keys):
            found.append(path)
    return found


def require_only_in_envoy_s_files(stack: Stack, keys: set[str]) -> None:
    gateway = stack.state / "gateway"
    found = files_with(stack.root, keys)
    assert found, "the keys that are valid now are there"
    for path in found:
        assert path.parent == gateway
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert gateway.stat().st_mode & 0o777 == 0o700


def secret_places(value: Any, path: str = "") -> Iterator[str]:
    """Where in a state file encrypted values stand."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            assert set(value) == {SIGNATURE, "ciphertext"}
            yield path
        for name, item in value.items():
            yield from secret_places(item, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from secret_places(item, path)


def test_no_key_is_to_be_found(stack: Stack) -> None:
    witness, keys = Witness(stack), set[str]()

    def status(key: str) -> int:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(stack.url + "/echo/score", json=1, headers=headers).status_code

    def settled() -> dict[str, str]:
        """The keys as they are now, tried out, and searched for with all those before them."""
        now = stack.outputs()["keys"]["echo"]
        retired = keys - set(now.values())
        keys.update(now.values())
        assert [status(key) for key in now.values()] == [200, 200]
        assert {status(key) for key in (*retired, WRONG)} == {401}
        require_only_in_envoy_s_files(stack, keys)
        assert files_with(stack.root, {WRONG} | retired) == []
        return now

    # keys that are made
    stack.endpoints = {"echo": {"versions": {"one": stack.version("one")}}}
    with witness.watching():
        witness.keep(stack.up().require())
    made = settled()

    # a key that is given
    stack.write()
    witness.keep(stack.pulumi("config", "set", "--secret", "--path", "tidegate:keys.echo.primary", GIVEN).require())
    config = YAML(typ="safe").load((stack.root / "Pulumi.local.yaml").read_text())["config"]
    stack.extra = {"tidegate:keys": config["tidegate:keys"]}
    assert list(stack.extra["tidegate:keys"]["echo"]["primary"]) == ["secure"]
    witness.keep(stack.preview().require())
    with witness.watching():
        witness.keep(stack.up().require())
    given = settled()
    assert given == {"primary": GIVEN, "secondary": made["secondary"]}

    # one that is rotated, by the command, which edits the file
    with witness.watching():
        witness.keep(stack.tidegate("keys", "rotate", "echo", "secondary").require())
    stack.endpoints["echo"]["keyRotation"] = {"secondary": 2}
    rotated = settled()
    assert rotated["primary"] == GIVEN
    assert rotated["secondary"] != given["secondary"]

    # an update that fails, with a rotation in it
    stack.endpoints["echo"]["versions"]["broken"] = stack.version("broken", BROKEN, traffic=10)
    stack.endpoints["echo"]["versions"]["one"]["default"] = True
    stack.endpoints["echo"]["keyRotation"] = {"secondary": 3}
    with witness.watching():
        witness.keep(stack.up().require_failure())
    keys.update(stack.outputs()["keys"]["echo"].values())
    require_only_in_envoy_s_files(stack, keys)
    del stack.endpoints["echo"]["versions"]["broken"], stack.endpoints["echo"]["versions"]["one"]["default"]

    # the given key is given no longer
    stack.extra = {}
    with witness.watching():
        witness.keep(stack.preview().require())
        witness.keep(stack.up().require())
        assert settled()["primary"] not in (GIVEN, made["primary"])
        witness.keep(stack.pulumi("refresh", "--yes", "--non-interactive").require())
        for command in (("stack", "output", "--json"), ("stack", "export"), ("stack", "history"), ("config",)):
            witness.keep(stack.pulumi(*command).require())
        for arguments in (("status",), ("status", "--json"), ("logs", "echo", "one"), ("score", "echo", "--data", "1")):
            witness.keep(stack.tidegate(*arguments).require())
    settled()
    assert len(keys) >= 6
    assert witness.environments, "the stack's processes were seen"
    witness.require_silence(keys | {WRONG})

    # the state has them, encrypted
    state = json.loads((stack.root / ".tidegate/backend/.pulumi/stacks/tidegate/local.json").read_text())
    resources = {each["urn"].rpartition("::")[2]: each for each in state["checkpoint"]["latest"]["resources"]}
    for name in ("primary", "secondary"):
        assert ".value" in set(secret_places(resources[f"echo.{name}"]["outputs"]))
    for side in ("inputs", "outputs"):
        assert {".primaryKey", ".secondaryKey"} <= set(secret_places(resources["echo.route"][side]))
    assert ".keys" in set(secret_places(resources["tidegate-local"]["outputs"]))

    witness.keep(stack.destroy().require())
    witness.require_silence(keys | {WRONG})
    assert files_with(stack.root, keys | {WRONG}) == []
