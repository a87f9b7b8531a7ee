"""What runs, by endpoint and version."""

from dataclasses import asdict
from typing import Any

from cli.project import LOCAL, Project
from tidegate.targets.local_paths import state_folder

Running = dict[tuple[str, str], dict[str, Any]]
"""By endpoint and version, what is known of how it is."""


def report(project: Project) -> dict[str, Any]:
    """The stack's endpoints as its outputs have them, each version with its roles, its processes and its requests."""
    outputs = project.outputs(secrets=project.stack != LOCAL)  # a cluster's kubeconfig is one
    endpoints = outputs.get("endpoints", {})
    running = _running(project) if project.stack == LOCAL else _on_clusters(outputs, endpoints)
    return {
        "stack": project.stack,
        "address": outputs.get("address"),
        "endpoints": {
            name: {**endpoint, "versions": _versions(name, endpoint, running)}
            for name, endpoint in sorted(endpoints.items())
        },
    }


def _versions(name: str, endpoint: dict[str, Any], running: Running) -> dict[str, Any]:
    return {
        version: {
            "percent": percent,
            "roles": _roles(endpoint, version),
            **running.get((name, version), {}),
        }
        for version, percent in sorted(endpoint["versions"].items())
    }


def _roles(endpoint: dict[str, Any], version: str) -> list[str]:
    roles = [role for role in ("default", "control") if endpoint.get(role) == version]
    compared = endpoint.get("control") not in (None, version)
    return [*roles, "treatment"] if compared else roles


def _running(project: Project) -> Running:
    from providers.local.inspection import running_versions  # noqa: PLC0415 (not where the stack is elsewhere)

    found = running_versions(state_folder(project.root, project.stack))
    return {version: asdict(running) for version, running in found.items()}


def _on_clusters(outputs: dict[str, Any], endpoints: dict[str, Any]) -> Running:
    from cli.kubernetes import versions  # noqa: PLC0415 (not where the stack is local)

    return {
        (name, version): running
        for name, endpoint in endpoints.items()
        if "cluster" in endpoint
        for version, running in versions(outputs, endpoint).items()
    }
