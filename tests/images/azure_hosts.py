"""Hosts of Azure's and of public registries, led to servers on loopback: a proxy that ends TLS for them.

Everything else goes through as it is: a build fetches its packages from where this machine does.
"""

import select
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.unit.cluster.pki import issue

_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PIECE = 1 << 16


class Hosts:
    """A proxy; `hosts` are suffixes of names and the `host:port` on this machine that answers for them, without TLS."""

    def __init__(self, folder: Path, hosts: Mapping[str, str]) -> None:
        now = datetime.now(UTC)
        begins, ends = now - timedelta(days=1), now + timedelta(days=1)
        authority = issue("Tests", authority=True, begins=begins, ends=ends)
        wild = [name for host in hosts for name in (host, f"*.{host}")]
        leaf = issue("hosts", by=authority, names=wild, begins=begins, ends=ends)
        self.authorities = folder / "authorities.pem"
        self.authorities.write_text(_AUTHORITIES.read_text() + authority.pem)
        chain = folder / "hosts.pem"
        chain.write_text(leaf.pem + leaf.key_pem)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(chain)
        self._hosts = hosts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends = False

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment in which programs come here."""
        proxy = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        return {"HTTPS_PROXY": proxy, "https_proxy": proxy, "SSL_CERT_FILE": str(self.authorities)}

    @contextmanager
    def running(self) -> Iterator["Hosts"]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._serve, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ends = True
            with suppress(OSError):
                socket.create_connection(self._listener.getsockname()).close()
            thread.join()
            self._listener.close()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._ends:
                client.close()
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(1)
                if not piece:
                    return
                head += piece
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            if method != "CONNECT":
                client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n")
                return
            host = target.rpartition(":")[0]
            behind = next((to for name, to in self._hosts.items() if host == name or host.endswith(f".{name}")), None)
            address = behind or target
            name, _, port = address.rpartition(":")
            with socket.create_connection((name, int(port)), timeout=60) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                ended = self._tls.wrap_socket(client, server_side=True) if behind else client
                _pass_on(ended, server)


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Copy both ways until either side ends."""
    one.settimeout(None)
    other.settimeout(None)
    while True:
        # What TLS has read already is not seen by select.
        waiting = isinstance(one, ssl.SSLSocket) and one.pending() > 0
        ready = [one] if waiting else select.select([one, other], [], [])[0]
        for source in ready:
            data = source.recv(_PIECE)
            if not data:
                return
            (other if source is one else one).sendall(data)
