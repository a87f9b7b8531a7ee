"""The base image of the tests: Debian with Python, made by debootstrap and kept in the cache between runs."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.images.registry import serving
from tests.standins.buildah import Buildah
from tidegate.cache import cache_folder

REPOSITORY, TAG = "debian", "12-python"
SUITE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-venv")

_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def base_files() -> Path:
    """The files of a registry that holds the base image; made where the cache does not have them yet."""
    pip, authorities = pip_settings(), Path(_AUTHORITIES).read_bytes()
    recipe = hashlib.sha256("\0".join([SUITE, *PACKAGES, pip]).encode() + authorities).hexdigest()[:16]
    folder = cache_folder(os.environ) / "images"
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"base-{recipe}"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=folder) as temporary:
                _make(Path(temporary), pip, authorities)
                (Path(temporary) / "registry" / "content").rename(made)
    return made


def pip_settings() -> str:
    """This machine's settings of pip: an image is built behind the same indexes and authorities."""
    listed = subprocess.run(["python3", "-m", "pip", "config", "list"], check=True, capture_output=True, text=True)
    wanted = ("index-url", "extra-index-url", "trusted-host", "proxy")
    lines = ["[global]", f"cert = {_AUTHORITIES}"]
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        if (option := name.rpartition(".")[2]) in wanted:
            lines.append(f"{option} = {value.strip(chr(39))}")
    return "\n".join([*lines, ""])


def _make(folder: Path, pip: str, authorities: bytes) -> None:
    root = folder / "root"
    include = f"--include={','.join(PACKAGES)}"
    subprocess.run(["/usr/sbin/debootstrap", "--variant=minbase", include, SUITE, str(root)], check=True)
    (root / _AUTHORITIES.lstrip("/")).write_bytes(authorities)
    (root / "etc" / "pip.conf").write_text(pip)
    shutil.rmtree(root / "var" / "cache" / "apt")
    shutil.rmtree(root / "var" / "lib" / "apt" / "lists")
    archive = folder / "root.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    buildah = Buildah(folder / "buildah")
    with serving(folder / "registry") as registry:
        reference = f"{registry.address}/{REPOSITORY}:{TAG}"
        container = buildah.run("from", "scratch")[-1]
        buildah.run("add", container, str(archive), "/")
        buildah.run("config", "--cmd", "/bin/sh", "--env", f"SSL_CERT_FILE={_AUTHORITIES}", container)
        buildah.run("commit", "--rm", "--timestamp", "0", container, reference)
        buildah.push(reference)
