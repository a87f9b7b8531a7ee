"""What versions report and keep: Application Insights, and the store of collected data and outputs."""

import re

from pydantic import SecretStr

from tidegate.cluster.rule import Rule
from tidegate.endpoint.spec import DeploymentSpec
from tidegate.findings import Finding
from tidegate.guid import GUID
from tidegate.parse import Loc

INSIGHTS: Loc = ("tidegate:applicationInsights",)

CONNECTION_STRING = Rule(
    "application-insights",
    "a connection string has keys and values between semicolons, the component's InstrumentationKey among them",
    "azure-monitor-docs: app/connection-strings.md, Schema",
)
REPORTS = Rule(
    "application-insights-needed",
    "a version reports to the component whose connection string the stack has",
    "docs/reference/azure.md, Telemetry",
)
COLLECTS = Rule(
    "collected-data-store",
    "pods in a cluster keep nothing: what they collect goes to the stack's storage account",
    "docs/reference/azure.md, Telemetry",
)
RULES: tuple[Rule, ...] = (CONNECTION_STRING, REPORTS, COLLECTS)


def check_connection_string(given: SecretStr | None) -> list[Finding]:
    """The form of the connection string; what stands in it is not shown."""
    if given is None:
        return []
    parts = given.get_secret_value().strip().split(";")
    if any(re.fullmatch(f"InstrumentationKey={GUID}", part) for part in parts):
        return []
    remedy = "Copy it from the component's overview, and give it by pulumi config set --secret"
    return [CONNECTION_STRING.error(INSIGHTS, "this is no connection string of Application Insights", remedy)]


def check_telemetry(loc: Loc, deployment: DeploymentSpec, *, reports: bool, collects: bool) -> list[Finding]:
    """Warn of what the version at `loc` asks for and the stack has no place for."""
    findings: list[Finding] = []
    if deployment.app_insights and not reports:
        problem = "appInsightsEnabled is not applied: the stack has no Application Insights"
        remedy = "Give the connection string: pulumi config set --secret tidegate:applicationInsights"
        findings.append(REPORTS.warning(loc, problem, remedy))
    if deployment.data_collection and not collects:
        problem = "dataCollection.storageEnabled is not applied: the stack has no storage account for it"
        findings.append(COLLECTS.warning(loc, problem, "Write tidegate:modelStore: {account: ...}"))
    return findings
