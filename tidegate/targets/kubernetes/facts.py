"""What an endpoint's plan has to know of the cluster."""

from dataclasses import dataclass

from tidegate.cluster.spec import PoolSpec


@dataclass(frozen=True)
class ClusterFacts:
    """A cluster as its endpoints see it."""

    name: str
    """As the config says it."""
    host: str = ""
    """The gateway's host name; empty: it answers to any."""
    tls: bool = False
    """Whether the gateway serves HTTPS, and then nothing else."""
    production: bool = False
    keda: bool = False
    """Whether KEDA is there, and Prometheus for it to ask."""
    records: str = ""
    """A blob container's URL, for collected data and for what scripts write under ./outputs; empty: both are lost."""
    insights: bool = False
    """Whether there is an Application Insights to report to."""
    pools: tuple[PoolSpec, ...] = ()
    """Empty where they are not known: a cluster that is attached."""
