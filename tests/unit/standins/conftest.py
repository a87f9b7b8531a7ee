"""A pretended Azure with a resource group in it."""

from pathlib import Path
from typing import Any

import pytest

from tests.standins.aks import CLUSTERS
from tests.standins.arm import Arm
from tests.standins.cloud import SUBSCRIPTION, Body, Cloud

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/scoring"
CLUSTER = f"{GROUP}/providers/{CLUSTERS}/scoring"


class Azure:
    """Short ways to put things there."""

    def __init__(self, root: Path) -> None:
        self.cloud = Cloud(root)
        self.arm = Arm(self.cloud)
        self.cloud.put(GROUP, {"location": "westeurope", "properties": {}})

    def id(self, path: str) -> str:
        return f"{GROUP}/providers/{path}"

    def put(self, path: str, *, create: bool = True, **properties: Any) -> Body:
        """Create (or change) `<type>/<name>` in the group."""
        return self.arm.put(self.id(path), {"location": "westeurope", "properties": properties}, create=create)

    def cluster(
        self, *, create: bool = True, tier: str = "Free", identity: Body | None = None, **properties: Any
    ) -> Body:
        """Create (or change) the cluster `scoring`."""
        body: Body = {
            "location": "westeurope",
            "sku": {"name": "Base", "tier": tier},
            "properties": self.given(properties),
        }
        if identity:
            body["identity"] = identity
        return self.arm.put(CLUSTER, body, create=create)

    def given(self, properties: Body) -> Body:
        system = {"name": "system", "mode": "System", "count": 2, "vmSize": "Standard_D4s_v5"}
        return {"dnsPrefix": "scoring", "agentPoolProfiles": [system], **properties}

    def pool(self, name: str = "pool", *, create: bool = True, **properties: Any) -> Body:
        """Create (or change) a pool of it."""
        given = {"count": 1, "vmSize": "Standard_D4s_v5", **properties}
        return self.arm.put(f"{CLUSTER}/agentPools/{name}", {"properties": given}, create=create)


@pytest.fixture
def azure(tmp_path: Path) -> Azure:
    return Azure(tmp_path / "cloud")
