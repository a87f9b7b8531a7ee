"""What the component registers, in a pretended cloud that refuses what a cluster refuses."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from components.cluster_access import ClusterAccess
from components.cluster_objects import ClusterObjects
from components.gateway import Gateway
from components.manifest import register_manifest
from providers.values import Secret
from tests.standins import kubernetes_objects
from tests.standins.aks import CLUSTERS
from tests.standins.cloud import SUBSCRIPTION, Cloud
from tests.standins.invokes import kubeconfig
from tests.standins.mocks import Recorded, record
from tests.unit.cluster.specs import cluster
from tests.unit.gateway.specs import ISSUED, OWN, attached
from tidegate.cluster.kubeconfig import rewrite
from tidegate.cluster.spec import AttachedClusterSpec, ClusterSpec
from tidegate.gateway.bundles import BundleName, read_bundle
from tidegate.gateway.plan import plan_gateway

THEIRS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/others/providers/{CLUSTERS}/theirs"
Register = Callable[..., dict[str, Recorded]]


@pytest.fixture
def register(tmp_path: Path) -> Register:
    """Registers the gateway of a cluster that has some bundles: what is registered by kind and name."""
    cloud = Cloud(tmp_path)
    facts = {"fqdn": "theirs.example", "provisioningState": "Succeeded", "resourceUID": "theirs"}
    cloud.put(THEIRS, {"id": THEIRS, "properties": facts})
    login = rewrite(encoded(kubeconfig(cloud.require(THEIRS))), "azurecli")

    def run(spec: ClusterSpec | AttachedClusterSpec, *there: BundleName) -> dict[str, Recorded]:
        for each in (each for bundle in there for each in read_bundle(bundle).objects):
            folder = kubernetes_objects.objects(cloud, THEIRS) / "apiextensions.k8s.io" / each["kind"] / "_"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{each['metadata']['name']}.object").write_text(json.dumps(each))

        def program() -> None:
            body = pulumi.ComponentResource("tests:index:Cluster", "cluster")
            made = isinstance(spec, ClusterSpec)
            access = ClusterAccess(
                kubeconfig=pulumi.Output.secret(login),
                identifier="others/theirs",
                after=(body,),
                cluster=body if made else None,
                uid=pulumi.Output.from_input("first life") if made else None,
            )
            objects = ClusterObjects("main", spec, access)
            gateway = Gateway("main", objects, plan_gateway(spec))
            route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
            metadata = {"name": "late", "namespace": "tidegate-gateway"}
            options = objects.options(gateway, *gateway.ready)
            register_manifest("late", {**route, "metadata": metadata, "spec": {}}, options)
            pulumi.export("address", gateway.address)

        recorded = record(program, cloud=tmp_path)
        assert "KEY" not in repr(recorded)
        return {f"{each['type'].rpartition(':')[2]} {each['name']}": each for each in recorded}

    return run


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def waits(recorded: Recorded) -> set[str]:
    return {each.rpartition("::")[2] for each in recorded["options"]["dependsOn"]}


def test_everything_comes_in_an_order_in_which_it_works(register: Register) -> None:
    found = register(cluster(tls=ISSUED))
    gateway = found["Gateway main.tidegate-gateway.scoring"]
    assert {"main.tidegate-gateway.answers", "main.tidegate-gateway.scoring"} <= waits(gateway)
    assert "main.cert-manager-webhook" in waits(gateway)  # the last of the last bundle
    controller = found["Deployment main.envoy-gateway-system.envoy-gateway"]
    assert waits(controller) >= {"main.envoy-gateway-system.envoy-gateway-certgen-v1-9-1"}
    definitions = [each for name, each in found.items() if name.startswith("CustomResourceDefinition")]
    bundles: tuple[BundleName, ...] = ("gateway-api", "envoy-gateway-crds", "cert-manager")
    published = [each for bundle in bundles for each in read_bundle(bundle).objects]
    assert len(definitions) == len([each for each in published if each["kind"] == "CustomResourceDefinition"])
    assert "main.tidegate-gateway.scoring" in waits(found["ClusterIssuer main.tidegate-acme"])
    assert "main.tidegate-acme" in waits(found["Certificate main.tidegate-gateway.scoring-certificate"])
    assert "main.tidegate-gateway.scoring-certificate" in waits(found["HTTPRoute late"])


def test_all_of_it_goes_with_a_cluster_that_is_made_here(register: Register) -> None:
    found = register(cluster(tls=OWN))
    inside = [each for each in found.values() if each["type"].startswith("kubernetes:")]
    assert len(inside) > 50
    for each in inside:
        assert each["options"]["deletedWith"].endswith("::cluster")
        assert each["options"]["deleteBeforeReplace"] is True
    assert isinstance(found["Secret main.scoring-certificate"]["inputs"]["data"], Secret)
    assert "main.scoring-certificate" in waits(found["Gateway main.tidegate-gateway.scoring"])


def test_all_of_it_is_taken_out_of_a_cluster_that_is_attached(register: Register) -> None:
    found = register(attached(installed=("gatewayApi",)), "gateway-api")
    inside = [each for each in found.values() if each["type"].startswith("kubernetes:")]
    assert inside
    assert not [each for each in inside if "deletedWith" in each["options"] or "replaceWith" in each["options"]]
    definitions = {name for name in found if name.startswith("CustomResourceDefinition")}
    assert definitions
    assert all(name.endswith(".gateway.envoyproxy.io") for name in definitions)


def test_what_a_cluster_is_said_to_have_has_to_be_there(register: Register) -> None:
    with pytest.raises(AssertionError, match='no matches for kind "GatewayClass"'):
        register(attached(installed=("gatewayApi",)))


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        (cluster(), "http://203.0.113.80"),
        (cluster(tls=OWN), "https://a.example.com"),
        (cluster(tls=ISSUED), "https://scores.westeurope.cloudapp.azure.com"),
    ],
)
def test_where_it_is_reached(register: Register, spec: ClusterSpec, address: str) -> None:
    (stack,) = (each for name, each in register(spec).items() if name.startswith("Stack "))
    assert stack["outputs"]["address"] == address
