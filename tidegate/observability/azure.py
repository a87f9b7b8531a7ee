"""The alert rules of an endpoint as Azure Monitor's managed Prometheus takes them."""

from collections.abc import Sequence
from typing import Any

from tidegate.endpoint.spec import EndpointSpec
from tidegate.observability.rules import plan_rules

Plan = dict[str, Any]

_SEVERITIES = {"critical": 1, "warning": 2}
"""Azure's 0 (critical) is left to what the team itself calls so."""


def plan_rule_groups(
    endpoint: EndpointSpec,
    *,
    workspace: object,
    cluster: str,
    resource_group: object,
    location: str,
    action_groups: Sequence[object] = (),
) -> dict[str, Plan]:
    """The inputs of a `PrometheusRuleGroup` for each group of rules, by its name.

    They are over the metrics in the Azure Monitor workspace with the id `workspace` that come from `cluster`; who is
    told of an alert are `action_groups`, by their ids.
    """
    return {
        group["name"]: {
            "ruleGroupName": group["name"],
            "resourceGroupName": resource_group,
            "location": location,
            "clusterName": cluster,
            "scopes": [workspace],
            "enabled": True,
            "interval": "PT1M",
            "rules": [_azure_rule(rule, action_groups) for rule in group["rules"]],
        }
        for group in plan_rules(endpoint)["groups"]
    }


def _azure_rule(rule: Plan, action_groups: Sequence[object]) -> Plan:
    return {
        "alert": rule["alert"],
        "expression": rule["expr"],
        "for": f"PT{rule['for'].upper()}",
        "severity": _SEVERITIES[rule["labels"]["severity"]],
        "labels": rule["labels"],
        "annotations": rule["annotations"],
        "enabled": True,
        "actions": [{"actionGroupId": group} for group in action_groups],
        "resolveConfiguration": {"autoResolved": True, "timeToResolve": "PT10M"},
    }
