"""What is fetched at start: whole and right, or the server ends before the script is touched."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scoring_servers import Server
from tidegate_runtime import content
from tidegate_runtime.content import ContentError, fetch

from tests.standins.blob_server import ASSERTION, TOKEN, Asked, BlobServer, Fault
from tidegate.image.snapshot import take_snapshot
from tidegate.model.blob_store import BlobStore
from tidegate.model.content import content_digest
from tidegate.model.delivery import content_order
from tidegate.model.local_store import LocalStore
from tidegate.model.manifest import Manifest, Package, pack_code, pack_model
from tidegate.model.store import ModelStore

SCRIPT = """
import os, pathlib
def init():
    global found
    root = pathlib.Path(os.environ["AZUREML_MODEL_DIR"])
    found = {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}
    print("init() has run", flush=True)
def run(data):
    return found
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[BlobServer]:
    token = tmp_path / "federated"
    token.write_text(ASSERTION)
    with BlobServer().running() as server:
        monkeypatch.setenv("AZURE_TENANT_ID", "the-tenant")
        monkeypatch.setenv("AZURE_CLIENT_ID", "the-client")
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token))
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", server.address)
        monkeypatch.setattr(content, "RANGE_BYTES", 1000)
        monkeypatch.setattr(content, "PAUSES_S", (0.01, 0.01, 0.01))
        yield server


@pytest.fixture(params=["folder", "blob"])
def place(request: pytest.FixtureRequest, server: BlobServer, tmp_path: Path) -> str:
    return server.url if request.param == "blob" else str(tmp_path / "store")


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    return tmp_path / "pod"


def opened(place: str) -> ModelStore:
    return BlobStore(place, lambda _: TOKEN) if place.startswith("http") else LocalStore(Path(place))


def add(place: str, package: Package) -> Manifest:
    opened(place).add(package, lambda _: None)
    return package.manifest


def model(place: str, path: Path, data: bytes, name: str = "ridge", number: int = 1) -> Manifest:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return add(place, pack_model(name, number, path, content_digest(path)))


def code(place: str, folder: Path) -> Manifest:
    folder.mkdir()
    (folder / "score.py").write_text(SCRIPT)
    (folder / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "tool.sh").chmod(0o755)
    return add(place, pack_code(take_snapshot(folder)))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LARGE = bytes(range(256)) * 20 + b"end"
"""Of several ranges, the last one short."""


def test_one_model_and_code_are_laid_out_as_v1_did(place: str, tmp_path: Path, pod: Path) -> None:
    order = content_order(place, [model(place, tmp_path / "m" / "ridge.pkl", LARGE)], code(place, tmp_path / "source"))
    found = fetch(order, pod)
    assert found.model_dir == pod / "azureml-models" / "ridge" / "1"
    assert found.source_dir == pod / "code"
    assert files(pod) == {
        "azureml-models/ridge/1/ridge.pkl": LARGE,
        "code/score.py": SCRIPT.encode(),
        "code/tool.sh": b"#!/bin/sh\n",
    }
    assert os.access(pod / "code" / "tool.sh", os.X_OK)
    assert not os.access(pod / "code" / "score.py", os.X_OK)


def test_several_models_stand_below_one_folder(place: str, tmp_path: Path, pod: Path) -> None:
    folder = tmp_path / "flow"
    first = model(place, folder / "data" / "weights", LARGE)
    (folder / "empty").write_bytes(b"")
    flow = add(place, pack_model("flow", 3, folder, content_digest(folder)))
    found = fetch(content_order(place, [first, flow]), pod)
    assert found.model_dir == pod / "azureml-models"
    assert found.source_dir is None
    assert files(pod / "azureml-models") == {
        "ridge/1/weights": LARGE,
        "flow/3/flow/data/weights": LARGE,
        "flow/3/flow/empty": b"",
    }


def test_a_second_start_fetches_nothing_but_checks_everything(server: BlobServer, tmp_path: Path, pod: Path) -> None:
    order = content_order(server.url, [model(server.url, tmp_path / "ridge.pkl", LARGE)])
    fetch(order, pod)
    ranges = server.count("GetBlob")
    fetch(order, pod)
    assert server.count("GetBlob") == ranges + 1
    there = pod / "azureml-models" / "ridge" / "1" / "ridge.pkl"
    there.write_bytes(LARGE[:-1] + b"X")
    fetch(order, pod)
    assert there.read_bytes() == LARGE
    (there.parent / "stranger").write_bytes(b"")
    fetch(order, pod)
    assert files(pod).keys() == {"azureml-models/ridge/1/ridge.pkl"}


def spoil_byte(server: BlobServer, name: str) -> None:
    server.blobs[name] = server.blobs[name][:-1] + b"X"


def cut_short(server: BlobServer, name: str) -> None:
    server.blobs[name] = server.blobs[name][: len(server.blobs[name]) // 3]


def remove(server: BlobServer, name: str) -> None:
    del server.blobs[name]


@pytest.mark.parametrize("harm", [spoil_byte, cut_short, remove])
@pytest.mark.parametrize("what", ["content", "manifest"])
def test_what_is_not_what_was_registered_is_never_laid_out(
    server: BlobServer, tmp_path: Path, pod: Path, harm: Callable[[BlobServer, str], None], what: str
) -> None:
    manifest = model(server.url, tmp_path / "ridge.pkl", LARGE)
    name = manifest.name if what == "manifest" else f"content/{manifest.files[0].sha256}"
    before = dict(server.blobs)
    harm(server, name)
    with pytest.raises(ContentError, match=r"SHA-256|was answered 4|cannot be fetched"):
        fetch(content_order(server.url, [manifest]), pod)
    assert not (pod / "azureml-models" / "ridge" / "1").exists()
    server.blobs = before
    fetch(content_order(server.url, [manifest]), pod)
    assert files(pod) == {"azureml-models/ridge/1/ridge.pkl": LARGE}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GetBlob", 503, times=2, headers={"Retry-After": "0"}),
        Fault("GetBlob", cut=300, times=3),
        Fault("GetBlob", after=True),
    ],
    ids=["busy", "cut in the middle", "no answer"],
)
def test_what_fails_for_now_is_asked_again(server: BlobServer, tmp_path: Path, pod: Path, fault: Fault) -> None:
    order = content_order(server.url, [model(server.url, tmp_path / "ridge.pkl", LARGE)])
    server.faults.append(fault)
    fetch(order, pod)
    assert fault.times == 0
    assert files(pod) == {"azureml-models/ridge/1/ridge.pkl": LARGE}


def test_files_that_were_whole_are_kept_over_an_interruption(server: BlobServer, tmp_path: Path, pod: Path) -> None:
    folder = tmp_path / "flow"
    model(server.url, folder / "a", LARGE)
    model(server.url, folder / "b", LARGE[::-1], "other")
    manifest = add(server.url, pack_model("flow", 1, folder, content_digest(folder)))
    first, second = (f"content/{file.sha256}" for file in manifest.files)
    kept = server.blobs[second]
    server.blobs[second] = kept[:-1] + b"X"
    with pytest.raises(ContentError, match="was fetched with the SHA-256"):
        fetch(content_order(server.url, [manifest]), pod)
    server.blobs[second] = kept
    server.asked.clear()
    fetch(content_order(server.url, [manifest]), pod)
    assert {asked.name for asked in server.asked if asked.operation == "GetBlob"} == {manifest.name, second}
    assert files(pod) == {"azureml-models/flow/1/flow/a": LARGE, "azureml-models/flow/1/flow/b": LARGE[::-1]}
    assert first not in {asked.name for asked in server.asked}


def test_two_servers_on_one_folder_do_not_mix(server: BlobServer, tmp_path: Path, pod: Path) -> None:
    order = content_order(server.url, [model(server.url, tmp_path / "ridge.pkl", LARGE)])
    server.asked.clear()
    threads = [threading.Thread(target=fetch, args=(order, pod)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files(pod) == {"azureml-models/ridge/1/ridge.pkl": LARGE}
    assert server.count("GetBlob") == 3 + -(-len(LARGE) // 1000)


def test_the_token_is_got_once_and_goes_to_nobody_else(server: BlobServer, tmp_path: Path, pod: Path) -> None:
    order = content_order(server.url, [model(server.url, tmp_path / "ridge.pkl", LARGE)])
    fetch(order, pod)
    assert server.count("Token") == 1
    elsewhere = Fault("GetBlob", 302, headers={"Location": f"{server.address}/models/elsewhere"})
    server.faults.append(elsewhere)
    with pytest.raises(ContentError, match="302"):
        fetch(order, pod)
    assert "elsewhere" not in {asked.name for asked in server.asked}
    with pytest.raises(ContentError, match="only sent over https"):
        fetch(order.replace(server.url, "http://a.example/models"), pod)


def test_a_pod_without_workload_identity_is_told_so(
    server: BlobServer, tmp_path: Path, pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = content_order(server.url, [model(server.url, tmp_path / "ridge.pkl", LARGE)])
    monkeypatch.delenv("AZURE_CLIENT_ID")
    with pytest.raises(ContentError, match="no workload identity"):
        fetch(order, pod)


@pytest.mark.parametrize(
    "order",
    [
        "nonsense",
        "[]",
        '{"store": "/tmp"}',
        '{"store": "/tmp", "manifests": [{"name": "m", "sha256": "0", "folder": "../out"}]}',
        '{"store": "/tmp", "manifests": [{"name": "m", "sha256": "0", "folder": "/out"}]}',
        '{"store": "/tmp", "manifests": [], "modelDir": "a/../../b"}',
    ],
)
def test_an_order_that_cannot_be_used_is_told(order: str, pod: Path) -> None:
    with pytest.raises(ContentError, match="TIDEGATE_CONTENT cannot be used"):
        fetch(order, pod)
    assert not pod.exists()


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../out"])
def test_a_manifest_leads_nowhere_else(tmp_path: Path, pod: Path, path: str) -> None:
    file = {"path": path, "size": 0, "sha256": hashlib.sha256(b"").hexdigest(), "executable": False}
    text = json.dumps({"form": 1, "files": [file]}).encode()
    (tmp_path / "m.json").write_bytes(text)
    wanted = {"name": "m.json", "sha256": hashlib.sha256(text).hexdigest(), "folder": "m"}
    with pytest.raises(ContentError, match="no path inside"):
        fetch(json.dumps({"store": str(tmp_path), "manifests": [wanted]}), pod)


def test_more_than_there_is_room_for_is_told_before_it_is_fetched(
    server: BlobServer, tmp_path: Path, pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = content_order(server.url, [model(server.url, tmp_path / "ridge.pkl", LARGE)])
    asked = server.count("GetBlob")
    usage = content.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(content.shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(ContentError, match="1 MiB are to be fetched"):
        fetch(order, pod)
    assert server.count("GetBlob") == asked + 1


@pytest.fixture
def variables(server: BlobServer, pod: Path) -> dict[str, str]:
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST")
    identity = {name: os.environ[name] for name in names}
    return {**identity, "AZUREML_ENTRY_SCRIPT": "score.py", "TIDEGATE_CONTENT_DIR": str(pod)}


def test_a_script_is_served_with_what_was_fetched(
    serve: Callable[..., Server], server: BlobServer, tmp_path: Path, variables: dict[str, str]
) -> None:
    order = content_order(
        server.url, [model(server.url, tmp_path / "ridge.pkl", b"weights")], code(server.url, tmp_path / "source")
    )
    started = serve(None, variables={**variables, "TIDEGATE_CONTENT": order})
    with started.client() as client:
        assert client.post("/score", json={"data": []}).json() == {"ridge.pkl": "weights"}
    assert "fetched models/ridge/1/manifest.json" in started.text()


def test_a_corrupted_model_ends_the_server_with_3_before_init(
    serve: Callable[..., Server], server: BlobServer, tmp_path: Path, variables: dict[str, str]
) -> None:
    manifest = model(server.url, tmp_path / "ridge.pkl", LARGE)
    order = content_order(server.url, [manifest], code(server.url, tmp_path / "source"))
    spoil_byte(server, f"content/{manifest.files[0].sha256}")
    started = serve(None, wait=False, variables={**variables, "TIDEGATE_CONTENT": order})
    assert started.process.wait(60) == 3
    assert "ridge.pkl was fetched with the SHA-256" in started.text()
    assert "init() has run" not in started.text()


def test_a_pod_that_is_stopped_while_it_fetches_ends_at_once(
    serve: Callable[..., Server], server: BlobServer, tmp_path: Path, variables: dict[str, str], pod: Path
) -> None:
    order = content_order(server.url, [model(server.url, tmp_path / "ridge.pkl", LARGE)])
    asked, go_on = threading.Event(), threading.Event()

    def hold(request: Asked) -> None:
        if request.operation == "GetBlob" and "range" in request.headers:
            asked.set()
            go_on.wait(60)

    server.on_request = hold
    started = serve(None, wait=False, variables={**variables, "TIDEGATE_CONTENT": order})
    assert asked.wait(60), started.text()
    started.process.terminate()
    assert started.process.wait(10) == 0
    go_on.set()
    assert not (pod / "azureml-models" / "ridge" / "1").exists()
