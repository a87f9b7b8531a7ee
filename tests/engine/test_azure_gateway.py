"""A gateway in a cluster on the real engine, over the stand-ins."""

from collections.abc import Callable

import pytest

from tests.engine.azure_harness import AzureStack
from tests.engine.harness import CHECKOUT
from tests.standins import kubernetes_objects
from tidegate.gateway.bundles import read_bundle

pytestmark = pytest.mark.engine

THE_CLUSTER = "azure-native:containerservice:ManagedCluster::main.cluster"
PROXIES = "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy::main.tidegate-gateway.scoring"


@pytest.fixture
def served(new_azure: Callable[..., AzureStack]) -> AzureStack:
    """A cluster with a gateway; not made yet."""
    stack = new_azure("dev", {})
    program = stack.root / "__main__.py"
    program.unlink()
    program.write_text((CHECKOUT / "tests" / "engine" / "gateway_program" / "__main__.py").read_text())
    return stack


def kinds(stack: AzureStack, kind: str) -> list[str]:
    return [each["metadata"]["name"] for each in kubernetes_objects.find(stack.cloud, stack.id(), kind)]


def in_kubernetes(steps: dict[str, str]) -> dict[str, str]:
    return {name: step for name, step in steps.items() if "kubernetes:" in name}


def test_a_gateway_is_made_stays_and_goes(served: AzureStack) -> None:
    served.up().require()
    assert served.outputs()["address"] == "https://scores.westeurope.cloudapp.azure.com"
    for bundle in ("gateway-api", "envoy-gateway-crds", "envoy-gateway", "cert-manager"):
        for each in read_bundle(bundle).objects:
            assert each["metadata"]["name"] in kinds(served, each["kind"])
    served.preview("--refresh", "--expect-no-changes").require()
    # An update of the cluster, during which Azure's answers change, plans nothing in Kubernetes.
    served.config["tidegate:team"] = "b"
    steps = served.steps()
    assert steps[THE_CLUSTER] == "update"
    assert in_kubernetes(steps) == {}
    served.config["tidegate:longest"] = 400
    assert in_kubernetes(served.steps()) == {PROXIES: "update"}
    served.up().require()
    served.destroy().require()
    assert served.cloud.all() == []


def test_a_cluster_that_was_deleted_outside_comes_back_with_its_gateway(served: AzureStack) -> None:
    served.config["tidegate:plain"] = True
    served.up().require()
    assert served.outputs()["address"] == "http://203.0.113.80"
    before = {kind: kinds(served, kind) for kind in ("Gateway", "CustomResourceDefinition", "HTTPRoute", "Deployment")}
    served.cloud.delete(served.id())
    served.up("--refresh").require()
    assert {kind: kinds(served, kind) for kind in before} == before
    served.preview("--refresh", "--expect-no-changes").require()


def test_what_an_attached_cluster_lacks_is_said_with_the_command_that_brings_it(served: AzureStack) -> None:
    served.config["tidegate:attached"] = True
    output = served.up().require_failure().output
    assert "cluster main: it has no GatewayClass of gateway.networking.k8s.io/v1" in output
    assert "az aks update --resource-group GROUP --name CLUSTER --enable-gateway-api" in output
