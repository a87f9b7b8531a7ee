"""What the rules over Application Insights and collected data say."""

from pydantic import SecretStr

from tidegate.cluster.telemetry import check_connection_string, check_telemetry
from tidegate.endpoint.spec import DeploymentSpec

VERSION = ("tidegate:endpoints", "diabetes", "versions", "ridge")

CASES = [
    ("application-insights", "A key alone", lambda: check_connection_string(SecretStr("0123456789"))),
    (
        "application-insights-needed",
        "A version that reports to nobody",
        lambda: check_telemetry(VERSION, DeploymentSpec(app_insights=True), reports=False, collects=True),
    ),
    (
        "collected-data-store",
        "A version that collects for nobody",
        lambda: check_telemetry(VERSION, DeploymentSpec(data_collection=True), reports=True, collects=False),
    ),
]
