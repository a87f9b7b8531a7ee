"""What is needed to put something into a cluster."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class ClusterAccess:
    """The way into a cluster, whether it is made here or attached."""

    kubeconfig: pulumi.Output[str]
    """Secret."""
    identifier: str
    """What tells the cluster from others for as long as the stack uses it."""
    after: tuple[pulumi.Resource, ...]
    """What has to be there before anything can be put into it: the cluster, and the right to."""
    cluster: pulumi.Resource | None
    """What takes all its objects along when it goes; None where it stays and they are taken out."""
    uid: pulumi.Output[str] | None
    """Another one for each life of the cluster; None where nobody here makes it anew."""
