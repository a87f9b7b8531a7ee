"""`tidegate image update|list|show` against Debian's docker-registry."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import image as commands
from cli.errors import CliError
from cli.main import app
from tests.standins.registry import Registry, push_image, push_index, registry
from tidegate.image.base import UV
from tidegate.image.lock import read
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryClient

pytestmark = pytest.mark.images

STACK = """\
config:
  tidegate:target: local
  tidegate:endpoints:
    diabetes:
      versions:
        one: {entryScript: score.py, environment: {docker: {baseImage: "BASE"}}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: Registry, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose one stack is made on an image of the registry; the registries beyond this machine are it too."""
    (tmp_path / "Pulumi.yaml").write_text("name: tidegate\n")
    (tmp_path / "score.py").write_text("")
    (tmp_path / "Pulumi.local.yaml").write_text(STACK.replace("BASE", f"{server.host}/team/base:1"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "connect", lambda host: RegistryClient(server.host))
    push_image(server.host, UV.repository, UV.tag)
    return tmp_path


@pytest.fixture
def ask() -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["image", *arguments])
        if isinstance(done.exception, CliError):
            return 1, f"error: {done.exception}"
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    return run


def test_an_update_writes_the_lock_and_shows_what_moved(
    project: Path, server: Registry, ask: Callable[..., tuple[int, str]]
) -> None:
    base = Reference.parse(f"{server.host}/team/base:1")
    first = push_image(server.host, "team/base", "1", said="first")
    code, said = ask("update")
    assert (code, f"{base}: {first} (new)" in said) == (0, True), said
    assert read(project / "images.lock").digest(base, "linux/amd64") == first
    before = (project / "images.lock").read_bytes()
    code, said = ask("update")
    assert said.count("(unchanged since ") == 2
    assert (project / "images.lock").read_bytes() == before

    second = push_image(server.host, "team/base", "1", said="second")
    code, said = ask("update")
    assert f"{base}: moved: {first} -> {second}" in said
    assert read(project / "images.lock").digest(base, "linux/amd64") == second
    (project / "Pulumi.local.yaml").write_text("config: {tidegate:target: local}\n")
    assert ask("update", "--json") == (0, "[]\n")
    assert (project / "images.lock").read_text() == "{}\n"


def test_what_is_not_found_fails_the_update_and_leaves_the_rest(
    project: Path, server: Registry, ask: Callable[..., tuple[int, str]]
) -> None:
    (project / "Pulumi.local.yaml").write_text(STACK.replace("BASE", f"{server.host}/team/nothing:1"))
    code, said = ask("update", "--json")
    nothing, uv = sorted(json.loads(said), key=lambda each: each["problem"] is None)
    assert code == 1
    assert (nothing["new"], nothing["moved"]) == (None, False)
    assert "there is no image" in nothing["problem"]
    assert uv["problem"] is None
    assert list(read(project / "images.lock").images) == [str(UV)]


def test_a_stack_that_cannot_be_read_stops_the_update(project: Path, ask: Callable[..., tuple[int, str]]) -> None:
    (project / "Pulumi.other.yaml").write_text("config: {tidegate:target: nowhere}\n")
    code, said = ask("update")
    assert code == 1
    assert "tidegate:target" in said
    assert not (project / "images.lock").exists()


def test_images_are_listed_and_shown(server: Registry, project: Path, ask: Callable[..., tuple[int, str]]) -> None:
    digest = push_image(server.host, "show/a", "v1", said="hello", platform="linux/arm64")
    push_index(server.host, "show/a", "all", {"linux/arm64": digest})
    code, said = ask("list", f"{server.host}/show/a", "--json")
    every, one = json.loads(said)
    assert code == 0
    assert every["platforms"] == one["platforms"] == ["linux/arm64"]
    assert one["image"] == f"{server.host}/show/a:v1@{digest}"
    assert one["labels"] == {"said": "hello"}
    code, said = ask("list", f"{server.host}/show/a")
    assert [line.split()[0] for line in said.splitlines()] == ["all", "v1"]
    code, said = ask("show", f"{server.host}/show/a:v1")
    assert f"image        {server.host}/show/a:v1@{digest}" in said
    assert "platforms    linux/arm64" in said
    assert ask("list", f"{server.host}/show/none") == (0, "no images\n")
    assert ask("show", f"{server.host}/show/a:v2") == (1, f"error: there is no image {server.host}/show/a:v2")
    assert ask("show", "A")[1].startswith('error: "A" has capital letters')


def test_a_registered_image_says_its_name_number_tags_and_key(
    server: Registry, project: Path, ask: Callable[..., tuple[int, str]]
) -> None:
    labels = {
        "org.opencontainers.image.title": "diabetes-ridge",
        "org.opencontainers.image.version": "3",
        "org.opencontainers.image.description": "the third",
        "io.tidegate.key": "e1-0",
        "io.tidegate.tags": '{"team": "a"}',
    }
    push_image(server.host, "named/a", "v1", labels=labels)
    push_image(server.host, "named/a", "v2", labels={"io.tidegate.tags": "broken"})
    code, said = ask("show", f"{server.host}/named/a:v1")
    assert code == 0
    for line in ("name         diabetes-ridge:3", "tags         team=a", "key          e1-0", "description  the third"):
        assert line in said
    assert json.loads(ask("show", f"{server.host}/named/a:v2", "--json")[1])["tags"] == {}
