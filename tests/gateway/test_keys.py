"""Keys that change, and keys that are equal."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.engine.harness import ECHO
from tests.gateway.pods import write_script
from tests.gateway.target import TranslatedTarget, translated_target
from tidegate.config import load
from tidegate.findings import ConfigError

pytestmark = pytest.mark.kubernetes

EQUAL = "a-key-that-is-given-twice-0123456789"


@pytest.fixture(scope="module")
def target() -> Iterator[TranslatedTarget]:
    """Two endpoints with keys."""
    with translated_target() as made:
        made.endpoints = {
            name: {"versions": {"one": made.version(name, ECHO, maxQueueWaitMs=10000)}} for name in ("first", "second")
        }
        made.start()
        yield made


def status(target: TranslatedTarget, endpoint: str, key: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{target.url}/{endpoint}/score", json=1, headers=headers, verify=False).status_code


def test_one_key_is_rotated_and_the_other_is_never_refused(target: TranslatedTarget):
    # Of the first endpoint with keys, by name: Envoy Gateway repeats its keys in the listener.
    old, kept = (target.key("first", name) for name in ("secondary", "primary"))
    seen: list[object] = []
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=target.url, headers={"authorization": f"Bearer {kept}"}, timeout=30) as client:
            while not done.wait(0.004):
                try:
                    seen.append(client.post("/first/score", json=1).status_code)
                except httpx.HTTPError as error:
                    seen.append(repr(error))

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        for number in range(3):
            target.keys["first", "secondary"] = f"{old}-{number}"
            target.apply()
            assert status(target, "first", f"{old}-{number}") == 200
    finally:
        done.set()
        for client in clients:
            client.join()
    assert set(seen) == {200}
    assert status(target, "first", old) == 401
    assert status(target, "second", target.key("second")) == 200


def test_equal_keys_are_refused_where_they_are_written(tmp_path: Path):
    write_script(tmp_path, ECHO)
    values = {
        "tidegate:target": "local",
        "tidegate:endpoints": {"first": {"versions": {"one": {"entryScript": "score.py", "sourceDirectory": "."}}}},
        "tidegate:keys": {"first": {"primary": EQUAL, "secondary": EQUAL}},
    }
    with pytest.raises(ConfigError) as refused:
        load(values, root=tmp_path, stack="local")
    (finding,) = refused.value.findings
    assert finding.path == "tidegate:keys.first.secondary"
    assert EQUAL not in str(finding)


def test_equal_keys_close_their_endpoint_alone(target: TranslatedTarget):
    for name in ("primary", "secondary"):
        target.keys["first", name] = EQUAL
    translation = target.serve(target.manifests())
    (complaint,) = translation.complaints
    assert complaint.startswith("SecurityPolicy first/first: Accepted False: ")
    assert "duplicate" in complaint.lower()
    assert status(target, "first", EQUAL) == 500
    assert status(target, "second", target.key("second")) == 200
