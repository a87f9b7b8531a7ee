"""How the versions of a local stack are, for those who only look."""

from dataclasses import dataclass
from pathlib import Path

from providers.local.deployment import name_of, sockets
from providers.local.envoy_admin import Admin, AdminUnreachableError
from providers.local.layout import Layout
from providers.local.probe import healthy
from providers.local.supervisor import Supervisor


@dataclass(frozen=True)
class Running:
    """One version that runs: its replicas, and its requests as the gateway has counted them since its start."""

    replicas: int
    ready: int
    restarts: int
    in_flight: int
    requests: int
    server_errors: int


def running_versions(state: Path) -> dict[tuple[str, str], Running]:
    """What runs, by endpoint and version."""
    layout = Layout(state)
    folders = sorted(layout.deployments.glob("*"), key=lambda folder: not (folder / "retired").exists())
    # A version has two where the newer one failed its sample; the newer one comes last and is shown.
    return {name_of(folder.name): _running(layout, folder.name) for folder in folders}


def _running(layout: Layout, identity: str) -> Running:
    supervisor = Supervisor(layout)
    replicas = len(supervisor.processes(identity))
    try:
        counts = Admin(layout.admin_socket).requests(identity)
    except AdminUnreachableError:
        counts = {}
    return Running(
        replicas=replicas,
        ready=sum(map(healthy, sockets(layout, identity, replicas))),
        restarts=supervisor.restarts(identity),
        in_flight=counts.get("active", 0),
        requests=counts.get("total", 0),
        server_errors=counts.get("5xx", 0),
    )
