"""What the program registers for the example environments on Azure, against the strict stand-ins."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stacks.azure import deploy
from tests.golden.azure import normal, project
from tests.golden.conftest import Golden
from tests.standins.cloud import SUBSCRIPTION, Cloud
from tests.standins.mocks import Recorded, named, record
from tidegate.config import from_file

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLES = CHECKOUT / "examples" / "environments"
ELSEWHERE = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hub"
"""The subscription that the examples write out."""
HERE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
THEIRS = f"{HERE}/others/providers/Microsoft.ContainerService/managedClusters/theirs"


ATTACHED = {
    "resourceId": THEIRS,
    "location": "westeurope",
    "kubeletObjectId": "20000000-0000-4000-8000-000000000001",
    "oidcIssuer": "https://westeurope.oic.prod-aks.azure.com/theirs/",
    "nodeResourceGroup": "MC_others_theirs_westeurope",
    "kubernetesVersion": "1.36.3",
    "apiServerAddress": "theirs.hcp.westeurope.azmk8s.io",
}


@pytest.mark.parametrize("name", ["defaults", "waf-aligned", "max"])
def test_a_platform(name: str, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_DEPLOYER_ADDRESS", "198.51.100.7")
    environment = from_file(EXAMPLES / f"Pulumi.{name}.yaml", root=EXAMPLES)
    azure = environment.azure
    assert azure is not None
    cloud = Cloud(tmp_path / "cloud")
    if azure.workspace:
        workspace = azure.workspace.model_copy(update={"service_tags": _service_tags(tmp_path)})
        environment = replace(environment, azure=azure.model_copy(update={"workspace": workspace}))
        _what_exists(cloud)
    recorded = record(
        lambda: deploy(environment, EXAMPLES),
        cloud=cloud.root,
        stack=name,
        given={"tidegate-serving:azure:ClusterAttachment": ATTACHED},
    )
    golden(f"environments/{name}", normal(recorded))


def test_an_endpoint_is_served_in_dev_and_promoted_to_prod(
    golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path / "project", CHECKOUT)
    monkeypatch.chdir(root)
    logins = {"auths": {"scoringdev7421.azurecr.io": {"auth": "dXNlcjpwYXNzd29yZA=="}}}
    (tmp_path / "config.json").write_text(json.dumps(logins))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def recorded(name: str, images: dict[str, Any]) -> list[Recorded]:
        environment = from_file(root / f"Pulumi.{name}.yaml", root=root)
        key = {"tidegate-serving:index:ApiKey": {"value": "0123456789abcdefghijklmnopqrstuvwxyz"}}
        ran = {"pulumi:pulumi:readStackOutputs": {"images": images}}
        return record(lambda: deploy(environment, root), cloud=tmp_path / name, stack=name, given=key | ran)

    dev = recorded("dev", {})
    golden("environments/dev", normal(dev))
    images = named(dev, "pulumi:pulumi:Stack")["outputs"]["images"]
    shared = f"{ELSEWHERE.rpartition('/')[0]}/scoring-dev"
    for path in ("", "/providers/Microsoft.ContainerRegistry/registries/scoringdev7421"):
        Cloud(tmp_path / "prod").put(shared + path, {"location": "westeurope", "properties": {}})
    prod = recorded("prod", images)
    golden("environments/prod", normal(prod))
    assert named(prod, "pulumi:pulumi:Stack")["outputs"]["images"].items() <= images.items()
    assert not [each for each in prod if each["type"].startswith("docker-build:")]


def test_the_endpoints_are_those_of_one_machine() -> None:
    local, *others = (
        YAML(typ="safe").load(CHECKOUT / f"Pulumi.{name}.yaml")["config"] for name in ("local", "dev", "prod")
    )
    for other in others:
        assert other["tidegate:endpoints"] == local["tidegate:endpoints"]
        assert other["tidegate:models"] == local["tidegate:models"]


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
