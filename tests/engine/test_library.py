"""`examples/library` on the real engine: another program, with the components and the plugin of this one."""

from pathlib import Path

import pytest

from tests.engine.azure_harness import AzureStack
from tests.engine.harness import CHECKOUT
from tests.standins.arm_server import ArmServer
from tests.standins.cloud import Cloud

pytestmark = pytest.mark.engine

EXAMPLE = Path("examples", "library")


def test_another_program_makes_what_it_takes_and_takes_it_away(tmp_path: Path, engine: str) -> None:
    checkout = tmp_path / "a checkout"
    root = checkout / EXAMPLE
    root.mkdir(parents=True)
    for name in (".venv", "providers"):
        (checkout / name).symlink_to(CHECKOUT / name)
    with ArmServer(Cloud(root / "cloud")).running() as server:
        stack = AzureStack(root, engine, project=CHECKOUT / EXAMPLE, variables=server.variables).make()
        planned = stack.steps()
        assert planned["tidegate:azure:Cluster::vision"] == "create"
        assert set(planned.values()) == {"create"}
        stack.up().require()
        stack.up("--expect-no-changes").require()
        cluster = stack.azure("Microsoft.ContainerService/managedClusters/vision", "vision")
        assert cluster["tags"]["tidegate-owner"] == "organization/vision/dev"
        outputs = stack.outputs()
        assert outputs["issuer"] == cluster["properties"]["oidcIssuerProfile"]["issuerURL"]
        assert outputs["loginServer"] == "visionimages7421.azurecr.io"
        stack.destroy().require()
        assert stack.cloud.all() == []
