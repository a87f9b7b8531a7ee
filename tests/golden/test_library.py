"""What `examples/library` registers: the components in another program."""

import runpy
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_azure_native import Provider
from pulumi_azure_native.resources import ResourceGroup

from components.cluster import Cluster
from components.cluster_network import ClusterNetwork
from components.registry import Registry
from tests.golden.azure import normal
from tests.golden.conftest import Golden
from tests.standins.mocks import Recorder, record
from tests.unit.cluster.specs import CREATED, cluster
from tidegate.cluster.spec import NetworkSpec, RegistrySpec

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "library"


def test_the_example(golden: Golden, tmp_path: Path) -> None:
    recorded = record(
        lambda: runpy.run_path(str(EXAMPLE / "__main__.py"), run_name="__main__"),
        cloud=tmp_path / "cloud",
        project="vision",
    )
    golden("library", normal(recorded))


def test_a_provider_given_to_a_component_is_that_of_all_that_it_makes_and_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[str] = set()
    answer = Recorder.Invoke

    def heard(recorder: Recorder, request: Any) -> Any:
        asked.add(request.provider)
        return answer(recorder, request)

    monkeypatch.setattr(Recorder, "Invoke", heard)

    def program() -> None:
        provider = Provider("other", subscription_id="elsewhere")
        other = pulumi.ResourceOptions(providers=[provider])
        place = pulumi.ResourceOptions(provider=provider)
        group = ResourceGroup("scoring", resource_group_name="scoring", location="westeurope", opts=place)
        spec = cluster(network=NetworkSpec(place=CREATED))
        images = RegistrySpec(name="images7421", resource_group="scoring", location="westeurope")
        network = ClusterNetwork("prod", spec, after=[group], opts=other)
        Cluster(
            "prod",
            spec,
            owner="a/b/c",
            network=network,
            registry=Registry("images", images, after=[group], opts=other),
            after=[group],
            opts=other,
        )

    recorded = record(program, cloud=tmp_path / "cloud")
    made = [each for each in recorded if each["type"].startswith("azure-native:")]
    assert len(made) > 15
    assert {each["options"].get("provider", "").rpartition("$")[2] for each in made} == {
        "pulumi:providers:azure-native::other"
    }
    assert len(asked) == 1
    assert "::other::" in asked.pop()
