"""The check by the SDK's own annotations."""

from typing import Any

import pytest

from providers.values import UNKNOWN
from tests.standins.annotations import check_inputs

RULE = "azure-native:monitor:DataCollectionRule"


def rule(**changes: Any) -> dict[str, Any]:
    return {
        "resourceGroupName": "scoring",
        "dataCollectionRuleName": "metrics",
        "location": "westeurope",
        "kind": "Linux",
        "dataCollectionEndpointId": UNKNOWN,
        "dataSources": {
            "prometheusForwarder": [{"name": "metrics", "streams": ["Microsoft-PrometheusMetrics"]}],
        },
        "destinations": {"monitoringAccounts": [{"name": "account", "accountResourceId": "/a"}]},
        "dataFlows": [{"streams": ["Microsoft-PrometheusMetrics"], "destinations": ["account"]}],
        "tags": {"team": "scoring"},
        **changes,
    }


def test_good_inputs_have_no_fault() -> None:
    assert check_inputs(RULE, rule()) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"resourceGroupName": None}, "resourceGroupName"),
        ({"flows": []}, "flows"),
        ({"location": 3}, "location"),
        ({"kind": "MacOS"}, "kind"),
        ({"dataSources": []}, "dataSources"),
        ({"dataSources": {"prometheusForwarder": {}}}, "dataSources.prometheusForwarder"),
        ({"dataSources": {"prometheusForwarder": [{"nam": "a"}]}}, "dataSources.prometheusForwarder[0].nam"),
        (
            {"dataSources": {"prometheusForwarder": [{"streams": ["Microsoft-Metrics"]}]}},
            "dataSources.prometheusForwarder[0].streams[0]",
        ),
        ({"tags": {"team": True}}, "tags.team"),
    ],
)
def test_one_fault_is_one_finding(changes: dict[str, Any], path: str) -> None:
    assert [each.path for each in check_inputs(RULE, rule(**changes))] == [path]


def test_required_fields_of_nested_objects() -> None:
    token = "azure-native:containerregistry:ScopeMap"
    assert [each.path for each in check_inputs(token, {"registryName": "a"})] == ["actions", "resourceGroupName"]
