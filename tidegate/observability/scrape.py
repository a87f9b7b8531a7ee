"""Who collects an endpoint's metrics on AKS."""

from tidegate.endpoint.spec import EndpointSpec
from tidegate.targets.kubernetes.labels import Manifest, labels, manifest, metadata, selector
from tidegate.targets.kubernetes.names import object_name

INTERVAL = "30s"


def plan_scrape(endpoint: EndpointSpec, *, production: bool = False) -> Manifest:
    """A `PodMonitor` by which Azure Monitor's managed Prometheus collects from all pods of the endpoint.

    Its own API group: the add-on leaves `monitoring.coreos.com` to a Prometheus of the team's own.
    """
    return manifest(
        "azmonitoring.coreos.com/v1",
        "PodMonitor",
        metadata(object_name(endpoint.name), endpoint.namespace, labels(endpoint.name, production=production)),
        spec={
            "selector": {"matchLabels": selector(endpoint.name)},
            # A PodMonitor's targets get a label `endpoint` too, the port's name: without this it would win over ours.
            "podMetricsEndpoints": [{"port": "metrics", "path": "/metrics", "interval": INTERVAL, "honorLabels": True}],
        },
    )
