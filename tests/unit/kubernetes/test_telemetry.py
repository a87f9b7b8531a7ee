"""What pods report and keep, and where: only where the stack has a place for it."""

from dataclasses import replace

from tests.unit.kubernetes.examples import PLAIN, endpoint, version
from tests.unit.kubernetes.test_pods import container, pod
from tidegate.endpoint.spec import DeploymentSpec, EndpointSpec
from tidegate.targets.kubernetes import plan_endpoint

KEPT = replace(PLAIN, records="https://acmemodels.blob.core.windows.net/records")
REPORTED = replace(PLAIN, insights=True)


def one(*, data_collection: bool = False, app_insights: bool = False) -> EndpointSpec:
    deployment = DeploymentSpec(data_collection=data_collection, app_insights=app_insights)
    return endpoint(version("ridge", deployment=deployment))


def names(spec: EndpointSpec, cluster: object) -> dict[str, object]:
    return {each["name"]: each.get("value") for each in container(spec, "ridge", cluster=cluster)["env"]}


def test_collected_data_and_outputs_go_to_the_store() -> None:
    told = names(one(data_collection=True), KEPT)
    assert told["AML_MODEL_DC_STORAGE_ENABLED"] == "true"
    assert told["TIDEGATE_COLLECTION_DESTINATION"] == f"{KEPT.records}/modeldata"
    assert told["TIDEGATE_OUTPUTS_DESTINATION"] == f"{KEPT.records}/outputs"
    assert pod(one(), "ridge", KEPT)["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_nothing_is_collected_that_nobody_asked_for_or_that_has_no_place() -> None:
    assert not {"AML_MODEL_DC_STORAGE_ENABLED", "TIDEGATE_COLLECTION_DESTINATION"} & names(one(), KEPT).keys()
    told = names(one(data_collection=True), PLAIN)
    assert not [name for name in told if "COLLECTION" in name or "OUTPUTS" in name or "AML_" in name]
    assert "azure.workload.identity/use" not in pod(one(), "ridge")["metadata"]["labels"]


def test_the_connection_string_stands_in_a_secret_alone() -> None:
    spec = one(app_insights=True)
    (found,) = [
        each
        for each in container(spec, "ridge", cluster=REPORTED)["env"]
        if each["name"] == "APPLICATIONINSIGHTS_CONNECTION_STRING"
    ]
    secret = plan_endpoint(spec, REPORTED).insights(connection_string="dGV4dA==")
    assert secret is not None
    reference = found["valueFrom"]["secretKeyRef"]
    assert "value" not in found
    assert (reference["name"], secret["data"]) == (secret["metadata"]["name"], {reference["key"]: "dGV4dA=="})


def test_who_reports_nothing_gets_no_secret() -> None:
    for spec, cluster in ((one(), REPORTED), (one(app_insights=True), PLAIN)):
        assert plan_endpoint(spec, cluster).insights(connection_string="dGV4dA==") is None
        assert "APPLICATIONINSIGHTS_CONNECTION_STRING" not in names(spec, cluster)
