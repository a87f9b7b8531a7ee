"""Service tags that are not there."""

from tidegate.cluster.service_tags import workspace_ranges
from tidegate.findings import Finding


def said(region: str, *tagged: str) -> list[Finding]:
    values = [
        {"name": f"AzureMachineLearning.{name}", "properties": {"region": name, "addressPrefixes": ["20.0.0.0/28"]}}
        for name in tagged
    ]
    return workspace_ranges({"values": values}, region)[1]


CASES = [
    ("service-tags", "no tag for the region", lambda: said("westeurope", "northeurope")),
    ("service-tags", "no tag for its pair", lambda: said("swedencentral", "swedencentral")),
    ("service-tags", "another document", lambda: workspace_ranges({"prefixes": []}, "westeurope")[1]),
    ("workspace-region-unpaired", "a region alone", lambda: said("polandcentral", "polandcentral")),
]
