"""How the processes of a local stack are, for those who only look."""

from pathlib import Path

from providers.local.deployment import name_of, sockets
from providers.local.layout import Layout
from providers.local.probe import healthy
from providers.local.supervisor import Supervisor


def replicas(state: Path) -> dict[tuple[str, str], dict[str, int]]:
    """For each (endpoint, version) that runs: its `replicas`, how many are `ready`, how often any was restarted."""
    layout = Layout(state)
    supervisor = Supervisor(layout)
    found: dict[tuple[str, str], dict[str, int]] = {}
    for folder in sorted(layout.deployments.glob("*")):
        wanted = len(supervisor.processes(folder.name))
        found[name_of(folder.name)] = {
            "replicas": wanted,
            "ready": sum(map(healthy, sockets(layout, folder.name, wanted))),
            "restarts": supervisor.restarts(folder.name),
        }
    return found
