"""What runs, by endpoint and version."""

from typing import Any

from cli.project import LOCAL, Project
from tidegate.targets.local_paths import state_folder


def report(project: Project) -> dict[str, Any]:
    """The stack's endpoints as its outputs have them, each version with its roles and its processes."""
    outputs = project.outputs()
    processes = _processes(project) if project.stack == LOCAL else {}
    return {
        "stack": project.stack,
        "address": outputs.get("address"),
        "endpoints": {
            name: {**endpoint, "versions": _versions(name, endpoint, processes)}
            for name, endpoint in sorted(outputs.get("endpoints", {}).items())
        },
    }


def _versions(name: str, endpoint: dict[str, Any], processes: dict[tuple[str, str], dict[str, int]]) -> dict[str, Any]:
    nothing = {"replicas": 0, "ready": 0, "restarts": 0}
    return {
        version: {
            "percent": percent,
            "roles": [role for role in ("default", "control") if endpoint.get(role) == version],
            **processes.get((name, version), nothing),
        }
        for version, percent in sorted(endpoint["versions"].items())
    }


def _processes(project: Project) -> dict[tuple[str, str], dict[str, int]]:
    from providers.local.inspection import replicas  # noqa: PLC0415 (not where the stack is elsewhere)

    return replicas(state_folder(project.root, project.stack))
