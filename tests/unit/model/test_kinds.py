"""Models and code as resources of a stack."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from providers.azure.session import Session
from providers.kind import Call, Kind, OperationError, object_failures
from providers.models import upload
from providers.models.code import Code
from providers.models.model import Model
from providers.values import UNKNOWN
from tests.standins.blob_server import SCOPE, TOKEN, BlobServer, Fault
from tidegate.azure.login import Login
from tidegate.image.snapshot import take_snapshot
from tidegate.model.blob_store import BlobStore
from tidegate.model.content import content_digest
from tidegate.model.delivery import Address, content_order
from tidegate.model.manifest import pack_model

Properties = dict[str, Any]


class Storage:
    """The login that storage takes."""

    def get_token(self, *scopes: str) -> Any:
        assert scopes == (SCOPE,)
        return SimpleNamespace(token=TOKEN, expires_on=1 << 40)


class Said:
    """A call, with what it said."""

    def __init__(self) -> None:
        self.progress: list[str] = []
        self.cancelled = threading.Event()
        self.call = Call(progress=self.progress.append, info=self.progress.append, cancelled=self.cancelled)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def session() -> Session:
    return Session(Login({}, credential=Storage))


@pytest.fixture
def kind(session: Session) -> Model:
    return Model(session)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ridge.pkl"
    path.write_bytes(b"weights")
    return path


@pytest.fixture(params=["folder", "blob"])
def store(request: pytest.FixtureRequest, server: BlobServer, tmp_path: Path) -> str:
    return server.url if request.param == "blob" else str(tmp_path / "store")


def inputs(kind: Kind, store: str, path: Path, **changes: Any) -> Properties:
    given = {"store": store, "name": "ridge", "number": 1, "path": str(path), "content": content_digest(path)}
    assert object_failures(kind.inputs, given | changes) == []
    return given | changes


def test_a_model_is_uploaded_read_and_removed(kind: Model, said: Said, store: str, path: Path) -> None:
    new = inputs(kind, store, path, tags={"a": "b"}, description="first")
    identity, outputs = kind.create(said.call, new)
    manifest = pack_model("ridge", 1, path, new["content"]).manifest
    assert identity == "ridge:1"
    assert outputs == new | {"place": "models/ridge/1", "manifest": manifest.sha256, "size": 7}
    assert said.progress[-1] == "ridge:1 [########################] 100 %, 0.0 of 0.0 MiB"
    assert kind.read(identity, outputs) == outputs
    address = Address(outputs["place"], outputs["manifest"])
    assert content_order(store, [address]) == content_order(store, [manifest])
    kind.delete(said.call, identity, outputs)
    assert kind.read(identity, outputs) is None
    assert path.exists()
    kind.delete(said.call, identity, outputs)


def test_a_number_keeps_its_content(kind: Model, said: Said, store: str, path: Path) -> None:
    old = inputs(kind, store, path)
    assert kind.check({}, old) == []
    assert kind.check(old, old | {"path": "elsewhere"}) == []
    (failure,) = kind.check(old, old | {"content": "sha256:" + "0" * 64})
    assert failure.path == "content"
    assert "tidegate model register ridge PATH" in failure.reason
    kind.create(said.call, old)
    path.write_bytes(b"others")
    with pytest.raises(OperationError, match="holds other content under models/ridge/1"):
        kind.create(said.call, inputs(kind, store, path))


def test_a_model_whose_place_holds_another_is_gone(kind: Model, said: Said, server: BlobServer, path: Path) -> None:
    identity, outputs = kind.create(said.call, inputs(kind, server.url, path))
    path.write_bytes(b"others")
    other = pack_model("ridge", 1, path, content_digest(path)).manifest
    server.blobs[other.name] = other.text
    assert kind.read(identity, outputs) is None


def test_a_model_that_is_there_by_another_file_name_is_found(
    kind: Model, said: Said, store: str, path: Path, tmp_path: Path
) -> None:
    _, before = kind.create(said.call, inputs(kind, store, path))
    moved = path.rename(tmp_path / "moved.pkl")
    _, after = kind.create(said.call, inputs(kind, store, moved))
    assert after["manifest"] == before["manifest"]


def test_a_moved_file_changes_nothing_in_the_store(kind: Model, said: Said, server: BlobServer, path: Path) -> None:
    identity, outputs = kind.create(said.call, inputs(kind, server.url, path))
    server.asked.clear()
    new = inputs(kind, server.url, path, description="other")
    assert kind.update(said.call, identity, outputs, new) == outputs | {"description": "other"}
    assert server.asked == []


def test_in_a_preview_only_the_address_is_unknown(kind: Model, path: Path) -> None:
    new = inputs(kind, "/srv/models", path)
    assert kind.planned({}, new) == new | {"place": UNKNOWN, "manifest": UNKNOWN, "size": UNKNOWN}


def test_a_file_that_changes_before_the_upload_is_refused(kind: Model, said: Said, store: str, path: Path) -> None:
    new = inputs(kind, store, path)
    path.write_bytes(b"edited")
    with pytest.raises(OperationError, match="has changed"):
        kind.create(said.call, new)
    path.unlink()
    with pytest.raises(OperationError, match="does not exist"):
        kind.create(said.call, new)


def test_an_interrupted_upload_is_told_and_gone_on_with(
    kind: Model, said: Said, server: BlobServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = BlobStore.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "block_bytes", 100)
    path.write_bytes(bytes(range(256)) * 40)
    new = inputs(kind, server.url, path)
    blocks: list[str] = []

    def interrupt(asked: Any) -> None:
        if asked.operation == "PutBlock":
            blocks.append(asked.query["blockid"])
            if len(blocks) == 5:
                said.cancelled.set()

    server.on_request = interrupt
    with pytest.raises(OperationError, match="interrupted; the next pulumi up goes on with it"):
        kind.create(said.call, new)
    assert server.blobs == {}
    staged = {key for blocks in server.staged.values() for key in blocks}
    assert len(staged) >= 4
    blocks.clear()
    kind.create(Said().call, new)
    assert not staged & set(blocks)
    assert path.read_bytes() in server.blobs.values()


@pytest.mark.parametrize("operation", ["create", "read", "delete"])
def test_storage_that_denies_is_told_in_its_words(
    kind: Model, said: Said, server: BlobServer, path: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "ROLE_PATIENCE_S", 0.0)
    identity, outputs = kind.create(said.call, inputs(kind, server.url, path))
    server.faults.append(Fault("GetBlob", 403, code="AuthorizationPermissionMismatch"))
    calls: dict[str, Callable[[], Any]] = {
        "create": lambda: kind.create(said.call, inputs(kind, server.url, path)),
        "read": lambda: kind.read(identity, outputs),
        "delete": lambda: kind.delete(said.call, identity, outputs),
    }
    with pytest.raises(OperationError, match=r"ridge:1.*403 AuthorizationPermissionMismatch"):
        calls[operation]()


def test_a_role_that_was_just_given_is_waited_for(
    kind: Model, said: Said, server: BlobServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "ROLE_PAUSE_S", 0.01)
    server.faults.append(Fault("GetBlob", 403, code="AuthorizationPermissionMismatch", times=3))
    kind.create(said.call, inputs(kind, server.url, path))
    assert said.progress[:3] == ["ridge:1: waiting for a role on the store to take effect"] * 3
    said.cancelled.set()
    server.faults.append(Fault("GetBlob", 403, code="AuthorizationPermissionMismatch", times=3))
    with pytest.raises(OperationError, match="interrupted"):
        kind.create(said.call, inputs(kind, server.url, path))


def test_without_a_login_the_way_to_one_is_told(said: Said, server: BlobServer, path: Path) -> None:
    def none() -> Any:
        raise ValueError("no login")

    kind = Model(Session(Login({}, credential=none)))
    with pytest.raises(OperationError, match="az login"):
        kind.create(said.call, inputs(kind, server.url, path))


def test_code_is_uploaded_once_and_removed(session: Session, said: Said, store: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "score.py").write_text("def init(): ...\n")
    kind = Code(session)
    new = {"store": store, "path": str(source), "digest": take_snapshot(source).digest}
    assert object_failures(kind.inputs, new) == []
    identity, outputs = kind.create(said.call, new)
    assert identity == outputs["place"] == f"code/{new['digest']}"
    assert kind.read(identity, outputs) == outputs
    assert kind.create(said.call, new) == (identity, outputs)
    (source / "score.py").write_text("edited\n")
    with pytest.raises(OperationError, match="was edited while"):
        kind.create(said.call, new)
    kind.delete(said.call, identity, outputs)
    assert kind.read(identity, outputs) is None


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [
        (0, 512 << 20, "m [------------------------]   0 %, 0.0 of 512.0 MiB"),
        (128 << 20, 512 << 20, "m [######------------------]  25 %, 128.0 of 512.0 MiB"),
        (0, 0, "m [########################] 100 %, 0.0 of 0.0 MiB"),
    ],
)
def test_progress_is_a_bar(done: int, total: int, expected: str) -> None:
    assert upload.bar("m", done, total) == expected
