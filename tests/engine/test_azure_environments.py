"""The environments that the project comes with, each made on the real engine and quiet the second time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.engine.azure_harness import AzureStack
from tests.engine.harness import CHECKOUT
from tests.standins.aks import CLUSTERS
from tests.standins.arm import Arm
from tests.standins.arm_server import SERVICE_TAGS, put_cluster, write_answers
from tests.standins.cloud import SUBSCRIPTION, Body, Cloud

pytestmark = pytest.mark.engine

NewAzure = Callable[..., AzureStack]
EXAMPLES = CHECKOUT / "examples" / "environments"
WRITTEN = "00000000-0000-0000-0000-000000000000"
"""The subscription in the examples' ids."""


SERVED = ("tidegate:models", "tidegate:endpoints", "tidegate:promoteFrom")
"""What is on the platform: it takes a real API server, which the tests in `tests/kubernetes` have."""


def config(path: Path) -> dict[str, Any]:
    written = YAML(typ="safe").load(path.read_text().replace(WRITTEN, SUBSCRIPTION))["config"]
    return {key: value for key, value in written.items() if key not in SERVED}


@pytest.mark.parametrize(
    "path",
    [CHECKOUT / "Pulumi.dev.yaml", CHECKOUT / "Pulumi.prod.yaml"]
    + [EXAMPLES / f"Pulumi.{name}.yaml" for name in ("defaults", "waf-aligned", "max")],
    ids=lambda path: path.suffixes[0][1:],
)
def test_an_environment_is_made_and_quiet(new_azure: NewAzure, path: Path) -> None:
    name = path.suffixes[0][1:]
    stack = new_azure(name, config(path))
    what_exists(stack.cloud)
    shared_registry(stack)
    before = {each["id"] for each in stack.cloud.all()}
    stack.up().require()
    stack.up("--expect-no-changes").require()
    if "tidegate:allowReplacement" not in stack.config:  # which lets changes of the cluster's list of pools through
        stack.preview("--refresh", "--expect-no-changes").require()
    if stack.config["tidegate:clusters"] and name != "dev":
        refused = stack.destroy().require_failure().output
        assert "protected" in refused
        stack.pulumi("state", "unprotect", "--all", "--yes", "--stack", name).require()
    stack.destroy().require()
    assert {each["id"] for each in stack.cloud.all()} == before


def test_a_protected_environment_is_refused_before_anything_is_deleted(new_azure: NewAzure) -> None:
    stack = new_azure("prod", config(CHECKOUT / "Pulumi.prod.yaml"))
    shared_registry(stack)
    stack.up().require()
    before = stack.cloud.all()
    done = stack.pulumi("destroy", "--preview-only", "--non-interactive", "--stack", "prod")
    assert "protected" in done.require_failure().output
    assert stack.cloud.all() == before


def shared_registry(stack: AzureStack) -> None:
    """The registry of another stack, where this one's config names one."""
    identity: str | None = stack.config.get("tidegate:registry", {}).get("resourceId")
    if identity:
        stack.cloud.put(identity.partition("/providers/")[0], {"location": "westeurope", "properties": {}})
        registry = {"location": "westeurope", "sku": {"name": "Standard"}, "properties": {}}
        Arm(stack.cloud).put(identity, registry, create=True)


def what_exists(cloud: Cloud) -> None:
    """What the example *max* uses and does not make: a hub, a workspace, somebody else's cluster."""
    arm = Arm(cloud)
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub"
    cloud.put(group, {"location": "westeurope", "properties": {}})
    route = {"addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.20.8.4"}
    routes = arm.put(
        f"{group}/providers/Microsoft.Network/routeTables/hub",
        {"location": "westeurope", "properties": {"routes": [{"name": "default", "properties": route}]}},
        create=True,
    )
    delegation = {"name": "aks", "properties": {"serviceName": CLUSTERS}}
    subnets: list[Body] = [
        {"name": "scoring", "properties": {"addressPrefix": "10.20.0.0/22", "routeTable": {"id": routes["id"]}}},
        {"name": "apiserver", "properties": {"addressPrefix": "10.20.4.0/28", "delegations": [delegation]}},
    ]
    space = {"addressSpace": {"addressPrefixes": ["10.20.0.0/16"]}, "subnets": subnets}
    network = f"{group}/providers/Microsoft.Network/virtualNetworks/hub"
    arm.put(network, {"location": "westeurope", "properties": space}, create=True)
    for path in (
        "Microsoft.OperationalInsights/workspaces/hub",
        "Microsoft.MachineLearningServices/workspaces/scoring-ml",
    ):
        arm.put(f"{group}/providers/{path}", {"location": "westeurope", "properties": {}}, create=True)
    pool = {"name": "system", "mode": "System", "count": 3, "vmSize": "Standard_D4s_v5"}
    theirs = {
        "dnsPrefix": "theirs",
        "agentPoolProfiles": [pool],
        "aadProfile": {"managed": True, "enableAzureRBAC": True},
    }
    put_cluster(cloud, "others", "theirs", {"location": "westeurope", "properties": theirs})
    write_answers(cloud.root, SERVICE_TAGS, {location: service_tags() for location in ("westeurope", "northeurope")})


def service_tags() -> Body:
    ranges = {"WestEurope": ["192.0.2.0/25", "2001:db8::/32"], "NorthEurope": ["192.0.2.128/25"]}
    values = [
        {
            "name": f"AzureMachineLearning.{region}",
            "id": f"AzureMachineLearning.{region}",
            "properties": {
                "region": region.lower(), "systemService": "AzureMachineLearning", "addressPrefixes": prefixes,
            },
        }
        for region, prefixes in ranges.items()
    ]  # fmt: skip
    return {"name": "Public", "cloud": "Public", "changeNumber": "1", "values": values}
