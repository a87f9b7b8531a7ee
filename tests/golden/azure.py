"""What is recorded of a program on Azure, as a golden file has it."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from tests.standins.mocks import Recorded, rendered
from tidegate.image.base import DEFAULT_BASE, MICROMAMBA, UV
from tidegate.image.lock import FILE

_BORN = (
    (re.compile(r"(\.oic\.prod-aks\.azure\.com/[^/\"]+/)[0-9a-f-]{36}"), r"\1ISSUER"),
    (re.compile(r"-[0-9a-f]{8}(?=(?:\.[0-9a-f-]{36}\.privatelink)?\.(?:hcp\.)?[a-z0-9]+\.azmk8s\.io)"), "-HOST"),
    (re.compile(r"\.[0-9a-f-]{36}(?=\.privatelink\.)"), ".ZONE"),
)
"""What Azure draws anew for each cluster."""


def normal(recorded: list[Recorded]) -> Any:
    """The resources, with words for what differs from cluster to cluster."""
    text = json.dumps([_without_schemas(each) for each in rendered(recorded)])
    for pattern, word in _BORN:
        text = pattern.sub(word, text)
    return json.loads(text)


def project(folder: Path, checkout: Path) -> Path:
    """A project in `folder` with the checkout's examples and scoring server, and a lock of bases that nobody looked up.

    The checkout itself has no lock: it would have to be moved with every release of a base.
    """
    folder.mkdir()
    for name in ("examples", "runtime"):
        (folder / name).symlink_to(checkout / name)
    for path in checkout.glob("Pulumi.*.yaml"):
        (folder / path.name).write_text(path.read_text())
    found = {
        "digest": f"sha256:{'1' * 64}",
        "platforms": {"linux/amd64": f"sha256:{'2' * 64}"},
        "resolved": "2026-11-21",
    }
    (folder / FILE).write_text(json.dumps({str(name): found for name in (DEFAULT_BASE, UV, MICROMAMBA)}))
    return folder


def _without_schemas(recorded: Recorded) -> Recorded:
    """A definition of a kind by the hash of its schemas, which are tens of thousands of lines."""
    if not recorded["type"].endswith(":CustomResourceDefinition"):
        return recorded
    inputs = recorded["inputs"]
    digest = hashlib.sha256(json.dumps(inputs["spec"]["versions"], sort_keys=True).encode()).hexdigest()
    return {**recorded, "inputs": {**inputs, "spec": {**inputs["spec"], "versions": digest}}}
