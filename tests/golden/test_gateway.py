"""A gateway's own objects, for each kind of cluster."""

import pytest

from tests.golden.conftest import Golden
from tests.unit.gateway.specs import SPECS
from tidegate.gateway.plan import plan_gateway


@pytest.mark.parametrize("name", SPECS)
def test_objects(name: str, golden: Golden) -> None:
    plan = plan_gateway(SPECS[name])
    golden(f"gateway/{name}", {"bundles": plan.bundles, "namespaces": plan.namespaces, "objects": [*plan.manifests]})
