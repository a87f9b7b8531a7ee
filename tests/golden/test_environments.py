"""What the program registers for the example environments on Azure, against the strict stand-ins."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stacks.azure import deploy
from tests.golden.azure import normal
from tests.golden.conftest import Golden
from tests.standins.cloud import SUBSCRIPTION, Cloud
from tests.standins.mocks import record
from tidegate.config import from_file

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLES = CHECKOUT / "examples" / "environments"
ELSEWHERE = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hub"
"""The subscription that the examples write out."""
HERE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
THEIRS = f"{HERE}/others/providers/Microsoft.ContainerService/managedClusters/theirs"


@pytest.mark.parametrize(
    ("folder", "name"),
    [(EXAMPLES, "defaults"), (EXAMPLES, "waf-aligned"), (EXAMPLES, "max"), (CHECKOUT, "dev"), (CHECKOUT, "prod")],
)
def test_an_environment(
    folder: Path, name: str, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_DEPLOYER_ADDRESS", "198.51.100.7")
    environment = from_file(folder / f"Pulumi.{name}.yaml", root=folder)
    azure = environment.azure
    assert azure is not None
    cloud = Cloud(tmp_path / "cloud")
    if azure.workspace:
        workspace = azure.workspace.model_copy(update={"service_tags": _service_tags(tmp_path)})
        environment = replace(environment, azure=azure.model_copy(update={"workspace": workspace}))
        _what_exists(cloud)
    attached = {
        "resourceId": THEIRS,
        "location": "westeurope",
        "kubeletObjectId": "20000000-0000-4000-8000-000000000001",
        "oidcIssuer": "https://westeurope.oic.prod-aks.azure.com/theirs/",
        "nodeResourceGroup": "MC_others_theirs_westeurope",
        "kubernetesVersion": "1.36.3",
        "apiServerAddress": "theirs.hcp.westeurope.azmk8s.io",
    }
    recorded = record(
        lambda: deploy(environment, folder),
        cloud=cloud.root,
        stack=name,
        given={"tidegate-serving:azure:ClusterAttachment": attached},
    )
    golden(f"environments/{name}", normal(recorded))


def _service_tags(folder: Path) -> Path:
    ranges = {"WestEurope": ["192.0.2.0/25", "2001:db8::/32"], "NorthEurope": ["192.0.2.128/25"]}
    values = [
        {"name": f"AzureMachineLearning.{region}", "properties": {"region": region.lower(), "addressPrefixes": found}}
        for region, found in ranges.items()
    ]
    path = folder / "ServiceTags_Public.json"
    path.write_text(json.dumps({"values": values}))
    return path


def _what_exists(cloud: Cloud) -> None:
    """The hub's network and workspaces, and somebody else's cluster."""
    network, routes = "Microsoft.Network/virtualNetworks/hub", "Microsoft.Network/routeTables/hub"
    delegated = {
        "delegations": [{"name": "it", "properties": {"serviceName": "Microsoft.ContainerService/managedClusters"}}]
    }
    default = {"properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance"}}
    existing: dict[str, dict[str, Any]] = {"": {}, f"/providers/{network}": {}}
    existing["/providers/Microsoft.OperationalInsights/workspaces/hub"] = {}
    existing["/providers/Microsoft.MachineLearningServices/workspaces/scoring-ml"] = {}
    existing[f"/providers/{routes}"] = {"routes": [default]}
    existing[f"/providers/{network}/subnets/apiserver"] = {"addressPrefix": "10.20.4.0/28", **delegated}
    for base in (f"{HERE}/hub", ELSEWHERE):
        table = {"routeTable": {"id": f"{base}/providers/{routes}"}}
        existing[f"/providers/{network}/subnets/scoring"] = {"addressPrefix": "10.20.0.0/22", **table}
        for path, properties in existing.items():
            cloud.put(base + path, {"location": "westeurope", "properties": properties})
    theirs = {"fqdn": "theirs.hcp.westeurope.azmk8s.io", "provisioningState": "Succeeded", "resourceUID": "theirs"}
    cloud.put(THEIRS, {"location": "westeurope", "properties": theirs})
