"""The names and ports that a cluster must reach when a firewall stands before its way out."""

import json
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

Need = Literal["public", "prometheus", "containerInsights", "gpu", "packages", "gateway"]
"""What makes a name needed: a public API server, an add-on, GPU drivers, nodes that install packages themselves, or the
gateway's images from where their publishers have them."""


class Endpoint(NamedTuple):
    """Something that the nodes must reach."""

    name: str
    """A host name, `*` for any first part, or words where the address is only known later."""
    port: str
    """`HTTPS 443`"""


def required(location: str, needs: Collection[Need]) -> tuple[Endpoint, ...]:
    """Return what a cluster in `location` with these needs must reach, in the order of the table, each once."""
    found = [
        Endpoint(name.replace("{location}", location), port)
        for name, port, needed in _table()
        if needed == "always" or needed in needs
    ]
    return tuple(dict.fromkeys(found))


def as_text(endpoints: Collection[Endpoint]) -> str:
    """`HTTPS 443 to mcr.microsoft.com, management.azure.com; HTTP 80 to security.ubuntu.com`"""
    ports = dict.fromkeys(endpoint.port for endpoint in endpoints)
    groups = {port: [endpoint.name for endpoint in endpoints if endpoint.port == port] for port in ports}
    return "; ".join(f"{port} to {', '.join(names)}" for port, names in groups.items())


@cache
def _table() -> tuple[tuple[str, str, str], ...]:
    table = json.loads(files("tidegate.cluster").joinpath("data", "egress.json").read_text(encoding="utf-8"))
    return tuple((row["name"], row["port"], row["needed"]) for row in table["endpoints"])
