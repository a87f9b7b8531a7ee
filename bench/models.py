"""What an upload into a model store and a fetch out of it take, by the size of the model."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidegate_runtime.content import fetch

from bench.section import Figure, Section
from tests.standins.blob_server import ASSERTION, TOKEN, BlobServer
from tidegate.model.blob_store import BlobStore
from tidegate.model.content import content_digest
from tidegate.model.delivery import content_order
from tidegate.model.manifest import pack_model

SMALL, LARGE = 32, 512
"""Sizes of the models, MiB."""
FLAT = 1.1
"""What the larger one may take of the smaller one's memory."""


def run() -> Section:
    """Upload and fetch a small and a large model, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder, _server() as address:
        root = Path(folder)
        token = root / "token"
        token.write_text(ASSERTION)
        identity = {
            "AZURE_TENANT_ID": "the-tenant",
            "AZURE_CLIENT_ID": "the-client",
            "AZURE_FEDERATED_TOKEN_FILE": str(token),
            "AZURE_AUTHORITY_HOST": address,
        }
        taken = {(size, what): 0.0 for size in (SMALL, LARGE) for what in ("upload", "fetch")}
        seconds = dict(taken)
        for size in (SMALL, LARGE):
            model = _model(root / f"{size}.bin", size)
            sent = _child(identity, "upload", f"{address}/models", str(model), str(size))
            fetched = _child(identity, "fetch", sent["order"], str(root / f"pod-{size}"))
            for what, found in (("upload", sent), ("fetch", fetched)):
                taken[size, what], seconds[size, what] = found["mib"], found["seconds"]
    return Section(
        title="Models",
        command="python -m bench models",
        method=(
            f"A model of {SMALL} MiB and one of {LARGE} MiB, uploaded to a stand-in of blob storage on loopback and "
            "fetched from it as a pod does, each in a new process; its largest resident memory, imports included."
        ),
        figures=tuple(
            Figure(
                f"memory of {'an upload' if what == 'upload' else 'a fetch'}, {LARGE} against {SMALL} MiB",
                f"{taken[LARGE, what]:.0f} against {taken[SMALL, what]:.0f} MiB: "
                f"{taken[LARGE, what] / taken[SMALL, what]:.2f}x, {LARGE / seconds[LARGE, what]:.0f} MiB/s",
                f"at most {FLAT}x",
            )
            for what in ("upload", "fetch")
        ),
    )


def _model(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        for _ in range(size):
            file.write(os.urandom(1 << 20))
    return path


@contextmanager
def _server() -> Iterator[str]:
    """The stand-in in a process of its own; its address."""
    command = [sys.executable, "-m", "bench.models", "serve"]
    # Leaving the block closes its standard input, which ends it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip() if process.stdout else ""


def _child(variables: dict[str, str], *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.models", *arguments],
        check=True,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return json.loads(done.stdout)


def _serve() -> None:
    with BlobServer().running() as server:
        sys.stdout.write(f"{server.address}\n")
        sys.stdout.flush()
        sys.stdin.read()


def _upload(url: str, path: str, number: str) -> None:
    package = pack_model("model", int(number), Path(path), content_digest(Path(path)))
    started = time.perf_counter()
    BlobStore(url, lambda _: TOKEN).add(package, lambda _: None)
    _say(started, order=content_order(url, [package.manifest]))


def _fetch(order: str, folder: str) -> None:
    started = time.perf_counter()
    fetch(order, Path(folder))
    _say(started)


def _say(started: float, **more: str) -> None:
    seconds = time.perf_counter() - started
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "mib": taken, **more}) + "\n")


if __name__ == "__main__":
    {"serve": _serve, "upload": _upload, "fetch": _fetch}[sys.argv[1]](*sys.argv[2:])
