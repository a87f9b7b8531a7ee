import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.standins.blob_server import SCOPE, TOKEN, BlobServer, Fault
from tidegate.image.snapshot import take_snapshot
from tidegate.model.blob_store import BlobStore
from tidegate.model.content import ContentError, content_digest
from tidegate.model.local_store import LocalStore
from tidegate.model.manifest import Package, pack_code, pack_model, read_manifest
from tidegate.model.store import ModelStore, StoreError, TakenError, open_store

BLOCK = 1024


def token(scope: str) -> str:
    assert scope == SCOPE
    return TOKEN


def blob_store(server: BlobServer, **options: Any) -> BlobStore:
    return BlobStore(server.url, token, block_bytes=BLOCK, **{"patience_s": 5.0, **options})


@pytest.fixture(params=["folder", "blob"])
def store(request: pytest.FixtureRequest, tmp_path: Path, server: BlobServer) -> ModelStore:
    return LocalStore(tmp_path / "store") if request.param == "folder" else blob_store(server)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file of several blocks, the last one short."""
    path = tmp_path / "ridge.pkl"
    path.write_bytes(bytes(range(256)) * 41 + b"end")
    return path


def pack(path: Path, name: str = "ridge", number: int = 1) -> Package:
    return pack_model(name, number, path, content_digest(path))


def add(store: ModelStore, package: Package) -> tuple[bool, int]:
    done: list[int] = []
    added = store.add(package, done.append)
    return added, sum(done)


def stored(store: ModelStore) -> dict[str, bytes]:
    return {name: store._read(name) or b"" for name in store._names("")}  # pyright: ignore[reportPrivateUsage]


def test_a_model_is_there_whole_under_its_hash_with_its_manifest(store: ModelStore, model: Path) -> None:
    package = pack(model)
    assert add(store, package) == (True, model.stat().st_size)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    manifest = package.manifest
    assert stored(store) == {
        f"content/{digest}": model.read_bytes(),
        "models/ridge/1/manifest.json": manifest.text,
    }
    assert store.find("models/ridge/1") == manifest == read_manifest(manifest.text)
    assert manifest.content == f"sha256:{digest}"
    assert manifest.sha256 == hashlib.sha256(manifest.text).hexdigest()
    assert store.find("models/ridge/2") is None


def test_a_folder_keeps_its_name_and_the_same_file_is_stored_once(store: ModelStore, tmp_path: Path) -> None:
    folder = tmp_path / "mlflow"
    (folder / "data").mkdir(parents=True)
    for name in ("MLmodel", "data/a", "data/b"):
        (folder / name).write_bytes(b"same" * 1000 if name != "MLmodel" else b"")
    package = pack(folder, "flow")
    assert [file.path for file in package.manifest.files] == ["mlflow/MLmodel", "mlflow/data/a", "mlflow/data/b"]
    assert package.manifest.content == content_digest(folder)
    assert add(store, package) == (True, 4000)
    assert len(stored(store)) == 3


def test_what_is_there_is_not_sent_again(store: ModelStore, model: Path) -> None:
    add(store, pack(model))
    before = stored(store)
    assert add(store, pack(model)) == (False, model.stat().st_size)
    assert add(store, pack(model, "other", 7)) == (True, model.stat().st_size)
    assert stored(store).keys() - before.keys() == {"models/other/7/manifest.json"}


def test_a_number_keeps_its_content(store: ModelStore, model: Path) -> None:
    add(store, pack(model))
    before = stored(store)
    model.write_bytes(b"other" * 1000)
    with pytest.raises(TakenError, match="holds other content under models/ridge/1"):
        add(store, pack(model))
    assert stored(store) == before


@pytest.mark.parametrize("size", [BLOCK, 5 * BLOCK + 1], ids=["one block", "several blocks"])
def test_a_model_that_changes_on_the_way_is_not_stored(store: ModelStore, model: Path, size: int) -> None:
    model.write_bytes(model.read_bytes()[:size])
    package = pack(model)
    content = model.read_bytes()
    model.write_bytes(content[:-1] + b"X")
    with pytest.raises(StoreError, match="changed while it was uploaded"):
        add(store, package)
    assert stored(store) == {}
    model.write_bytes(content)
    assert add(store, package)[0]


def test_a_model_that_has_changed_since_is_not_packed(model: Path) -> None:
    digest = content_digest(model)
    model.write_bytes(b"other")
    with pytest.raises(ContentError, match="has changed"):
        pack_model("ridge", 1, model, digest)


def test_a_file_by_another_name_may_keep_the_one_that_it_was_registered_by(model: Path, tmp_path: Path) -> None:
    moved = model.rename(tmp_path / "moved.pkl")
    package = pack_model("ridge", 1, moved, content_digest(moved), called="ridge.pkl")
    assert package.manifest.title == "ridge.pkl"
    assert package.sources == {"ridge.pkl": moved}
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}\n")
    package = pack_model("flow", 1, folder, content_digest(folder), called="before")
    assert package.manifest.title == "before"
    assert package.sources == {"before/MLmodel": folder / "MLmodel"}


def test_removing_leaves_what_others_use(store: ModelStore, model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pkl"
    other.write_bytes(b"other")
    for number in (1, 2):
        add(store, pack(model, number=number))
    add(store, pack(other, "other"))
    store.remove("models/ridge/1")
    assert store.find("models/ridge/1") is None
    assert len(stored(store)) == 4
    store.remove("models/ridge/1")
    store.remove("models/ridge/2")
    assert stored(store).keys() == {f"content/{hashlib.sha256(b'other').hexdigest()}", "models/other/1/manifest.json"}


def test_code_is_stored_by_its_content_with_executable_bits(store: ModelStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "score.py").write_text("def init(): ...\n")
    (source / "tool.sh").write_text("#!/bin/sh\n")
    (source / "tool.sh").chmod(0o755)
    package = pack_code(take_snapshot(source))
    assert package.manifest.place == f"code/{package.manifest.content}"
    assert [(file.path, file.executable) for file in package.manifest.files] == [("score.py", False), ("tool.sh", True)]
    assert add(store, package)[0]
    assert store.find(package.manifest.place) == package.manifest


def test_one_script_alone_is_code_too(store: ModelStore, tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text("def init(): ...\n")
    assert add(store, pack_code(take_snapshot(script))) == (True, script.stat().st_size)


def test_a_manifest_that_is_none_is_an_error(store: ModelStore, model: Path) -> None:
    manifest = pack(model).manifest
    for number, text in enumerate(
        (b"", b"[]", b"{}", manifest.text[:-2], manifest.text.replace(b"ridge.pkl", b"../x"))
    ):
        store._create(f"models/m/{number}/manifest.json", text)  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(StoreError, match="manifest"):
            store.find(f"models/m/{number}")


def test_two_processes_at_once_store_one_model(store: ModelStore, model: Path) -> None:
    failures: list[BaseException] = []

    def one() -> None:
        try:
            add(store, pack(model))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(stored(store)) == 2
    assert model.read_bytes() in stored(store).values()


@pytest.mark.parametrize("same", [True, False])
def test_a_number_that_another_process_takes_meanwhile_is_found_or_refused(
    store: ModelStore, model: Path, tmp_path: Path, same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other" / "ridge.pkl"
    other.parent.mkdir()
    other.write_bytes(model.read_bytes() if same else b"other")
    theirs = pack(other)
    meanwhile = [lambda: store.add(theirs, lambda _: None)]

    create = store._create  # pyright: ignore[reportPrivateUsage]  # the last step, just before which the other one is

    def late(name: str, text: bytes) -> bool:
        while meanwhile:
            meanwhile.pop()()
        return create(name, text)

    monkeypatch.setattr(store, "_create", late)
    if same:
        assert add(store, pack(model))[0] is False
    else:
        with pytest.raises(TakenError):
            add(store, pack(model))
    assert store.find("models/ridge/1") == theirs.manifest


def test_an_interrupted_copy_is_made_again(tmp_path: Path, model: Path) -> None:
    store = LocalStore(tmp_path / "store")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add(pack(model), stop)
    assert stored(store) == {}
    assert add(store, pack(model))[0]
    assert model.read_bytes() in stored(store).values()


def test_a_large_file_goes_up_in_blocks_and_appears_at_the_end(server: BlobServer, model: Path) -> None:
    seen: list[bool] = []
    digest = pack(model).manifest.files[0].sha256
    server.on_request = lambda asked: seen.append(f"content/{digest}" in server.blobs)
    add(blob_store(server), pack(model))
    blocks = -(-model.stat().st_size // BLOCK)
    assert server.count("PutBlock") == blocks
    operations = [asked.operation for asked in server.asked]
    assert operations[-3:] == ["PutBlockList", "GetBlobProperties", "PutBlob"]
    assert seen == [False] * (len(operations) - 2) + [True] * 2


def test_an_interrupted_upload_goes_on_where_it_was(server: BlobServer, model: Path) -> None:
    done: list[int] = []

    def stop(count: int) -> None:
        done.append(count)
        if len(done) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blob_store(server).add(pack(model), stop)
    (staged,) = server.staged.values()
    before = len(staged)
    assert before >= 4
    assert server.blobs == {}
    server.asked.clear()
    assert add(blob_store(server), pack(model)) == (True, model.stat().st_size)
    assert server.count("PutBlock") == -(-model.stat().st_size // BLOCK) - before
    assert model.read_bytes() in server.blobs.values()


def test_blocks_of_another_content_are_not_taken_for_this_one(server: BlobServer, model: Path) -> None:
    name = f"content/{pack(model).manifest.files[0].sha256}"
    identity = "MDAwMDAtQUFBQUFBQUFBQUFBQUFBQUFBQUFBQT09"
    server.staged[name] = {identity: b"0" * BLOCK}
    add(blob_store(server), pack(model))
    assert server.blobs[name] == model.read_bytes()


@pytest.mark.parametrize("operation", ["GetBlobProperties", "PutBlock", "PutBlockList", "PutBlob", "GetBlob"])
@pytest.mark.parametrize("lost", [False, True], ids=["busy", "answer lost"])
def test_a_request_that_fails_for_now_is_repeated(
    server: BlobServer, model: Path, operation: str, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.model.blob_store.FIRST_PAUSE_S", 0.01)
    fault = Fault(operation, after=True) if lost else Fault(operation, 503, times=2, headers={"retry-after": "0"})
    server.faults.append(fault)
    add(blob_store(server), pack(model))
    assert fault.times == 0
    assert model.read_bytes() in server.blobs.values()
    assert "models/ridge/1/manifest.json" in server.blobs


def test_storage_that_denies_is_told_in_its_words_without_the_token(server: BlobServer, model: Path) -> None:
    server.faults.append(Fault("GetBlob", 403, code="AuthorizationPermissionMismatch"))
    with pytest.raises(StoreError, match="403 AuthorizationPermissionMismatch"):
        add(blob_store(server), pack(model))
    with pytest.raises(StoreError) as refused:
        BlobStore(server.url, lambda _: "another-token").find("models/ridge/1")
    assert "401 InvalidAuthenticationInfo" in str(refused.value)
    assert "another-token" not in str(refused.value)


def test_a_container_that_is_not_there_is_told_and_not_taken_for_an_empty_one(server: BlobServer, model: Path) -> None:
    store = BlobStore(f"{server.address}/elsewhere", token)
    for call in (lambda: store.find("models/ridge/1"), lambda: add(store, pack(model))):
        with pytest.raises(StoreError, match="ContainerNotFound"):
            call()


def test_storage_that_stays_busy_or_away_is_told_in_time(server: BlobServer, model: Path) -> None:
    server.faults.append(Fault("GetBlob", 503, times=1000, headers={"retry-after": "60"}))
    with pytest.raises(StoreError, match="503 ServerBusy"):
        add(blob_store(server, patience_s=1.0), pack(model))
    with pytest.raises(StoreError, match="cannot be reached"):
        BlobStore("http://127.0.0.1:1/models", token, patience_s=0.1).find("models/ridge/1")


def test_an_interruption_ends_a_wait(server: BlobServer, model: Path) -> None:
    cancelled = threading.Event()
    server.faults.append(Fault("GetBlob", 503, times=1000, headers={"retry-after": "4"}))
    server.on_request = lambda _: cancelled.set()
    with pytest.raises(StoreError, match="interrupted"):
        add(blob_store(server, cancelled=cancelled), pack(model))
    assert server.count("GetBlob") == 1


def test_a_block_that_storage_got_wrong_is_not_committed(server: BlobServer, model: Path) -> None:
    name = f"content/{pack(model).manifest.files[0].sha256}"

    def lose(asked: Any) -> None:
        if asked.operation == "GetBlobProperties" and name in server.blobs:
            server.blobs[name] = server.blobs[name][:-1]

    server.on_request = lose
    with pytest.raises(StoreError, match="bytes, and"):
        add(blob_store(server), pack(model))
    assert "models/ridge/1/manifest.json" not in server.blobs


@pytest.mark.parametrize(
    ("size", "expected"),
    [(1, BLOCK), (50_000 * BLOCK, BLOCK), (50_000 * BLOCK + 1, 1 << 20), (50_000 * (1 << 20) + 1, 2 << 20)],
)
def test_a_file_never_has_more_blocks_than_a_blob_takes(server: BlobServer, size: int, expected: int) -> None:
    found = blob_store(server)._block_size(size)  # pyright: ignore[reportPrivateUsage]
    assert found == expected
    assert size / found <= 50_000


@pytest.mark.parametrize(
    ("location", "kind"), [("https://a.blob.core.windows.net/models", BlobStore), ("/srv/models", LocalStore)]
)
def test_a_location_says_what_store_it_is(location: str, kind: Callable[..., ModelStore]) -> None:
    assert type(open_store(location, token)) is kind
    with pytest.raises(StoreError, match="only sent over https"):
        open_store("http://a.example/models", token)
