"""Debian's docker-registry on loopback, and a token service for it that speaks the distribution project's protocol."""

import base64
import hashlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"

USER, PASSWORD = "reader", "open sesame"
HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n"


@dataclass(frozen=True)
class Registry:
    """A registry that runs: its host as references have it, where it keeps its content, and what it logs."""

    host: str
    folder: Path
    log: Path


@contextmanager
def registry(folder: Path, *, auth: Mapping[str, Any] | None = None) -> Iterator[Registry]:
    """Run docker-registry in `folder`, ended at the end; `auth` is that part of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    configuration = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "content")}, "delete": {"enabled": True}},
        "http": {"addr": host, "relativeurls": True},  # whatever it is called by
        **({"auth": dict(auth)} if auth else {}),
    }
    (folder / "config.yml").write_text(json.dumps(configuration))  # JSON is YAML
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        _wait(host, process, log)
        yield Registry(host, folder / "content", log)
    finally:
        process.terminate()
        process.wait(10)


def htpasswd(folder: Path) -> dict[str, Any]:
    """The configuration for a registry that asks for `USER` and `PASSWORD`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    return {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}


class TokenIssuer:
    """Makes the tokens that a registry with this configuration takes."""

    ISSUER, SERVICE = "tests", "registry"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.ISSUER)])
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._path = folder / "issuer.pem"
        self._path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def auth(self, realm: str) -> dict[str, Any]:
        """The registry's configuration; `realm` is the address where tokens are to be had."""
        return {
            "token": {
                "realm": realm,
                "service": self.SERVICE,
                "issuer": self.ISSUER,
                "rootcertbundle": str(self._path),
            }
        }

    def token(self, scope: str) -> str:
        """A token for a scope such as `repository:a/b:pull`, as JWT."""
        kind, name, actions = scope.split(":")
        now = int(time.time())
        certificate = base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER)).decode()
        claims = {
            "iss": self.ISSUER,
            "sub": "someone",
            "aud": self.SERVICE,
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": "1",
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }
        header = {"typ": "JWT", "alg": "ES256", "x5c": [certificate]}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def push_image(
    host: str,
    repository: str,
    tag: str,
    *,
    platform: str = "linux/amd64",
    said: str = "",
    labels: Mapping[str, str] | None = None,
) -> str:
    """Push an image without layers with some labels, by default that it says `said`; return its digest."""
    system, _, architecture = platform.partition("/")
    architecture, _, variant = architecture.partition("/")
    config = {
        "os": system,
        "architecture": architecture,
        **({"variant": variant} if variant else {}),
        "config": {"Labels": {"said": said} if labels is None else dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    content = json.dumps(config).encode()
    with httpx.Client(base_url=f"http://{host}", trust_env=False) as client:
        started = client.post(f"/v2/{repository}/blobs/uploads/").raise_for_status()
        place = httpx.URL(started.headers["location"]).copy_merge_params({"digest": _digest(content)})
        client.put(place, content=content).raise_for_status()
    descriptor = {"mediaType": CONFIG, "digest": _digest(content), "size": len(content)}
    manifest = {"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor, "layers": []}
    return _push_manifest(host, repository, tag, IMAGE, manifest)


def push_index(host: str, repository: str, tag: str, images: Mapping[str, str]) -> str:
    """Push an index of images that are there, by platform, and return its digest."""
    manifests: list[dict[str, Any]] = []
    for platform, digest in images.items():
        system, architecture, *variant = platform.split("/")
        named = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        manifests.append({"mediaType": IMAGE, "digest": digest, "size": 1, "platform": named})
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    return _push_manifest(host, repository, tag, INDEX, index)


def _push_manifest(host: str, repository: str, tag: str, kind: str, manifest: Mapping[str, Any]) -> str:
    content = json.dumps(manifest).encode()
    url = f"http://{host}/v2/{repository}/manifests/{tag}"
    answer = httpx.put(url, content=content, headers={"content-type": kind}, trust_env=False).raise_for_status()
    assert answer.headers["docker-content-digest"] == _digest(content)
    return _digest(content)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _wait(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"http://{host}/v2/", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"docker-registry did not start: {log.read_text()}")
