"""What others publish, as it was rendered."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gateway.specs import SPECS
from tidegate.cluster.capacity import platform_demands
from tidegate.gateway.bundles import BundleName, read_bundle
from tidegate.gateway.plan import plan_gateway

CHECKOUT = Path(__file__).parents[3]
BUNDLES: tuple[BundleName, ...] = ("gateway-api", "envoy-gateway-crds", "envoy-gateway", "cert-manager")


def pods(bundle: BundleName) -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in read_bundle(bundle).objects if each["kind"] in PODS]


PODS = ("Deployment", "Job")


def test_the_gateway_is_the_one_that_translates_in_tests() -> None:
    module = (CHECKOUT / "tools" / "egctl-module" / "go.mod").read_text()
    (version,) = re.findall(r"github\.com/envoyproxy/gateway (v[\d.]+)", module)
    assert read_bundle("envoy-gateway").version == read_bundle("envoy-gateway-crds").version == version
    (api,) = re.findall(r"sigs\.k8s\.io/gateway-api (v[\d.]+)", module)
    assert read_bundle("gateway-api").version == api


@pytest.mark.parametrize("bundle", BUNDLES)
def test_what_others_need_comes_first(bundle: BundleName) -> None:
    stages = read_bundle(bundle).stages
    order = {each["kind"]: number for number, stage in enumerate(stages) for each in stage}
    later = ("Job", "Deployment", "MutatingWebhookConfiguration")
    assert order.get("CustomResourceDefinition", 0) == 0
    numbers = [order[kind] for kind in later if kind in order]
    assert numbers == sorted(set(numbers))
    # pulumi-kubernetes waits until pods stand behind a Service: it must not wait for what brings them.
    assert order.get("Service") == order.get("Deployment")
    last = {*later, "Service", "ValidatingWebhookConfiguration"}
    assert all(number < min(numbers, default=99) for kind, number in order.items() if kind not in last)


@pytest.mark.parametrize("name", SPECS)
def test_every_object_has_a_namespace_that_is_made(name: str) -> None:
    plan = plan_gateway(SPECS[name])
    for bundle in plan.bundles:
        for each in read_bundle(bundle).objects:
            assert each["metadata"].get("namespace") in (None, *plan.namespaces)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_nothing_is_said_to_be_helms(bundle: BundleName) -> None:
    for each in read_bundle(bundle).objects:
        marks = {**each["metadata"].get("labels", {}), **each["metadata"].get("annotations", {})}
        assert not [key for key in marks if "helm.sh" in key], each["metadata"]["name"]
        assert "Helm" not in marks.values()


def test_schemas_have_no_descriptions_and_keep_properties_of_that_name() -> None:
    def walk(schema: Any) -> None:
        if isinstance(schema, dict):
            assert not isinstance(schema.get("description"), str)
            for key, value in schema.items():
                if key in ("properties", "items", "additionalProperties"):
                    for each in value.values() if key == "properties" else (value,):
                        walk(each)

    for bundle in BUNDLES:
        for each in read_bundle(bundle).objects:
            if each["kind"] == "CustomResourceDefinition":
                for version in each["spec"]["versions"]:
                    assert version["schema"]["openAPIV3Schema"]["properties"]
                    walk(version["schema"]["openAPIV3Schema"])


@pytest.mark.parametrize("bundle", ["envoy-gateway", "cert-manager"])
def test_controllers_pass_the_restricted_standard_and_run_where_add_ons_do(bundle: BundleName) -> None:
    found = pods(bundle)
    assert found
    for pod in found:
        assert {"key": "CriticalAddonsOnly", "operator": "Exists"} in pod["tolerations"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert re.search(r":v\d+\.\d+\.\d+$", container["image"]), container["image"]
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]


def test_the_controller_is_what_capacity_is_counted_with() -> None:
    (deployment,) = (each for each in read_bundle("envoy-gateway").objects if each["kind"] == "Deployment")
    (demand,) = (each for each in platform_demands(("cluster",)) if each.name == "gateway controller")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["spec"]["replicas"] == demand.replicas
    assert container["resources"]["requests"] == {
        "cpu": f"{demand.cpu * 1000:.0f}m",
        "memory": f"{demand.memory_gib * 1024:.0f}Mi",
    }


def test_the_job_that_makes_certificates_is_named_by_its_version_and_stays() -> None:
    (job,) = (each for each in read_bundle("envoy-gateway").objects if each["kind"] == "Job")
    assert job["metadata"]["name"].endswith(read_bundle("envoy-gateway").version.replace(".", "-"))
    assert "ttlSecondsAfterFinished" not in job["spec"]


def test_the_gateway_takes_patches() -> None:
    (config,) = (each for each in read_bundle("envoy-gateway").objects if each["kind"] == "ConfigMap")
    assert "enableEnvoyPatchPolicy: true" in config["data"]["envoy-gateway.yaml"]
