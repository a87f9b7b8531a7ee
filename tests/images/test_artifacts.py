"""What the versions of a stack on Azure run: really built, kept in a real registry, promoted, and fetched."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.errors import CliError
from cli.main import app
from tests.engine.harness import Result
from tests.images.azure_stack import ACCOUNT, ENVIRONMENT, HOST, NAME, ArtifactStack, artifact_stack
from tests.images.front import Fault
from tests.images.registry import RegistryServer
from tests.standins.cloud import TOKEN

pytestmark = [pytest.mark.images, pytest.mark.engine]

ONE, TWO = "tidegate/words/one", "tidegate/words/two"


@pytest.fixture
def stack(tmp_path: Path, engine: str, registry: RegistryServer) -> Iterator[ArtifactStack]:
    with artifact_stack(tmp_path, engine, registry) as made:
        yield made


def test_images_are_built_once_shared_promoted_and_explained(stack: ArtifactStack) -> None:
    registry = stack.registry
    stack.requirements("one", "six==1.16.0")
    stack.version("two", "other")
    stack.requirements("two", "six==1.16.0")
    assert "docker-build:index:Image" in stack.preview().require().output
    assert stack.asked() == []  # the registry is not there yet, and a preview builds nothing

    stack.up().require()

    (environment,) = registry.tags(ENVIRONMENT)
    (one,), (two,) = registry.tags(ONE), registry.tags(TWO)
    assert stack.images() == {
        f"{ENVIRONMENT}:{environment}": f"{HOST}/{ENVIRONMENT}@{registry.digest(ENVIRONMENT, environment)}",
        f"{ONE}:{one}": f"{HOST}/{ONE}@{registry.digest(ONE, one)}",
        f"{TWO}:{two}": f"{HOST}/{TWO}@{registry.digest(TWO, two)}",
    }
    assert stack.pods("one") == {"image": f"{HOST}/{ONE}@{registry.digest(ONE, one)}", "content": None}
    assert len(stack.builds()) == 3  # both versions stand on one environment
    below = registry.layers(ENVIRONMENT, environment)
    assert registry.layers(ONE, one)[: len(below)] == registry.layers(TWO, two)[: len(below)] == below
    assert registry.config(ONE, one)["config"]["Labels"]["io.tidegate.key"] == environment

    # Nothing changed: no build, no upload, and not one request to the registry.
    before = stack.asked()
    assert "unchanged" in stack.up("--expect-no-changes").require().output
    assert stack.asked() == before

    # A changed line of the conda file is named in the preview, with what it makes anew.
    stack.requirements("one", "six==1.17.0")
    said = stack.preview().require().output
    assert "words/one: the environment's image is made anew: six: ==1.16.0 -> ==1.17.0" in said
    assert "words/two: the" not in said
    stack.requirements("one", "six==1.16.0")

    # A change of code makes the thin layer anew, and nothing else.
    stack.version("two", "another")
    assert "words/two: the environment's image is kept, the layer with the code is made anew" in (
        stack.preview().require().output
    )
    stack.up(fails=True).require_failure()  # built, and its rollout failed
    assert registry.tags(ENVIRONMENT) == [environment]
    new = next(tag for tag in registry.tags(TWO) if tag != two)
    assert f"{TWO}:{new}" not in stack.images()

    # Production runs what dev ran, and refuses what it did not.
    stack.select("prod", **{"tidegate:promoteFrom": "dev"})
    refused = stack.up().require_failure().output
    assert f"{TWO}:{new} never ran in the stack dev; it ran {TWO}:{two}" in refused
    assert "tidegate:endpoints.words.versions.two" in refused
    stack.version("two", "other")
    before = stack.asked()
    stack.up().require()
    assert stack.asked() == before
    assert stack.builds() == []
    assert stack.pods("two")["image"] == f"{HOST}/{TWO}@{registry.digest(TWO, two)}"


def test_what_is_fetched_is_uploaded_once_and_named_by_its_content(stack: ArtifactStack) -> None:
    stack.model("models/large.bin", b"weights" * 1000)
    stack.versions["one"] |= {"models": ["large:1"], "delivery": "fetched"}
    refused = stack.up().require_failure().output
    assert "tidegate:endpoints.words.versions.one: its code and models (0.0 MiB) are fetched by its pods" in refused
    assert stack.asked() == []
    stack.more["tidegate:modelStore"] = {"account": ACCOUNT}

    stack.up().require()

    order = json.loads(stack.pods("one")["content"])
    assert order["store"] == f"https://{ACCOUNT}.blob.core.windows.net/models"
    assert order["modelDir"] == "azureml-models/large/1"
    names = [each["name"] for each in order["manifests"]]
    assert names[0] == "models/large/1/manifest.json"
    for each in order["manifests"]:
        assert hashlib.sha256(stack.blobs.blobs[each["name"]]).hexdigest() == each["sha256"]
    assert b"weights" * 1000 in stack.blobs.blobs.values()
    (environment,) = stack.registry.tags(ENVIRONMENT)
    assert stack.pods("one")["image"] == f"{HOST}/{ENVIRONMENT}@{stack.registry.digest(ENVIRONMENT, environment)}"
    assert stack.registry.tags(ONE) == []

    # Nothing changed: nothing is asked of either.
    before, stack.blobs.asked[:] = stack.asked(), []
    stack.up("--expect-no-changes").require()
    assert (stack.asked(), stack.blobs.asked) == (before, [])

    # A number keeps its content, and other code is another upload.
    stack.model("models/large.bin", b"others")
    assert "no longer holds what large:1 was registered with" in stack.preview().require_failure().output
    stack.model("models/large.bin", b"weights" * 1000)
    stack.version("one", "second")
    stack.up().require()
    assert json.loads(stack.pods("one")["content"])["manifests"][0] == order["manifests"][0]
    assert json.loads(stack.pods("one")["content"])["manifests"][1] != order["manifests"][1]
    assert stack.registry.tags(ENVIRONMENT) == [environment]


@pytest.mark.parametrize(
    ("fault", "words"), [("denies", "the Azure login"), ("garbage", "<html>Sign in to the guest network</html>")]
)
def test_a_registry_that_cannot_be_asked_stops_before_anything_is_built(
    stack: ArtifactStack, fault: Fault, words: str
) -> None:
    stack.up(fails=True).require_failure()
    environments = stack.registry.tags(ENVIRONMENT)
    stack.version("one", "second")
    stack.front.fault = fault

    refused = stack.up().require_failure().output

    assert HOST in refused
    assert words in refused
    assert "Traceback" not in refused
    assert TOKEN not in refused
    assert stack.registry.tags(ENVIRONMENT) == environments
    stack.front.fault = ""
    stack.up().require()
    assert len(stack.registry.tags(ONE)) == 2


def test_a_registry_builds_by_itself_where_there_is_no_builder(stack: ArtifactStack) -> None:
    stack.more["tidegate:registry"] = {"name": NAME, "builder": "acr"}

    output = stack.up().require().output

    assert "STEP 2/" in output  # the log of the run, as it came
    (one,), (environment,) = stack.registry.tags(ONE), stack.registry.tags(ENVIRONMENT)
    assert stack.pods("one")["image"] == f"{HOST}/{ONE}@{stack.registry.digest(ONE, one)}"
    below = stack.registry.layers(ENVIRONMENT, environment)
    assert stack.registry.layers(ONE, one)[: len(below)] == below
    assert [run.image.partition(":")[0] for run in stack.runs.runs] == [ENVIRONMENT, ONE]
    assert stack.builds() == []
    stack.up("--expect-no-changes").require()
    assert len(stack.runs.runs) == 2


def test_a_tool_that_moved_builds_nothing_and_a_base_that_moved_does(stack: ArtifactStack) -> None:
    stack.up().require()
    before = stack.images()
    path = stack.root / "images.lock"
    lock = json.loads(path.read_text())
    uv = next(name for name in lock if "/uv:" in name)
    other = str(stack.registry.digest(ENVIRONMENT, stack.registry.tags(ENVIRONMENT)[0]))
    moved = {uv: {**lock[uv], "digest": other, "platforms": {"linux/amd64": other}}}
    path.write_text(json.dumps(lock | moved))

    stack.up("--expect-no-changes").require()

    assert stack.images() == before
    base = next(name for name in lock if "/python:" in name)
    path.write_text(json.dumps(lock | {base: {**lock[base], "digest": other, "platforms": {"linux/amd64": other}}}))
    assert "the environment's image is made anew: the base image: " in stack.preview().require().output


def test_a_base_that_is_not_locked_names_the_command(stack: ArtifactStack) -> None:
    (stack.root / "images.lock").unlink()
    refused = stack.up().require_failure().output
    assert 'the image "docker.io/library/python:3.12-slim-bookworm" is not in images.lock' in refused
    assert "Run tidegate image update, and commit images.lock" in refused


def test_only_what_nothing_uses_leaves_the_registry(stack: ArtifactStack, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = stack.registry
    stack.up().require()
    (first,) = registry.tags(ONE)
    stack.select("prod", **{"tidegate:promoteFrom": "dev"})
    stack.up().require()
    stack.select("dev")
    for word in ("second", "third"):
        stack.version("one", word)
        stack.up().require()
    third = next(name for name in stack.images() if name.startswith(ONE)).partition(":")[2]
    (second,) = set(registry.tags(ONE)) - {first, third}
    for name, value in stack.azure.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(stack.root)
    place = f"{registry.address}/tidegate"

    def ask(*arguments: str, **settings: str) -> Result:
        done = CliRunner().invoke(app, ["image", *arguments], **settings)  # pyright: ignore[reportArgumentType]
        text = f"{done.output}{done.exception}" if isinstance(done.exception, CliError) else done.output
        return Result(done.exit_code, text)

    shown = ask("prune", place, "--keep", "0", input="n\n").require().output
    assert [line.split()[2] for line in shown.splitlines() if "DELETE" in line] == [second[:15]]
    assert len(registry.tags(ONE)) == 3

    used = ask("delete", f"{registry.address}/{ONE}:{first}").require_failure().output
    assert "stays: a stack uses it" in used
    gone = str(registry.digest(ONE, second))
    assert "1 images are deleted" in ask("prune", place, "--keep", "0", "--yes").require().output
    assert sorted(registry.tags(ONE)) == sorted([first, third])
    assert registry.digest(ONE, gone) is None
    assert ask("delete", f"{registry.address}/{ONE}:{second}").require_failure().output.endswith(f"{ONE}:{second}")
    stack.up("--expect-no-changes").require()
