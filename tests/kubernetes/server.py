"""A real control plane on loopback: etcd, the API server, the controllers of workloads, the scheduler. No node."""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.engine.harness import CHECKOUT
from tests.kubernetes.api import Address, Api, until

CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "serviceaccount-controller",
)


@contextmanager
def control_plane(programs: Path, folder: Path) -> Iterator[Address]:
    """A control plane whose data and logs are in `folder`; it ends with the block, or with this process.

    The login is an administrator's. `programs` holds what tools/kubernetes-server builds.
    """
    with ExitStack() as processes:
        etcd, peers, secure = _free_ports(3)
        login = Address(f"https://127.0.0.1:{secure}", "", secrets.token_urlsafe(16))
        client = f"http://127.0.0.1:{etcd}"
        peer = f"http://127.0.0.1:{peers}"
        processes.enter_context(
            _running(
                folder,
                [
                    str(programs / "etcd"),
                    *("--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--log-level", "warn"),
                    *("--listen-client-urls", client, "--advertise-client-urls", client),
                    *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                    *("--initial-cluster", f"default={peer}"),
                ],
            )
        )
        processes.enter_context(
            _running(folder, [str(programs / "kube-apiserver"), *_api_server(folder, client, secure, login.token)])
        )
        authority = folder / "certificates" / "apiserver.crt"
        until(authority.exists, f"a certificate of the API server (see {folder}/kube-apiserver.log)", seconds=60)
        address = Address(login.server, authority.read_text(), login.token)
        _wait_until_ready(address, folder)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(address.kubeconfig)
        common = ("--kubeconfig", str(kubeconfig), "--leader-elect=false", "--secure-port=0")
        rates = ("--kube-api-qps=500", "--kube-api-burst=1000")
        processes.enter_context(
            _running(
                folder,
                [
                    str(programs / "kube-controller-manager"),
                    *(*common, *rates, f"--controllers={','.join(CONTROLLERS)}"),
                ],
            )
        )
        processes.enter_context(_running(folder, [str(programs / "kube-scheduler"), *common, *rates]))
        yield address


def _api_server(folder: Path, etcd: str, port: int, token: str) -> Sequence[str]:
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{token},administrator,administrator,"system:masters"\n')
    key = folder / "service-accounts.key"
    key.write_bytes(
        rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return (
        *("--etcd-servers", etcd, "--secure-port", str(port), "--bind-address", "127.0.0.1"),
        *("--cert-dir", str(folder / "certificates"), "--endpoint-reconciler-type=none"),
        *("--token-auth-file", str(tokens), "--authorization-mode=RBAC", "--anonymous-auth=false"),
        *("--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file", str(key)),
        *("--service-account-signing-key-file", str(key), "--service-cluster-ip-range=10.0.0.0/16"),
        *("--kubelet-preferred-address-types=InternalIP", "--allow-privileged=true"),
        # Tests are fast and many from one address: nobody shall wait in a queue of the API server's own.
        *("--enable-priority-and-fairness=false", "--max-requests-inflight=0", "--max-mutating-requests-inflight=0"),
    )


@contextmanager
def _running(folder: Path, command: Sequence[str]) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.log").open("w") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],  # not even a killed pytest leaves it behind
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield
        finally:
            process.kill()  # nothing of it is kept
            process.wait()


def _wait_until_ready(address: Address, folder: Path) -> None:
    api = Api(address)
    end = time.monotonic() + 60
    while True:
        try:
            answer = api.http.get("/readyz?verbose")
            if answer.status_code == 200 and api.find("v1", "Namespace", "default"):
                break
            last = answer.text
        except httpx.TransportError as error:
            last = str(error)
        assert time.monotonic() < end, f"the API server is not ready: {last}; see {folder}/kube-apiserver.log"
        time.sleep(0.1)
    api.close()


def _free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on."""
    with ExitStack() as probes:
        found = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in found:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in found]


def programs() -> Path:
    """The folder of the control plane's programs; they are built the first time."""
    done = subprocess.run(
        [CHECKOUT / "tools" / "kubernetes-server"], check=True, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    return Path(done.stdout.strip())
