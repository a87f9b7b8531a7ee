"""Models and code in a store of blob storage, by the engine: what is uploaded, and what never is."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.harness import Stack
from tests.standins.arm_server import ArmServer
from tests.standins.blob_server import Asked, BlobServer, RefusalError
from tests.standins.cloud import TOKEN, Cloud
from tidegate.model.content import content_digest

pytestmark = pytest.mark.engine

PROGRAM = """
    import json
    from pathlib import Path
    import pulumi
    from components.resources import StoredCode, StoredModel
    from tidegate.image.snapshot import take_snapshot
    from tidegate.model.content import content_digest

    given = json.loads(Path("given.json").read_text())
    for number, path in given["models"].items():
        inputs = {"store": given["store"], "name": "ridge", "number": int(number), "path": path}
        inputs["content"] = content_digest(Path(path))
        model = StoredModel(f"ridge:{number}", inputs, pulumi.ResourceOptions())
        pulumi.export(number, {name: model.output(name) for name in ("place", "manifest", "size")})
    source = {"store": given["store"], "path": "source", "digest": take_snapshot(Path("source")).digest}
    StoredCode("code", source, pulumi.ResourceOptions())
"""
WRITES = ("PutBlob", "PutBlock", "PutBlockList", "DeleteBlob")


@pytest.fixture
def blobs(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlobServer]:
    """A store, with the login for it and a program that keeps models in it."""
    (stack.root / "__main__.py").unlink()
    (stack.root / "__main__.py").write_text(textwrap.dedent(PROGRAM))
    (stack.root / "source").mkdir()
    (stack.root / "source" / "score.py").write_text("def init(): ...\n")
    with ArmServer(Cloud(tmp_path / "cloud")).running() as login, BlobServer().running() as blobs:
        blobs.token = TOKEN
        for name, value in login.variables.items():
            monkeypatch.setenv(name, value)
        yield blobs
        give(stack, blobs)
        stack.up().require()
        assert {name for name in blobs.blobs if name.startswith("models/")} == set()
        stack.destroy().require()
        assert blobs.blobs == {}


def give(stack: Stack, blobs: BlobServer, **models: Path) -> None:
    """Write what the program keeps: paths by number."""
    given = {number.removeprefix("n"): str(path) for number, path in models.items()}
    (stack.root / "given.json").write_text(json.dumps({"store": blobs.url, "models": given}))


def writes(blobs: BlobServer) -> list[str]:
    return [asked.operation for asked in blobs.asked if asked.operation in WRITES]


def model(root: Path, name: str, seed: int, mebibytes: int = 20) -> Path:
    path = root / name
    path.write_bytes(b"".join(bytes([seed, index]) * (1 << 19) for index in range(mebibytes)))
    return path


def test_a_model_is_uploaded_once_gone_on_with_and_kept_as_it_is(stack: Stack, blobs: BlobServer) -> None:
    path = model(stack.root, "ridge.pkl", 1, mebibytes=100)
    give(stack, blobs, n1=path)

    def refuse(asked: Asked) -> None:
        if asked.operation == "PutBlock" and len(blobs.staged.get(asked.name, ())) >= 5:
            raise RefusalError(403, "AuthorizationFailure")

    # An upload that ends in the middle: nothing is there of it, and the next one goes on with it.
    blobs.on_request = refuse
    said = stack.up().require_failure().output
    assert "ridge:1: the store" in said
    assert "403 AuthorizationFailure" in said
    assert TOKEN not in said
    assert not [name for name in blobs.blobs if name.startswith("models/")]
    assert path.read_bytes() not in blobs.blobs.values()
    ((name, staged),) = blobs.staged.items()
    before = len(staged)
    assert before >= 5
    blobs.asked.clear()
    blobs.on_request = lambda _: None
    stack.up().require()
    sent = [asked for asked in blobs.asked if asked.operation == "PutBlock"]
    assert len(sent) == 13 - before
    assert blobs.blobs[name] == path.read_bytes()
    found = stack.outputs()["1"]
    assert found["place"] == "models/ridge/1"
    assert found["size"] == 100 << 20

    # Nothing changed: nothing is sent, nor even asked.
    blobs.asked.clear()
    assert "unchanged" in stack.up("--expect-no-changes").require().output
    assert blobs.asked == []

    # Another content under a given number is refused in the preview.
    kept = path.read_bytes()
    path.write_bytes(b"other")
    refused = stack.preview().require_failure().output
    assert "no longer holds what ridge:1 was registered with" in refused
    assert "tidegate model register ridge PATH" in refused
    path.write_bytes(kept)

    # Lost outside: seen by a refresh, and brought back.
    del blobs.blobs["models/ridge/1/manifest.json"]
    del blobs.blobs[name]
    stack.up("--refresh").require()
    assert blobs.blobs[name] == kept
    assert stack.outputs()["1"] == found


def test_the_next_number_is_added_and_an_old_one_goes(stack: Stack, blobs: BlobServer) -> None:
    first, second = model(stack.root, "a.pkl", 1), model(stack.root, "b.pkl", 2)
    give(stack, blobs, n1=first, n2=second)
    stack.up().require()
    content = {path: f"content/{content_digest(path).removeprefix('sha256:')}" for path in (first, second)}
    assert (
        content.items()
        >= {first: next(name for name, data in blobs.blobs.items() if data == first.read_bytes())}.items()
    )
    blobs.asked.clear()
    third = model(stack.root, "c.pkl", 2)  # the content of number 2 by another name
    give(stack, blobs, n2=second, n3=third)
    stack.up().require()
    assert [name for name in writes(blobs) if name != "DeleteBlob"] == ["PutBlob"]
    assert {name for name in blobs.blobs if name.startswith(("models/", "content/"))} >= {
        "models/ridge/2/manifest.json",
        "models/ridge/3/manifest.json",
        content[second],
    }
    assert content[first] not in blobs.blobs
