"""The TLS of a cluster as a stack file has it, resolved, with its files in a folder."""

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tests.unit.cluster.pki import NOW, chain, intermediate, leaf, root
from tidegate.cluster.input import AzureInput
from tidegate.cluster.spec import IssuedCertificate, OwnCertificate
from tidegate.cluster.tls import resolve_tls
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc, parse

LOC = ("tidegate:clusters", "main")
OWN = {"cname": "scoring.example.com", "certificate": "tls/chain.pem", "key": "tls/key.pem"}

Resolved = tuple[OwnCertificate | IssuedCertificate | None, list[Finding]]


def resolve(
    tls: Any,
    files: Mapping[str, str | bytes] | None = None,
    *,
    key: str | None = None,
    now: datetime = NOW,
    location: str = "westeurope",
    unread: tuple[Loc, ...] = (),
    **cluster: Any,
) -> Resolved:
    """Resolve the TLS of a cluster named main; `files` are there by their path, `key` is under tidegate:tlsKeys."""
    parsed = parse(AzureInput, {"tidegate:clusters": {"main": ({} if tls is None else {"tls": tls}) | cluster}})
    entry = (parsed.value.clusters or {})["main"]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (files or {}).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return resolve_tls(
            LOC,
            entry,
            location=location,
            root=Path(folder),
            key_text=SecretStr(key) if key is not None else None,
            now=now,
            broken=Broken(parsed.broken.places | frozenset(unread)),
        )


def files(**settings: Any) -> dict[str, str]:
    """A chain and its key in files; `settings` are those of the server's certificate."""
    names = settings.pop("names", ())
    server = leaf(*names, **settings)
    return {"tls/chain.pem": chain(server, intermediate(), root()), "tls/key.pem": server.key_pem}


def own(files: Mapping[str, str | bytes], **settings: Any) -> Resolved:
    """Resolve an own certificate in these files."""
    return resolve(OWN, files, **settings)
