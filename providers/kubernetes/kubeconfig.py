"""A kubeconfig as the way to one API server: where it is, how it is trusted, who asks.

The text is a secret, and so is everything in it but the server's host: no error and no `repr` shows any of it.
"""

import base64
import binascii
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

Json = dict[str, Any]

LOGIN_S = 60.0
"""How long a program that logs in may take."""
_EARLY_S = 60.0
"""How long before its end a token is taken for ended."""
_SHOWN = 400
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class KubernetesError(Exception):
    """A cluster cannot be asked, or refuses; the text is for the user and holds nothing secret."""


class KubeconfigError(KubernetesError):
    """The kubeconfig cannot be used."""


class LoginError(KubernetesError):
    """The kubeconfig's program that logs in is missing or fails."""


@dataclass(frozen=True)
class Access:
    """One API server and the user that asks it.

    `tls` is None for plain HTTP, which is only taken on loopback. `bearer(renew)` gives the token, None where a
    certificate stands for the user; `renew` asks for another one than that which was refused.
    """

    server: str
    tls: ssl.SSLContext | None = field(repr=False)
    tls_name: str
    bearer: Callable[[bool], str | None] = field(repr=False)

    @property
    def host(self) -> str:
        """The server's host name, for texts."""
        return urlsplit(self.server).hostname or self.server


def read_kubeconfig(text: str) -> Access:
    """The access that the current context of a kubeconfig, JSON or YAML, gives. Raises `KubeconfigError`."""
    config = _parsed(text)
    try:
        context = _named(config, "contexts", config["current-context"])["context"]
        cluster = _named(config, "clusters", context["cluster"])["cluster"]
        user = _named(config, "users", context["user"])["user"]
        server = str(cluster["server"]).rstrip("/")
    except (KeyError, TypeError, StopIteration):
        raise KubeconfigError("the kubeconfig has no current context with a cluster and a user") from None
    parts = urlsplit(server)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise KubeconfigError("the kubeconfig's server is not at an https address")
    tls = _tls(cluster, user) if parts.scheme == "https" else None
    return Access(server, tls, str(cluster.get("tls-server-name") or ""), _bearer(user))


def _parsed(text: str) -> Json:
    try:
        config: object = json.loads(text)
    except json.JSONDecodeError:
        from ruamel.yaml import YAML  # noqa: PLC0415 (Azure's are rewritten as JSON)
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415

        try:
            config = YAML(typ="safe", pure=True).load(text)
        except YAMLError:
            raise KubeconfigError("the kubeconfig is neither JSON nor YAML") from None
    if not isinstance(config, dict):
        raise KubeconfigError("the kubeconfig is not an object")
    return cast("Json", config)


def _named(config: Json, kind: str, name: object) -> Json:
    return next(each for each in config[kind] if each["name"] == name)


def _tls(cluster: Json, user: Json) -> ssl.SSLContext:
    try:
        authority = _decoded(cluster, "certificate-authority-data")
        context = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        certificate, key = _decoded(user, "client-certificate-data"), _decoded(user, "client-key-data")
        if certificate and key:
            _load(context, certificate, key)
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError):
        raise KubeconfigError("a certificate or key in the kubeconfig cannot be read") from None
    return context


def _decoded(part: Json, key: str) -> bytes | None:
    if path := part.get(key.removesuffix("-data")):
        raise KubeconfigError(f"the kubeconfig names a file ({key.removesuffix('-data')}: {path}); give it as {key}")
    return base64.b64decode(part[key], validate=True) if part.get(key) else None


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # The ssl module takes them from files only; these are the user's alone and gone at once.
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        path = Path(folder) / "user.pem"
        path.touch(mode=0o600)
        path.write_bytes(certificate + b"\n" + key)
        context.load_cert_chain(path)


def _bearer(user: Json) -> Callable[[bool], str | None]:
    if command := user.get("exec"):
        return _Login(command).token
    token = user.get("token")
    if not token and not user.get("client-certificate-data"):
        raise KubeconfigError("the kubeconfig's user has no token, no certificate and no program that logs in")
    return lambda _: str(token) if token else None


class _Login:
    """A program that prints an ExecCredential (client.authentication.k8s.io), asked again when its token ends."""

    def __init__(self, command: Json) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def token(self, renew: bool) -> str:
        with self._lock:
            if renew or not self._token or time.time() > self._until - _EARLY_S:
                self._token, self._until = self._ask()
            return self._token

    def _ask(self) -> tuple[str, float]:
        name = str(self._command.get("command"))
        asked = {
            "apiVersion": self._command.get("apiVersion"),
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
        variables = {str(each["name"]): str(each["value"]) for each in self._command.get("env") or ()}
        try:
            done = subprocess.run(
                [name, *map(str, self._command.get("args") or ())],
                check=False,
                env=os.environ | variables | {"KUBERNETES_EXEC_INFO": json.dumps(asked)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LOGIN_S,
            )
        except FileNotFoundError:
            way = "az aks install-cli installs it" if name == "kubelogin" else "the kubeconfig asks for it"
            raise LoginError(f"{name} is not on PATH; {way}") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            why = (
                f"did not end within {LOGIN_S:.0f} s"
                if isinstance(error, subprocess.TimeoutExpired)
                else error.strerror
            )
            raise LoginError(f"{name}, which logs in to the cluster, {why}") from None
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())[-_SHOWN:] or "it said nothing"
            raise LoginError(f"{name} could not log in to the cluster: {said}; az login logs in")
        return _credential(name, done.stdout)


def _credential(name: str, answer: bytes) -> tuple[str, float]:
    try:
        status: Mapping[str, Any] = json.loads(answer)["status"]
        token, end = str(status["token"]), status.get("expirationTimestamp")
        until = datetime.fromisoformat(end).timestamp() if end else float("inf")
    except (ValueError, KeyError, TypeError):
        raise LoginError(f"{name} printed no token") from None
    return token, until
