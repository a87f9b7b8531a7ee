"""The stack `prod` with as many clusters as one likes."""

from dataclasses import replace
from pathlib import Path

from tidegate.config import Environment, from_file

CHECKOUT = Path(__file__).resolve().parents[1]


def environment(clusters: int) -> Environment:
    """The stack `prod`, its cluster there so many times under different names."""
    given = from_file(CHECKOUT / "Pulumi.prod.yaml", root=CHECKOUT)
    azure = given.azure
    if azure is None:
        raise TypeError("Pulumi.prod.yaml is no stack on Azure")
    (cluster,) = azure.clusters
    names = [cluster.name, *(f"{cluster.name}-{number}" for number in range(2, clusters + 1))]
    copies = tuple(cluster.model_copy(update={"name": name, "dns_prefix": name}) for name in names)
    return replace(given, azure=azure.model_copy(update={"clusters": copies}))
