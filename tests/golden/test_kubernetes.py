"""The manifests of three endpoints, whole."""

from typing import Any

import pytest

from tests.golden.conftest import Golden
from tests.unit.kubernetes.examples import EXAMPLES, everything
from tidegate.targets.kubernetes import plan_endpoint

SHOWN = {"wide": {"v01", "v18", "gpu-scaled", "gpu-small"}}
"""Of many versions that differ in nothing but their names, the first and those that do differ."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_manifests(name: str, golden: Golden) -> None:
    make, cluster = EXAMPLES[name]
    endpoint = make()
    found: dict[str, Any] = everything(plan_endpoint(endpoint, cluster))
    hidden = {version.name for version in endpoint.versions} - SHOWN.get(
        name, {each.name for each in endpoint.versions}
    )
    routes = {f"{name}-version-{version}" for version in hidden}
    found["versions"] = {version: each for version, each in found["versions"].items() if version not in hidden}
    found["header routes"] = [each for each in found["header routes"] if each["metadata"]["name"] not in routes]
    golden(f"kubernetes/{name}", found)
