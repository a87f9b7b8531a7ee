"""Endpoints for the API server: loaded from a stack's config by the product's own rules, planned by its own plan."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.kubernetes.api import Manifest
from tidegate.config import load
from tidegate.endpoint.spec import EndpointSpec
from tidegate.targets.kubernetes import ClusterFacts, EndpointPlan, plan_endpoint

IMAGE = f"registry.example.com/scoring@sha256:{'5' * 64}"
KEYS = {"primary": "cHJpbWFyeQ==", "secondary": "c2Vjb25kYXJ5"}
CONTENT = '{"models": [], "source": null}'
CLIENT = "10000000-0000-4000-8000-00000000000c"
TENANT = "10000000-0000-4000-8000-00000000000d"
PROMETHEUS = "https://scoring.westeurope.prometheus.monitor.azure.com"

Values = dict[str, Any]


def version(**settings: Any) -> Values:
    """A version's config with code of its own."""
    return {"entryScript": "score.py", "sourceDirectory": ".", "environment": {"name": "plain"}, **settings}


def load_endpoint(root: Path, endpoint: Values, name: str = "diabetes") -> EndpointSpec:
    """An endpoint on a cluster that is attached, whose pools nobody knows."""
    (root / "score.py").write_text("def init(): ...\ndef run(data): ...\n")
    config = {
        "tidegate:target": "azure",
        "tidegate:clusters": {"main": {"attach": {"resourceGroup": "platform", "name": "aks-1"}}},
        "tidegate:registry": {"name": "scoring7421"},
        "tidegate:resourceGroup": "scoring",
        "tidegate:location": "westeurope",
        "tidegate:allowAnonymous": [name],
        "tidegate:endpoints": {name: endpoint},
    }
    return load(config, root=root, stack="test").endpoints[0]


def plan(endpoint: EndpointSpec, **facts: Any) -> EndpointPlan:
    return plan_endpoint(endpoint, ClusterFacts(name="main", **facts))


def manifests(
    plan: EndpointPlan,
    *,
    keys: Mapping[str, str] = KEYS,
    image: str = IMAGE,
    content: str | None = CONTENT,
    prometheus: str | None = PROMETHEUS,
) -> Iterator[Manifest]:
    """Every object of a plan, with what is known at apply time, in an order in which they can be made."""
    yield plan.namespace
    yield plan.service_account(client_id=CLIENT)
    if keys:
        yield plan.keys(values=keys)
    yield from (each for each in (plan.security_policy, *plan.traffic_policies, *plan.network_policies) if each)
    yield from plan.filters
    for each in plan.versions.values():
        yield each.service
        if each.disruption_budget:
            yield each.disruption_budget
        yield each.deployment(image=image, content=content)
        yield from each.scaler(query_endpoint=prometheus, client_id=CLIENT)
    yield from plan.header_routes
    yield plan.split


def pods(made: Manifest) -> Iterator[Manifest]:
    """A Pod from an object's pod template, if it has one."""
    template = made["spec"].get("template") if made["kind"] in ("Deployment", "DaemonSet", "Job") else None
    if template:
        metadata = {**template["metadata"], "name": "pod", "namespace": made["metadata"]["namespace"]}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
