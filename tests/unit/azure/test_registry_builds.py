"""Images that a registry builds by itself, against its API."""

import gzip
import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from providers.azure.session import Session
from providers.image.registry_build import RegistryBuild
from providers.kind import Call, OperationError
from providers.values import UNKNOWN
from tests.standins.arm_server import ArmServer
from tests.standins.cloud import SUBSCRIPTION, TOKEN, Cloud
from tests.standins.registry_runs import RegistryRuns
from tidegate.azure import registry_builds
from tidegate.azure.registry_builds import DOCKERFILE, RemoteBuild, pack

REGISTRY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.ContainerRegistry/registries/acme"
DIGEST = "sha256:" + "a" * 64


class Login:
    def token(self, scope: str) -> str:
        return TOKEN


class Builder:
    """What the registry does with a context: says what is in it, and waits where it is told to."""

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.files: dict[str, str] = {}
        self.fails = ""
        self.waits = threading.Event()
        self.waits.set()
        self.begun = threading.Event()

    def __call__(self, folder: Path, steps: list[dict[str, Any]], say: Any) -> str:
        self.steps = steps
        self.files = {
            path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
        }
        say("Step 1/2 : FROM base")
        self.begun.set()
        while not self.waits.wait(0.02):
            say("waiting")
        say("Step 2/2 : COPY packages")
        if self.fails:
            raise RuntimeError(self.fails)
        return DIGEST


@pytest.fixture
def builder() -> Builder:
    return Builder()


@pytest.fixture
def runs(tmp_path: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryRuns]:
    runs = RegistryRuns(builder)
    monkeypatch.setattr(registry_builds, "POLL_S", 0.02)
    with ArmServer(Cloud(tmp_path / "cloud"), runs).running() as server:
        monkeypatch.setenv("ARM_ENDPOINT", server.url)
        yield runs


@pytest.fixture
def kind() -> RegistryBuild:
    return RegistryBuild(Session(Login()))  # pyright: ignore[reportArgumentType] -- what a login does here


def call(said: list[str], cancelled: threading.Event | None = None) -> Call:
    return Call(said.append, said.append, cancelled or threading.Event())


def inputs(folder: Path, **changes: Any) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    (folder / "packages").write_text("numpy")
    return {
        "registryId": REGISTRY,
        "repository": "tidegate/environment",
        "tag": "e1-1",
        "context": str(folder),
        "dockerfile": "FROM base\nCOPY packages /\n",
        "platform": "linux/amd64",
        "buildArgs": {"ENVIRONMENT": f"acme.azurecr.io/tidegate/environment@{DIGEST}"},
        **changes,
    }


def test_a_context_is_uploaded_built_and_pushed_and_its_log_is_shown(
    tmp_path: Path, runs: RegistryRuns, kind: RegistryBuild, builder: Builder
) -> None:
    said: list[str] = []
    identity, outputs = kind.create(call(said), inputs(tmp_path / "context"))
    assert identity == "tidegate/environment:e1-1"
    assert outputs["digest"] == DIGEST
    assert builder.files == {"packages": "numpy", DOCKERFILE: "FROM base\nCOPY packages /\n"}
    build, push = builder.steps
    assert build["build"].startswith(f"--tag $Registry/tidegate/environment:e1-1 --file {DOCKERFILE} ")
    assert f"--build-arg ENVIRONMENT=acme.azurecr.io/tidegate/environment@{DIGEST} ." in build["build"]
    assert push == {"push": ["$Registry/tidegate/environment:e1-1"]}
    assert said[-2:] == ["Step 1/2 : FROM base", "Step 2/2 : COPY packages"]
    assert [run.status for run in runs.runs] == ["Succeeded"]


def test_a_run_that_fails_is_told_with_the_end_of_its_log(
    tmp_path: Path, runs: RegistryRuns, kind: RegistryBuild, builder: Builder
) -> None:
    builder.fails = "no such package: numpi"
    with pytest.raises(OperationError) as caught:
        kind.create(call([]), inputs(tmp_path / "context"))
    assert "the run ca1 of the registry ended as Failed" in str(caught.value)
    assert str(caught.value).endswith("Step 2/2 : COPY packages\nno such package: numpi")


def test_the_same_tag_is_built_once_and_another_one_is_another_image(
    tmp_path: Path, runs: RegistryRuns, kind: RegistryBuild
) -> None:
    before = inputs(tmp_path / "context") | {"digest": DIGEST}
    same = inputs(tmp_path / "context", dockerfile="FROM another\n")
    assert kind.planned(before, same)["digest"] == DIGEST
    assert kind.update(call([]), "", before, same)["digest"] == DIGEST
    assert runs.runs == []
    other = inputs(tmp_path / "context", tag="e1-2")
    assert kind.planned(before, other)["digest"] is UNKNOWN
    assert kind.update(call([]), "", before, other)["tag"] == "e1-2"
    assert [run.image for run in runs.runs] == ["tidegate/environment:e1-2"]


def test_an_interruption_ends_the_run(
    tmp_path: Path, runs: RegistryRuns, kind: RegistryBuild, builder: Builder
) -> None:
    builder.waits.clear()
    cancelled = threading.Event()
    failed: list[Exception] = []

    def create() -> None:
        try:
            kind.create(call([], cancelled), inputs(tmp_path / "context"))
        except OperationError as error:
            failed.append(error)

    thread = threading.Thread(target=create)
    thread.start()
    assert builder.begun.wait(20)
    cancelled.set()
    thread.join(20)
    assert "interrupted" in str(failed[0])
    assert runs.runs[0].cancelled.wait(20)


def test_links_are_never_shown(tmp_path: Path, runs: RegistryRuns, kind: RegistryBuild) -> None:
    runs._uploads = {}  # what is asked for is given out, and storage then knows nothing of it
    runs.blob = lambda *_: (403, b"")  # pyright: ignore[reportAttributeAccessIssue] -- storage refuses
    said: list[str] = []
    with pytest.raises(OperationError) as caught:
        kind.create(call(said), inputs(tmp_path / "context"))
    assert "storage answered 403" in str(caught.value)
    assert "a-secret" not in f"{caught.value}{said}"


def test_the_same_files_are_packed_as_the_same_bytes(tmp_path: Path) -> None:
    def packed(folder: Path) -> bytes:
        given = inputs(folder)
        archive = BytesIO()
        pack(RemoteBuild(folder, given["dockerfile"], "a", "b", "linux/amd64", {}), archive)
        return archive.getvalue()

    first, second = packed(tmp_path / "one"), packed(tmp_path / "two")
    assert first == second
    with tarfile.open(fileobj=BytesIO(gzip.decompress(first))) as archive:
        assert {entry.name: (entry.uid, entry.uname) for entry in archive} == {
            "packages": (0, ""),
            DOCKERFILE: (0, ""),
        }
