"""What a team's Prometheus and Grafana are given for an endpoint, made from the config alone."""

import io
import json

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from cli.errors import CliError
from cli.project import Project
from tidegate.config import from_file
from tidegate.endpoint.spec import EndpointSpec
from tidegate.findings import ConfigError
from tidegate.observability.dashboard import plan_dashboard
from tidegate.observability.rules import plan_rules


def dashboard(project: Project, endpoint: str) -> str:
    """The endpoint's Grafana dashboard, as JSON."""
    return json.dumps(plan_dashboard(_endpoint(project, endpoint)), indent=2) + "\n"


def alerts(project: Project, endpoint: str) -> str:
    """The endpoint's alert rules, as a rule file of Prometheus."""
    planned = plan_rules(_endpoint(project, endpoint))
    for group in planned["groups"]:
        for rule in group["rules"]:
            rule["expr"] = LiteralScalarString(rule["expr"])
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 1000  # a query that is folded is hard to read, and harder to copy
    yaml.dump(planned, text)
    return text.getvalue()


def _endpoint(project: Project, name: str) -> EndpointSpec:
    try:
        environment = from_file(project.stack_file, root=project.root)
    except ConfigError as error:
        raise CliError(str(error)) from error
    found = {endpoint.name: endpoint for endpoint in environment.endpoints}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise CliError(f"{project.stack_file.name} has no endpoint {name!r}; it has: {known}")
    return found[name]
