"""Complete specs to plan from."""

from typing import Any

from tidegate.cluster.spec import ClusterSpec, CreatedNetwork, PoolSpec, Subnet

SYSTEM = PoolSpec(name="system", vm_size="Standard_D4s_v5", count=3, mode="System")

CREATED = CreatedNetwork(
    address_space="10.224.0.0/16",
    subnets=(
        Subnet(name="nodes", cidr="10.224.0.0/17"),
        Subnet(name="endpoints", cidr="10.224.192.0/24"),
        Subnet(name="scoring", cidr="10.224.224.0/24"),
        Subnet(name="apiserver", cidr="10.224.240.0/28", delegation="Microsoft.ContainerService/managedClusters"),
    ),
)


def cluster(**changes: Any) -> ClusterSpec:
    """A cluster from defaults, with changes."""
    given: dict[str, Any] = {
        "name": "prod",
        "purpose": "FastProd",
        "location": "westeurope",
        "resource_group": "scoring",
        "dns_prefix": "prod",
        "system_pool": SYSTEM,
    }
    return ClusterSpec(**given | changes)


def pool(**changes: Any) -> PoolSpec:
    """A user pool of two nodes, with changes."""
    given: dict[str, Any] = {"name": "scoring", "vm_size": "Standard_D8s_v5", "count": 2}
    return PoolSpec(**given | changes)
